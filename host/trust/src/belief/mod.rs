//! What a host believes: a root that it pinned once, and what follows from that in documents.

mod approved;
mod authority;
mod decide;
mod ended;
mod first_use;
mod on_its_way;
mod standing;

use std::collections::BTreeMap;

use model::Digest;
use semver::Version;

use crate::signed::Document;
use crate::statement::{Approval, Assignment, Index, Policy, Revocation, Root, Roster, Rotation, Standing};
use crate::time::SKEW_SECONDS;
use crate::{Key, Kind, Name, Refusal, Signed, Time};

pub use approved::Approved;
#[cfg(test)]
pub(crate) use decide::full_name;
pub use decide::{Check, Decision, Request};
pub use first_use::FirstUse;

use authority::Role;
use ended::Ended;

/// A pinned root, and all that was taken since: the newest of each document. What is taken was signed by who may sign it; that
/// it still holds, and how long, is asked each time that something is decided.
#[derive(Clone, Debug)]
pub struct Trust {
    pin: Digest,
    root: Document<Root>,
    roster: Option<Document<Roster>>,
    policies: BTreeMap<String, Document<Policy>>,
    assignments: BTreeMap<String, Document<Assignment>>,
    rotations: BTreeMap<String, Document<Rotation>>,
    approvals: BTreeMap<String, Document<Approval>>,
    revocations: BTreeMap<Digest, Document<Revocation>>,
    indexes: BTreeMap<String, Document<Index>>,
    /// Worked out of the revocations.
    ended: Ended,
    /// The newest version that ran, by publisher and name.
    versions: BTreeMap<String, Version>,
    /// The latest time that was seen, nearly.
    seen: Option<Time>,
}

/// How much later it has to be until that is kept: a host that runs much would write it much.
const SEEN_SECONDS: i64 = 3600;

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

/// Whose a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its client.
    pub client: Name,
    /// The place.
    pub site: Name,
    /// What it is counted among.
    pub tags: Vec<Name>,
    /// Until when that is known.
    pub until: Time,
}

impl Trust {
    /// With the root whose fingerprint is pinned: the digest of the first root statement.
    pub fn pinned(pin: Digest, root: &Signed) -> Result<Self, Vec<Refusal>> {
        let root = Document::<Root>::open(root).map_err(|refusal| vec![refusal])?;
        if root.read.digest != pin {
            return Err(vec![Refusal::NotTheRoot { found: root.read.digest, pinned: pin }]);
        }
        authority::by_root(&root.read.body, root.signers())?;
        Ok(Self {
            pin,
            root,
            roster: None,
            policies: BTreeMap::new(),
            assignments: BTreeMap::new(),
            rotations: BTreeMap::new(),
            approvals: BTreeMap::new(),
            revocations: BTreeMap::new(),
            indexes: BTreeMap::new(),
            ended: Ended::default(),
            versions: BTreeMap::new(),
            seen: None,
        })
    }

    /// The fingerprint that is pinned.
    pub fn pin(&self) -> Digest {
        self.pin
    }

    /// The newest root.
    pub fn root(&self) -> &Root {
        &self.root.read.body
    }

    /// The newest roster.
    pub fn roster(&self) -> Option<&Roster> {
        self.roster.as_ref().map(|roster| &roster.read.body)
    }

    /// The newest approvals, by name.
    pub fn approvals(&self) -> impl Iterator<Item = &Approval> {
        self.approvals.values().map(|it| &it.read.body)
    }

    /// What may be installed from where, by whoever may still say so: the newest indexes, by name.
    pub fn indexes(&self, now: Time) -> impl Iterator<Item = &Index> {
        let now = self.time(now);
        let counts = move |it: &&Document<Index>| now < it.read.body.expires && self.by_lister(it).is_ok();
        self.indexes.values().filter(counts).map(|it| &it.read.body)
    }

    /// The newest policy of a client.
    pub fn policy(&self, client: &Name) -> Option<&Policy> {
        self.policies.get(client.as_str()).map(|it| &it.read.body)
    }

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

    /// Takes back a document that was taken before, out of this host's own folder of that kind.
    pub(crate) fn restore(&mut self, kind: Kind, signed: &Signed) -> Result<Taken, Vec<Refusal>> {
        self.put_kind(kind, signed, None)
    }

    /// What time it is: what the clock says, unless it was later before, by more than clocks differ. Then the clock was set back,
    /// and it is at least as late as it was.
    pub fn time(&self, clock: Time) -> Time {
        match self.seen {
            Some(seen) if clock.plus_seconds(SKEW_SECONDS) < seen => seen,
            _ => clock,
        }
    }

    /// Remembers that it is at least this late; whether that is news.
    pub(crate) fn note_time(&mut self, clock: Time) -> bool {
        let is_news = self.seen.is_none_or(|seen| clock >= seen.plus_seconds(SEEN_SECONDS));
        if is_news {
            self.seen = Some(clock);
        }
        is_news
    }

    pub(crate) fn restore_time(&mut self, seen: Option<Time>) {
        self.seen = seen;
    }

    /// Works out what follows from all documents together: after each that was taken, or once after all were restored.
    pub(crate) fn settle(&mut self) {
        self.ended = self.work_out_ended();
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
            Kind::Assignment => {
                let new = open::<Assignment>(signed, now)?;
                if now.is_some() {
                    self.by_technician(&new)?;
                }
                let kept = self.assignments.get(&new.read.body.subject());
                let counts = kept.is_some_and(|kept| self.by_technician(kept).is_ok());
                keep(&mut self.assignments, new, counts)
            }
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
            Kind::Plugin => {
                let problem = "it says what a plugin is, and stands beside its file".to_owned();
                Err(vec![Refusal::WrongContent { problem }])
            }
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

    /// Whose the device with this key is, where a technician who may say so did.
    pub fn place(&self, device: &Key, now: Time) -> Result<Place, Vec<Refusal>> {
        let missing = || vec![Refusal::NoAssignment { device: device.fingerprint() }];
        let found = self.assignments.values().find(|it| it.read.body.device == *device).ok_or_else(missing)?;
        let body = &found.read.body;
        self.by_technician(found)?;
        in_time("the assignment", found, self.time(now)).map_err(|refusal| vec![refusal])?;
        Ok(Place { client: body.client.clone(), site: body.site.clone(), tags: body.tags.clone(), until: body.expires })
    }

    /// Remembers that a plugin ran: an older version of it needs more words from then on.
    pub fn ran(&mut self, approved: &Approved) {
        let plugin = approved.plugin();
        let newest = self.versions.entry(decide::full_name(plugin)).or_insert_with(|| plugin.version.clone());
        if *newest < plugin.version {
            newest.clone_from(&plugin.version);
        }
    }

    pub(crate) fn versions(&self) -> &BTreeMap<String, Version> {
        &self.versions
    }

    pub(crate) fn restore_versions(&mut self, versions: BTreeMap<String, Version>) {
        self.versions = versions;
    }
}

fn open<T: crate::Statement>(signed: &Signed, now: Option<Time>) -> Result<Document<T>, Vec<Refusal>> {
    let document = Document::<T>::open(signed).map_err(|refusal| vec![refusal])?;
    match now.map(|now| in_time(T::KIND.word(), &document, now)) {
        Some(Err(refusal)) => Err(vec![refusal]),
        _ => Ok(document),
    }
}

/// Whether it was made already. Not whether it has expired: what has still says what may be read.
fn in_time<T: crate::Statement>(what: &str, document: &Document<T>, now: Time) -> Result<(), Refusal> {
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
fn keep<T: Standing>(
    all: &mut BTreeMap<String, Document<T>>,
    new: Document<T>,
    counts: bool,
) -> Result<Taken, Vec<Refusal>> {
    let kept = all.get(&new.read.body.subject());
    let taken = order(kept.filter(|kept| counts || kept.read.digest == new.read.digest), &new)?;
    all.insert(taken.subject.clone(), new);
    Ok(taken)
}
