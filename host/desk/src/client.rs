//! Asks the hub: in a session that a technician's key signed, each request proved, and as often as the hub lets.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::http::Method;
use bus::dial::{Reply, Request, Way};
use bus::proof::Prover;
use bytes::Bytes;
use model::Clock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use trust::{Key, SessionKey, Signed, Signer, Time, statement};

use crate::error::{Error, Wrong};

/// The most bytes of an answer: a hundred devices with the largest facts there are.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// A session ends so long after it was signed: what the hub takes at most is 15 minutes, and its clock is another.
const SESSION_SECONDS: i64 = 14 * 60;

/// It begins so long before: a hub whose clock is a little behind takes it.
const SESSION_BEFORE_SECONDS: i64 = 60;

/// So often what the hub is too busy for is asked again.
const BUSY_TIMES_MAX: u32 = 30;

/// So long the hub is waited for each time, at most: a person sits there.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(60);

/// After so long where it does not say.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// So often a hub that cannot be reached is asked again for what may be asked twice: it may just be started anew.
const LOST_TIMES_MAX: u32 = 3;

/// Between these.
const LOST_WAIT: Duration = Duration::from_secs(1);

/// The most pages of a list: ten million entries, of which no hub has as many.
const PAGES_MAX: usize = 100_000;

/// How large pages are asked for.
const PAGE: u32 = 500;

/// The hub, as a technician asks it. What it answers is what somebody says.
pub struct Client {
    way: Way,
    clock: Arc<dyn Clock>,
    signer: std::sync::Mutex<Signer>,
    key: Key,
    session: tokio::sync::Mutex<Option<Arc<Prover>>>,
    /// Whom it is told that the hub is waited for.
    told: Box<dyn Fn(&str) + Send + Sync>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
struct Paged<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// A session that began.
#[derive(Debug, Deserialize)]
struct Begun {
    session: String,
}

/// What went wrong, as RFC 9457 has it.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<Wrong>,
}

/// What is asked, once or several times.
struct Ask<'a> {
    method: Method,
    target: &'a str,
    body: Bytes,
    patience: Duration,
}

impl Client {
    /// Of this hub, for whoever signs with this. Nothing is sent before something is asked.
    pub fn new(
        way: Way,
        signer: Signer,
        clock: Arc<dyn Clock>,
        told: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Result<Self, Error> {
        let key = signer.key()?;
        Ok(Self {
            way,
            clock,
            key,
            signer: std::sync::Mutex::new(signer),
            session: tokio::sync::Mutex::default(),
            told,
        })
    }

    /// Whose sessions they are.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The authority of the hub that is asked, as it was last met.
    pub fn authority(&self) -> model::Digest {
        self.way.hub()
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        Time::from_ms(self.clock.now_ms())
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, Error> {
        self.ask(Ask { method: Method::GET, target, body: Bytes::new(), patience: Duration::ZERO }).await
    }

    /// Reads something that the hub answers when it has changed, or after so long.
    pub async fn wait<T: DeserializeOwned>(&self, target: &str, patience: Duration) -> Result<T, Error> {
        self.ask(Ask { method: Method::GET, target, body: Bytes::new(), patience }).await
    }

    /// Makes something.
    pub async fn post<T: DeserializeOwned>(&self, target: &str, body: &impl Serialize) -> Result<T, Error> {
        self.ask(Ask { method: Method::POST, target, body: json_of(body), patience: Duration::ZERO }).await
    }

    /// Hands over bytes as they are.
    pub async fn post_bytes<T: DeserializeOwned>(&self, target: &str, body: Bytes) -> Result<T, Error> {
        self.ask(Ask { method: Method::POST, target, body, patience: Duration::ZERO }).await
    }

    /// Puts something in its place.
    pub async fn put<T: DeserializeOwned>(&self, target: &str, body: &impl Serialize) -> Result<T, Error> {
        self.ask(Ask { method: Method::PUT, target, body: json_of(body), patience: Duration::ZERO }).await
    }

    /// Takes something away.
    pub async fn delete<T: DeserializeOwned>(&self, target: &str) -> Result<T, Error> {
        self.ask(Ask { method: Method::DELETE, target, body: Bytes::new(), patience: Duration::ZERO }).await
    }

    /// All of a list, page by page; each asked for when it is needed.
    pub async fn list<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<T>, Error> {
        self.list_by(path, query, PAGE).await
    }

    /// The first page of a list.
    pub(crate) async fn page<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<T>, Error> {
        let page: Paged<T> = self.get(&target(path, query)).await?;
        Ok(page.items)
    }

    /// All of a list from a place on.
    pub(crate) async fn list_after<T: DeserializeOwned>(
        &self,
        path: &str,
        after: Option<String>,
    ) -> Result<Vec<T>, Error> {
        self.pages(path, &[], PAGE, after).await
    }

    pub(crate) async fn list_by<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        limit: u32,
    ) -> Result<Vec<T>, Error> {
        self.pages(path, query, limit, None).await
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        limit: u32,
        mut after: Option<String>,
    ) -> Result<Vec<T>, Error> {
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        for _ in 0..PAGES_MAX {
            let limit = limit.to_string();
            let more = [("limit", limit.as_str())].into_iter().chain(after.as_deref().map(|it| ("after", it)));
            let pairs: Vec<(&str, &str)> = query.iter().copied().chain(more).collect();
            let page: Paged<T> = self.get(&target(path, &pairs)).await?;
            all.extend(page.items);
            let Some(next) = page.next else { return Ok(all) };
            // Else a hub that is owned has its technicians wait for ever, and fills their memory.
            if !seen.insert(next.clone()) {
                break;
            }
            after = Some(next);
        }
        Err(Error::Garbled(format!("the list {path} has no end")))
    }

    async fn ask<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, Error> {
        let (mut busy, mut lost, mut is_renewed, mut stale) = (0, 0, false, None);
        loop {
            let answered = self.try_once(&ask, stale.take()).await;
            let (prover, reply) = match answered {
                Ok(answered) => answered,
                Err(Error::Line(bus::Trouble::Unreachable { .. }))
                    if ask.may_be_asked_again() && lost < LOST_TIMES_MAX =>
                {
                    lost += 1;
                    tokio::time::sleep(LOST_WAIT * lost).await;
                    continue;
                }
                Err(other) => return Err(other),
            };
            match reply.status {
                200..=299 => return read(&reply),
                // It ended, or the hub was started anew. A second one that it does not know either is told.
                401 if !is_renewed => (is_renewed, stale) = (true, Some(prover)),
                429 | 503 if busy < BUSY_TIMES_MAX => {
                    busy += 1;
                    self.wait_for(&reply).await;
                }
                _ => return Err(refused(&reply)),
            }
        }
    }

    async fn wait_for(&self, reply: &Reply) {
        let wait = reply.retry_after.unwrap_or(BUSY_WAIT).min(BUSY_WAIT_MAX);
        if wait > Duration::from_secs(2) {
            (self.told)(&format!("the hub is busy: again in {} s", wait.as_secs()));
        }
        tokio::time::sleep(wait).await;
    }

    async fn try_once(&self, ask: &Ask<'_>, stale: Option<Arc<Prover>>) -> Result<(Arc<Prover>, Reply), Error> {
        let prover = self.prover(stale).await?;
        let reply = self.way.ask(ask.request(), Some(&prover)).await?;
        Ok((prover, reply))
    }

    /// The open session, or a new one where there is none but this.
    async fn prover(&self, stale: Option<Arc<Prover>>) -> Result<Arc<Prover>, Error> {
        let mut open = self.session.lock().await;
        let is_stale = |it: &Arc<Prover>| stale.as_ref().is_some_and(|stale| Arc::ptr_eq(stale, it));
        if let Some(prover) = open.as_ref().filter(|it| !is_stale(it)) {
            return Ok(Arc::clone(prover));
        }
        *open = None;
        if self.way.is_unsure() {
            let health =
                Ask { method: Method::GET, target: "/v1/health", body: Bytes::new(), patience: Duration::ZERO };
            self.way.ask(health.request(), None).await?;
        }
        let (key, hub) = (SessionKey::from_seed(&rand::random()), self.way.hub());
        let signed = self.sign_session(hub, key.key())?;
        let body = json_of(&json!({ "signed": String::from_utf8_lossy(&signed.to_text()) }));
        let ask = Ask { method: Method::POST, target: "/v1/sessions", body, patience: Duration::ZERO };
        let mut busy = 0;
        let reply = loop {
            let reply = self.way.ask(ask.request(), None).await?;
            if !matches!(reply.status, 429 | 503) || busy >= BUSY_TIMES_MAX {
                break reply;
            }
            busy += 1;
            self.wait_for(&reply).await;
        };
        if !(200..=299).contains(&reply.status) {
            return Err(refused(&reply));
        }
        let begun: Begun = read(&reply)?;
        if begun.session.len() > 64 || !begun.session.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return Err(Error::Garbled("it calls a session what no session is called".to_owned()));
        }
        let prover = Arc::new(Prover::new(key, hub, begun.session));
        *open = Some(Arc::clone(&prover));
        Ok(prover)
    }

    fn sign_session(&self, hub: model::Digest, key: Key) -> Result<Signed, Error> {
        let now = self.now();
        if self.key.is_hardware() {
            (self.told)(&format!("touch the key {}: it opens a session at the hub", self.key.fingerprint()));
        }
        let (from, until) = (now.plus_seconds(-SESSION_BEFORE_SECONDS), now.plus_seconds(SESSION_SECONDS));
        let session = statement::Session { hub, key, from, until, machine: None, process: None };
        let mut signed = Signed::new(statement::write(now, &session)?, Vec::new());
        signed.sign(&mut self.signer.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(signed)
    }
}

impl Ask<'_> {
    fn request(&self) -> Request<'_> {
        Request {
            method: self.method.clone(),
            target: self.target,
            body: self.body.clone(),
            answer_bytes_max: ANSWER_BYTES_MAX,
            patience: self.patience,
        }
    }

    /// What comes to the same if it was heard the first time. A token that was made twice would be a conflict.
    fn may_be_asked_again(&self) -> bool {
        self.method != Method::POST || matches!(self.target, "/v1/documents" | "/v1/parts" | "/v1/query")
    }
}

fn json_of(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, Error> {
    serde_json::from_slice(&reply.body).map_err(|error| Error::Garbled(error.to_string()))
}

fn refused(reply: &Reply) -> Error {
    let problem: Problem = serde_json::from_slice(&reply.body).unwrap_or_default();
    let mut wrong = problem.errors;
    if wrong.is_empty() {
        wrong.extend(problem.detail.map(|detail| Wrong { code: None, detail }));
    }
    let title = if problem.title.is_empty() { "it does not say why".to_owned() } else { problem.title };
    Error::Refused { status: reply.status, title, wrong }
}

/// A path with its query, each value as RFC 3986 has it.
pub(crate) fn target(path: &str, query: &[(&str, &str)]) -> String {
    let mut text = path.to_owned();
    for (at, (name, value)) in query.iter().enumerate() {
        text.push(if at == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            // Writing to a string cannot fail.
            let _ = match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(text, "{}", char::from(byte))
                }
                _ => write!(text, "%{byte:02X}"),
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_what_was_meant() {
        let key = "SHA256:a+b/c=&d";
        assert_eq!(
            target("/v1/orders", &[("signer", key), ("limit", "5")]),
            "/v1/orders?signer=SHA256%3Aa%2Bb%2Fc%3D%26d&limit=5"
        );
        assert_eq!(target("/v1/orders", &[]), "/v1/orders");
    }
}
