//! Serves the page of metrics: on a socket of this machine, to whoever asks in time and in few words.

use std::convert::Infallible;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::metrics::Page;
use crate::agent::config::Listen;

/// Who is answered at once; more wait. One Prometheus asks once in some seconds.
const CONNECTIONS_MAX: usize = 8;
/// How long a request takes to come: whoever asks is a program of this machine.
const HEAD_TIME_MAX: Duration = Duration::from_secs(3);
/// How long a whole connection takes, the answer taken.
const WHOLE_TIME_MAX: Duration = Duration::from_secs(10);
/// What a request has at most; hyper takes no less.
const HEAD_BYTES_MAX: usize = 8192;
const HEADERS_MAX: usize = 32;
/// As OpenMetrics wants it.
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) enum Listener {
    Unix(UnixListener),
    Loopback(TcpListener),
}

/// Listens. What another one left behind is taken away, if it is a socket.
pub(super) async fn listen(at: &Listen) -> io::Result<Listener> {
    let path = match at {
        Listen::Loopback(address) => return Ok(Listener::Loopback(TcpListener::bind(address).await?)),
        Listen::Unix(path) => path,
    };
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there")),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    // Whoever may log in here may look: that is what a port of loopback would mean too.
    std::fs::set_permissions(path, Permissions::from_mode(0o666))?;
    Ok(Listener::Unix(listener))
}

/// Serves. It never ends.
pub(super) async fn serve(listener: Listener, page: Arc<Page>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = match &listener {
            Listener::Unix(listener) => listener.accept().await.map(|(it, _)| answer(it, place, &page)),
            Listener::Loopback(listener) => listener.accept().await.map(|(it, _)| answer(it, place, &page)),
        };
        if accepted.is_err() {
            // Out of files, perhaps: others close some.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, place: OwnedSemaphorePermit, page: &Arc<Page>) {
    let page = Arc::clone(page);
    tokio::spawn(async move {
        let service = service_fn(|request| {
            let page = Arc::clone(&page);
            async move { Ok::<_, Infallible>(respond(&request, &page).await) }
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        // Whoever asks badly, or does not listen, has only themselves to tell.
        let _ = timeout(WHOLE_TIME_MAX, connection).await;
        drop(place);
    });
}

/// A body is never read.
async fn respond(request: &Request<Incoming>, page: &Page) -> Response<Full<Bytes>> {
    let plain = |status: StatusCode, text: &'static str| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response
    };
    match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET | &Method::HEAD) => {
            let text = page.text().await;
            let mut response = Response::new(Full::from(Bytes::copy_from_slice(text.as_bytes())));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TYPE));
            response
        }
        ("/metrics", _) => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "metrics are only read\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        _ => plain(StatusCode::NOT_FOUND, "only /metrics is here\n"),
    }
}
