//! The device's end of the embedded backend: it dials out, over HTTPS and a socket.

mod ask;
mod pin;
mod session;
mod socket;
mod way;

use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use model::Digest;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::{
    Ack, Beat, DOCUMENTS_MAX, Found, Line, MAILBOX_BYTES_MAX, Message, Pulled, TooMuch, Trouble, WAIT_MAX, Woken, wire,
};

use ask::Ask;
pub use ask::Reply;
pub use session::Opener;
use session::Session;
use socket::Socket;
pub use way::{Request, Way, WayError};

/// So often a socket may fail before it is done without.
const SOCKET_FAILURES_MAX: u32 = 2;

/// So long it is then done without: a proxy that kills sockets does so tomorrow too, and a laptop goes home.
const WITHOUT_SOCKET: Duration = Duration::from_secs(30 * 60);

/// The longest of one long poll: proxies end what is silent for a minute.
const POLL_MAX: Duration = Duration::from_secs(50);

/// Between two rings that are heard: a hub that rings all the time has a device look once a second.
const RINGS_APART: Duration = Duration::from_secs(1);

/// A device's line to its hub.
pub struct Dial {
    way: Way,
    session: Session,
    socket: Socket,
    /// Only one waits at a time.
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// How often a socket failed, one after the other.
    failures: u32,
    /// Until when there is none.
    without: Option<Instant>,
    /// When the last ring was heard.
    rang: Option<Instant>,
}

impl Dial {
    /// On this way, with sessions that are opened so. Nothing is sent before something is asked.
    pub fn new(way: Way, opener: Box<dyn Opener>) -> Self {
        Self { session: Session::new(opener), way, socket: Socket::default(), waiting: Mutex::default() }
    }

    /// Whether it now stands on a socket.
    pub fn has_socket(&self) -> bool {
        self.socket.is_open()
    }

    /// Asks over the socket, where there is one that it fits on: a connection that stands costs no handshake. Else by itself.
    async fn ask(&self, ask: Ask<'_>) -> Result<ask::Answer, Trouble> {
        match self.socket.ask(&ask).await {
            Some(answer) => answer,
            None => self.session.ask(&self.way, &ask).await,
        }
    }

    async fn poll(&self, has: Option<Digest>, most: Duration) -> Result<Woken, Trouble> {
        let most = most.min(POLL_MAX);
        let has = has.map(|digest| format!("&has={digest}")).unwrap_or_default();
        let target = format!("{}?wait={}{has}", wire::BELL, most.as_millis());
        let ask = Ask { patience: most, ..Ask::get(&target, wire::SAID_BYTES_MAX) };
        let answer = self.session.ask(&self.way, &ask).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Woken::Quiet),
            _ => answer.json::<wire::Rang>().map(|rang| Woken::Rung { within: Duration::from_millis(rang.within_ms) }),
        }
    }

    async fn woken(&self, waiting: &mut Waiting, has: Option<Digest>, until: Instant) -> Result<Woken, Trouble> {
        while waiting.without.is_none_or(|again| again <= Instant::now()) {
            match self.wait_on_socket(has, until).await {
                Ok(woken) => return Ok(woken),
                Err(socket::Failed::Other(trouble)) => return Err(trouble),
                Err(socket::Failed::Lived(trouble)) => {
                    waiting.failures = 0;
                    return Err(trouble);
                }
                Err(socket::Failed::Socket(trouble)) => {
                    waiting.failures += 1;
                    if waiting.failures < SOCKET_FAILURES_MAX {
                        return Err(trouble);
                    }
                    waiting.failures = 0;
                    waiting.without = Some(Instant::now() + WITHOUT_SOCKET);
                }
            }
        }
        loop {
            let begun = Instant::now();
            let woken = self.poll(has, until.saturating_duration_since(begun)).await?;
            if woken != Woken::Quiet || Instant::now() >= until {
                return Ok(woken);
            }
            // Whoever answers at once that nothing happened is not asked at once again.
            sleep_until(until.min(begun + RINGS_APART)).await;
        }
    }

    async fn wait_on_socket(&self, has: Option<Digest>, until: Instant) -> Result<Woken, socket::Failed> {
        if !self.socket.is_open() {
            self.session.hang(&self.way, &self.socket).await?;
        }
        self.socket.wait(has, until).await
    }
}

#[async_trait]
impl Line for Dial {
    async fn wait(&self, has: Option<Digest>, most: Duration) -> Result<Woken, Trouble> {
        let until = Instant::now() + most.min(WAIT_MAX);
        self.socket.forget_beside();
        let mut waiting = self.waiting.lock().await;
        let woken = self.woken(&mut waiting, has, until).await?;
        if let Woken::Rung { .. } = woken {
            if let Some(rang) = waiting.rang {
                sleep_until(rang + RINGS_APART).await;
            }
            waiting.rang = Some(Instant::now());
        }
        Ok(woken)
    }

    async fn mailbox(&self, has: Option<Digest>) -> Result<Pulled, Trouble> {
        let answer = self.ask(Ask { has, ..Ask::get(wire::MAILBOX, MAILBOX_BYTES_MAX) }).await?;
        Ok(match answer.status {
            StatusCode::NO_CONTENT => Pulled::Empty,
            StatusCode::NOT_MODIFIED => Pulled::Same,
            _ => Pulled::New(answer.body),
        })
    }

    async fn documents(&self, wanted: &[Digest]) -> Result<Found, Trouble> {
        TooMuch::of("documents at once", wanted.len(), DOCUMENTS_MAX)?;
        if let Some(documents) = self.socket.beside(wanted).filter(|it| !it.is_empty()) {
            return Ok(Found { documents, missing: Vec::new() });
        }
        let answer = self.ask(Ask::post(wire::DOCUMENTS, json(wanted), wire::FOUND_BYTES_MAX)).await?;
        answer.json::<wire::Answered>().map(Found::from)
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<Ack>, Trouble> {
        TooMuch::in_delivery(messages)?;
        let sent: Vec<wire::Sent> = messages.iter().map(wire::Sent::from).collect();
        self.ask(Ask::post(wire::MESSAGES, json(&sent), wire::ACKS_BYTES_MAX)).await?.json()
    }

    async fn beat(&self, beat: &Beat) -> Result<(), Trouble> {
        let agent = beat.agent.chars().filter(|it| it.is_ascii_graphic()).take(64).collect();
        let beat = Beat { agent, ..beat.clone() };
        if self.socket.say(&wire::Said::Beats(beat.clone())).await {
            return Ok(());
        }
        self.ask(Ask::post(wire::BEATS, json(&beat), wire::SAID_BYTES_MAX)).await.map(drop)
    }
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
