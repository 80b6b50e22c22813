//! What a host believes: a root that it pinned once, and what follows from that in documents.

mod approved;
mod authority;
mod decide;
mod ended;
mod first_use;
mod on_its_way;
mod orders;
mod pauses;
mod places;
mod releases;
mod replays;
mod results;
mod secrets;
mod sessions;
mod standing;
mod taking;

use std::collections::BTreeMap;

use model::Digest;
use semver::Version;

use crate::signed::Document;
use crate::statement::{
    Admission, Approval, Assignment, Enrolment, Hub, Index, Pause, Policy, Revocation, Root, Roster, Rotation, Secret,
};
use crate::time::SKEW_SECONDS;
use crate::{Name, Refusal, Signed, Time};

pub use approved::Approved;
#[cfg(test)]
pub(crate) use decide::full_name;
pub use decide::{Check, Decision, Request};
pub use first_use::FirstUse;
pub use orders::{Asked, Given, Ordered};
pub use places::Place;
pub use releases::{Released, Running};
pub use replays::Replays;
pub use results::{Chain, Reported};
pub use sessions::Opened;
pub use taking::Taken;

use authority::Role;
use ended::Ended;
use taking::{in_time, keep, open};

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
    pauses: BTreeMap<String, Document<Pause>>,
    admissions: BTreeMap<String, Document<Admission>>,
    enrolments: BTreeMap<String, Document<Enrolment>>,
    /// How many of these are of each token, by the name of its file.
    joined: BTreeMap<String, usize>,
    hub: Option<Document<Hub>>,
    secrets: BTreeMap<String, Document<Secret>>,
    /// Worked out of the revocations.
    ended: Ended,
    /// The newest version that ran, by publisher and name.
    versions: BTreeMap<String, Version>,
    /// The latest time that was seen, nearly.
    seen: Option<Time>,
}

/// How much later it has to be until that is kept: a host that runs much would write it much.
const SEEN_SECONDS: i64 = 3600;

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
            pauses: BTreeMap::new(),
            admissions: BTreeMap::new(),
            enrolments: BTreeMap::new(),
            joined: BTreeMap::new(),
            hub: None,
            secrets: BTreeMap::new(),
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

    /// Where the hub is, and whose certificates it has; also past its expiry, because nothing runs for it, and a device that has
    /// forgotten the way gets no newer one.
    pub fn hub(&self) -> Option<&Hub> {
        self.hub.as_ref().map(|it| &it.read.body)
    }

    /// The newest policy of a client.
    pub fn policy(&self, client: &Name) -> Option<&Policy> {
        self.policies.get(client.as_str()).map(|it| &it.read.body)
    }

    /// What time it is: what the clock says, unless it was later before, by more than clocks differ. Then the clock was set back,
    /// and it is at least as late as it was.
    pub fn time(&self, clock: Time) -> Time {
        match self.seen {
            Some(seen) if clock.plus_seconds(SKEW_SECONDS) < seen => seen,
            _ => clock,
        }
    }

    /// Remembers that it is at least this late; whether that is news, which whoever keeps it elsewhere than in a
    /// [`crate::Folder`] keeps.
    pub fn note_time(&mut self, clock: Time) -> bool {
        let is_news = self.is_news(clock);
        if is_news {
            self.seen = Some(clock);
        }
        is_news
    }

    /// Whether it is so late that [`crate::Folder::note_time`] keeps it.
    pub fn is_news(&self, clock: Time) -> bool {
        self.seen.is_none_or(|seen| clock >= seen.plus_seconds(SEEN_SECONDS))
    }

    pub(crate) fn restore_time(&mut self, seen: Option<Time>) {
        self.seen = seen;
    }

    /// Remembers that a plugin ran: an older version of it needs more words from then on.
    pub fn ran(&mut self, approved: &Approved) {
        let plugin = approved.plugin();
        let newest = self.versions.entry(decide::full_name(plugin)).or_insert_with(|| plugin.version.clone());
        if *newest < plugin.version {
            newest.clone_from(&plugin.version);
        }
    }

    /// Whether that is known already.
    pub fn has_run(&self, approved: &Approved) -> bool {
        let plugin = approved.plugin();
        self.versions.get(&decide::full_name(plugin)).is_some_and(|newest| *newest >= plugin.version)
    }

    pub(crate) fn versions(&self) -> &BTreeMap<String, Version> {
        &self.versions
    }

    pub(crate) fn restore_versions(&mut self, versions: BTreeMap<String, Version>) {
        self.versions = versions;
    }
}
