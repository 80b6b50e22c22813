//! The line to the hub: it is kept up, what comes over it is handed to the executor, and what the executor has to say goes over it.
//!
//! Nothing here is decided, and nothing that comes is believed. Whatever the hub does, the worst that comes of it is that nothing
//! comes.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bus::dial::{Dial, Opener, Way};
use bus::{Ack, BEAT, Backoff, Beat, Line, Message, Pulled, Trouble, WAIT_MAX, Woken, courier};
use distribution::Proxy;
use model::{Clock as _, Digest, SystemClock};
use tokio::sync::Notify;
use tokio::time::sleep;
use trust::Key;

use super::executor::Executor;
use crate::agent::protocol::{HubIs, LineIs, Thing, Wanted};

/// How long an executor is left alone that does not answer.
const EXECUTOR_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// How long something is left alone that will not go by being asked again.
const NEVER: Duration = Duration::from_secs(300);

/// The most bytes that are handed over at once, before base64: with it they fit into a frame.
const HANDED_BYTES_MAX: usize = 4 << 20;

/// The most rounds of one look: the largest plugin comes in so many, and a hub that always has something new is asked again later.
const ROUNDS_MAX: usize = 256;

/// Keeps the line to whichever hub this device joined. It never ends.
pub(super) async fn keep(proxy: Option<Proxy>, executor: Arc<Executor>) {
    let mut known = None;
    loop {
        known = tokio::select! {
            now = other_than(known.as_ref(), &executor) => now,
            never = work(known.as_ref(), proxy.as_ref(), &executor) => match never {},
        };
    }
}

/// Waits until the hub is another one, or none. An executor that is away is asked again.
async fn other_than(known: Option<&HubIs>, executor: &Executor) -> Option<HubIs> {
    loop {
        match executor.hub(known).await {
            Ok(now) => return now,
            Err(_) => sleep(EXECUTOR_AGAIN_AFTER).await,
        }
    }
}

/// Calls a hub at one of its addresses after the other, where there is one.
async fn work(hub: Option<&HubIs>, proxy: Option<&Proxy>, executor: &Arc<Executor>) -> Infallible {
    let Some(hub) = hub else { return pending().await };
    for address in hub.addresses.iter().cycle() {
        tracing::info!(address, "calling the hub");
        let parsed = address.parse().map_err(anyhow::Error::from);
        let way = parsed.and_then(|address| Ok(Way::new(&address, &hub.authorities, proxy)?));
        let way = match way {
            Ok(way) => way,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), address, "the hub cannot be called");
                sleep(NEVER).await;
                continue;
            }
        };
        let opener = Opens(Arc::clone(executor));
        let line = Kept {
            line: Box::new(Dial::new(way, Box::new(opener))),
            executor,
            is_only: hub.addresses.len() < 2,
            is: Mutex::new(State::new()),
            look: Notify::new(),
            changed: Notify::new(),
        };
        tokio::select! {
            () = line.listen() => {}
            never = line.beats() => match never {},
            never = line.says() => match never {},
        }
    }
    pending().await
}

/// Opens sessions with the device's key, which the executor has.
struct Opens(Arc<Executor>);

#[async_trait]
impl Opener for Opens {
    async fn open(&self, hub: Digest, key: &Key) -> Result<Vec<u8>, String> {
        self.0.session(hub, key).await.map(String::into_bytes).map_err(|error| format!("{error:#}"))
    }
}

/// A line that is kept.
struct Kept<'a> {
    line: Box<dyn Line>,
    executor: &'a Executor,
    is_only: bool,
    is: Mutex<State>,
    /// There is something to fetch.
    look: Notify,
    /// The line is otherwise than it was.
    changed: Notify,
}

#[derive(Clone, Debug)]
struct State {
    has: Option<Digest>,
    waiting: u64,
    line: LineIs,
}

impl State {
    fn new() -> Self {
        Self { has: None, waiting: 0, line: LineIs { trouble: Some("nobody has answered yet".to_owned()) } }
    }
}

/// What went wrong, and with whom.
enum Failed {
    Executor(anyhow::Error),
    Line(Trouble),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Line(trouble)
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Executor(error)
    }
}

impl Kept<'_> {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.is.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something went over the line, or did not.
    fn heard(&self, trouble: Option<&Trouble>) {
        let trouble = trouble.map(ToString::to_string);
        let mut state = self.state();
        if state.line.trouble != trouble {
            match &trouble {
                Some(why) => tracing::warn!(why, "the line to the hub"),
                None => tracing::info!("the hub answers"),
            }
            self.changed.notify_one();
        }
        state.line.trouble = trouble;
    }

    /// Waits for the bell, and looks; at the start and now and then anyway.
    async fn listen(&self) {
        let mut backoff = Backoff::default();
        loop {
            let trouble = match self.round().await {
                Ok(()) => {
                    backoff.reset();
                    continue;
                }
                Err(Failed::Executor(error)) => {
                    tracing::debug!(error = format!("{error:#}"), "what came is not taken");
                    sleep(EXECUTOR_AGAIN_AFTER).await;
                    continue;
                }
                Err(Failed::Line(trouble)) => trouble,
            };
            self.heard(Some(&trouble));
            sleep(backoff.after(&trouble).unwrap_or(NEVER)).await;
            if !self.is_only && matches!(trouble, Trouble::Unreachable { .. } | Trouble::Stranger { .. }) {
                return;
            }
        }
    }

    async fn round(&self) -> Result<(), Failed> {
        let wanted = self.look().await?;
        self.heard(None);
        let woken = tokio::select! {
            woken = self.line.wait(shown(wanted.has), WAIT_MAX) => woken?,
            () = self.look.notified() => Woken::Quiet,
        };
        if let Woken::Rung { within } = woken {
            sleep(within.min(WAIT_MAX).mul_f64(rand::random::<f64>())).await;
        }
        Ok(())
    }

    /// Fetches the mailbox, and what follows from it.
    async fn look(&self) -> Result<Wanted, Failed> {
        let mut wanted = self.executor.came(Vec::new()).await?;
        let pulled = self.line.mailbox(shown(wanted.has)).await?;
        let text = match pulled {
            Pulled::Same => None,
            Pulled::Empty => wanted.has.is_none().then(String::new),
            Pulled::New(bytes) => Some(text(&bytes)?),
        };
        if let Some(text) = text {
            wanted = self.executor.came(vec![Thing::Mailbox { text }]).await?;
        }
        self.state().has = wanted.has;
        for _ in 0..ROUNDS_MAX {
            if wanted.fetch.is_empty() {
                break;
            }
            let fetched = courier::fetch(&*self.line, &wanted.fetch).await?;
            let next = self.hand_over(&wanted.fetch, fetched).await?;
            // What is wanted still is not there: it is asked for with the next look.
            if next.fetch == wanted.fetch {
                break;
            }
            wanted = next;
        }
        Ok(wanted)
    }

    async fn hand_over(&self, asked: &[Digest], fetched: Vec<(Digest, bytes::Bytes)>) -> Result<Wanted, Failed> {
        let missing = asked.iter().filter(|digest| !fetched.iter().any(|(found, _)| found == *digest));
        let mut things: Vec<Thing> = missing.map(|digest| Thing::Missing { digest: *digest }).collect();
        let mut bytes = 0;
        for (digest, document) in fetched {
            if bytes + document.len() > HANDED_BYTES_MAX {
                self.executor.came(std::mem::take(&mut things)).await?;
                bytes = 0;
            }
            bytes += document.len();
            things.push(Thing::Document { digest, bytes: STANDARD.encode(&document) });
        }
        Ok(self.executor.came(things).await?)
    }

    /// Says what the executor has to say, until the hub has it.
    async fn says(&self) -> Infallible {
        let (mut backoff, mut acks) = (Backoff::default(), Vec::<Ack>::new());
        loop {
            let line = self.state().line.clone();
            let said = tokio::select! {
                said = self.executor.say(&acks, &line) => said,
                // Whoever asks how the agent is hears of it at once. What was acknowledged is so again.
                () = self.changed.notified() => continue,
            };
            let to_say = match said {
                Ok(to_say) => to_say,
                Err(error) => {
                    tracing::debug!(error = format!("{error:#}"), "nothing is to be learned of what there is to say");
                    sleep(EXECUTOR_AGAIN_AFTER).await;
                    // One that was started anew has no mailbox.
                    self.look.notify_one();
                    continue;
                }
            };
            acks.clear();
            self.state().waiting = to_say.waiting;
            if !to_say.wanted.fetch.is_empty() {
                self.look.notify_one();
            }
            let messages = to_say.messages.into_iter().map(|it| Message {
                spool: it.spool,
                sequence: it.sequence,
                kind: it.kind,
                body: it.body.into(),
            });
            let messages: Vec<Message> = messages.collect();
            if messages.is_empty() {
                continue;
            }
            let delivered = courier::deliver(&*self.line, courier::batch(&messages)).await;
            let trouble = match delivered {
                Ok(taken) if !taken.is_empty() => {
                    backoff.reset();
                    acks = taken;
                    continue;
                }
                Ok(_) => Trouble::Garbled { why: "it took none of what it was told".to_owned() },
                Err(trouble) => trouble,
            };
            self.heard(Some(&trouble));
            sleep(backoff.after(&trouble).unwrap_or(NEVER)).await;
        }
    }

    /// Says that the device is there.
    async fn beats(&self) -> Infallible {
        loop {
            let State { has, waiting, .. } = self.state().clone();
            let agent = format!("remit/{}", crate::stamp::version());
            let beat = Beat { at_ms: SystemClock.now_ms(), mailbox: has, waiting, agent };
            // One that is lost is made up for by the next.
            if self.line.beat(&beat).await.is_ok() {
                self.heard(None);
            }
            sleep(BEAT).await;
        }
    }
}

/// What nothing was ever put into is had by nobody.
fn shown(has: Option<Digest>) -> Option<Digest> {
    has.filter(|has| *has != Digest::of(b""))
}

fn text(bytes: &[u8]) -> Result<String, Trouble> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Trouble::Garbled { why: "its mailbox is no text".to_owned() })
}
