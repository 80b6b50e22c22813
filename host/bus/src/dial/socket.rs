use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use model::Digest;
use reqwest::{Response, Upgraded};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::{Trouble, Woken, wire};

/// Each socket says something so often: what forgets silent connections does so after a minute, as a rule.
const PING: Duration = Duration::from_secs(50);

/// So long the other side may take to answer it.
const PONG_MAX: Duration = Duration::from_secs(20);

/// So long it may take to hand a few bytes over, or to change from HTTP to a socket.
const SEND_TIME_MAX: Duration = Duration::from_secs(10);

/// A socket that ends before this was not wanted: somebody in between ends what it does not know, or everything after a minute.
const SHORT: Duration = Duration::from_secs(120);

type Stream = WebSocketStream<Upgraded>;

/// A socket that bells ring on and beats go over; or none.
#[derive(Default)]
pub(super) struct Socket {
    says: Mutex<Option<SplitSink<Stream, Frame>>>,
    hears: Mutex<Option<Hears>>,
}

struct Hears {
    stream: SplitStream<Stream>,
    since: Instant,
    last: Instant,
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

    pub(super) async fn open(&self, hanging: Hanging, response: Response) -> Result<(), Failed> {
        let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
        if accepted.is_none_or(|it| it.as_bytes() != derive_accept_key(hanging.key.as_bytes()).as_bytes()) {
            return Err(Failed::Socket(Trouble::Garbled { why: "whoever answers speaks no WebSocket".to_owned() }));
        }
        let upgraded = timeout(SEND_TIME_MAX, response.upgrade()).await.map_err(|_| cut())?.map_err(|_| cut())?;
        let config = WebSocketConfig::default()
            .read_buffer_size(wire::FRAME_BYTES_MAX)
            .write_buffer_size(0)
            .max_write_buffer_size(8 * wire::FRAME_BYTES_MAX)
            .max_message_size(Some(wire::FRAME_BYTES_MAX))
            .max_frame_size(Some(wire::FRAME_BYTES_MAX));
        let (says, stream) = Stream::from_raw_socket(upgraded, Role::Client, Some(config)).await.split();
        let now = Instant::now();
        *self.says.lock().await = Some(says);
        *self.hears.lock().await = Some(Hears { stream, since: now, last: now });
        Ok(())
    }

    pub(super) async fn is_open(&self) -> bool {
        self.says.lock().await.is_some()
    }

    /// Says something, if there is a socket that takes it.
    pub(super) async fn say(&self, said: &wire::Said) -> bool {
        match serde_json::to_string(said) {
            Ok(text) => self.send(Frame::text(text)).await,
            Err(_) => false,
        }
    }

    async fn send(&self, frame: Frame) -> bool {
        let mut says = self.says.lock().await;
        let Some(sink) = says.as_mut() else { return false };
        let is_sent = matches!(timeout(SEND_TIME_MAX, sink.send(frame)).await, Ok(Ok(())));
        if !is_sent {
            // Whoever waits meets its end.
            *says = None;
        }
        is_sent
    }

    /// Waits for the bell. What ends it ends the socket.
    pub(super) async fn wait(&self, has: Option<Digest>, until: Instant) -> Result<Woken, Failed> {
        let mut place = self.hears.lock().await;
        let waited = match place.as_mut() {
            None => Err(cut()),
            Some(_) if !self.say(&wire::Said::Waits { has }).await => Err(cut()),
            Some(hears) => self.hear(hears, until).await,
        };
        if let Err(failed) = waited {
            let was_short = place.as_ref().is_none_or(|hears| hears.since.elapsed() < SHORT);
            *place = None;
            *self.says.lock().await = None;
            return Err(match failed {
                // It went well for a while: the hub is started anew, or the network is another.
                Failed::Socket(trouble) if !was_short => Failed::Lived(trouble),
                failed => failed,
            });
        }
        waited
    }

    async fn hear(&self, hears: &mut Hears, until: Instant) -> Result<Woken, Failed> {
        let mut is_asked = false;
        loop {
            let silent = hears.last + if is_asked { PING + PONG_MAX } else { PING };
            let frame = tokio::select! {
                frame = hears.stream.next() => frame.and_then(Result::ok).ok_or_else(cut)?,
                () = sleep_until(until) => return Ok(Woken::Quiet),
                () = sleep_until(silent) => {
                    if is_asked || !self.send(Frame::Ping(bytes::Bytes::new())).await {
                        return Err(cut());
                    }
                    is_asked = true;
                    continue;
                }
            };
            (hears.last, is_asked) = (Instant::now(), false);
            match frame {
                Frame::Text(text) => {
                    let rang: wire::Rang = serde_json::from_str(&text).map_err(|_| cut())?;
                    return Ok(Woken::Rung { within: Duration::from_millis(rang.within_ms) });
                }
                Frame::Ping(_) | Frame::Pong(_) => {}
                Frame::Binary(_) | Frame::Close(_) | Frame::Frame(_) => return Err(cut()),
            }
        }
    }
}

fn cut() -> Failed {
    Failed::Socket(Trouble::Unreachable { why: "the socket was cut off".to_owned() })
}
