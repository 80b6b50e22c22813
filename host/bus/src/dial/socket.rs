use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use model::Digest;
use reqwest::{Response, Upgraded};
use tokio::sync::{Mutex as AsyncMutex, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::ask::{Answer, Ask};
use crate::proof::Prover;
use crate::{Trouble, Woken, wire};

/// Each socket says something so often: what forgets silent connections does so after a minute, as a rule.
const PING: Duration = Duration::from_secs(50);

/// So long the other side may take to answer it.
const PONG_MAX: Duration = Duration::from_secs(20);

/// So long it may take to hand a few bytes over, or to change from HTTP to a socket.
const SEND_TIME_MAX: Duration = Duration::from_secs(10);

/// A socket that ends before this was not wanted: somebody in between ends what it does not know, or everything after a minute.
const SHORT: Duration = Duration::from_secs(120);

/// After an answer that was too large for it, this is asked elsewhere for so long: what comes next is large too, as a rule.
const LARGE_FOR: Duration = Duration::from_secs(30);

/// So long an answer may take: somewhat longer than the hub takes at most.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(40);

type Stream = WebSocketStream<Upgraded>;

/// A socket that bells ring on, and that beats and requests go over; or none.
#[derive(Default)]
pub(super) struct Socket {
    open: Mutex<Option<Arc<Open>>>,
    /// Documents that came beside the last mailbox, until the next wait.
    beside: Mutex<HashMap<Digest, Bytes>>,
}

/// A socket that was opened. What comes over it one task hears, for whoever waits for it.
struct Open {
    shared: Arc<Shared>,
    /// What the bell rang, and what of it was heard.
    rings: AsyncMutex<watch::Receiver<Duration>>,
    prover: Arc<Prover>,
    since: Instant,
    /// Until when nothing is asked here that is large, as a rule.
    large: Mutex<Option<Instant>>,
    hears: JoinHandle<()>,
}

struct Shared {
    says: AsyncMutex<SplitSink<Stream, Frame>>,
    /// Who waits for an answer, by its number; none any more, once the socket has ended.
    asked: Mutex<Option<HashMap<u64, oneshot::Sender<Answered>>>>,
}

type Answered = (wire::Told, Bytes);

impl Drop for Open {
    fn drop(&mut self) {
        self.hears.abort();
    }
}

/// What a wait on a socket came to, or the way to it.
pub(super) enum Failed {
    /// There is no socket on this way.
    Socket(Trouble),
    /// There was one, for long enough to know that there can be.
    Lived(Trouble),
    /// There would be nothing else either.
    Other(Trouble),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Other(trouble)
    }
}

/// A socket that is asked for.
pub(super) struct Hanging {
    key: String,
}

impl Hanging {
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Ok(key) = HeaderValue::from_str(&self.key) {
            headers.insert(header::SEC_WEBSOCKET_KEY, key);
        }
        headers
    }
}

impl Socket {
    pub(super) fn begin(&self) -> Hanging {
        Hanging { key: STANDARD.encode(rand::random::<[u8; 16]>()) }
    }

    pub(super) async fn open(&self, hanging: Hanging, prover: Arc<Prover>, response: Response) -> Result<(), Failed> {
        let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
        if accepted.is_none_or(|it| it.as_bytes() != derive_accept_key(hanging.key.as_bytes()).as_bytes()) {
            return Err(Failed::Socket(Trouble::Garbled { why: "whoever answers speaks no WebSocket".to_owned() }));
        }
        let upgraded = timeout(SEND_TIME_MAX, response.upgrade()).await.map_err(|_| cut())?.map_err(|_| cut())?;
        let config = WebSocketConfig::default()
            .read_buffer_size(wire::FRAME_BYTES_MAX)
            .write_buffer_size(0)
            .max_write_buffer_size(2 * wire::ASKED_BYTES_MAX)
            .max_message_size(Some(wire::TOLD_BYTES_MAX + wire::HEAD_BYTES_MAX))
            .max_frame_size(Some(wire::TOLD_BYTES_MAX + wire::HEAD_BYTES_MAX));
        let (says, stream) = Stream::from_raw_socket(upgraded, Role::Client, Some(config)).await.split();
        let asked = Mutex::new(Some(HashMap::new()));
        let shared = Arc::new(Shared { says: AsyncMutex::new(says), asked });
        let (ring, rings) = watch::channel(Duration::ZERO);
        let hears = tokio::spawn(hear(Arc::clone(&shared), stream, ring));
        let (rings, since, large) = (AsyncMutex::new(rings), Instant::now(), Mutex::default());
        *lock(&self.open) = Some(Arc::new(Open { shared, rings, prover, since, large, hears }));
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        lock(&self.open).is_some()
    }

    fn now(&self) -> Option<Arc<Open>> {
        lock(&self.open).clone()
    }

    /// This one has ended; the next may be there already.
    fn ended(&self, open: &Arc<Open>) {
        let mut now = lock(&self.open);
        if now.as_ref().is_some_and(|now| Arc::ptr_eq(now, open)) {
            *now = None;
        }
    }

    /// Says something, if there is a socket that takes it.
    pub(super) async fn say(&self, said: &wire::Said) -> bool {
        match self.now() {
            Some(open) => open.shared.say(said).await,
            None => false,
        }
    }

    /// Asks over the socket; nothing where that has to be asked elsewhere, whatever became of it here.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Option<Result<Answer, Trouble>> {
        let open = self.now()?;
        let is_large = lock(&open.large).is_some_and(|until| Instant::now() < until);
        // An answer of the smallest size is never too large.
        if ask.body.len() + wire::HEAD_BYTES_MAX > wire::ASKED_BYTES_MAX || is_large && ask.most > wire::TOLD_BYTES_MAX
        {
            return None;
        }
        // What was cut off may have been done: everything here may be asked twice.
        let (told, body) = open.ask(ask).await?;
        match told.status {
            421 => {
                *lock(&open.large) = Some(Instant::now() + LARGE_FOR);
                None
            }
            401 => None,
            _ => Some(self.put_beside(&told, body).and_then(|body| Answer::told(&told, body, ask.most))),
        }
    }

    /// Puts aside what stands behind a mailbox, and gives that.
    fn put_beside(&self, told: &wire::Told, mut body: Bytes) -> Result<Bytes, Trouble> {
        if told.beside.is_empty() {
            return Ok(body);
        }
        let too_much = || Trouble::Garbled { why: "it says that more came than did".to_owned() };
        let bytes = told.beside.iter().fold(0_usize, |all, one| all.saturating_add(*one));
        let mut documents = body.split_off(body.len().checked_sub(bytes).ok_or_else(too_much)?);
        let found = told.beside.iter().map(|&bytes| {
            let document = documents.split_to(bytes);
            (Digest::of(&document), document)
        });
        *lock(&self.beside) = found.collect();
        Ok(body)
    }

    /// These documents, where all of them came beside the last mailbox.
    pub(super) fn beside(&self, wanted: &[Digest]) -> Option<Vec<Bytes>> {
        let beside = lock(&self.beside);
        wanted.iter().map(|digest| beside.get(digest).cloned()).collect()
    }

    /// What was not asked for by now is not wanted.
    pub(super) fn forget_beside(&self) {
        *lock(&self.beside) = HashMap::new();
    }

    /// Waits for the bell. What ends it ends the socket.
    pub(super) async fn wait(&self, has: Option<Digest>, until: Instant) -> Result<Woken, Failed> {
        let open = self.now().ok_or_else(cut)?;
        let waited = open.wait(has, until).await;
        if waited.is_err() {
            self.ended(&open);
        }
        waited.map_err(|failed| match failed {
            // It went well for a while: the hub is started anew, or the network is another.
            Failed::Socket(trouble) if open.since.elapsed() >= SHORT => Failed::Lived(trouble),
            failed => failed,
        })
    }
}

impl Open {
    async fn wait(&self, has: Option<Digest>, until: Instant) -> Result<Woken, Failed> {
        let mut rings = self.rings.lock().await;
        if !self.shared.say(&wire::Said::Waits { has }).await {
            return Err(cut());
        }
        match timeout_at(until, rings.changed()).await {
            Ok(Ok(())) => Ok(Woken::Rung { within: *rings.borrow_and_update() }),
            Ok(Err(_)) => Err(cut()),
            Err(_) => Ok(Woken::Quiet),
        }
    }

    async fn ask(&self, ask: &Ask<'_>) -> Option<Answered> {
        let (count, proof) = self.prover.sign(ask.method.as_str(), ask.target, &ask.body);
        let (method, target) = (ask.method.to_string(), ask.target.to_owned());
        let head = wire::Asks { count, proof, method, target, has: ask.has };
        let (answer, answered) = oneshot::channel();
        lock(&self.shared.asked).as_mut()?.insert(count, answer);
        let _waiting = Waiting { shared: &self.shared, count };
        if !self.shared.send(Frame::Binary(wire::framed(&head, &ask.body))).await {
            return None;
        }
        timeout(ANSWER_TIME_MAX, answered).await.ok()?.ok()
    }
}

/// Whoever waits for an answer, or no longer does.
struct Waiting<'a> {
    shared: &'a Shared,
    count: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(asked) = lock(&self.shared.asked).as_mut() {
            asked.remove(&self.count);
        }
    }
}

impl Shared {
    async fn say(&self, said: &wire::Said) -> bool {
        match serde_json::to_string(said) {
            Ok(text) => self.send(Frame::text(text)).await,
            Err(_) => false,
        }
    }

    async fn send(&self, frame: Frame) -> bool {
        if lock(&self.asked).is_none() {
            return false;
        }
        let is_sent = matches!(timeout(SEND_TIME_MAX, self.says.lock().await.send(frame)).await, Ok(Ok(())));
        if !is_sent {
            // Whoever waits meets its end.
            self.end();
        }
        is_sent
    }

    /// Nobody is answered any more.
    fn end(&self) {
        *lock(&self.asked) = None;
    }

    fn is_over(&self) -> bool {
        lock(&self.asked).is_none()
    }
}

/// Hears what comes, until nothing does.
async fn hear(shared: Arc<Shared>, mut stream: SplitStream<Stream>, ring: watch::Sender<Duration>) {
    let (mut last, mut is_asked) = (Instant::now(), false);
    while !shared.is_over() {
        let silent = last + if is_asked { PING + PONG_MAX } else { PING };
        let frame = tokio::select! {
            frame = stream.next() => frame,
            () = sleep_until(silent) => {
                if is_asked || !shared.send(Frame::Ping(Bytes::new())).await {
                    break;
                }
                is_asked = true;
                continue;
            }
        };
        (last, is_asked) = (Instant::now(), false);
        match frame {
            Some(Ok(Frame::Text(text))) => match serde_json::from_str::<wire::Rang>(&text) {
                Ok(rang) => _ = ring.send_replace(Duration::from_millis(rang.within_ms)),
                Err(_) => break,
            },
            Some(Ok(Frame::Binary(frame))) => {
                let Some((told, body)) = wire::unframed::<wire::Told>(&frame) else { break };
                let asker = lock(&shared.asked).as_mut().and_then(|asked| asked.remove(&told.count));
                // Whoever asked may have gone.
                let _ = asker.map(|asker| asker.send((told, body)));
            }
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
            _ => break,
        }
    }
    shared.end();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cut() -> Failed {
    Failed::Socket(Trouble::Unreachable { why: "the socket was cut off".to_owned() })
}
