//! A line whose carrier is against us, by a seed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::Digest;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::{Ack, Beat, Found, Line, Message, Pulled, Spool, Taken, Trouble, Woken};

/// The most deliveries and mailboxes that are held back, to come later.
const HELD_MAX: usize = 16;

/// How often what is done, each in thousandths of what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mischief {
    /// What is asked does not arrive, or the answer does not.
    pub lose: u16,
    /// A delivery arrives again, at once or later.
    pub repeat: u16,
    /// It takes up to this time.
    pub delay: Duration,
    /// The messages of a delivery arrive in another order, and acknowledgements too.
    pub reorder: u16,
    /// A bell is not heard, an old mailbox is shown, a document is said to be missing.
    pub withhold: u16,
    /// Bytes are changed, and acknowledgements made up for what was never sent.
    pub forge: u16,
}

impl Mischief {
    /// Some of everything, often.
    pub const ALL: Self =
        Self { lose: 200, repeat: 300, delay: Duration::from_millis(3), reorder: 300, withhold: 300, forge: 300 };
}

/// A line that is not to be relied on.
pub struct Hostile<L> {
    line: L,
    mischief: Mischief,
    held: Mutex<Held>,
}

struct Held {
    chance: StdRng,
    deliveries: Vec<Vec<Message>>,
    mailboxes: Vec<Bytes>,
}

impl<L: Line> Hostile<L> {
    /// Over a line, doing so much of it, always the same for a seed and an order of calls.
    pub fn new(line: L, seed: u64, mischief: Mischief) -> Self {
        let held = Held { chance: StdRng::seed_from_u64(seed), deliveries: Vec::new(), mailboxes: Vec::new() };
        Self { line, mischief, held: Mutex::new(held) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn does(&self, often: u16) -> bool {
        self.held().chance.random_range(0..1000) < often
    }

    /// Late, and perhaps not at all.
    async fn pass(&self) -> Result<(), Trouble> {
        let most = self.mischief.delay.as_micros().try_into().unwrap_or(u64::MAX);
        let delay = self.held().chance.random_range(0..=most);
        tokio::time::sleep(Duration::from_micros(delay)).await;
        match self.does(self.mischief.lose) {
            true => Err(Trouble::Unreachable { why: "it was lost".to_owned() }),
            false => Ok(()),
        }
    }

    fn forged(&self, honest: &Bytes) -> Bytes {
        let mut forged = honest.to_vec();
        let mut held = self.held();
        let at = held.chance.random_range(0..=forged.len());
        match forged.get_mut(at) {
            Some(byte) => *byte ^= 1,
            None => forged.push(b'!'),
        }
        forged.into()
    }

    fn one_of<T: Clone>(&self, of: impl Fn(&mut Held) -> &mut Vec<T>) -> Option<T> {
        let mut held = self.held();
        let most = of(&mut held).len().checked_sub(1)?;
        let at = held.chance.random_range(0..=most);
        of(&mut held).get(at).cloned()
    }
}

fn keep<T>(held: &mut Vec<T>, what: T) {
    if held.len() >= HELD_MAX {
        held.remove(0);
    }
    held.push(what);
}

#[async_trait]
impl<L: Line> Line for Hostile<L> {
    async fn wait(&self, has: Option<Digest>, most: Duration) -> Result<Woken, Trouble> {
        self.pass().await?;
        if self.does(self.mischief.withhold) {
            tokio::time::sleep(most).await;
            return Ok(Woken::Quiet);
        }
        if self.does(self.mischief.forge) {
            return Ok(Woken::Rung { within: Duration::from_millis(1) });
        }
        self.line.wait(has, most).await
    }

    async fn mailbox(&self, has: Option<Digest>) -> Result<Pulled, Trouble> {
        self.pass().await?;
        let honest = self.line.mailbox(has).await?;
        if let Pulled::New(bytes) = &honest {
            keep(&mut self.held().mailboxes, bytes.clone());
            if self.does(self.mischief.forge) {
                return Ok(Pulled::New(self.forged(bytes)));
            }
        }
        if self.does(self.mischief.withhold) {
            let old = self.one_of(|held| &mut held.mailboxes);
            return Ok(old.map_or(Pulled::Empty, Pulled::New));
        }
        self.pass().await?;
        Ok(honest)
    }

    async fn documents(&self, wanted: &[Digest]) -> Result<Found, Trouble> {
        self.pass().await?;
        let honest = self.line.documents(wanted).await?;
        let mut found = Found { documents: Vec::new(), missing: honest.missing };
        for document in honest.documents {
            if self.does(self.mischief.withhold) {
                found.missing.push(Digest::of(&document));
            } else if self.does(self.mischief.forge) {
                found.documents.push(self.forged(&document));
            } else {
                found.documents.push(document);
            }
        }
        if self.does(self.mischief.reorder) {
            found.documents.shuffle(&mut self.held().chance);
        }
        self.pass().await?;
        Ok(found)
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<Ack>, Trouble> {
        keep(&mut self.held().deliveries, messages.to_vec());
        if self.does(self.mischief.repeat)
            && let Some(old) = self.one_of(|held| &mut held.deliveries)
        {
            let _ = self.line.deliver(&old).await;
        }
        self.pass().await?;
        let mut messages = messages.to_vec();
        if self.does(self.mischief.reorder) {
            messages.shuffle(&mut self.held().chance);
        }
        let mut acks = self.line.deliver(&messages).await?;
        if self.does(self.mischief.reorder) {
            acks.shuffle(&mut self.held().chance);
        }
        if self.does(self.mischief.forge) {
            let made_up = Ack { spool: Spool(u64::MAX), sequence: 1, taken: Taken::New };
            let beyond = acks.last().map(|ack| Ack { sequence: ack.sequence + 1_000_000, ..*ack });
            acks.extend([Some(made_up), beyond, acks.first().copied()].into_iter().flatten());
        }
        self.pass().await?;
        Ok(acks)
    }

    async fn beat(&self, beat: &Beat) -> Result<(), Trouble> {
        self.pass().await?;
        self.line.beat(beat).await
    }
}
