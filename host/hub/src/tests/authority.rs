//! Its certificates are what a client that knows the authority takes, before and after they were renewed.

use std::sync::Arc;

use ::bus::server::{Limits, serve};
use axum::Router;
use axum::routing::get;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use trust::Time;

use super::{NOW_MS, World};
use crate::Hub;

/// What a client that takes this authority alone reads from a server.
async fn ask(hub: &Hub, address: std::net::SocketAddr, name: &str, request: &[u8]) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(hub.ca().certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(request).await?;
    let mut text = Vec::new();
    // Some servers end without saying so, after the last answer.
    let _ = stream.read_to_end(&mut text).await;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

const REQUEST: &[u8] = b"GET /hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_the_authority_reaches_the_hub_and_no_other_name() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/hello", get(async || "hello"));
    // Made two months ago, it still has one.
    let before = Time::from_ms(NOW_MS - 61 * 86_400_000);
    let ca = crate::Ca::open(&world.path(), world.hub.config(), before).unwrap();
    let tls = Arc::new(ca.tls().unwrap());
    let served = tokio::spawn(serve(listener, tls, routes, Limits::default()));
    for name in ["localhost", "127.0.0.1"] {
        assert!(ask(&world.hub, address, name, REQUEST).await.unwrap().ends_with("hello"), "{name}");
    }
    assert!(ask(&world.hub, address, "example.com", REQUEST).await.is_err());
    let other = World::new().await;
    assert!(ask(&other.hub, address, "localhost", REQUEST).await.is_err(), "another authority is another hub");
    assert!(!ca.renew(before).unwrap(), "it is not time");
    assert!(ca.renew(world.hub.now()).unwrap());
    assert!(!ca.renew(world.hub.now()).unwrap(), "it has just been done");
    assert!(ask(&world.hub, address, "localhost", REQUEST).await.unwrap().ends_with("hello"));
    // A head without an end is no longer read than this.
    let long = [b"GET /hello HTTP/1.1\r\nx: ".as_slice(), &[b'a'; 40 << 10]].concat();
    let refused = ask(&world.hub, address, "localhost", &long).await.unwrap_or_default();
    assert!(!refused.contains("hello"), "{refused}");
    served.abort();
}
