//! Through real proxies: one that wants to know who asks, and one that reads along.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::network;
use crate::network::{Limits, Network, Roots};
use crate::{Error, Proxy};

/// Debian's tinyproxy, on a port of its own.
struct Tinyproxy {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Tinyproxy {
    /// With more lines in its configuration.
    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Somebody else may be faster at a port that was free.
        for _ in 0..10 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = format!(
                "Port {port}\nListen 127.0.0.1\nTimeout 30\nLogFile \"{}\"\n{more}",
                folder.path().join("log").display()
            );
            std::fs::write(folder.path().join("conf"), config).unwrap();
            let mut child =
                program("/usr/bin/tinyproxy").arg("-d").arg("-c").arg(folder.path().join("conf")).spawn().unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { child, folder, port };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
        }
        panic!("tinyproxy does not start: {}", std::fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    fn address(&self) -> Url {
        format!("http://127.0.0.1:{}", self.port).parse().unwrap()
    }

    /// What it says that it was asked for.
    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that a test stands on")]
fn program(path: &str) -> Command {
    assert!(Path::new(path).exists(), "{path} is missing; `cargo xtask test` installs it");
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// An authority with a file of its certificate, and what it issues for a name.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
    _folder: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file, _folder: folder }
    }

    /// Speaks TLS as this server.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// The head of a request, and what of its body it announces.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { break };
        seen.push(byte);
    }
    let head = String::from_utf8(seen).unwrap().to_lowercase();
    let length = head.lines().find_map(|it| it.strip_prefix("content-length: ")).map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    let _ = stream.read_exact(&mut body).await;
    head
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    request(stream).await;
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await;
    let _ = stream.shutdown().await;
}

/// A server with TLS that this authority vouches for. Loopback is never asked through a proxy, and so it goes by the address that
/// stands for all of this machine's.
async fn server(authority: &Authority) -> SocketAddr {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let (address, acceptor) = (listener.local_addr().unwrap(), authority.acceptor("0.0.0.0"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                answer(&mut stream).await;
            }
        }
    });
    address
}

/// A proxy that inspects TLS: it is whoever is asked for, as its own authority says, and reads along.
async fn inspecting(authority: &Authority) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, acceptor) = (listener.local_addr().unwrap(), authority.acceptor("server.example"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            assert!(request(&mut stream).await.starts_with("connect server.example:443 "));
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                answer(&mut stream).await;
            }
        }
    });
    format!("http://{address}").parse().unwrap()
}

fn through(roots: &Roots, proxy: Proxy) -> Network {
    let seconds = Duration::from_secs;
    Network::through(roots, Limits { connect: seconds(10), stall: seconds(10), whole: seconds(20) }, Some(proxy))
        .unwrap()
}

async fn ask(network: &Network, url: &str) -> Result<u16, Error> {
    network.post(&url.parse().unwrap(), &[], b"hello").await.map(|it| it.status)
}

#[tokio::test]
async fn a_server_behind_a_proxy_is_reached_with_its_credentials() {
    let authority = Authority::new("Example Authority");
    let (server, roots) = (server(&authority).await, Roots(vec![authority.file.clone()]));
    let proxy = Tinyproxy::start("BasicAuth remit s3cr3t\n");
    let url = format!("https://{server}/");
    let of = |credentials| through(&roots, Proxy::new(proxy.address(), &[], credentials).unwrap());
    assert_eq!(ask(&of(Some("remit:s3cr3t")), &url).await.unwrap(), 200);
    assert!(proxy.log().contains(&format!("CONNECT {server}")), "{}", proxy.log());
    for (credentials, said) in [(None, "wants credentials"), (Some("remit:wrong"), "for these credentials")] {
        let refused = ask(&of(credentials), &url).await.unwrap_err();
        assert!(matches!(&refused, Error::Proxy { why, .. } if why.contains(said)), "{refused}");
        assert!(!refused.to_string().contains("wrong"), "{refused}");
    }
    // Whoever is named is asked past it.
    let past = through(&roots, Proxy::new(proxy.address(), &["0.0.0.0".to_owned()], None).unwrap());
    assert_eq!(ask(&past, &url).await.unwrap(), 200);
}

#[tokio::test]
async fn a_proxy_that_inspects_tls_is_named_and_passes_with_its_authority() {
    let inspection = Authority::new("Example Inspection CA");
    let proxy = inspecting(&inspection).await;
    let of = |roots| through(&roots, Proxy::new(proxy.clone(), &[], None).unwrap());
    let refused = ask(&of(Roots::default()), "https://server.example/").await.unwrap_err();
    assert!(matches!(&refused, Error::Untrusted { issuer, .. } if issuer == "CN=Example Inspection CA"), "{refused:?}");
    assert!(refused.to_string().contains("add the certificate of that authority (PEM) to `ca`"), "{refused}");
    assert_eq!(ask(&of(Roots(vec![inspection.file.clone()])), "https://server.example/").await.unwrap(), 200);
    // Another authority is no help, and a certificate for another name is not this flaw.
    let other = Authority::new("Other");
    assert!(matches!(
        ask(&of(Roots(vec![other.file.clone()])), "https://server.example/").await,
        Err(Error::Untrusted { .. })
    ));
}

#[tokio::test]
async fn another_flaw_of_a_certificate_is_not_taken_for_inspection() {
    let authority = Authority::new("Example Authority");
    let server = server(&authority).await;
    let network = Network::new(&Roots(vec![authority.file.clone()]), Limits::default()).unwrap();
    let error = ask(&network, &format!("https://localhost:{}/", server.port())).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy: Url = format!("http://{free}").parse().unwrap();
    let gone = through(&Roots::default(), Proxy::new(proxy, &[], None).unwrap());
    let error = ask(&gone, "https://server.example/").await.unwrap_err();
    assert!(matches!(&error, Error::Proxy { proxy, .. } if proxy.contains(&free.to_string())), "{error:?}");
    // Without it the same is another fault.
    assert!(matches!(ask(&network(), "https://server.invalid/").await, Err(Error::Unresolved { .. })));
}
