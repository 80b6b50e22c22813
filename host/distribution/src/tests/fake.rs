//! A registry in memory that keeps the list of what refers to a manifest itself, and misbehaves where a test says how.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::Digest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::layout::{INDEX, MANIFEST};

/// A request as it came.
pub(super) struct Asked {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    /// In lower case.
    pub(super) head: String,
    body: Vec<u8>,
}

/// A part of an answer.
pub(super) enum Piece {
    Bytes(Vec<u8>),
    Pause(Duration),
    /// These bytes, until the other side goes.
    Forever(Vec<u8>),
}

pub(super) type Answer = Vec<Piece>;
type Fault = Box<dyn Fn(&Asked) -> Option<Answer> + Send>;

/// It runs until the test ends.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By digest and by tag.
    manifests: BTreeMap<String, Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// By subject.
    referrers: BTreeMap<String, Vec<Value>>,
    requests: Vec<String>,
    fault: Option<Fault>,
}

impl Asked {
    pub(super) fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.path.contains(part)
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&fake.state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&state)));
            }
        });
        fake
    }

    /// From now on requests are answered so, where that says how; `|_| None` makes it honest again.
    pub(super) fn misbehave(&self, fault: impl Fn(&Asked) -> Option<Answer> + Send + 'static) {
        self.state.lock().unwrap().fault = Some(Box::new(fault));
    }

    /// `METHOD path` of every request since it was asked the last time.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// Puts another manifest under a name, or another blob under a digest.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap();
        let state = &mut *state;
        let place = if state.blobs.contains_key(name) { &mut state.blobs } else { &mut state.manifests };
        place.insert(name.to_owned(), bytes.to_vec());
    }

    /// A manifest or blob that it has.
    pub(super) fn get(&self, name: &str) -> Vec<u8> {
        let state = self.state.lock().unwrap();
        state.manifests.get(name).or(state.blobs.get(name)).unwrap().clone()
    }

    /// Forgets what it has under a digest.
    pub(super) fn forget(&self, name: &str) {
        let mut state = self.state.lock().unwrap();
        state.manifests.remove(name);
        state.blobs.remove(name);
    }

    /// What refers to a manifest, to be changed.
    pub(super) fn change_referrers(&self, of: Digest, change: impl FnOnce(&mut Vec<Value>)) {
        change(self.state.lock().unwrap().referrers.entry(of.to_string()).or_default());
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(asked) = read(&mut stream).await else { return };
    let pieces = {
        let mut state = state.lock().unwrap();
        state.requests.push(format!("{} {}", asked.method, asked.path));
        let fault = state.fault.as_ref().and_then(|fault| fault(&asked));
        fault.unwrap_or_else(|| state.answer(&asked))
    };
    for piece in pieces {
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

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let (line, head) = text.split_once("\r\n").unwrap_or((&text, ""));
            let mut line = line.split(' ').map(str::to_owned);
            let (method, path) = (line.next()?, line.next()?);
            let asked = Asked { method, path, head: head.to_lowercase(), body: bytes[end + 4..].to_vec() };
            let length = asked.header("content-length").map_or(0, |it| it.parse().unwrap());
            if asked.body.len() >= length {
                return Some(asked);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(length @ 1..) => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let (_, name) = path.rsplit_once('/').unwrap();
        match (asked.method.as_str(), path) {
            ("PUT", path) if path.contains("/manifests/") => self.put_manifest(name, &asked.body),
            ("GET" | "HEAD", path) if path.contains("/manifests/") => match self.manifests.get(name) {
                Some(bytes) => answer(200, &format!("docker-content-digest: {}\r\n", Digest::of(bytes)), bytes),
                None => answer(404, "", b""),
            },
            ("GET", path) if path.contains("/referrers/") => {
                let manifests = self.referrers.get(name).cloned().unwrap_or_default();
                let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
                answer(200, "", index.to_string().as_bytes())
            }
            ("GET", path) if path.ends_with("/tags/list") => {
                let tags: Vec<_> = self.manifests.keys().filter(|name| !name.contains(':')).collect();
                answer(200, "", json!({ "name": "x", "tags": tags }).to_string().as_bytes())
            }
            ("POST", path) if path.ends_with("/blobs/uploads/") => answer(202, &format!("location: {path}1\r\n"), b""),
            ("PUT", path) if path.contains("/blobs/uploads/") => {
                let digest = query.strip_prefix("digest=").unwrap().replace("%3A", ":");
                assert_eq!(digest, Digest::of(&asked.body).to_string());
                self.blobs.insert(digest, asked.body.clone());
                answer(201, "", b"")
            }
            ("HEAD", _) if self.blobs.contains_key(name) => answer(200, "", b""),
            ("GET", _) if self.blobs.contains_key(name) => blob(asked, &self.blobs[name]),
            _ => answer(404, "", b""),
        }
    }

    fn put_manifest(&mut self, name: &str, bytes: &[u8]) -> Answer {
        let digest = Digest::of(bytes).to_string();
        let manifest: Value = serde_json::from_slice(bytes).unwrap();
        self.manifests.insert(name.to_owned(), bytes.to_vec());
        self.manifests.insert(digest.clone(), bytes.to_vec());
        let Some(subject) = manifest.pointer("/subject/digest").and_then(Value::as_str) else {
            return answer(201, "", b"");
        };
        let about = json!({
            "mediaType": MANIFEST, "digest": digest, "size": bytes.len(), "artifactType": manifest["artifactType"],
        });
        let referrers = self.referrers.entry(subject.to_owned()).or_default();
        if !referrers.contains(&about) {
            referrers.push(about);
        }
        answer(201, &format!("oci-subject: {subject}\r\n"), b"")
    }
}

/// As much of a blob as is asked for.
pub(super) fn blob(asked: &Asked, bytes: &[u8]) -> Answer {
    let Some(from) = asked.header("range") else { return answer(200, "", bytes) };
    let from: usize = from.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap();
    match bytes.get(from..) {
        Some(rest) if !rest.is_empty() => {
            let range = format!("content-range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
            answer(206, &range, rest)
        }
        _ => answer(416, "", b""),
    }
}

/// A whole answer.
pub(super) fn answer(status: u16, headers: &str, body: &[u8]) -> Answer {
    vec![Piece::Bytes(head(status, headers, Some(body.len()))), Piece::Bytes(body.to_vec())]
}

/// The head of an answer; without a length its body goes on until the connection ends.
pub(super) fn head(status: u16, headers: &str, length: Option<usize>) -> Vec<u8> {
    let length = length.map(|length| format!("content-length: {length}\r\n")).unwrap_or_default();
    format!("HTTP/1.1 {status} X\r\n{length}connection: close\r\n{headers}\r\n").into_bytes()
}
