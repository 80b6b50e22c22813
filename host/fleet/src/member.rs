//! A device in a fleet: its inbox, what it believes, and the chain of what it told.

use std::collections::BTreeMap;

use model::{Digest, Mode, Outcome, RunId, Verdict};
use trust::statement::{self, Report, Secret};
use trust::{Chain, Key, Name, Refusal, SignError, Signed, Signer, Taken, Time, Trust};

use crate::inbox::{Begun, Damaged, Inbox, Input, Look, Refused, Waiting};
use crate::{BadMailbox, Facts};

/// Kept: the latest time that was seen, so that a clock that is set back is found also after a restart.
const SEEN: &str = "seen";

/// Kept: how many results there were, and the last one.
const CHAIN: &str = "chain";

/// A device in a fleet. What came from anywhere goes in, with facts and the time; what follows comes out, and what became of
/// orders is put into a chain of signed results. It has no key but the public one, and does nothing by itself.
#[derive(Clone, Debug)]
pub struct Member {
    device: Key,
    trust: Trust,
    inbox: Inbox,
    chain: Chain,
}

/// What follows from what came. `keep` and `believed` are made durable together with the runs that begin, in one piece; then the
/// rest is done.
#[derive(Debug, Default)]
pub struct Came {
    /// Rows to write, by their name; those without a text go.
    pub keep: BTreeMap<String, Option<String>>,
    /// Documents that are believed from now on.
    pub believed: Vec<Signed>,
    /// Documents that were not taken, and why.
    pub not_taken: Vec<(Digest, Vec<Refusal>)>,
    /// Documents to fetch.
    pub fetch: Vec<Digest>,
    /// Orders that begin now.
    pub begin: Vec<Begun>,
    /// Orders that are refused.
    pub refused: Vec<Refused>,
    /// Orders that wait: all of them.
    pub waiting: Vec<Waiting>,
    /// Orders that stood, and no longer do.
    pub ended: Vec<Digest>,
    /// When to look again at the latest.
    pub wake: Option<Time>,
    /// Why the mailbox was not read.
    pub bad_mailbox: Option<BadMailbox>,
}

/// What became of an order, for the device to sign.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of its statement.
    pub order: Digest,
    /// The run; none, where it was refused before there was one.
    pub run: Option<RunId>,
    /// Which try, from 1 on.
    pub attempt: u32,
    /// How the machinery ended.
    pub outcome: Outcome,
    /// What was found.
    pub verdict: Verdict,
    /// Why it was refused, where it was.
    pub refused: Option<Name>,
    /// What it was to do.
    pub mode: Mode,
    /// When it ended.
    pub ended: Time,
    /// The plan that a dry run came to.
    pub plan: Option<Digest>,
    /// Of the details that travel beside it.
    pub record: Digest,
}

/// A result, and the row that is kept together with it: a device that forgot it would sign two of one number.
#[derive(Debug)]
pub struct Signing {
    /// The result.
    pub signed: Signed,
    /// Rows to write, by their name.
    pub keep: BTreeMap<String, Option<String>>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// What should be told is none.
    #[error("it cannot be told: {0}")]
    Wrong(Refusal),
    /// The key does not sign it.
    #[error(transparent)]
    Key(#[from] SignError),
}

impl Told {
    /// What is told of an order that is refused; nothing of one that nobody can read, because there is no mode to name.
    pub fn of_refused(refused: &Refused, record: Digest, now: Time) -> Option<Self> {
        let body = refused.body.as_ref()?;
        Some(Self {
            order: refused.order,
            run: None,
            attempt: 1,
            outcome: Outcome::Refused,
            verdict: Verdict::Unknown,
            refused: refused.against.code().parse().ok(),
            mode: body.mode,
            ended: now,
            plan: None,
            record,
        })
    }
}

impl Member {
    /// One that joined, with what it believes.
    pub fn new(device: Key, trust: Trust) -> Self {
        Self { device, trust, inbox: Inbox::default(), chain: Chain::default() }
    }

    /// With what was kept.
    pub fn restore(
        device: Key,
        mut trust: Trust,
        rows: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Damaged> {
        let mut chain = Chain::default();
        let mut others = Vec::new();
        for (key, text) in rows {
            match key.as_str() {
                CHAIN => chain = serde_json::from_str(&text).map_err(|_| Damaged(key))?,
                SEEN => _ = trust.note_time(text.parse().map_err(|_| Damaged(key))?),
                _ => others.push((key, text)),
            }
        }
        Ok(Self { device, trust, inbox: Inbox::restore(others)?, chain })
    }

    /// Its key.
    pub fn device(&self) -> &Key {
        &self.device
    }

    /// What it believes.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The same, for whoever has something to hand over that did not come by the mailbox.
    pub fn trust_mut(&mut self) -> &mut Trust {
        &mut self.trust
    }

    /// Its inbox.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Decides everything that follows from what came.
    pub fn come(&mut self, input: Input<'_>, facts: &Facts, now: Time) -> Came {
        let mut came = Came::default();
        if self.trust.note_time(now) {
            came.keep.insert(SEEN.to_owned(), Some(now.to_string()));
        }
        let mut handed = self.step(input, facts, now, &mut came);
        // What was handed over may let orders be looked at, and only what comes next may bring more to hand over.
        while !handed.is_empty() {
            for (digest, signed) in std::mem::take(&mut handed) {
                match self.take(&signed, now) {
                    Ok(taken) if taken.is_new => came.believed.push(signed),
                    Ok(_) => {}
                    Err(refusals) => {
                        came.not_taken.push((digest, refusals));
                        handed.extend(self.step(Input::NotTaken(digest), facts, now, &mut came));
                    }
                }
            }
            handed.extend(self.step(Input::Looked, facts, now, &mut came));
        }
        came
    }

    /// Takes what is handed over. Another device's secret is nothing for this one, though it was signed: it would fill its disk.
    fn take(&mut self, signed: &Signed, now: Time) -> Result<Taken, Vec<Refusal>> {
        if let Ok(secret) = statement::read::<Secret>(signed.statement())
            && secret.body.device != self.device
        {
            let problem = "it is sealed to another device".to_owned();
            return Err(vec![Refusal::WrongContent { problem }]);
        }
        self.trust.take(signed, now)
    }

    /// A step, of which all but what it hands over is added to what came.
    fn step(&mut self, input: Input<'_>, facts: &Facts, now: Time, came: &mut Came) -> Vec<(Digest, Signed)> {
        let look = Look { now, trust: &self.trust, device: &self.device, facts };
        let step = self.inbox.step(input, look);
        came.keep.extend(step.keep);
        came.begin.extend(step.begin);
        came.refused.extend(step.refused);
        came.ended.extend(step.ended);
        // Of these the last step says all there is.
        (came.fetch, came.waiting, came.wake) = (step.fetch, step.waiting, step.wake);
        came.bad_mailbox = step.bad_mailbox.or(came.bad_mailbox.take());
        step.take
    }

    /// Signs what became of an order, as the next of the device's results.
    pub fn tell(&mut self, told: &Told, signer: &mut Signer, now: Time) -> Result<Signing, NotTold> {
        let (sequence, previous) = self.chain.head();
        let report = Report {
            tenant: self.trust.pin(),
            order: told.order,
            device: self.device.clone(),
            run: told.run,
            attempt: told.attempt,
            outcome: told.outcome,
            verdict: told.verdict,
            refused: told.refused.clone(),
            mode: told.mode,
            ended: told.ended,
            plan: told.plan,
            record: told.record,
            sequence: sequence + 1,
            previous,
        };
        let bytes = statement::write(now, &report).map_err(NotTold::Wrong)?;
        let mut signed = Signed::new(bytes, Vec::new());
        signed.sign(signer)?;
        self.chain = Chain::after(sequence + 1, Digest::of(signed.statement()));
        let chain = serde_json::to_string(&self.chain).ok();
        Ok(Signing { signed, keep: BTreeMap::from([(CHAIN.to_owned(), chain)]) })
    }
}

#[cfg(test)]
mod tests;
