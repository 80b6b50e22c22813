//! What the network and the twin do alike, against a real server over TLS and a fixture that says the same.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use contract::http::{Backend as _, Get, GetCertificates, Head};
use contract::http_write::{Method, Send};
use contract::types::{Effect, Error, ErrorKind, HttpRequest, HttpResponse};
use contract::{Context, SecretUse, SecretWay, http, http_write, secrets};
use model::{Clock, ManualClock};

use crate::secrets::{FixtureSecret, Secrets};
use crate::testing::context;

use super::server::{Authority, NOW_MS, Piece, Server, answer, tls};
use super::{Fixture, Http, Overlay, Resolve, Roots};

/// A resolver that knows what it is told; everything else is on loopback.
pub(super) struct Told(pub(super) BTreeMap<String, IpAddr>);

#[async_trait::async_trait]
impl Resolve for Told {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![self.0.get(host).copied().unwrap_or(IpAddr::from([127, 0, 0, 1]))])
    }
}

pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(NOW_MS))
}

/// Secrets by name, each with its text and one place.
pub(super) fn secrets(known: &[(&str, &str, &str)]) -> Arc<Secrets> {
    let secret = |text: &str, place: &str| FixtureSecret {
        value: text.into(),
        places: vec![place.parse().unwrap()],
        set_ms: 0,
        expires_ms: None,
    };
    let known = known.iter().map(|(name, text, place)| ((*name).to_owned(), secret(text, place))).collect();
    Arc::new(Secrets::in_memory(&known, clock()))
}

pub(super) fn real(authority: &Authority, secrets: Arc<Secrets>) -> Http {
    Http::new(Roots::Only(vec![authority.certificate()]), Arc::new(Told(BTreeMap::new())), secrets, clock())
}

pub(super) fn scoped(scope: &[&str]) -> Context {
    let mut cx = context();
    cx.scope = scope.iter().map(|&entry| entry.to_owned()).collect();
    cx
}

pub(super) fn request(url: &str) -> HttpRequest {
    HttpRequest { url: url.into(), headers: Vec::new(), timeout_ms: 5_000, attributes: Vec::new() }
}

pub(super) fn with(url: &str, options: &[(&str, &str)]) -> HttpRequest {
    let attributes = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpRequest { attributes, ..request(url) }
}

pub(super) async fn get(
    http: &Http,
    cx: &Context,
    request: HttpRequest,
    secret: Option<&str>,
) -> Result<HttpResponse, Error> {
    let authorization = secret.map(|name| SecretUse { name: name.into(), way: SecretWay::Bearer });
    http.get(cx, &Get { request, authorization }).await
}

pub(super) fn text(response: &HttpResponse) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

pub(super) fn refused(error: &Error) -> (ErrorKind, &str) {
    (error.kind, error.code.as_str())
}

fn attribute<'a>(response: &'a HttpResponse, name: &str) -> &'a str {
    response.attributes.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn site(request: &str) -> Vec<Piece> {
    let line = request.lines().next().unwrap();
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let is_authorized = request.contains("authorization: Bearer tok-0123456789\r\n");
    match (method, path) {
        ("GET" | "HEAD", "/hello") => {
            let body = if method == "HEAD" { "" } else { "hello" };
            answer(200, "x-test: yes\r\n", body.as_bytes())
        }
        ("GET", "/private") if is_authorized => answer(200, "", b"welcome"),
        ("GET", "/private") => answer(401, "", b""),
        ("GET", "/moved") => answer(302, "location: /hello\r\n", b""),
        ("POST", "/things") => answer(201, "", b"made"),
        _ => answer(404, "", b"nothing here"),
    }
}

fn fixture(base: &str) -> Fixture {
    let text = r#"
        [[answers]]
        url = "BASE/hello"
        headers = { x-test = "yes" }
        body = "hello"
        [[answers]]
        url = "BASE/private"
        body = "welcome"
        needs-authorization = true
        [[answers]]
        url = "BASE/moved"
        status = 302
        headers = { location = "/hello" }
        [[answers]]
        url = "BASE/missing"
        status = 404
        body = "nothing here"
        [[answers]]
        method = "POST"
        url = "BASE/things"
        status = 201
        body = "made"
        [[answers]]
        method = "DELETE"
        url = "BASE/missing"
        status = 404
        [chains."BASE"]
        certificates = [{ common-name = "api.test", issuer = "CN=Test CA", alternative-names = ["api.test"], valid-to-ms = 1893456000000 }]
        [addresses]
        "api.test" = "127.0.0.1"
    "#;
    toml::from_str(&text.replace("BASE", base)).unwrap()
}

async fn reads(http: &Http, base: &str) {
    let cx = scoped(&[base, "127.0.0.0/8"]);
    let url = |path: &str| format!("{base}{path}");
    let hello = get(http, &cx, request(&url("/hello")), None).await.unwrap();
    assert_eq!((hello.status, text(&hello), hello.truncated), (200, "hello", false));
    assert!(hello.headers.contains(&("x-test".into(), "yes".into())));
    assert_eq!(attribute(&hello, "final-url"), url("/hello"));
    assert_eq!(attribute(&hello, "tls-version"), "1.3");
    assert_eq!(attribute(&hello, "http-version"), "HTTP/1.1");
    assert!(attribute(&hello, "remote-address").starts_with("127.0.0.1:"));

    let head = http.head(&cx, &Head { request: request(&url("/hello")), authorization: None }).await.unwrap();
    assert_eq!((head.status, text(&head)), (200, ""));
    assert_eq!(get(http, &cx, request(&url("/missing")), None).await.unwrap().status, 404);
    assert_eq!(get(http, &cx, request(&url("/private")), None).await.unwrap().status, 401);
    let private = get(http, &cx, request(&url("/private")), Some("token")).await.unwrap();
    assert_eq!((private.status, text(&private)), (200, "welcome"));

    let moved = get(http, &cx, request(&url("/moved")), None).await.unwrap();
    assert_eq!(moved.status, 302);
    let moved = get(http, &cx, with(&url("/moved"), &[("max-redirects", "1")]), None).await.unwrap();
    assert_eq!((moved.status, text(&moved), attribute(&moved, "final-url")), (200, "hello", &*url("/hello")));
    let cut = get(http, &cx, with(&url("/hello"), &[("max-body-bytes", "2")]), None).await.unwrap();
    assert_eq!((text(&cut), cut.truncated), ("he", true));
    let whole = get(http, &cx, with(&url("/hello"), &[("max-body-bytes", "5")]), None).await.unwrap();
    assert_eq!((text(&whole), whole.truncated), ("hello", false));

    let chain = http.get_certificates(&cx, &GetCertificates { url: url("/"), timeout_ms: 0 }).await.unwrap();
    let own = &chain.certificates[0];
    assert_eq!(
        (own.common_name.as_str(), &own.alternative_names[..], own.issuer.as_str()),
        ("api.test", &["api.test".to_owned()][..], "CN=Test CA")
    );
    assert_eq!((own.valid_to_ms, own.sha256.len(), chain.problem.as_str()), (1_893_456_000_000, 64, ""));
}

async fn refusals(http: &Http, base: &str) {
    let cx = scoped(&[base, "127.0.0.0/8"]);
    let header = |name: &str, value: &str| HttpRequest {
        headers: vec![(name.into(), value.into())],
        ..request(&format!("{base}/hello"))
    };
    assert_eq!(get(http, &cx, header("X-Fine", "yes"), None).await.unwrap().status, 200);
    let slow = |timeout_ms| HttpRequest { timeout_ms, ..request(&format!("{base}/hello")) };
    assert_eq!(get(http, &cx, slow(30_000), None).await.unwrap().status, 200);
    let many = |count| HttpRequest {
        headers: (0..count).map(|at| (format!("x-{at}"), "x".into())).collect(),
        ..request(&format!("{base}/hello"))
    };
    assert_eq!(get(http, &cx, many(64), None).await.unwrap().status, 200);
    for (request, code) in [
        (header("Host", "evil.example"), "headers"),
        (header("Authorization", "Bearer x"), "headers"),
        (header("Cookie", "a=b"), "headers"),
        (header("Proxy-Authorization", "x"), "headers"),
        (header("Transfer-Encoding", "chunked"), "headers"),
        (header("Accept-Encoding", "br"), "headers"),
        (header("X-A", "b\r\nX-C: d"), "headers"),
        (header("X A", "b"), "headers"),
        (header("X-Long", &"x".repeat(8_193)), "headers"),
        (many(65), "headers"),
        (slow(30_001), "timeout"),
        (request(&base.replace("https://", "https://user@")), "url"),
        (request("ftp://api.test/"), "url"),
        (with(base, &[("max-redirects", "6")]), "max-redirects"),
        (with(base, &[("max-body-bytes", "all")]), "max-body-bytes"),
        (with(base, &[("proxy", "http://x")]), "unknown-attribute"),
    ] {
        let error = get(http, &cx, request.clone(), None).await.unwrap_err();
        assert_eq!(refused(&error), (ErrorKind::Invalid, code), "{request:?}");
    }
    let error = get(http, &cx, request("https://other.test/"), None).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Denied, "scope"));
    let error = get(http, &cx, request(&format!("{base}/hello")), Some("elsewhere")).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Denied, "place"));
    let authorization = Some(SecretUse { name: "token".into(), way: SecretWay::Password });
    let error = http.get(&cx, &Get { request: request(base), authorization }).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Invalid, "secret-way"));
    let error = get(http, &scoped(&[base]), request(base), None).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Denied, "address"), "loopback is not public, and not granted here");
}

fn send(method: Method, url: &str, body: &[u8]) -> Send {
    Send { method, request: request(url), body: body.to_vec(), authorization: None }
}

/// `is_planned` where nothing is really sent.
async fn writes(http: &impl http_write::Backend, base: &str, is_planned: bool) {
    let cx = scoped(&[&format!("POST {base}"), &format!("DELETE {base}"), "127.0.0.0/8"]);
    let sent = http.send(&cx, &send(Method::Post, &format!("{base}/things"), b"{}")).await.unwrap();
    let change = sent.change;
    assert_eq!((change.effect, change.before, change.after.as_deref()), (Effect::Changed, None, Some("sent")));
    let (status, body) = if is_planned { (0, "") } else { (201, "made") };
    assert_eq!((sent.response.status, text(&sent.response)), (status, body));
    let sent = http.send(&cx, &send(Method::Delete, &format!("{base}/missing"), b"")).await.unwrap();
    let effect = if is_planned { Effect::Changed } else { Effect::Unknown };
    assert_eq!((sent.change.effect, sent.change.after.as_deref()), (effect, Some("sent")));

    http.send(&cx, &send(Method::Post, &format!("{base}/things"), &[b'x'; 1 << 20])).await.unwrap();
    let long = send(Method::Post, &format!("{base}/things"), &[b'x'; (1 << 20) + 1]);
    assert_eq!(refused(&http.send(&cx, &long).await.unwrap_err()), (ErrorKind::Invalid, "body"));
    let follow = Send { request: with(base, &[("max-redirects", "1")]), ..send(Method::Post, base, b"") };
    assert_eq!(refused(&http.send(&cx, &follow).await.unwrap_err()), (ErrorKind::Invalid, "max-redirects"));

    let with_secret = |name: &str| Send {
        authorization: Some(SecretUse { name: name.into(), way: SecretWay::Bearer }),
        ..send(Method::Post, &format!("{base}/things"), b"")
    };
    http.send(&cx, &with_secret("token")).await.unwrap();
    assert_eq!(refused(&http.send(&cx, &with_secret("elsewhere")).await.unwrap_err()), (ErrorKind::Denied, "place"));
}

fn tokens(base: &str) -> Arc<Secrets> {
    let place = base.replace("https://", "http:");
    secrets(&[("token", "tok-0123456789", &place), ("elsewhere", "tok-elsewhere", "http:elsewhere.test")])
}

async fn server() -> (Authority, Server, String) {
    let authority = Authority::new("Test CA");
    let server = tls(&authority, &["api.test"], site).await;
    let base = format!("https://api.test:{}", server.address.port());
    (authority, server, base)
}

#[tokio::test]
async fn the_network_conforms() {
    let (authority, server, base) = server().await;
    let http = real(&authority, tokens(&base));
    reads(&http, &base).await;
    refusals(&http, &base).await;
    writes(&http, &base, false).await;
    let posted = server.requests().into_iter().find(|request| request.starts_with("POST")).unwrap();
    assert!(posted.ends_with("\r\n\r\n{}") && posted.contains("user-agent: remit/"), "{posted}");
}

#[tokio::test]
async fn the_twin_conforms() {
    let base = "https://api.test:8443";
    let http = Http::in_memory(&fixture(base), tokens(base));
    reads(&http, base).await;
    refusals(&http, base).await;
    writes(&http, base, false).await;
}

#[tokio::test]
async fn the_overlay_refuses_alike_and_sends_nothing() {
    let (_, server, base) = server().await;
    let overlay = Overlay::new(tokens(&base) as Arc<dyn secrets::Backend>);
    writes(&overlay, &base, true).await;
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn answers_of_a_fixture_come_one_after_the_other() {
    let text = r#"
        [[answers]]
        url = "https://api.test/state"
        body = "starting"
        [[answers]]
        url = "https://api.test/state"
        body = "running"
    "#;
    let http: Box<dyn http::Backend> = Box::new(Http::in_memory(&toml::from_str(text).unwrap(), secrets(&[])));
    let call = Get { request: request("https://api.test/state"), authorization: None };
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(http.get(&scoped(&["https://api.test"]), &call).await.unwrap().body);
    }
    assert_eq!(bodies, [&b"starting"[..], b"running", b"running"]);
}
