//! Servers for the tests: certificates as one needs them, and answers as a hostile server would write them, byte by byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// When the tests take place: 2026-01-01.
pub(super) const NOW_MS: u64 = 1_767_225_600_000;

/// An authority that signs what servers need.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a server shows, and the key for it.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

/// Between which years a certificate is valid.
pub(super) const VALID: (i32, i32) = (2025, 2030);

fn params(name: &str, names: &[&str], (from, to): (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    params
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = params(name, &[], (2020, 2040));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for these names.
    pub(super) fn sign(&self, names: &[&str], years: (i32, i32)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names[0], names, years).signed_by(&key, &self.0).unwrap();
        Identity { chain: vec![certificate.der().clone(), self.certificate()], key: key.serialize_der() }
    }
}

/// A certificate that nobody but itself vouches for.
pub(super) fn self_signed(names: &[&str]) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params(names[0], names, VALID).self_signed(&key).unwrap();
    Identity { chain: vec![certificate.der().clone()], key: key.serialize_der() }
}

/// What a server does with a request that it has read: writes an answer.
pub(super) type Answer = Arc<dyn Fn(&str) -> Vec<Piece> + Send + Sync>;

/// A part of an answer.
#[derive(Clone)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    Pause(Duration),
    /// These bytes, until the other side goes.
    Forever(Vec<u8>),
}

/// A server on loopback.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// The requests as they came, head and body.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(identity: Option<Identity>, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        let acceptor = identity.map(acceptor);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer, seen) = (acceptor.clone(), Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    match acceptor {
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, answer, seen).await;
                            }
                        }
                        None => serve(stream, answer, seen).await,
                    }
                });
            }
        });
        Self { address, requests }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn acceptor(identity: Identity) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answer, seen: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut buffer).await {
            Ok(length @ 1..) => request.extend_from_slice(&buffer[..length]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    seen.lock().unwrap().push(request.clone());
    for piece in answer(&request) {
        match piece {
            Piece::Bytes(bytes) if stream.write_all(&bytes).await.is_err() => return,
            Piece::Bytes(_) => {}
            Piece::Pause(pause) => tokio::time::sleep(pause).await,
            Piece::Forever(bytes) => while stream.write_all(&bytes).await.is_ok() {},
        }
        let _ = stream.flush().await;
    }
    let _ = stream.shutdown().await;
}

fn is_whole(request: &[u8]) -> bool {
    let Some(head) = request.windows(4).position(|it| it == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    request.len() >= head + 4 + length.unwrap_or(0)
}

/// A whole answer.
pub(super) fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<Piece> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    vec![Piece::Bytes([head.as_bytes(), body].concat())]
}

/// A server over TLS for these names.
pub(super) async fn tls(
    authority: &Authority,
    names: &[&str],
    answer: impl Fn(&str) -> Vec<Piece> + Send + Sync + 'static,
) -> Server {
    Server::start(Some(authority.sign(names, VALID)), Arc::new(answer)).await
}
