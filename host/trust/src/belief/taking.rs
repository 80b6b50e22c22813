//! Documents that come, or come back out of this host's own folder: who may sign each, and whether it is newer.

use std::collections::BTreeMap;

use super::{Document, Trust, authority};
use crate::statement::{Approval, Hub, Index, Policy, Revocation, Root, Roster, Rotation, Standing};
use crate::time::SKEW_SECONDS;
use crate::{Kind, Refusal, Signed, Time};

/// A document that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its kind.
    pub kind: Kind,
    /// Which one of its kind.
    pub subject: String,
    /// Whether it was not there before.
    pub is_new: bool,
}

impl Trust {
    /// Takes a document that came from anywhere: signed by who may sign it, not made in the future, and newer than what is
    /// there. What is refused changes nothing.
    pub fn take(&mut self, signed: &Signed, now: Time) -> Result<Taken, Vec<Refusal>> {
        let kind = signed.kind().map_err(|refusal| vec![refusal])?;
        let taken = self.put_kind(kind, signed, Some(self.time(now)))?;
        if matches!(kind, Kind::Root | Kind::Roster | Kind::Key | Kind::Revocation) {
            self.settle();
        }
        Ok(taken)
    }

    /// Takes back what was taken before, out of this host's own keeping, where nobody else writes: roots first, in their order.
    /// What is asked at each decision is not asked here; a stop stays, whatever became of who signed it. What holds nothing to
    /// believe is left out, and named by its place.
    ///
    /// For whoever keeps documents elsewhere than in a [`crate::Folder`].
    pub fn take_back<'a>(&mut self, kept: impl IntoIterator<Item = &'a Signed>) -> Vec<(usize, Vec<Refusal>)> {
        let mut left_out = Vec::new();
        for (at, signed) in kept.into_iter().enumerate() {
            let kind = signed.kind().map_err(|refusal| vec![refusal]);
            left_out.extend(kind.and_then(|kind| self.restore(kind, signed)).err().map(|refusals| (at, refusals)));
        }
        self.settle();
        left_out
    }

    /// Takes back a document that was taken before, out of this host's own folder of that kind.
    pub(crate) fn restore(&mut self, kind: Kind, signed: &Signed) -> Result<Taken, Vec<Refusal>> {
        self.put_kind(kind, signed, None)
    }

    fn put_kind(&mut self, kind: Kind, signed: &Signed, now: Option<Time>) -> Result<Taken, Vec<Refusal>> {
        match kind {
            Kind::Root => self.put_root(signed, now),
            Kind::Roster => {
                let new = open::<Roster>(signed, now)?;
                authority::by_root(self.root(), new.signers())?;
                let taken = order(self.roster.as_ref(), &new)?;
                self.roster = Some(new);
                Ok(taken)
            }
            Kind::Policy => {
                let new = open::<Policy>(signed, now)?;
                if now.is_some() {
                    self.by_client(&new)?;
                }
                let kept = self.policies.get(&new.read.body.subject());
                let counts = kept.is_some_and(|kept| self.by_client(kept).is_ok());
                keep(&mut self.policies, new, counts)
            }
            Kind::Assignment => self.put_assignment(signed, now),
            Kind::Approval => {
                let new = open::<Approval>(signed, now)?;
                let kept = self.approvals.get(&new.read.body.subject());
                let counts = kept.is_some_and(|kept| self.by_reviewer(kept).is_ok());
                if now.is_some() {
                    let seat = self.by_reviewer(&new)?;
                    // Who decides for one client, or up to a class, takes no approval away that goes further.
                    kept.filter(|_| counts).map_or(Ok(()), |kept| authority::may_approve(seat, &kept.read.body))?;
                }
                keep(&mut self.approvals, new, counts)
            }
            Kind::Key => {
                let new = open::<Rotation>(signed, now)?;
                authority::by_both(&new)?;
                keep(&mut self.rotations, new, true)
            }
            Kind::Revocation => {
                let new = open::<Revocation>(signed, now)?;
                if now.is_some() {
                    self.by_revoker(&new)?;
                }
                let taken = Taken {
                    kind,
                    subject: new.read.digest.hex(),
                    is_new: !self.revocations.contains_key(&new.read.digest),
                };
                self.revocations.insert(new.read.digest, new);
                Ok(taken)
            }
            Kind::Index => {
                let new = open::<Index>(signed, now)?;
                if now.is_some() {
                    self.by_lister(&new)?;
                }
                let kept = self.indexes.get(&new.read.body.subject());
                let counts = kept.is_some_and(|kept| self.by_lister(kept).is_ok());
                keep(&mut self.indexes, new, counts)
            }
            Kind::Plugin => Err(no_document("it says what a plugin is, and stands beside its file")),
            Kind::Release => Err(no_document("it says what the agent's next version is, and stands beside its file")),
            Kind::Pause => self.put_pause(signed, now),
            Kind::Admission => self.put_admission(signed, now),
            Kind::Enrolment => self.put_enrolment(signed, now),
            Kind::Hub => {
                let new = open::<Hub>(signed, now)?;
                authority::by_root(self.root(), new.signers())?;
                let counts = |kept: &&Document<Hub>| authority::by_root(self.root(), kept.signers()).is_ok();
                let taken = order(self.hub.as_ref().filter(counts), &new)?;
                self.hub = Some(new);
                Ok(taken)
            }
            Kind::Secret => self.put_secret(signed, now),
            Kind::Order => Err(no_document("it says what devices are to do, and is looked at when it comes")),
            Kind::Session => Err(no_document("it says who asks, and is looked at when it comes")),
            Kind::Result => Err(no_document("it says what became of an order, and is looked at when it comes")),
        }
    }

    /// A root follows the one before it: that one signs it, and it signs itself.
    fn put_root(&mut self, signed: &Signed, now: Option<Time>) -> Result<Taken, Vec<Refusal>> {
        let new = open::<Root>(signed, now)?;
        let (kept, found) = (self.root().serial, new.read.body.serial);
        if found > kept + 1 {
            return Err(vec![Refusal::RootGap { kept, found }]);
        }
        let taken = order(Some(&self.root), &new)?;
        if taken.is_new {
            authority::by_root(self.root(), new.signers())?;
            authority::by_root(&new.read.body, new.signers())?;
            self.root = new;
        }
        Ok(taken)
    }
}

fn no_document(problem: &str) -> Vec<Refusal> {
    vec![Refusal::WrongContent { problem: problem.to_owned() }]
}

pub(super) fn open<T: crate::Statement>(signed: &Signed, now: Option<Time>) -> Result<Document<T>, Vec<Refusal>> {
    let document = Document::<T>::open(signed).map_err(|refusal| vec![refusal])?;
    match now.map(|now| in_time(T::KIND.word(), &document, now)) {
        Some(Err(refusal)) => Err(vec![refusal]),
        _ => Ok(document),
    }
}

/// Whether it was made already. Not whether it has expired: what has still says what may be read.
pub(super) fn in_time<T: crate::Statement>(what: &str, document: &Document<T>, now: Time) -> Result<(), Refusal> {
    let created = document.read.created;
    match created <= now.plus_seconds(SKEW_SECONDS) {
        true => Ok(()),
        false => Err(Refusal::NotYetValid { what: what.to_owned(), created }),
    }
}

/// The newest counts; two of one number are one too many.
fn order<T: Standing>(kept: Option<&Document<T>>, new: &Document<T>) -> Result<Taken, Vec<Refusal>> {
    let body = &new.read.body;
    let taken = Taken { kind: T::KIND, subject: body.subject(), is_new: true };
    let Some(kept) = kept else { return Ok(taken) };
    if kept.read.digest == new.read.digest {
        return Ok(Taken { is_new: false, ..taken });
    }
    let (subject, before) = (taken.subject.clone(), kept.read.body.serial());
    match body.serial() {
        serial if serial < before => Err(vec![Refusal::RolledBack { subject, kept: before, found: serial }]),
        serial if serial == before => Err(vec![Refusal::Forked { subject, serial }]),
        _ => Ok(taken),
    }
}

/// One that nobody stands for any more holds no number: whoever stole a key could name the highest one, and nobody could ever come
/// after that.
pub(super) fn keep<T: Standing>(
    all: &mut BTreeMap<String, Document<T>>,
    new: Document<T>,
    counts: bool,
) -> Result<Taken, Vec<Refusal>> {
    let kept = all.get(&new.read.body.subject());
    let taken = order(kept.filter(|kept| counts || kept.read.digest == new.read.digest), &new)?;
    all.insert(taken.subject.clone(), new);
    Ok(taken)
}
