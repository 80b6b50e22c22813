//! A real `remit hub run` that is killed, moved and pressed hard, with simulated devices that count what is done to them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test that cannot go on panics; it starts what a person would start, reads the clock, and says what it measured"
)]

mod crowds;
mod fuzz;
mod kills;
mod moving;
mod site;
mod slow;
mod technician;
