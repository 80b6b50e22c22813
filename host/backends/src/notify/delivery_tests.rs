//! What really arrives: mail at a real server on loopback, webhooks at a small one; and what is tried again, when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contract::notify::Backend;
use contract::types::Severity;
use model::{Clock, ManualClock};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::secrets::Secrets;
use crate::testing::context;
use crate::{Policy, Shared};

use super::conformance::{QUIET, acknowledge, resolve, trigger};
use super::{Outbox, Outcome, Report, flush};

/// 2026-01-10T12:00:00Z
const NOON_MS: u64 = 1_768_046_400_000;

/// One request as it came in.
#[derive(Clone, Debug)]
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// A server that keeps what it is sent, and answers as told; with 200 when it was told nothing more.
struct Hook {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<VecDeque<&'static str>>>,
}

impl Hook {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook =
            Self { port: listener.local_addr().unwrap().port(), requests: Arc::default(), answers: Arc::default() };
        let (requests, answers) = (Arc::clone(&hook.requests), Arc::clone(&hook.answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                // A client that was dropped while it connected says nothing.
                let Some(request) = read(&mut stream).await else { continue };
                requests.lock().unwrap().push(request);
                let answer = answers.lock().unwrap().pop_front().unwrap_or("200 OK\r\n");
                let answer = format!("HTTP/1.1 {answer}content-length: 4\r\nconnection: close\r\n\r\nwhy?");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        hook
    }

    fn answer(&self, answers: &[&'static str]) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    fn route(&self, more: &str) -> String {
        let port = self.port;
        format!("[notify.routes.on-call]\nkind = 'webhook'\nurl = 'http://127.0.0.1:{port}/base/alerts'\n{more}")
    }
}

async fn read(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = lines.first()?.clone();
    let headers: BTreeMap<String, String> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    Some(Request { line: first, headers, body: serde_json::from_slice(&body).unwrap() })
}

fn device(clock: &Arc<ManualClock>, policy: &str) -> Shared {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let secret = |value: &str| format!("{{ value = '{value}', places = ['notify:on-call'] }}");
    let secrets =
        format!("token = {}\nelsewhere = {{ value = 'xxxxxxxx', places = ['notify:x'] }}", secret("s3cr3t-t0ken"));
    let secrets = Secrets::in_memory(&toml::from_str(&secrets).unwrap(), Arc::clone(&clock));
    let policy: Policy = toml::from_str(policy).unwrap();
    Shared { policy: Arc::new(policy), secrets: Arc::new(secrets), ..Shared::in_memory(clock).unwrap() }
}

async fn send(shared: &Shared) -> Vec<Report> {
    flush(shared, Instant::now() + Duration::from_secs(20)).await.unwrap()
}

fn outcomes(reports: &[Report]) -> Vec<&str> {
    let word = |report: &Report| match report.outcome {
        Outcome::Delivered { .. } => "delivered",
        Outcome::Waiting { .. } => "waiting",
        Outcome::Failed { .. } => "failed",
        Outcome::Expired => "expired",
    };
    reports.iter().map(word).collect()
}

fn actions(hook: &Hook) -> Vec<String> {
    hook.requests().iter().map(|request| request.body["action"].as_str().unwrap().to_owned()).collect()
}

async fn tell(shared: &Shared, key: &str) {
    Outbox::new(shared).trigger_event(&context(), &trigger(key, Severity::Warning)).await.unwrap();
}

fn noon() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOON_MS))
}

#[tokio::test]
async fn a_webhook_gets_each_message_once_and_in_order() {
    let hook = Hook::open().await;
    let shared = device(&noon(), &hook.route("secret = 'token'"));
    let outbox = Outbox::new(&shared);
    tell(&shared, "disk").await;
    tell(&shared, "load").await;
    outbox.acknowledge_event(&context(), &acknowledge("disk")).await.unwrap();
    outbox.resolve_event(&context(), &resolve("disk")).await.unwrap();
    assert_eq!(outcomes(&send(&shared).await), ["delivered"; 3]);
    assert!(send(&shared).await.is_empty(), "nothing is sent twice");
    assert_eq!(actions(&hook), ["trigger", "acknowledge", "resolve"]);
    let first = &hook.requests()[0];
    assert_eq!(first.line, "POST /base/alerts HTTP/1.1");
    assert_eq!(first.headers["authorization"], "Bearer s3cr3t-t0ken");
    assert_eq!(first.headers["idempotency-key"], "dev_01-on-call-0");
    assert_eq!(first.body["events"].as_array().unwrap().len(), 2, "two alerts of one run are one message");
}

#[tokio::test]
async fn each_format_goes_where_it_is_read() {
    for (format, more, line, field) in [
        ("slack", "", "POST /base/alerts HTTP/1.1", "blocks"),
        ("teams", "", "POST /base/alerts HTTP/1.1", "attachments"),
        ("pagerduty", "secret = 'token'", "POST /base/alerts HTTP/1.1", "payload"),
        ("ntfy", "secret = 'token'", "POST /base HTTP/1.1", "topic"),
    ] {
        let hook = Hook::open().await;
        let shared = device(&noon(), &hook.route(&format!("format = '{format}'\n{more}")));
        tell(&shared, "disk").await;
        assert_eq!(outcomes(&send(&shared).await), ["delivered"], "{format}");
        let request = &hook.requests()[0];
        assert_eq!(request.line, line, "{format}");
        assert!(!request.body[field].is_null(), "{format}");
        match format {
            "pagerduty" => assert_eq!(request.body["routing_key"], "s3cr3t-t0ken"),
            "ntfy" => assert_eq!(request.headers["authorization"], "Bearer s3cr3t-t0ken"),
            _ => assert!(!request.headers.contains_key("authorization")),
        }
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_later_and_its_end_waits_for_it() {
    let (hook, clock) = (Hook::open().await, noon());
    let shared = device(&clock, &hook.route("group-window-seconds = 0"));
    hook.answer(&["503 Service Unavailable\r\n", "429 Too Many Requests\r\nretry-after: 600\r\n"]);
    tell(&shared, "disk").await;
    Outbox::new(&shared).resolve_event(&context(), &resolve("disk")).await.unwrap();
    let first = send(&shared).await;
    let Outcome::Waiting { until_ms, problem } = &first[0].outcome else { panic!("{first:?}") };
    assert_eq!((first.len(), *until_ms, problem.as_str()), (1, NOON_MS + 30_000, "status 503: why?"));

    tell(&shared, "load").await;
    assert_eq!(outcomes(&send(&shared).await), ["waiting"], "another alert goes on, and is told to slow down");
    assert!(send(&shared).await.is_empty(), "the end of `disk` waits for its beginning");
    clock.advance(30_000);
    assert_eq!(outcomes(&send(&shared).await), ["delivered", "delivered"]);
    clock.advance(570_000);
    assert_eq!(outcomes(&send(&shared).await), ["delivered"]);
    assert_eq!(actions(&hook), ["trigger", "trigger", "trigger", "resolve", "trigger"]);
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    let hook = Hook::open().await;
    let shared = device(&noon(), &hook.route(""));
    hook.answer(&["400 Bad Request\r\n"]);
    tell(&shared, "disk").await;
    let reports = send(&shared).await;
    assert_eq!(reports[0].outcome, Outcome::Failed { problem: "status 400: why?".into() });
    assert!(send(&shared).await.is_empty());
    assert_eq!(hook.requests().len(), 1);
}

#[tokio::test]
async fn what_is_no_news_any_more_is_not_sent() {
    let (hook, clock) = (Hook::open().await, noon());
    let shared = device(&clock, &hook.route("group-window-seconds = 0"));
    let mut short = trigger("short", Severity::Warning);
    short.event.attributes.push(("expires-ms".into(), (NOON_MS + 1_000).to_string()));
    for _ in 0..2 {
        Outbox::new(&shared).trigger_event(&context(), &short).await.unwrap();
        short.event.dedup_key = "shorter".into();
        short.event.attributes[1].1 = (NOON_MS + 1_001).to_string();
    }
    clock.advance(1_000);
    assert_eq!(outcomes(&send(&shared).await), ["expired", "delivered"]);
    tell(&shared, "old").await;
    clock.advance(24 * 3_600_000 + 1);
    assert_eq!(outcomes(&send(&shared).await), ["expired"]);
    assert_eq!(hook.requests().len(), 1);
}

#[tokio::test]
async fn quiet_hours_end_and_then_it_is_sent() {
    let (hook, clock) = (Hook::open().await, noon());
    let policy = QUIET.replace("https://example.com", &format!("http://127.0.0.1:{}", hook.port));
    let shared = device(&clock, &policy);
    tell(&shared, "disk").await;
    clock.advance(3_600_000 - 1);
    assert!(send(&shared).await.is_empty());
    clock.advance(1);
    assert_eq!(outcomes(&send(&shared).await), ["delivered"]);
}

#[tokio::test]
async fn two_flushes_at_once_send_once() {
    let hook = Hook::open().await;
    let shared = device(&noon(), &hook.route(""));
    tell(&shared, "disk").await;
    let (one, two) = tokio::join!(send(&shared), send(&shared));
    assert_eq!((one.len() + two.len(), hook.requests().len()), (1, 1));
}

#[tokio::test]
async fn who_died_while_sending_has_it_sent_again() {
    let (hook, clock) = (Hook::open().await, noon());
    let shared = device(&clock, &hook.route(""));
    tell(&shared, "disk").await;
    // Dropped in the middle, as by a crash: the claim stays behind.
    let deadline = Instant::now() + Duration::from_secs(20);
    tokio::select! { biased; _ = flush(&shared, deadline) => panic!("too fast"), () = tokio::task::yield_now() => {} }
    assert!(send(&shared).await.is_empty(), "another one may still be sending it");
    clock.advance(30_000);
    assert_eq!(outcomes(&send(&shared).await), ["delivered"]);
}

#[tokio::test]
async fn a_secret_that_is_not_for_the_route_sends_nothing_and_no_secret_is_in_a_report() {
    let hook = Hook::open().await;
    for secret in ["elsewhere", "nowhere"] {
        let shared = device(&noon(), &hook.route(&format!("secret = '{secret}'")));
        tell(&shared, "disk").await;
        assert_eq!(outcomes(&send(&shared).await), ["waiting"]);
    }
    assert!(hook.requests().is_empty());
    let shared = device(&noon(), &hook.route("secret = 'token'"));
    hook.answer(&["400 s3cr3t-t0ken\r\nx: y\r\n"]);
    tell(&shared, "disk").await;
    let reports = format!("{:?}", send(&shared).await);
    assert!(reports.contains("status 400") && !reports.contains("s3cr3t-t0ken"), "{reports}");
}

#[tokio::test]
async fn nobody_there_costs_no_more_than_the_deadline() {
    // It accepts, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let policy = format!("[notify.routes.on-call]\nkind = 'webhook'\nurl = 'http://127.0.0.1:{port}/'");
    let shared = device(&noon(), &policy);
    tell(&shared, "disk").await;
    let began = Instant::now();
    let reports = flush(&shared, began + Duration::from_millis(300)).await.unwrap();
    assert_eq!(outcomes(&reports), ["waiting"]);
    assert!(began.elapsed() < Duration::from_secs(3));
}

/// Debian's aiosmtpd, a real server: what it accepts, it prints.
#[cfg(unix)]
mod mail {
    use super::*;
    use std::process::{Child, Command, Stdio};

    struct Server {
        port: u16,
        child: Child,
        printed: std::path::PathBuf,
        _folder: tempfile::TempDir,
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test starts its own server")]
    fn command(program: &str) -> Command {
        Command::new(program)
    }

    impl Server {
        async fn open() -> Self {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let folder = tempfile::tempdir().unwrap();
            let printed = folder.path().join("printed");
            // `-u`: unbuffered. `-n`: it need not become another user.
            let child = command("/usr/bin/python3")
                .args(["-u", "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Debugging", "-l"])
                .args([&format!("127.0.0.1:{port}"), "stdout"])
                .stdin(Stdio::null())
                .stdout(std::fs::File::create(&printed).unwrap())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut server = Self { port, child, printed, _folder: folder };
            let deadline = Instant::now() + Duration::from_secs(20);
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                let status = server.child.try_wait().unwrap();
                assert!(status.is_none(), "aiosmtpd ended ({status:?}): install the Debian package python3-aiosmtpd");
                assert!(Instant::now() < deadline, "aiosmtpd does not answer");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            server
        }

        fn route(&self, more: &str) -> String {
            format!(
                "[notify.routes.on-call]\nkind = 'smtp'\nserver = '127.0.0.1'\nport = {}\n\
                 from = 'Remit <remit@example.com>'\nto = ['ada@example.com', 'bob@example.com']\n{more}",
                self.port
            )
        }

        fn printed(&self) -> String {
            std::fs::read_to_string(&self.printed).unwrap()
        }
    }

    #[tokio::test]
    async fn a_mail_arrives_at_a_real_server() {
        let server = Server::open().await;
        let shared = device(&noon(), &server.route("tls = 'none'"));
        tell(&shared, "disk").await;
        let reports = send(&shared).await;
        let Outcome::Delivered { receipt } = &reports[0].outcome else { panic!("{reports:?}") };
        assert!(receipt.starts_with("250"), "{receipt}");
        let printed = server.printed();
        for part in [
            "Subject: [WARNING] /var is full on ",
            "From: Remit <remit@example.com>",
            "To: ada@example.com, bob@example.com",
            "Date: Sat, 10 Jan 2026 12:00:00 +0000",
            "Message-ID: <dev_01-on-call-0@remit.invalid>",
            "[WARNING] /var is full",
            "What to do: https://example.com/kb",
        ] {
            assert!(printed.contains(part), "{part} is not in\n{printed}");
        }
        assert_eq!(printed.matches("MESSAGE FOLLOWS").count(), 1);
    }

    #[tokio::test]
    async fn a_server_without_tls_is_told_nothing_where_policy_wants_it() {
        let server = Server::open().await;
        for security in ["tls = 'starttls'", "tls = 'tls'"] {
            let shared = device(&noon(), &server.route(security));
            tell(&shared, "disk").await;
            assert_eq!(outcomes(&send(&shared).await), ["waiting"], "{security}");
        }
        assert!(!server.printed().contains("MESSAGE FOLLOWS"));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_tried_again() {
        let policy = {
            let server = Server::open().await;
            server.route("tls = 'none'")
        };
        let clock = noon();
        let shared = device(&clock, &policy);
        tell(&shared, "disk").await;
        assert_eq!(outcomes(&send(&shared).await), ["waiting"]);
        clock.advance(29_999);
        assert!(send(&shared).await.is_empty());
        clock.advance(1);
        assert_eq!(outcomes(&send(&shared).await), ["waiting"]);
    }
}
