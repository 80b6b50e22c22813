//! The embedded backend, with real TLS on loopback.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on panics")]

mod limits;
mod lines;
mod strangers;
mod world;

use bus::conformance::{World, check};
use world::{Between, Embedded};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms_over_sockets() {
    assert_eq!(check(async || Box::new(Embedded::new(Between::Nobody)) as Box<dyn World>).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms_behind_a_proxy_that_knows_no_sockets() {
    assert_eq!(check(async || Box::new(Embedded::new(Between::Refuses)) as Box<dyn World>).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms_behind_a_proxy_that_cuts_sockets() {
    assert_eq!(check(async || Box::new(Embedded::new(Between::Cuts)) as Box<dyn World>).await, []);
}
