//! Ports that are listened on.

use std::net::{TcpListener, TcpStream, UdpSocket};

use agent::Watch;
use serde_json::json;

use crate::testing::Bench;

/// A port that nobody listens on, and nobody is given who asks for any.
fn free_port() -> u16 {
    (20_000..30_000)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok())
        .unwrap()
}

fn watch(port: u16, loopback: bool) -> Watch {
    Watch::ListeningPort { port: Some(port), loopback }
}

/// One after the other: two tests would find the same port.
#[tokio::test]
async fn a_port_that_is_opened_is_told_with_who_opened_it() {
    let port = free_port();
    let mut bench = Bench::new();
    bench.start(watch(port, true));
    bench.until_kept(&watch(port, true)).await;
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let told = bench.next().await;
    assert_eq!(told.subject, format!("tcp/{port}"));
    assert_eq!((&told.data["pid"], &told.data["addresses"]), (&json!(std::process::id()), &json!(["127.0.0.1"])));
    assert_eq!(told.data["program"], json!(std::env::current_exe().unwrap()));
    // Neither a connection nor another socket that waits for packets from one peer is another port that is open.
    let _connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let connected = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    connected.connect(("127.0.0.1", port)).unwrap();
    bench.silence_of_polls().await;
    drop(connected);
    let _socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    assert_eq!(bench.next().await.subject, format!("udp/{port}"));
    // What is open when it starts is no event, unless it was not when the agent ended.
    bench.restart(watch(port, true)).await;
    bench.silence_of_polls().await;
    bench.stop().await;
    drop(listener);
    bench.start(watch(port, true));
    bench.silence_of_polls().await;
    bench.stop().await;
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    bench.start(watch(port, true));
    assert_eq!(bench.next().await.subject, format!("tcp/{port}"));
    // A rule that has never looked knows of none that was not open.
    let mut bench = Bench::new();
    bench.start(watch(port, false));
    bench.until_kept(&watch(port, false)).await;
    bench.silence_of_polls().await;
    // Only this machine reaches that, and everybody this.
    let other = free_port();
    let mut bench = Bench::new();
    bench.start(watch(other, false));
    bench.until_kept(&watch(other, false)).await;
    let near = TcpListener::bind(("127.0.0.1", other)).unwrap();
    bench.silence_of_polls().await;
    drop(near);
    let _far = TcpListener::bind(("::", other)).unwrap();
    assert_eq!(bench.next().await.data["addresses"], json!(["::"]));
}
