//! Servers, names and guests that mean no good, each beside a control that shows that the refusal is for the reason given.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use contract::http::{Backend as _, GetCertificates};
use contract::types::ErrorKind;
use contract::{Context, SecretUse, SecretWay};

use super::conformance::{Told, clock, get, real, refused, request, scoped, secrets, text, with};
use super::server::{Authority, Identity, Piece, Server, VALID, answer, self_signed, tls};
use super::{Http, Resolve, Roots};

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A server over TLS at `a.test`, and a context that may ask it.
async fn serving(answer: impl Fn(&str) -> Vec<Piece> + Send + Sync + 'static) -> (Http, Server, String, Context) {
    let authority = Authority::new("Test CA");
    let server = tls(&authority, &["a.test", "b.test"], answer).await;
    let base = format!("https://a.test:{}", server.address.port());
    let cx = scoped(&[&base, "127.0.0.0/8"]);
    (real(&authority, secrets(&[])), server, base, cx)
}

fn head(headers: &str) -> Piece {
    Piece::Bytes(format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes())
}

#[tokio::test]
async fn a_redirect_stays_on_the_list() {
    let (http, server, base, cx) = serving(|request| {
        let to = request.lines().next().unwrap().split(['=', ' ']).nth(2).unwrap().to_owned();
        match request.contains("/to=") {
            true => answer(302, &format!("location: {to}\r\n"), b""),
            false => answer(200, "", b"arrived"),
        }
    })
    .await;
    let port = server.address.port();
    let follow = |to: &str| with(&format!("{base}/to={to}"), &[("max-redirects", "5")]);
    let arrived = get(&http, &cx, follow("/here"), None).await.unwrap();
    assert_eq!(text(&arrived), "arrived");
    for outside in [
        format!("https://b.test:{port}/"),
        format!("http://a.test:{port}/"),
        format!("//b.test:{port}/"),
        "https://a.test@b.test/".to_owned(),
        "https://169.254.169.254/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let error = get(&http, &cx, follow(&outside), None).await.unwrap_err();
        assert_eq!(refused(&error), (ErrorKind::Denied, "redirect"), "{outside}");
    }
    let wide = scoped(&[&base, &format!("https://b.test:{port}"), "127.0.0.0/8"]);
    let arrived = get(&http, &wide, follow(&format!("https://b.test:{port}/")), None).await.unwrap();
    assert_eq!(text(&arrived), "arrived");
}

#[tokio::test]
async fn redirects_end() {
    let (http, server, base, cx) = serving(|_| answer(302, "location: /again\r\n", b"")).await;
    let response = get(&http, &cx, with(&base, &[("max-redirects", "5")]), None).await.unwrap();
    assert_eq!((response.status, server.requests().len()), (302, 6));
}

/// A name that is public when it is looked at, and loopback afterwards.
struct Rebinding(AtomicUsize);

#[async_trait::async_trait]
impl Resolve for Rebinding {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => vec![LOOPBACK],
            _ => vec!["169.254.169.254".parse().unwrap(), "10.0.0.1".parse().unwrap()],
        })
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_a_hop_and_checked_each_time() {
    let authority = Authority::new("Test CA");
    let server = tls(&authority, &["a.test"], |_| answer(302, "location: /again\r\n", b"")).await;
    let base = format!("https://a.test:{}", server.address.port());
    let cx = scoped(&[&base, "127.0.0.0/8"]);
    let resolver = Arc::new(Rebinding(AtomicUsize::new(0)));
    let http = Http::new(Roots::Only(vec![authority.certificate()]), resolver.clone(), secrets(&[]), clock());
    let response = get(&http, &cx, request(&base), None).await.unwrap();
    assert_eq!((response.status, resolver.0.load(Ordering::Relaxed)), (302, 1), "connecting did not ask again");
    resolver.0.store(0, Ordering::Relaxed);
    let error = get(&http, &cx, with(&base, &[("max-redirects", "1")]), None).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Denied, "address"), "the second hop is looked at like the first");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn what_is_not_public_is_reached_only_where_a_range_names_it() {
    let (http, server, base, cx) = serving(|_| answer(200, "", b"inside")).await;
    let port = server.address.port();
    assert_eq!(text(&get(&http, &cx, request(&base), None).await.unwrap()), "inside");
    for scope in [&[&*base][..], &[&base, "10.0.0.0/8"], &[&base, "127.0.0.2/32"]] {
        let error = get(&http, &scoped(scope), request(&base), None).await.unwrap_err();
        assert_eq!(refused(&error), (ErrorKind::Denied, "address"), "{scope:?}");
    }
    for url in [
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://[fd00:ec2::254]/".to_owned(),
        "https://168.63.129.16/".to_owned(),
        format!("https://2130706433:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://0.0.0.0:{port}/"),
    ] {
        let error = get(&http, &scoped(&[&url]), request(&url), None).await.unwrap_err();
        assert_eq!(refused(&error), (ErrorKind::Denied, "address"), "{url}");
    }
    let told = Told(BTreeMap::from([("meta.test".to_owned(), "169.254.169.254".parse().unwrap())]));
    let http = Http::new(Roots::Only(Vec::new()), Arc::new(told), secrets(&[]), clock());
    let cx = scoped(&["https://meta.test", "127.0.0.0/8"]);
    let error = get(&http, &cx, request("https://meta.test/"), None).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Denied, "address"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let (http, _server, base, cx) = serving(|request| {
        let mut pieces = vec![head("content-length: 20\r\nconnection: close\r\n")];
        let pause = if request.contains("/slow") { 200 } else { 1 };
        for _ in 0..20 {
            pieces.extend([Piece::Bytes(b"x".to_vec()), Piece::Pause(Duration::from_millis(pause))]);
        }
        pieces
    })
    .await;
    let timed = |path: &str| contract::types::HttpRequest { timeout_ms: 1_500, ..request(&format!("{base}{path}")) };
    assert_eq!(get(&http, &cx, timed("/fast"), None).await.unwrap().body.len(), 20);
    let started = Instant::now();
    let error = get(&http, &cx, timed("/slow"), None).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Timeout, "http-timeout"));
    assert!(started.elapsed() < Duration::from_secs(3));

    cx.cancel.cancel();
    let error = get(&http, &cx, timed("/fast"), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let (http, _server, base, mut cx) =
        serving(|_| vec![head("connection: close\r\n"), Piece::Forever(vec![b'x'; 16 << 10])]).await;
    let response = get(&http, &cx, request(&base), None).await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (1 << 20, true));
    Arc::make_mut(&mut cx.caller).http_body_bytes = 3 << 20;
    let response = get(&http, &cx, request(&base), None).await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (3 << 20, true));
    let greedy = with(&base, &[("max-body-bytes", "4000000000")]);
    assert_eq!(get(&http, &cx, greedy, None).await.unwrap().body.len(), 3 << 20);
}

/// A gzip stream of so many zeros: stored once by the tool that everybody has, and small enough to be made here.
fn bomb(blocks: usize) -> Vec<u8> {
    // A deflate block with fixed codes: one literal zero, then matches of 258 bytes at distance 1 (length code 285, five bits of
    // distance 0). Bits are packed from the least significant one, codes from their most significant one.
    let mut bits = vec![true, true, false];
    let code =
        |bits: &mut Vec<bool>, code: u32, length: u32| bits.extend((0..length).rev().map(|at| code >> at & 1 == 1));
    code(&mut bits, 0b0011_0000, 8);
    for _ in 0..blocks {
        code(&mut bits, 0b1100_0101, 8);
        code(&mut bits, 0, 5);
    }
    code(&mut bits, 0, 7);
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let pack = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit) << at);
    bytes.extend(bits.chunks(8).map(pack));
    bytes
}

#[tokio::test]
async fn a_bomb_unpacks_to_no_more_than_the_limit() {
    let (http, _server, base, cx) = serving(|request| {
        let blocks = if request.contains("/small") { 100 } else { 400_000 };
        answer(200, "content-encoding: gzip\r\n", &bomb(blocks))
    })
    .await;
    let bomb = get(&http, &cx, request(&base), None).await.unwrap();
    assert_eq!((bomb.body.len(), bomb.truncated), (1 << 20, true), "of 103 MB in 650 KB");
    let small = with(&format!("{base}/small"), &[("max-body-bytes", "20000")]);
    let small = get(&http, &cx, small, None).await.unwrap();
    assert_eq!((small.body.len(), small.truncated, small.body[9]), (20_000, true, 0), "it is really decoded");
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let (http, _server, base, cx) = serving(|request| {
        let many = |count: usize| (0..count).map(|at| format!("x-{at}: y\r\n")).collect::<String>();
        match request.lines().next().unwrap().split(' ').nth(1).unwrap() {
            "/many" => answer(200, &many(65), b"x"),
            "/long" => answer(200, &format!("x: {}\r\n", "y".repeat(70 << 10)), b"x"),
            "/endless" => vec![Piece::Bytes(b"HTTP/1.1 200 OK\r\nx: ".to_vec()), Piece::Forever(vec![b'y'; 16 << 10])],
            _ => answer(200, &many(60), b"x"),
        }
    })
    .await;
    assert_eq!(get(&http, &cx, request(&base), None).await.unwrap().status, 200);
    for path in ["/many", "/long", "/endless"] {
        let error = get(&http, &cx, request(&format!("{base}{path}")), None).await.unwrap_err();
        assert_eq!(refused(&error), (ErrorKind::Limit, "response-headers"), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_secret_goes_to_its_place_and_no_further() {
    let authority = Authority::new("Test CA");
    let other = tls(&authority, &["b.test"], |_| answer(200, "", b"hello")).await;
    let elsewhere = format!("https://b.test:{}", other.address.port());
    let location = format!("location: {elsewhere}/x\r\n");
    let first = tls(&authority, &["a.test"], move |request| match request.contains("/away") {
        true => answer(302, &location, b""),
        false if request.contains("/near") => answer(302, "location: /home\r\n", b""),
        false => answer(200, "", request.as_bytes()),
    })
    .await;
    let base = format!("https://a.test:{}", first.address.port());
    let token = secrets(&[("token", "tok-0123456789", &base.replace("https://", "http:"))]);
    let http = real(&authority, token.clone());
    let cx = scoped(&[&base, &elsewhere, "127.0.0.0/8"]);

    let near = get(&http, &cx, with(&format!("{base}/near"), &[("max-redirects", "1")]), Some("token")).await.unwrap();
    assert!(text(&near).contains("authorization: Bearer tok-0123456789"), "the control: it is sent, and kept at home");
    let away = get(&http, &cx, with(&format!("{base}/away"), &[("max-redirects", "1")]), Some("token")).await.unwrap();
    assert_eq!(text(&away), "hello");
    assert!(other.requests().iter().all(|request| !request.to_lowercase().contains("authorization")));

    let error = get(&http, &cx, request(&elsewhere), Some("token")).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Denied, "place"));
    let clear = base.replace("https://", "http://");
    let cx = scoped(&[&clear, "127.0.0.0/8"]);
    let error = get(&http, &cx, request(&clear), Some("token")).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Denied, "secret-in-clear"));
    assert_eq!(other.requests().len(), 1);
}

#[tokio::test]
async fn a_secret_that_comes_back_can_be_masked_and_is_not_cut_in_half() {
    use crate::secrets::Redeem;
    let authority = Authority::new("Test CA");
    let server = tls(&authority, &["a.test"], |request| {
        let sent = request.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap().to_owned();
        answer(200, "", format!("you sent {sent}.").as_bytes())
    })
    .await;
    let base = format!("https://a.test:{}", server.address.port());
    let known = secrets(&[("token", "tok-0123456789", &base.replace("https://", "http:"))]);
    let http = real(&authority, known.clone());
    let cx = scoped(&[&base, "127.0.0.0/8"]);
    let echo = get(&http, &cx, request(&base), Some("token")).await.unwrap();
    assert_eq!(known.masker().mask(text(&echo)), "you sent Bearer [secret token].");
    for bytes in 19..=30 {
        let cut = with(&base, &[("max-body-bytes", &bytes.to_string())]);
        let cut = get(&http, &cx, cut, Some("token")).await.unwrap();
        assert!(
            cut.body.len() <= "you sent Bearer ".len() + 2 || text(&cut).contains("[secret"),
            "{bytes}: {}",
            text(&cut)
        );
    }
    let way = SecretWay::Basic { user: "me".into() };
    let authorization = Some(SecretUse { name: "token".into(), way });
    let call = contract::http::Get { request: request(&base), authorization };
    let echo = http.get(&cx, &call).await.unwrap();
    assert!(text(&echo).starts_with("you sent Basic bWU6"), "{}", text(&echo));
    assert_eq!(known.masker().mask(text(&echo)), "you sent Basic [secret token].");
}

async fn chain_of(identity: Identity, authority: &Authority, host: &str) -> (String, usize, ErrorKind) {
    let server = Server::start(Some(identity), Arc::new(|_| answer(200, "", b"x"))).await;
    let base = format!("https://{host}:{}", server.address.port());
    let http = real(authority, secrets(&[]));
    let cx = scoped(&[&base, "127.0.0.0/8"]);
    let chain = http.get_certificates(&cx, &GetCertificates { url: base.clone(), timeout_ms: 0 }).await.unwrap();
    let kind = get(&http, &cx, request(&base), None).await.map_or_else(|error| error.kind, |_| ErrorKind::Other);
    assert!(server.requests().len() <= usize::from(chain.problem.is_empty()), "nothing is said to who is not trusted");
    (chain.problem, chain.certificates.len(), kind)
}

#[tokio::test]
async fn a_certificate_is_shown_also_where_nobody_trusts_it() {
    let authority = Authority::new("Test CA");
    let stranger = Authority::new("Stranger");
    let refused = |problem: &str, length| (problem.to_owned(), length, ErrorKind::Unavailable);
    let good = chain_of(authority.sign(&["a.test"], VALID), &authority, "a.test").await;
    assert_eq!(good, (String::new(), 2, ErrorKind::Other), "the control: trusted, and asked");
    let expired = authority.sign(&["a.test"], (2024, 2025));
    assert_eq!(chain_of(expired, &authority, "a.test").await, refused("expired", 2));
    let early = authority.sign(&["a.test"], (2027, 2028));
    assert_eq!(chain_of(early, &authority, "a.test").await, refused("not-yet-valid", 2));
    let other_name = authority.sign(&["b.test"], VALID);
    assert_eq!(chain_of(other_name, &authority, "a.test").await, refused("name-mismatch", 2));
    let unknown = stranger.sign(&["a.test"], VALID);
    assert_eq!(chain_of(unknown, &authority, "a.test").await, refused("unknown-issuer", 2));
    assert_eq!(chain_of(self_signed(&["a.test"]), &authority, "a.test").await, refused("self-signed", 1));
}

#[tokio::test]
async fn plain_http_is_possible_where_the_scope_says_so() {
    let authority = Authority::new("Test CA");
    let server = Server::start(None, Arc::new(|_| answer(200, "", b"clear"))).await;
    let base = format!("http://a.test:{}", server.address.port());
    let http = real(&authority, secrets(&[]));
    let cx = scoped(&[&base, "127.0.0.0/8"]);
    assert_eq!(text(&get(&http, &cx, request(&base), None).await.unwrap()), "clear");
    let call = GetCertificates { url: base.clone(), timeout_ms: 0 };
    assert_eq!(refused(&http.get_certificates(&cx, &call).await.unwrap_err()), (ErrorKind::Invalid, "url"));
    let nobody = "http://a.test:1";
    let error = get(&http, &scoped(&[nobody, "127.0.0.0/8"]), request(nobody), None).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Unavailable, "connect"), "{error}");

    // A machine that trusts no authority can ask in the clear, and nothing else.
    let told = Arc::new(Told(BTreeMap::new()));
    let http = Http::new(Roots::Only(Vec::new()), told, secrets(&[]), clock());
    assert_eq!(text(&get(&http, &cx, request(&base), None).await.unwrap()), "clear");
    let over_tls = base.replace("http:", "https:");
    let cx = scoped(&[&over_tls, "127.0.0.0/8"]);
    let error = get(&http, &cx, request(&over_tls), None).await.unwrap_err();
    assert_eq!(refused(&error), (ErrorKind::Failed, "trust"), "{error}");
}
