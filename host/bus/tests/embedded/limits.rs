//! Whoever asks badly, slowly or too much meets a limit, and nobody else notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, Request};
use bus::conformance::World as _;
use bus::dial::Opener as _;
use bus::proof::Prover;
use bus::server::Limits;
use bus::{Line as _, MESSAGES_MAX, Memory, Pulled, Replacement};
use futures_util::{SinkExt as _, StreamExt as _};
use model::{Clock, ManualClock};
use reqwest::{Client, Method, Response};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use trust::SessionKey;

use crate::world::{Authority, Between, Embedded, NOW_MS, Root, device, start};

fn tls(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A client that sends what it likes.
struct Raw {
    client: Client,
    origin: String,
}

impl Raw {
    fn new(world: &Embedded) -> Self {
        let client = Client::builder().no_proxy().tls_backend_preconfigured(tls(&world.authority)).build().unwrap();
        Self { client, origin: format!("https://{}", world.address()) }
    }

    async fn session(&self, world: &Embedded, number: u8) -> Prover {
        let (key, hub) = (SessionKey::from_seed(&[9; 32]), world.authority.digest());
        let signed = Root(number).open(hub, &key.key()).await.unwrap();
        let answer = self.send(Method::POST, "/v1/line/sessions", &[], signed).await;
        assert_eq!(answer.status(), 201);
        let begun: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        Prover::new(key, hub, begun["session"].as_str().unwrap().to_owned())
    }

    async fn send(&self, method: Method, target: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Response {
        let mut map = HeaderMap::new();
        headers.iter().for_each(|(name, value)| {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        });
        let url = format!("{}{target}", self.origin);
        self.client.request(method, url).headers(map).body(body).send().await.unwrap()
    }

    async fn proved(&self, prover: &Prover, method: Method, target: &str, body: &[u8]) -> Response {
        let headers = prover.prove(method.as_str(), target, body);
        self.send(method, target, &headers, body.to_vec()).await
    }
}

const ROUTES: [(Method, &str); 5] = [
    (Method::GET, "/v1/line/mailbox"),
    (Method::POST, "/v1/line/documents"),
    (Method::POST, "/v1/line/messages"),
    (Method::POST, "/v1/line/beats"),
    (Method::GET, "/v1/line/bell?wait=1"),
];

fn body_of(target: &str) -> &'static [u8] {
    match target {
        "/v1/line/documents" | "/v1/line/messages" => b"[]",
        "/v1/line/beats" => br#"{"at-ms":1,"waiting":0,"agent":"remit"}"#,
        _ => b"",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_wants_a_proof() {
    let world = Embedded::new(Between::Nobody);
    let raw = Raw::new(&world);
    let prover = raw.session(&world, 1).await;
    for (method, target) in ROUTES {
        let body = body_of(target);
        let unproved = raw.send(method.clone(), target, &[], body.to_vec()).await;
        assert_eq!(unproved.status(), 401, "{target}");
        assert_eq!(unproved.headers()["content-type"], "application/problem+json");
        let of_another = prover.prove(method.as_str(), "/v1/line/other", body);
        assert_eq!(raw.send(method.clone(), target, &of_another, body.to_vec()).await.status(), 401, "{target}");
        let headers = prover.prove(method.as_str(), target, body);
        let proved = raw.send(method.clone(), target, &headers, body.to_vec()).await;
        assert!(proved.status().is_success(), "{target}: {}", proved.status());
        assert_eq!(proved.headers()["cache-control"], "no-store", "{target}");
        let again = raw.send(method, target, &headers, body.to_vec()).await;
        assert_eq!(again.status(), 401, "{target}, sent again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_or_too_much_is_said_and_nothing_is_kept() {
    let world = Embedded::new(Between::Nobody);
    let raw = Raw::new(&world);
    let prover = raw.session(&world, 1).await;
    let messages = |count: usize| {
        let message =
            |at: usize| format!(r#"{{"spool":"0000000000000007","sequence":{at},"kind":"result","body":""}}"#);
        format!("[{}]", (0..count).map(message).collect::<Vec<_>>().join(",")).into_bytes()
    };
    let one = String::from_utf8(messages(1)).unwrap();
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("/v1/line/messages", b"{".to_vec(), 400),
        ("/v1/line/messages", b"[[[[".to_vec(), 400),
        ("/v1/line/messages", one.replace("result", "Result").into_bytes(), 400),
        (
            "/v1/line/messages",
            one.replace("result\"", "result\",\"more\":1").replace(",\"body\":\"\"", "").into_bytes(),
            400,
        ),
        ("/v1/line/messages", one.replace("0000000000000007", "7").into_bytes(), 400),
        ("/v1/line/messages", one.replace("\"body\":\"\"", "\"body\":\"!\"").into_bytes(), 400),
        ("/v1/line/messages", messages(MESSAGES_MAX + 1), 422),
        ("/v1/line/documents", br#"["sha256:00"]"#.to_vec(), 400),
        ("/v1/line/beats", b"{}".to_vec(), 400),
    ];
    for (target, body, status) in cases {
        let answer = raw.proved(&prover, Method::POST, target, &body).await;
        assert_eq!(answer.status(), status, "{target} {}", String::from_utf8_lossy(&body[..body.len().min(80)]));
    }
    for (target, status) in [
        ("/v1/line/bell", 400),
        ("/v1/line/bell?wait=x", 400),
        ("/v1/line/bell?wait=1&wait=1", 400),
        ("/v1/line/bell?wait=1&has=x", 400),
        ("/v1/line/nowhere", 404),
    ] {
        assert_eq!(raw.proved(&prover, Method::GET, target, b"").await.status(), status, "{target}");
    }
    let long = format!("/v1/line/bell?wait=1&x={}", "x".repeat(1_100));
    assert_eq!(raw.proved(&prover, Method::GET, &long, b"").await.status(), 414);
    assert_eq!(raw.proved(&prover, Method::DELETE, "/v1/line/mailbox", b"").await.status(), 405);
    assert_eq!(world.exchange().log(bus::Position::default(), 10).await.unwrap(), []);
    let control = raw.proved(&prover, Method::POST, "/v1/line/messages", one.as_bytes()).await;
    assert_eq!(control.status(), 200);
    let session = raw.send(Method::POST, "/v1/line/sessions", &[], b"nothing signed".to_vec()).await;
    assert_eq!(session.status(), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_not_read() {
    let world = Embedded::new(Between::Nobody);
    let prover = Raw::new(&world).session(&world, 1).await;
    let said = async |target: &str, more: String| {
        let headers = prover.prove("POST", target, b"");
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut stream = connect(world.address(), &world.authority).await;
        let text = format!("POST {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}{more}");
        stream.write_all(text.as_bytes()).await.unwrap();
        ended(stream).await
    };
    for (target, bytes) in [
        ("/v1/line/sessions", 17 << 10),
        ("/v1/line/documents", 7_000),
        ("/v1/line/messages", 4 << 20),
        ("/v1/line/beats", 1_025),
    ] {
        let (time, answer) = said(target, format!("content-length: {bytes}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{target}: {answer}");
        assert!(time < Duration::from_secs(5), "nobody waited for it");
    }
    let piece = format!("transfer-encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n", " ".repeat(0x800));
    let (_, answer) = said("/v1/line/beats", piece).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "without a length: {answer}");
}

/// A socket on which anything is said.
type RawSocket = WebSocketStream<TlsStream<TcpStream>>;

async fn hang(world: &Embedded, prover: &Prover) -> RawSocket {
    let target = "/v1/line/bell";
    let mut request = Request::builder()
        .uri(format!("wss://{}{target}", world.address()))
        .header("host", "hub")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
    for (name, value) in prover.prove("GET", target, b"") {
        request = request.header(name, value);
    }
    let stream = connect(world.address(), &world.authority).await;
    tokio_tungstenite::client_async(request.body(()).unwrap(), stream).await.unwrap().0
}

/// A request as it is framed, with the number that it has and its proof.
fn framed(proof: &[(&'static str, String); 3], method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let count: u64 = proof[1].1.parse().unwrap();
    let head = json!({ "count": count, "proof": proof[2].1, "method": method, "target": target });
    [format!("{head}\n").as_bytes(), body].concat()
}

/// The status of the answer, and what is answered; nothing where the socket ended.
async fn said(socket: &mut RawSocket, frame: Frame) -> Option<(u64, Value)> {
    socket.send(frame).await.ok()?;
    loop {
        match socket.next().await?.ok()? {
            Frame::Binary(told) => {
                let at = told.iter().position(|&byte| byte == b'\n').unwrap();
                let head: Value = serde_json::from_slice(&told[..at]).unwrap();
                return Some((head["status"].as_u64().unwrap(), head));
            }
            Frame::Close(_) => return None,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_on_a_socket_is_proved_and_limited_as_any_other() {
    let world = Embedded::new(Between::Nobody);
    let raw = Raw::new(&world);
    let (prover, other) = (raw.session(&world, 1).await, raw.session(&world, 2).await);
    let mut socket = hang(&world, &prover).await;
    for (method, target) in ROUTES.iter().take(4) {
        let (method, body) = (method.as_str(), body_of(target));
        let mut ask = async |proof: &[(&'static str, String); 3]| {
            said(&mut socket, Frame::binary(framed(proof, method, target, body))).await.unwrap().0
        };
        let nobody = [("", String::new()), ("", "77".to_owned()), ("", "AA==".to_owned())];
        assert_eq!(ask(&nobody).await, 401, "{target}, unproved");
        assert_eq!(ask(&other.prove(method, target, body)).await, 401, "{target}, proved by another session");
        assert_eq!(ask(&prover.prove(method, "/v1/line/other", body)).await, 401, "{target}, proved of something else");
        let proof = prover.prove(method, target, body);
        assert!((200..300).contains(&ask(&proof).await), "{target}");
        assert_eq!(ask(&proof).await, 401, "{target}, asked again");
    }
    for (method, target, body, status) in [
        ("GET", "/v1/line/nowhere", &b""[..], 404),
        ("GET", "/v1/line/bell?wait=1", b"", 404),
        ("POST", "/v1/line/mailbox", b"", 404),
        ("POST", "/v1/line/sessions", b"x", 404),
        ("GET", "/v1/line/mailbox", b"x", 413),
        ("POST", "/v1/line/messages", b"{", 400),
    ] {
        let frame = Frame::binary(framed(&prover.prove(method, target, body), method, target, body));
        assert_eq!(said(&mut socket, frame).await.unwrap().0, status, "{method} {target}");
    }
    let mut sent_away = None;
    for _ in 0..60 {
        let frame = framed(&prover.prove("GET", "/v1/line/mailbox", b""), "GET", "/v1/line/mailbox", b"");
        let (status, head) = said(&mut socket, Frame::binary(frame)).await.unwrap();
        assert!(status == 204 || status == 429, "{status}");
        sent_away = sent_away.or((status == 429).then_some(head));
    }
    assert_eq!(sent_away.expect("it asked too often")["after-s"], 1);
    assert_eq!(world.dial(3).mailbox(None).await, Ok(Pulled::Empty), "nobody else noticed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_mailbox_stands_what_its_device_is_not_known_to_have() {
    let world = Embedded::new(Between::Nobody);
    let (raw, exchange) = (Raw::new(&world), world.exchange());
    let prover = raw.session(&world, 1).await;
    let mut socket = hang(&world, &prover).await;
    let mut pull = async || {
        let frame = framed(&prover.prove("GET", "/v1/line/mailbox", b""), "GET", "/v1/line/mailbox", b"");
        said(&mut socket, Frame::binary(frame)).await.unwrap()
    };
    let first = exchange.put_document("first".into()).await.unwrap();
    let second = exchange.put_document("the second".into()).await.unwrap();
    let with = Replacement { device: device(1), expected: None, bytes: "one".into(), names: vec![first] };
    let revision = exchange.replace(vec![with]).await.unwrap()[0].unwrap();
    let (status, head) = pull().await;
    assert_eq!((status, &head["beside"]), (200, &json!([5])));
    let with =
        Replacement { device: device(1), expected: Some(revision), bytes: "two".into(), names: vec![first, second] };
    exchange.replace(vec![with]).await.unwrap()[0].unwrap();
    assert_eq!(pull().await.1["beside"], json!([10]), "the first it has");
    assert_eq!(pull().await.1["beside"], Value::Null, "and now both");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_says_what_cannot_be_read_ends() {
    let world = Embedded::new(Between::Nobody);
    let raw = Raw::new(&world);
    let large = Frame::binary(vec![b' '; 17 << 10]);
    for frame in [Frame::binary(b"no head".to_vec()), Frame::binary(b"{}\n".to_vec()), Frame::text("{"), large] {
        let prover = raw.session(&world, 1).await;
        let mut socket = hang(&world, &prover).await;
        let ask = || {
            let proof = prover.prove("GET", "/v1/line/mailbox", b"");
            Frame::binary(framed(&proof, "GET", "/v1/line/mailbox", b""))
        };
        assert_eq!(said(&mut socket, ask()).await.unwrap().0, 204, "the control");
        assert_eq!(said(&mut socket, frame).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_asks_too_often_is_sent_away_for_a_while() {
    let world = Embedded::new(Between::Nobody);
    let raw = Raw::new(&world);
    let prover = raw.session(&world, 1).await;
    let (raw, prover) = (Arc::new(raw), Arc::new(prover));
    let asked: Vec<_> = (0..60)
        .map(|_| {
            let (raw, prover) = (Arc::clone(&raw), Arc::clone(&prover));
            tokio::spawn(async move { raw.proved(&prover, Method::GET, "/v1/line/mailbox", b"").await })
        })
        .collect();
    let (mut served, mut sent_away) = (0, 0);
    for answer in asked {
        let answer = answer.await.unwrap();
        match answer.status().as_u16() {
            204 => served += 1,
            429 => {
                sent_away += 1;
                assert_eq!(answer.headers()["retry-after"], "1");
            }
            other => panic!("{other}"),
        }
    }
    assert!(served > 0 && sent_away > 5, "{served} were served, and {sent_away} sent away");
    assert_eq!(world.dial(2).mailbox(None).await, Ok(Pulled::Empty));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_session_the_latest_waits() {
    let world = Embedded::new(Between::Nobody);
    let raw = Raw::new(&world);
    let prover = raw.session(&world, 1).await;
    let begun = Instant::now();
    let first = raw.proved(&prover, Method::GET, "/v1/line/bell?wait=60000", b"");
    let second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        raw.proved(&prover, Method::GET, "/v1/line/bell?wait=200", b"").await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (204, 204));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

async fn connect(to: std::net::SocketAddr, authority: &Authority) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(to).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(tls(authority))).connect(name, stream).await.unwrap()
}

/// How long it takes until the other side ends it, and what it said.
async fn ended(mut stream: impl tokio::io::AsyncRead + Unpin) -> (Duration, String) {
    let (begun, mut said) = (Instant::now(), Vec::new());
    let _ = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut said)).await.unwrap();
    (begun.elapsed(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_slowly_holds_no_place_for_long() {
    let clock = Arc::new(ManualClock::new(NOW_MS));
    let (memory, authority) = (Arc::new(Memory::new(Arc::clone(&clock) as Arc<dyn Clock>)), Authority::new());
    let second = Duration::from_secs(1);
    let limits = Limits { connections: 3, handshake: second, head: second, whole: 20 * second };
    let hub = start(&memory, &clock, &authority, Between::Nobody, "127.0.0.1:0".parse().unwrap(), limits);
    // One says nothing, one does not come to the end of a head, one does not come to the end of a body.
    let silent = TcpStream::connect(hub.address).await.unwrap();
    let mut head = connect(hub.address, &authority).await;
    head.write_all(b"GET /v1/line/mailbox HTTP/1.1\r\nhost: a\r\nx: ").await.unwrap();
    let mut body = connect(hub.address, &authority).await;
    body.write_all(b"POST /v1/line/sessions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx").await.unwrap();
    // Whoever comes then waits until there is a place.
    let way = bus::dial::Way::new(&format!("https://{}", hub.address).parse().unwrap(), &[authority.digest()], None);
    let dial = bus::dial::Dial::new(way.unwrap(), Box::new(Root(1)));
    let (asked, silent, head, body) = tokio::join!(dial.mailbox(None), ended(silent), ended(head), ended(body));
    assert_eq!(asked, Ok(Pulled::Empty));
    assert!(silent.0 < 5 * second && silent.1.is_empty(), "{silent:?}");
    assert!(head.0 < 5 * second && !head.1.contains(" 200 "), "{head:?}");
    assert!(body.0 < 15 * second && body.1.starts_with("HTTP/1.1 408"), "{body:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_has_a_size() {
    let world = Embedded::new(Between::Nobody);
    let mut stream = connect(world.address(), &world.authority).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx: ").await.unwrap();
    let _ = stream.write_all(&vec![b'x'; 64 << 10]).await;
    let (_, said) = ended(stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    let mut many = connect(world.address(), &world.authority).await;
    let lines: String = (0..100).map(|at| format!("x{at}: y\r\n")).collect();
    many.write_all(format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n").as_bytes()).await.unwrap();
    let (_, said) = ended(many).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    assert_eq!(world.dial(1).mailbox(None).await, Ok(Pulled::Empty));
    assert_eq!(world.exchange().presence(&[device(1)]).await.unwrap(), [bus::Presence::Unknown]);
}
