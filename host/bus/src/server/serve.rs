//! Takes connections: TLS, HTTP/1, and a limit to each.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

/// The most bytes of a request's head, which is also what is read ahead.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The most headers: ours are eight, and proxies add some.
const HEADERS_MAX: usize = 64;

/// How long anything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once; with as many files open. Beyond them, nobody is let in until somebody goes.
    pub connections: usize,
    /// Until TLS stands: ten thousand that come at once take some seconds of two processors.
    pub handshake: Duration,
    /// Until the head of a request is there, from the one before on: so long a connection idles.
    pub head: Duration,
    /// One connection, whatever it does; what became a socket is no longer counted.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connections: 20_000, handshake: seconds(20), head: seconds(20), whole: seconds(15 * 60) }
    }
}

/// Who is at the other end of a connection: in each request's extensions, for whoever counts what one address asks. Behind a proxy
/// it is the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(
    /// Its address.
    pub IpAddr,
);

/// Serves until it is dropped; what is under way then ends. Sockets end with the process, or with who holds them.
pub async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, routes: Router, limits: Limits) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok((stream, address)) => (stream, Peer(address.ip())),
            Err(_) => {
                // No file is left, as a rule: somebody has to go first.
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (acceptor, routes) = (acceptor.clone(), routes.clone());
        connections.spawn(async move {
            let _place = place;
            // Whoever asks badly, or does not listen, has only themselves to tell.
            let _ = timeout(limits.whole, connection((stream, peer), acceptor, routes, limits)).await;
        });
    }
}

async fn connection(
    (stream, peer): (TcpStream, Peer),
    acceptor: TlsAcceptor,
    routes: Router,
    limits: Limits,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let stream = timeout(limits.handshake, acceptor.accept(stream)).await.ok()?.ok()?;
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        routes.clone().call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .ok()
}
