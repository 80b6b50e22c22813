//! This half over real sockets, against an executor that is made up.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use distribution::{Network, Roots};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::executor::Executor;
use super::export::{Counts, Exporter};
use super::metrics::Page;
use super::numbers::Usage;
use super::{COLLECTOR, otlp, serve};
use crate::agent::config::Listen;
use crate::agent::protocol::write;

type Answer = dyn Fn(&Value) -> Value + Send + Sync;

/// An executor that answers so, and how often it was asked.
struct Fake {
    folder: TempDir,
    asked: Arc<AtomicUsize>,
}

impl Fake {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), asked: Arc::default() }
    }

    fn answering(answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        let fake = Self::new();
        fake.start(Arc::new(answer));
        fake
    }

    fn start(&self, answer: Arc<Answer>) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let asked = Arc::clone(&self.asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
                tokio::spawn(async move {
                    let Ok(length) = stream.read_u32().await else { return };
                    let mut ask = vec![0; length as usize];
                    stream.read_exact(&mut ask).await.unwrap();
                    asked.fetch_add(1, Ordering::Relaxed);
                    let value = answer(&serde_json::from_slice(&ask).unwrap());
                    write(&mut stream, &json!({ "told": "is", "value": value })).await.unwrap();
                });
            }
        });
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("agent.sock")
    }

    fn executor(&self) -> Arc<Executor> {
        Arc::new(Executor::new(self.socket()))
    }

    /// Serves metrics over it, on a socket beside its own.
    async fn metrics(&self) -> PathBuf {
        let path = self.folder.path().join("metrics.sock");
        let listener = serve::listen(&Listen::Unix(path.clone())).await.unwrap();
        let page = Page::new(self.executor(), Arc::default());
        tokio::spawn(serve::serve(listener, Arc::new(page)));
        path
    }
}

async fn say(path: &PathBuf, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    // Whoever is refused early does not take it all.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const ASK: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test]
async fn figures_are_served_and_the_executor_is_asked_once_a_second() {
    let fake = Fake::answering(|ask| {
        assert_eq!(ask, &json!({ "ask": "metrics" }));
        json!({ "runs-waiting": 7, "ended": { "completed": 3 } })
    });
    let path = fake.metrics().await;
    let before = Instant::now();
    for _ in 0..50 {
        let answer = say(&path, ASK).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("application/openmetrics-text"),
            "{answer}"
        );
        assert!(
            answer.contains("\nremit_runs_waiting 7\n") && answer.contains("remit_runs_total{outcome=\"completed\"} 3")
        );
    }
    let asked = fake.asked.load(Ordering::Relaxed) as u64;
    assert!((1..=before.elapsed().as_secs() + 2).contains(&asked), "{asked}");
    assert!(say(&path, b"POST /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await.starts_with("HTTP/1.1 405 "));
    assert!(say(&path, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn an_executor_that_is_away_is_a_figure_and_comes_back() {
    let fake = Fake::new();
    let path = fake.metrics().await;
    assert!(say(&path, ASK).await.contains("\nremit_executor_up 0\n"));
    fake.start(Arc::new(|_| json!({})));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(say(&path, ASK).await.contains("\nremit_executor_up 1\n"));
}

/// Numbers that look like chance, the same in each run.
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[tokio::test]
async fn garbage_and_too_much_and_too_slow_neither_end_it_nor_have_it_grow() {
    let fake = Fake::answering(|_| json!({}));
    let path = fake.metrics().await;
    // What does not end on its own, the server ends: more of them at once than it takes.
    let slow: Vec<_> = (0..20)
        .map(|at| {
            let path = path.clone();
            tokio::spawn(async move {
                let mut stream = UnixStream::connect(&path).await.unwrap();
                let _ = stream.write_all(ASK.get(..at + 1).unwrap()).await;
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            })
        })
        .collect();
    let mut worst = 0;
    for seed in 0..400 {
        let garbage = match seed % 4 {
            0 => bytes(seed, 1 + seed as usize),
            1 => [ASK.get(..14).unwrap(), &bytes(seed, 64)].concat(),
            // Heads that never end, of one line and of many.
            2 => [b"GET /metrics HTTP/1.1\r\nx: ".as_slice(), &vec![b'a'; 1 << 20]].concat(),
            _ => [b"GET /metrics HTTP/1.1\r\n".as_slice(), &b"x: y\r\n".repeat(20_000)].concat(),
        };
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(200), stream.write_all(&garbage)).await;
        drop(stream);
        if seed == 100 {
            worst = Usage::own().rss_bytes;
        }
    }
    // Other tests of this process take memory too, and give it back; what 300 requests brought is some 90 MiB.
    let grown = || Usage::own().rss_bytes.saturating_sub(worst);
    let deadline = Instant::now() + Duration::from_secs(10);
    while grown() >= 24 << 20 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(grown() < 24 << 20, "{} bytes more after 300 requests more", grown());
    for it in slow {
        tokio::time::timeout(Duration::from_secs(30), it).await.expect("the server ends what is too slow").unwrap();
    }
    let huge = format!("POST /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", u64::MAX);
    assert!(say(&path, huge.as_bytes()).await.starts_with("HTTP/1.1 4"));
    assert!(say(&path, ASK).await.starts_with("HTTP/1.1 200 OK\r\n"), "who asks well is answered");
}

#[tokio::test]
async fn what_is_no_socket_is_not_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.sock");
    std::fs::write(&path, "somebody's").unwrap();
    assert!(serve::listen(&Listen::Unix(path.clone())).await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's");
    std::fs::remove_file(&path).unwrap();
    drop(serve::listen(&Listen::Unix(path.clone())).await.unwrap());
    // What an earlier half left is.
    serve::listen(&Listen::Unix(path)).await.map(drop).unwrap();
}

/// A run as the executor tells of it.
fn run(number: u64) -> Value {
    json!({
        "run": format!("run_01ARZ3NDEKTSV4RRFFQ69G5F{:02}", number % 100),
        "device": "dev_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "plugin": "disk-cleanup", "version": "1.2.3", "digest": "sha256:00", "mode": "enforce", "trigger": "schedule",
        "order": "nightly", "began-ms": 1_700_000_000_000_u64, "ended-ms": 1_700_000_002_000_u64,
        "verdict": "fixed", "outcome": if number.is_multiple_of(2) { "completed" } else { "timeout" },
        "phases": [
            { "phase": "detect", "began-ms": 1_700_000_000_100_u64, "ended-ms": 1_700_000_001_000_u64 },
            { "phase": "remediate", "began-ms": 1_700_000_001_000_u64, "ended-ms": 1_700_000_002_000_u64 },
        ],
        "calls": [
            { "phase": "detect", "interface": "files", "function": "list", "ended-ms": 1_700_000_000_500_u64, "duration-us": 1_500, "error": null },
            { "phase": "remediate", "interface": "files-write", "function": "remove", "ended-ms": 1_700_000_001_500_u64, "duration-us": 0, "error": "denied" },
        ],
        "calls-left-out": 3,
    })
}

/// A collector that answers with these, one after another, and then with the last; and what it was sent.
async fn collector(answers: &'static [&'static str]) -> (url::Url, tokio::sync::mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (send, receive) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        let mut answers = answers.iter().peekable();
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut head, mut body) = (Vec::new(), Vec::new());
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            assert!(
                head.starts_with("post /v1/traces ") && head.contains("content-type: application/json\r\n"),
                "{head}"
            );
            assert!(head.contains("authorization: bearer t0ken\r\n"), "{head}");
            let length = head.lines().find_map(|it| it.strip_prefix("content-length: ")).unwrap().parse().unwrap();
            body.resize(length, 0);
            stream.read_exact(&mut body).await.unwrap();
            let answer = if answers.len() > 1 { answers.next().unwrap() } else { answers.peek().unwrap() };
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
            let _ = send.send(serde_json::from_slice(&body).unwrap()).await;
        }
    });
    (format!("http://{address}/v1/traces").parse().unwrap(), receive)
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const BAD: &str = "HTTP/1.1 400 Bad\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn exporter(endpoint: &url::Url, counts: &Arc<Counts>, try_time_max: Duration) -> Exporter {
    let network = Network::new(&Roots::default(), COLLECTOR).unwrap();
    let headers = vec![("Authorization".to_owned(), "Bearer t0ken".to_owned())];
    Exporter::new(network, endpoint.clone(), headers, Arc::clone(counts))
        .hurried(Duration::from_millis(20), try_time_max)
}

/// An executor of which another run ended each time that it is asked, until there are so many.
fn ending(runs: u64, lost: u64) -> Fake {
    let given = AtomicU64::new(0);
    Fake::answering(move |ask| {
        assert_eq!(ask["ask"], "traces");
        let Some(after) = ask["after"].as_u64() else { return json!({ "next": 100, "runs": [], "lost": 0 }) };
        assert_eq!(after, 100 + given.load(Ordering::Relaxed), "it goes on where it was");
        let number = given.load(Ordering::Relaxed);
        if number == runs {
            return json!({ "next": after, "runs": [], "lost": 0 });
        }
        given.store(number + 1, Ordering::Relaxed);
        json!({ "next": after + 1, "runs": [run(number)], "lost": if number == 0 { lost } else { 0 } })
    })
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn counted(counts: &Counts) -> (u64, u64) {
    (counts.exported.load(Ordering::Relaxed), counts.dropped.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_collector_that_is_busy_gets_it_later_and_one_that_refuses_never() {
    let fake = ending(3, 0);
    let (endpoint, mut sent) = collector(&[BUSY, BUSY, TAKEN, BAD, TAKEN]).await;
    let counts = Arc::default();
    let exporter = exporter(&endpoint, &counts, Duration::from_secs(20));
    let executor = fake.executor();
    let running = tokio::spawn(async move { exporter.run(&executor).await });
    until("three runs are dealt with", || counted(&counts) == (2, 1)).await;
    running.abort();
    let mut ids = Vec::new();
    while let Ok(body) = sent.try_recv() {
        ids.push(body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"].as_str().unwrap().to_owned());
    }
    // The first went three times, the second was refused, the third went once.
    assert_eq!(ids.len(), 5);
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3] && ids[3] != ids[4], "{ids:?}");
}

#[tokio::test]
async fn without_a_collector_runs_are_given_up_and_counted() {
    let fake = ending(2, 40);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{free}/v1/traces").parse().unwrap();
    let counts = Arc::default();
    let exporter = exporter(&endpoint, &counts, Duration::from_millis(1_500));
    let executor = fake.executor();
    let running = tokio::spawn(async move { exporter.run(&executor).await });
    until("both are given up, and the forty that were lost before", || counted(&counts) == (0, 42)).await;
    running.abort();
}

#[test]
fn a_trace_is_a_run_with_its_phases_and_their_calls() {
    let runs = vec![serde_json::from_value(run(1)).unwrap()];
    let request = otlp::request(&runs);
    let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let names: Vec<_> = spans.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["run disk-cleanup", "detect", "remediate", "files.list", "files-write.remove"]);
    let parent = |at: usize| spans.iter().position(|it| it["spanId"] == spans[at]["parentSpanId"]);
    assert_eq!([0, 1, 2, 3, 4].map(parent), [None, Some(0), Some(0), Some(1), Some(2)]);
    assert_eq!(spans[3]["startTimeUnixNano"], "1700000000498500000");
    assert_eq!((&spans[0]["status"]["code"], &spans[4]["status"]["message"]), (&json!(2), &json!("denied")));
    assert_eq!(otlp::rejected(br#"{"partialSuccess":{"rejectedSpans":"3"}}"#), 3);
    assert_eq!((otlp::rejected(b"{}"), otlp::rejected(b"<html>")), (0, 0));
}
