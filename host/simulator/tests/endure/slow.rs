//! Whoever holds connections and says little: an honest device and an honest technician get their answers, the hub stays as large as
//! it says, and lets go of them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::site::{PATIENCE, Serving, Site, doctor};

/// The most that the hub may take for each connection that is held so, in KiB: what is read ahead, and TLS.
const EACH_KIB_MAX: u64 = 128;

/// And beside all of them: what honest devices do meanwhile.
const BESIDE_KIB_MAX: u64 = 32 << 10;

/// The longest that a hub keeps who says nothing whole: 20 s for TLS, a head or a body, and some for a machine that others use.
const GONE_WITHIN: Duration = Duration::from_secs(45);

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Where they come from: another address than the honest ones, as loopback has many.
const FROM: [u8; 4] = [127, 0, 0, 9];

/// A connection that is held.
enum Held {
    /// TLS never begins.
    Mute(TcpStream),
    /// TLS stands; these bytes go out one at a time, and then nothing.
    Slow(Box<Tls>, Vec<u8>),
}

fn connect(site: &Site) -> TcpStream {
    let to = site.listen;
    let stream = site.runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((FROM, 0))).unwrap();
        socket.connect(to).await.unwrap()
    });
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    stream
}

fn config(ca: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// TLS stands, and these bytes were sent at once.
fn begin(site: &Site, config: &Arc<ClientConfig>, at_once: &str, slowly: &str) -> Held {
    let stream = connect(site);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), stream);
    tls.write_all(at_once.as_bytes()).unwrap();
    tls.flush().unwrap();
    tls.sock.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    Held::Slow(Box::new(tls), slowly.as_bytes().to_vec())
}

impl Held {
    /// Sends one more byte.
    fn drip(&mut self) {
        if let Self::Slow(tls, left) = self
            && !left.is_empty()
        {
            let byte = left.remove(0);
            let _ = tls.write_all(&[byte]).and_then(|()| tls.flush());
        }
    }

    /// Whether the hub let go of it.
    fn is_gone(&mut self) -> bool {
        let mut some = [0; 1024];
        let read = match self {
            Self::Mute(stream) => stream.read(&mut some),
            Self::Slow(tls, _) => tls.read(&mut some),
        };
        match read {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted),
        }
    }
}

/// Every way to be slow, so often each.
fn hold(site: &Site, config: &Arc<ClientConfig>, times: usize) -> Vec<Held> {
    let head = |line: &str| format!("{line} HTTP/1.1\r\nhost: hub\r\n");
    let body = |line: &str| format!("{}content-length: 4000\r\n\r\n", head(line));
    let chunked = |line: &str| format!("{}transfer-encoding: chunked\r\n\r\n", head(line));
    let long = "x".repeat(3_999);
    let ways = [
        (String::new(), head("GET /v1/health")),
        (head("GET /v1/health"), format!("x-slow: {long}")),
        (body("POST /v1/sessions"), long.clone()),
        (body("POST /v1/enrolments"), long.clone()),
        (body("POST /v1/line/sessions"), long),
        (chunked("GET /v1/ready"), String::new()),
        (chunked("POST /v1/line/sessions"), "f9f\r\n".to_owned()),
    ];
    let mut held = Vec::new();
    for _ in 0..times {
        held.push(Held::Mute(connect(site)));
        held.extend(ways.iter().map(|(at_once, slowly)| begin(site, config, at_once, slowly)));
    }
    held
}

/// A bell that rings for somebody who never reads.
fn deaf(site: &Site, config: &Arc<ClientConfig>, number: u32) -> Held {
    let line = site.runtime.block_on(site.line(number));
    let mut head = "GET /v1/line/bell HTTP/1.1\r\nhost: hub\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        .to_owned();
    for (name, value) in line.prove("GET", "/v1/line/bell", b"") {
        head += &format!("{name}: {value}\r\n");
    }
    let mut held = begin(site, config, &(head + "\r\n"), "");
    let Held::Slow(tls, _) = &mut held else { unreachable!("TLS stands") };
    let mut answer = [0; 12];
    tls.sock.set_read_timeout(Some(PATIENCE)).unwrap();
    tls.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    tls.sock.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    held
}

#[test]
fn whoever_says_little_is_in_nobody_s_way() {
    // More than there are places for any of it.
    let (times, is_long) = if tests::soak!() { (600, true) } else { (70, false) };
    let devices = 6;
    let mut site = Site::new();
    let hub = Serving::start(&site.path(), None).unwrap();
    let token = site.runtime.block_on(site.token(devices));
    let _crew = site.crew_there(token, devices);
    let given = site.order(devices);
    site.runtime.block_on(site.carry_out(&given)).unwrap();
    let config = config(&site.path().join("ca.pem"));
    let before = hub.rss_kib();

    let mut held = hold(&site, &config, times);
    held.extend((0..4).map(|_| deaf(&site, &config, devices - 1)));
    held.iter_mut().for_each(Held::drip);
    let began = Instant::now();
    let mut most = hub.rss_kib();
    for _ in 0..3 {
        // A technician who sits down anew, an order that goes to all devices, and their answers.
        let given = site.order(devices);
        let done = site.runtime.block_on(async { tokio::time::timeout(PATIENCE, site.carry_out(&given)).await });
        done.expect("honest devices get their order, and are heard").unwrap();
        held.iter_mut().for_each(Held::drip);
        most = most.max(hub.rss_kib());
    }
    let count = held.len() as u64;
    let (grown, bound) = (most.saturating_sub(before), count * EACH_KIB_MAX + BESIDE_KIB_MAX);
    eprintln!("{count} connections are held, {:.1} s, the hub grew by {grown} KiB", began.elapsed().as_secs_f64());
    assert!(grown <= bound, "{count} connections, {grown} KiB: at most {bound}");
    if is_long {
        // Bells are let go of after 150 s of silence; all others before.
        let deaf = held.split_off(held.len() - 4);
        while !held.is_empty() {
            held.iter_mut().for_each(Held::drip);
            held.retain_mut(|it| !it.is_gone());
            assert!(began.elapsed() < GONE_WITHIN, "{} are still there", held.len());
            std::thread::sleep(Duration::from_millis(500));
        }
        drop(deaf);
    }
    drop(held);
    hub.stop();
    assert_eq!(doctor(&site.path()), [""; 0]);
}
