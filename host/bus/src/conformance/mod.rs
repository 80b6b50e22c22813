//! What every backend does alike. A backend is whatever stands between an [`Exchange`] and the [`Line`]s to it: a test of it
//! makes a [`World`] and calls [`check`].
//!
//! Each property has a twin in `tests.rs` that breaks it, and a test fails where one has none.

mod bell;
mod delivery;
mod documents;
mod hostile;
mod mailbox;
mod presence;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::timeout;

use crate::{Beat, Device, Exchange, Line, Message, Replacement, Revision, Spool};

/// How long a property may take: a hundred times what the slowest does on an idle machine.
const PROPERTY_MAX: Duration = Duration::from_secs(120);

/// Two sides with a backend between them.
#[async_trait]
pub trait World: Send + Sync {
    /// The hub's side.
    fn exchange(&self) -> Arc<dyn Exchange>;

    /// A device, always the same for a number, and a line of its own.
    async fn line(&self, number: u8) -> (Device, Arc<dyn Line>);

    /// So much time passes on the clock that presence is derived from, and nothing else happens.
    fn pass(&self, time: Duration);

    /// The hub is killed and started again. Exchange and lines of before are no longer used.
    async fn restart(&self);
}

/// What a property came to: what of it does not hold.
pub type Held = Result<(), String>;

type Run = for<'a> fn(&'a dyn World) -> Pin<Box<dyn Future<Output = Held> + Send + 'a>>;

/// Something that always holds.
#[derive(Clone, Copy)]
pub struct Property {
    /// As a sentence.
    pub name: &'static str,
    run: Run,
}

impl Property {
    /// Tries it on a fresh world.
    pub async fn holds(&self, world: &dyn World) -> Held {
        timeout(PROPERTY_MAX, (self.run)(world)).await.unwrap_or_else(|_| Err("it does not end".to_owned()))
    }
}

macro_rules! properties {
    ($($name:literal => $run:path,)*) => {
        /// All of them.
        pub const PROPERTIES: &[Property] = &[$(Property { name: $name, run: |world| Box::pin($run(world)) },)*];
    };
}

properties! {
    "a mailbox is replaced by who saw what is in it" => mailbox::compared,
    "of those who replace at once one wins" => mailbox::raced,
    "a mailbox is shown to who does not have it" => mailbox::shown,
    "mailboxes are replaced independently" => mailbox::independent,
    "a mailbox has a limit" => mailbox::bounded,
    "a bell wakes whoever it is rung for" => bell::heard,
    "a bell wakes nobody else" => bell::own,
    "a bell says within which time to look" => bell::spread,
    "whoever missed the bell is woken by what is in the mailbox" => bell::missed,
    "a wait ends" => bell::ends,
    "what is delivered is in the log" => delivery::kept,
    "what is delivered again is kept once" => delivery::repeated,
    "another message under a known key is told, and changes nothing" => delivery::differs,
    "keys are those of one spool of one device" => delivery::keys,
    "what many deliver at once is kept once" => delivery::raced,
    "the log is read in parts, and what was read stays" => delivery::parts,
    "a delivery has limits" => delivery::bounded,
    "documents are what their digests say" => documents::fetched,
    "a device reads what its mailbox names" => documents::named,
    "what does not fit is not said to be missing" => documents::fitting,
    "a device that beats is there, until it misses three" => presence::derived,
    "nobody is away because the hub was" => presence::restarted,
    "what was said to be durable is there after a restart" => presence::durable,
    "a hostile carrier delays, and no more" => hostile::delayed,
}

/// Tries all properties, each in a world of its own, and answers those that do not hold, with why.
pub async fn check(make: impl AsyncFn() -> Box<dyn World>) -> Vec<(&'static str, String)> {
    let mut broken = Vec::new();
    for property in PROPERTIES {
        let world = make().await;
        if let Err(why) = property.holds(&*world).await {
            broken.push((property.name, why));
        }
    }
    broken
}

/// Fails with what was said, where something is not so.
macro_rules! so {
    ($is:expr, $($said:tt)*) => {
        if !$is {
            return Err(format!($($said)*));
        }
    };
}
/// Fails where two are not the same, and shows them.
macro_rules! same {
    ($one:expr, $other:expr, $said:expr) => {
        match (&$one, &$other) {
            (one, other) if one == other => {}
            (one, other) => return Err(format!("{}: {one:?}, and not {other:?}", $said)),
        }
    };
}
use {same, so};

/// An error is told as people see it, with what is below it.
fn told(error: impl std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn message(spool: u64, sequence: u64, body: &str) -> Result<Message, String> {
    let kind = "result".parse().map_err(told)?;
    Ok(Message { spool: Spool(spool), sequence, kind, body: Bytes::copy_from_slice(body.as_bytes()) })
}

fn beat() -> Beat {
    Beat { at_ms: 1, mailbox: None, waiting: 0, agent: "remit/0.1.0".to_owned() }
}

fn replacement(device: Device, expected: Option<Revision>, bytes: impl Into<Bytes>) -> Replacement {
    Replacement { device, expected, bytes: bytes.into(), names: Vec::new() }
}

/// Puts something into an empty mailbox, or in place of what is in it.
async fn put(exchange: &dyn Exchange, with: Replacement) -> Result<Revision, String> {
    let revision = exchange.mailbox(&with.device).await.map_err(told)?.map(|it| it.revision);
    let replaced = exchange.replace(vec![Replacement { expected: revision, ..with }]).await.map_err(told)?;
    replaced.into_iter().next().ok_or("no answer for a replacement")?.map_err(told)
}
