//! Whatever is asked of any endpoint, the hub answers as its OpenAPI document says, and never with a 5xx but 503 and Retry-After.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tests::{built, toolchains};

use super::site::{Serving, Site, doctor};
use super::technician::Technician;

/// All that an answer is held against. What a hub may refuse beyond its schema, such as a name that is none, is its own to say.
const CHECKS: &str = "only_busy,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";

/// Technicians of all clients, each with as many sessions as one may have: the more sessions, the more often is asked.
const SEATS: [&str; 2] = ["boss", "bea"];
const SESSIONS_EACH: usize = 4;

/// Proves what it is told, a line each, with the next of the sessions. Sessions are ended with one of somebody else.
fn prove(site: &Arc<Site>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let sit = |holder: &&str| site.runtime.block_on(site.technician(holder));
    let seats: Vec<Technician> =
        SEATS.iter().flat_map(|holder| std::iter::repeat_n(holder, SESSIONS_EACH)).map(sit).collect();
    let (site, next) = (Arc::clone(site), AtomicUsize::new(0));
    std::thread::spawn(move || {
        for line in listener.incoming() {
            let seat = &seats[next.fetch_add(1, Ordering::Relaxed) % seats.len()];
            prove_one(&site, seat, line.unwrap());
        }
    });
    address
}

fn prove_one(site: &Site, seat: &Technician, line: TcpStream) {
    let mut text = String::new();
    let mut reader = BufReader::new(line);
    reader.read_line(&mut text).unwrap();
    let asked: Value = serde_json::from_str(&text).unwrap();
    let [method, target, body] = ["method", "target", "body"].map(|name| asked[name].as_str().unwrap());
    let body = STANDARD.decode(body).unwrap();
    let other = (method == "DELETE" && target.starts_with("/v1/sessions"))
        .then(|| site.runtime.block_on(site.technician("gwen")));
    let headers: BTreeMap<_, _> = other.as_ref().unwrap_or(seat).prove(method, target, &body).into_iter().collect();
    let mut line = reader.into_inner();
    writeln!(line, "{}", json!(headers)).unwrap();
}

/// Runs schemathesis against an address.
fn schemathesis(schema: &Path, url: &str, examples: u32, ca: Option<&Path>, more: &[(&str, &str)]) -> Output {
    let tools = toolchains::schemathesis(built::target());
    assert!(tools.is_dir(), "schemathesis is missing: `cargo xtask test` installs it");
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/endure");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-m", "schemathesis.cli", "run"]).arg(schema).args(["--url", url, "--checks", CHECKS]);
    // Every boundary of every field is many hundreds of requests.
    let phases = if examples > 10 { "coverage,fuzzing" } else { "fuzzing" };
    command.args(["--max-examples", &examples.to_string(), "--phases", phases, "--no-shrink"]);
    if let Some(ca) = ca {
        command.arg("--tls-verify").arg(ca);
    }
    command.args([
        "--suppress-health-check",
        "all",
        "--rate-limit",
        "auto",
        "--continue-on-failure",
        "--warnings",
        "off",
    ]);
    command.args(["--seed", &(tests::seed() as u32).to_string(), "--request-timeout", "40"]);
    command.env("PYTHONPATH", format!("{}:{}", tools.display(), hooks.display())).env("SCHEMATHESIS_HOOKS", "hooks");
    command.env("PYTHONDONTWRITEBYTECODE", "1").envs(more.iter().copied());
    command.current_dir(schema.parent().unwrap()).output().unwrap()
}

fn openapi(folder: &Path) -> std::path::PathBuf {
    let ran = Command::new(built::remit()).args(["hub", "openapi"]).output().unwrap();
    let path = folder.join("openapi.json");
    std::fs::write(&path, ran.stdout).unwrap();
    path
}

#[test]
fn every_endpoint_answers_as_it_says_whatever_it_is_asked() {
    let examples = if tests::soak!() { 300 } else { 4 };
    let mut site = Site::new();
    let folder = site.path();
    let hub = Serving::start(&folder, None).unwrap();
    let token = site.runtime.block_on(site.token(4));
    let crew = site.crew_there(token, 4);
    let given = site.order(4);
    site.runtime.block_on(site.carry_out(&given)).unwrap();
    let device = crew.counts().stands().values().next().unwrap().name.clone();
    let known = json!({
        "device": device, "order": given.digest, "digest": given.digest, "client": "acme", "number": 1, "site": "hq",
        "parcel": site.plugin.list, "rings": [[device]],
    });
    let schema = openapi(site.folder.path());
    let ca = folder.join("ca.pem");
    let site = Arc::new(site);
    let proves = prove(&site);
    let (url, known) = (site.url().to_string(), known.to_string());
    let sessions = [("REMIT_PROVES", proves.as_str()), ("REMIT_KNOWN", known.as_str())];
    let with = schemathesis(&schema, &url, examples, Some(&ca), &sessions);
    let said = String::from_utf8_lossy(&with.stdout);
    assert!(with.status.success(), "{said}{}", String::from_utf8_lossy(&with.stderr));
    let without = schemathesis(&schema, &url, examples.div_ceil(4), Some(&ca), &[]);
    assert!(
        without.status.success(),
        "{}{}",
        String::from_utf8_lossy(&without.stdout),
        String::from_utf8_lossy(&without.stderr)
    );
    // It is the same hub that it was, and serves.
    let tess = site.runtime.block_on(site.technician("tess"));
    assert_eq!(site.runtime.block_on(site.state(&tess, &given)).unwrap(), "done");
    hub.stop();
    assert_eq!(doctor(&folder), [""; 0]);
    let tested = said.lines().filter(|line| line.contains("cases") || line.contains("Operations")).collect::<Vec<_>>();
    eprintln!("{}", tested.join("\n"));
}

/// The control: the same run finds an answer that is not as it should be.
#[test]
fn a_hub_that_answers_otherwise_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let schema = openapi(folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let answers: [(StatusCode, &str, Option<&str>, Option<&str>); 5] = [
        (StatusCode::INTERNAL_SERVER_ERROR, "{}", None, Some("only_busy")),
        (StatusCode::SERVICE_UNAVAILABLE, "{}", None, Some("only_busy")),
        (StatusCode::IM_A_TEAPOT, "{}", None, Some("Undocumented status code")),
        (StatusCode::OK, "{\"surprise\":1}", None, Some("Response violates schema")),
        // And what is right is let through.
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "{\"type\":\"about:remit-busy\",\"title\":\"The hub has more to do than it can\",\"status\":503}",
            Some("1"),
            None,
        ),
    ];
    for (status, body, after, expected) in answers {
        let answer = move || async move {
            let kind = if status == StatusCode::OK { "application/json" } else { "application/problem+json" };
            let answer = Response::builder().status(status).header("content-type", kind);
            let answer = after.into_iter().fold(answer, |answer, after| answer.header("retry-after", after));
            answer.body(Body::from(body)).unwrap()
        };
        let routes = axum::Router::new().fallback(answer);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = runtime.spawn(async move { axum::serve(listener, routes).await });
        let ran = schemathesis(&schema, &url, 1, None, &[]);
        serving.abort();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(ran.status.success(), expected.is_none(), "{status}: {said}");
        assert!(expected.is_none_or(|it| said.contains(it)), "{status}: {said}");
    }
}

/// A device's side of the hub, which is no part of that document: what is proved and is rubbish is refused, and nothing falls over.
#[test]
fn what_a_device_sends_is_refused_or_taken_and_nothing_falls_over() {
    let times = if tests::soak!() { 3_000 } else { 60 };
    let site = Site::new();
    let hub = Serving::start(&site.path(), None).unwrap();
    let token = site.runtime.block_on(site.token(2));
    drop(site.crew_there(token, 2));
    let mut chance = tests::Chance::new(tests::seed());
    let line = site.runtime.block_on(site.line(1));
    let spool = "ab".repeat(16);
    let body = STANDARD.encode(b"{}");
    let message = json!([{ "spool": spool, "sequence": 1, "kind": "ticket", "body": body }]).to_string();
    let beat = json!({ "at-ms": 1, "mailbox": null, "waiting": 0, "agent": "fuzz" }).to_string();
    let wanted = json!([site.authority, site.plugin.list]).to_string();
    let routes: [(Method, &str, String); 6] = [
        (Method::POST, "/v1/line/messages", message),
        (Method::POST, "/v1/line/documents", wanted),
        (Method::POST, "/v1/line/beats", beat),
        (Method::GET, "/v1/line/mailbox", String::new()),
        (Method::GET, "/v1/line/bell?wait=1", String::new()),
        (Method::POST, "/v1/line/sessions", "{\"signed\":\"x\"}".to_owned()),
    ];
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for at in 0..times {
        let (method, target, good) = &routes[at % routes.len()];
        let (body, target) = spoil(&mut chance, good, target, at < routes.len());
        let (status, after) = site.runtime.block_on(line.ask(method.clone(), &target, body.into()));
        assert!(status < 500 || status == 503 && after, "{method} {target}: {status}");
        *statuses.entry(status).or_default() += 1;
    }
    eprintln!("{statuses:?}");
    assert!(statuses.keys().any(|it| *it < 300) && statuses.contains_key(&400), "the control: {statuses:?}");
    site.runtime.block_on(site.technician("tess"));
    hub.stop();
    assert_eq!(doctor(&site.path()), [""; 0]);
}

/// Something that is nearly right, or far from it.
fn spoil(chance: &mut tests::Chance, good: &str, target: &str, is_good: bool) -> (Vec<u8>, String) {
    let mut bytes = good.as_bytes().to_vec();
    let mut target = target.to_owned();
    let place = |chance: &mut tests::Chance, bytes: &[u8]| chance.below(bytes.len().max(1) as u64) as usize;
    match if is_good { 9 } else { chance.below(9) } {
        0 => bytes.truncate(place(chance, &bytes)),
        1 => {
            let at = place(chance, &bytes);
            bytes.insert(at, chance.below(256) as u8);
        }
        2 => bytes = "[".repeat(50_000).into_bytes(),
        3 => bytes = good.replace('1', "99999999999999999999999").into_bytes(),
        4 => bytes = good.replacen('{', "{\"unknown\":[{}],", 1).into_bytes(),
        5 => bytes = vec![b'['; 5 << 20],
        6 => target += &format!("?{}", "x=%00&".repeat(chance.below(400) as usize)),
        7 => bytes = (0..chance.below(2_000)).map(|_| chance.below(256) as u8).collect(),
        8 => bytes = good.replace("ab", "\u{0}").into_bytes(),
        _ => {}
    }
    (bytes, target)
}
