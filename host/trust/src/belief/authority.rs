//! Who may say what.

use std::collections::BTreeSet;

use contract::Class;
use model::{Grants, capability};

use super::{Document, Trust};
use crate::signed::Signers;
use crate::statement::{Approval, Index, Policy, Revocation, Root, RootKey, Roster, Rotation, Seat};
use crate::{Key, Name, Names, Refusal, Statement, Time};

/// How often a key may have come in the place of another since the last roster.
const ROTATIONS_MAX: usize = 8;

/// A list of the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Technician,
    Reviewer,
    Publisher,
    Client,
    Releaser,
}

impl Role {
    const ALL: [Self; 5] = [Self::Technician, Self::Reviewer, Self::Publisher, Self::Client, Self::Releaser];

    fn seats(self, roster: &Roster) -> &[Seat] {
        match self {
            Self::Technician => &roster.technicians,
            Self::Reviewer => &roster.reviewers,
            Self::Publisher => &roster.publishers,
            Self::Client => &roster.clients,
            Self::Releaser => &roster.releases,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Technician => "technician",
            Self::Reviewer => "reviewer",
            Self::Publisher => "publisher",
            Self::Client => "client",
            Self::Releaser => "releaser",
        }
    }
}

/// What it takes to have technicians say something.
pub(super) struct Act<'a> {
    /// Whose it is: that key is one of those that sign. None: any of them.
    pub(super) by: Option<&'a Key>,
    /// So many different people.
    pub(super) people: usize,
    /// Each of them may say so when it was signed, and still at this time.
    pub(super) now: Time,
}

/// Enough of the root's keys, of enough people.
pub(super) fn by_root(root: &Root, signers: &Signers) -> Result<(), Vec<Refusal>> {
    let of_root: Vec<&RootKey> = root.keys.iter().filter(|it| signers.keys.contains(&it.key)).collect();
    let people: BTreeSet<&Name> = of_root.iter().map(|it| &it.person).collect();
    let (keys, found, wanted) = (of_root.len(), people.len(), root.threshold);
    let short = match () {
        () if keys < wanted as usize => Refusal::TooFewKeys { found: keys, wanted },
        () if found < wanted as usize => Refusal::TooFewPeople { found, keys, wanted },
        () => return Ok(()),
    };
    // Who signed badly is told so first.
    let mut refusals = signers.refused.clone();
    refusals.push(short);
    Err(refusals)
}

/// Each of these keys signed.
pub(super) fn signed_by<T: Statement>(document: &Document<T>, keys: &[&Key]) -> Result<(), Vec<Refusal>> {
    let signers = document.signers();
    let missing = keys.iter().filter(|key| !signers.keys.contains(key));
    let missing: Vec<Refusal> = missing.map(|key| Refusal::NotSignedBy { key: key.fingerprint() }).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(signers.refused.iter().cloned().chain(missing).collect()),
    }
}

/// The key that goes says so, and the key that comes is there.
pub(super) fn by_both(rotation: &Document<Rotation>) -> Result<(), Vec<Refusal>> {
    let (signers, body) = (rotation.signers(), &rotation.read.body);
    let missing: Vec<&Key> = [&body.old, &body.new].into_iter().filter(|key| !signers.keys.contains(key)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut refusals = signers.refused.clone();
    refusals.push(Refusal::RotationHalfSigned { missing: missing.iter().map(|key| key.fingerprint()).collect() });
    Err(refusals)
}

impl Trust {
    pub(super) fn by_reviewer(&self, approval: &Document<Approval>) -> Result<&Seat, Vec<Refusal>> {
        let seat = self.by_seat(Role::Reviewer, approval, |_, _| Ok(()))?;
        may_approve(seat, &approval.read.body).map(|()| seat)
    }

    /// A policy is the client's, or the root's in its place.
    pub(super) fn by_client(&self, policy: &Document<Policy>) -> Result<(), Vec<Refusal>> {
        if by_root(self.root(), policy.signers()).is_ok() {
            return Ok(());
        }
        let seat = self.by_seat(Role::Client, policy, |_, _| Ok(()))?;
        for_client(seat, &policy.read.body.client).map_err(|refusal| vec![refusal])
    }

    /// Technicians who may say it, of as many different people as it takes; the one whose it is comes first.
    pub(super) fn by_technicians<T: Statement>(
        &self,
        document: &Document<T>,
        act: &Act,
        fits: impl Fn(&Seat) -> Vec<Refusal>,
    ) -> Result<Vec<&Seat>, Vec<Refusal>> {
        self.roster_counts()?;
        let (signers, created) = (document.signers(), document.read.created);
        let mut refusals = signers.refused.clone();
        let mut seats: Vec<(&Key, &Seat)> = Vec::new();
        for key in &signers.keys {
            match self.technician(key, created, act.now, &fits) {
                Ok(seat) => seats.push((key, seat)),
                Err(wrong) => refusals.extend(wrong),
            }
        }
        if let Some(by) = act.by.filter(|by| !signers.keys.contains(by)) {
            refusals.push(Refusal::NotSignedBy { key: by.fingerprint() });
        }
        let is_whose = |key: &Key| act.by.is_none_or(|by| by == key);
        let (keys, is_there) = (seats.len(), seats.iter().any(|(key, _)| is_whose(key)));
        seats.sort_by_key(|(key, _)| !is_whose(key));
        let mut people: Vec<&Seat> = Vec::new();
        for (_, seat) in seats {
            if people.iter().all(|it| it.holder != seat.holder) {
                people.push(seat);
            }
        }
        let (found, wanted) = (people.len(), act.people);
        if is_there && found >= wanted {
            return Ok(people);
        }
        if found < wanted && keys > 0 {
            refusals.push(Refusal::TooFewTechnicians { found, keys, wanted });
        }
        Err(refusals)
    }

    /// Whoever left does nothing under an old date, and whoever has a smaller seat now does no more than that: what was said fits
    /// the seat of then and the one of now.
    pub(super) fn technician(
        &self,
        key: &Key,
        created: Time,
        now: Time,
        fits: impl Fn(&Seat) -> Vec<Refusal>,
    ) -> Result<&Seat, Vec<Refusal>> {
        let seat_at = |at: Time| self.seat(Role::Technician, key, at).map_err(|refusal| vec![refusal]);
        let (then, still) = (seat_at(created)?, seat_at(now.max(created))?);
        let mut wrong = fits(then);
        if still != then {
            wrong.extend(fits(still));
        }
        match wrong.is_empty() {
            true => Ok(still),
            false => Err(wrong),
        }
    }

    /// There is a roster, and the root of now signed it: a newer root may have left out who did.
    pub(super) fn roster_counts(&self) -> Result<&Document<Roster>, Vec<Refusal>> {
        let roster = self.roster.as_ref().ok_or_else(|| vec![Refusal::NoRoster])?;
        by_root(self.root(), roster.signers()).map(|()| roster)
    }

    /// Somebody who may revoke at all, and not the root's keys: those end with the next root.
    pub(super) fn by_revoker(&self, revocation: &Document<Revocation>) -> Result<(), Vec<Refusal>> {
        let is_root_s = |key: &Key| self.root().keys.iter().any(|it| it.key == *key);
        if revocation.read.body.keys.iter().any(is_root_s) {
            let problem = "a key of the root ends with the next root, which leaves it out".to_owned();
            return Err(vec![Refusal::WrongContent { problem }]);
        }
        let by_root = by_root(self.root(), revocation.signers()).is_ok();
        if by_root || self.by_seat(Role::Reviewer, revocation, |_, _| Ok(())).is_ok() {
            return Ok(());
        }
        let seat = self.by_seat(Role::Publisher, revocation, |_, _| Ok(()))?;
        match revocation.read.body.keys.iter().find(|key| !self.is_of_publisher(key, &seat.holder)) {
            None => Ok(()),
            Some(key) => {
                let problem = format!("the key {} is not of that publisher", key.fingerprint());
                Err(vec![Refusal::OutOfScope { who: seat.holder.clone(), problem }])
            }
        }
    }

    /// The root or a reviewer lists whatever there is; a publisher its own, under its own name: else it could take the place of
    /// another's index.
    pub(super) fn by_lister(&self, index: &Document<Index>) -> Result<(), Vec<Refusal>> {
        let by_root = by_root(self.root(), index.signers()).is_ok();
        if by_root || self.by_seat(Role::Reviewer, index, |_, _| Ok(())).is_ok() {
            return Ok(());
        }
        let seat = self.by_seat(Role::Publisher, index, |_, _| Ok(()))?;
        let (body, holder) = (&index.read.body, &seat.holder);
        let problem = match body.plugins.iter().find(|it| it.publisher != *holder) {
            _ if body.name != *holder => format!("its index is called `{holder}`, and not `{}`", body.name),
            Some(other) => format!("`{}` is of the publisher `{}`", other.name, other.publisher),
            None => return Ok(()),
        };
        Err(vec![Refusal::OutOfScope { who: holder.clone(), problem }])
    }

    /// The seat of whoever signed, where there is one that fits; else what is wrong with each signature.
    pub(super) fn by_seat<T: Statement>(
        &self,
        role: Role,
        document: &Document<T>,
        fits: impl Fn(&Key, &Seat) -> Result<(), Refusal>,
    ) -> Result<&Seat, Vec<Refusal>> {
        let signers = document.signers();
        let mut refusals = signers.refused.clone();
        for key in &signers.keys {
            let seat = self.seat(role, key, document.read.created);
            match seat.and_then(|seat| fits(key, seat).map(|()| seat)) {
                Ok(seat) => return Ok(seat),
                Err(refusal) => refusals.push(refusal),
            }
        }
        Err(refusals)
    }

    /// The seat that a key had when it signed, and has not lost since.
    pub(super) fn seat(&self, role: Role, key: &Key, created: Time) -> Result<&Seat, Refusal> {
        let roster = self.roster().ok_or(Refusal::NoRoster)?;
        let seated = self.seated(key, created)?;
        let fingerprint = || key.fingerprint();
        let mut seats = role.seats(roster).iter().filter(|seat| seat.key == *seated).peekable();
        let Some(first) = seats.peek().copied() else {
            let elsewhere = Role::ALL.into_iter().find(|it| it.seats(roster).iter().any(|seat| seat.key == *seated));
            return Err(match elsewhere {
                Some(found) => Refusal::OtherRole { key: fingerprint(), found: found.word(), role: role.word() },
                None => Refusal::UnknownKey { key: fingerprint(), role: role.word() },
            });
        };
        if let Some(seat) = seats.find(|seat| seat.from <= created && created < seat.until) {
            return Ok(seat);
        }
        Err(match created < first.from {
            true => Refusal::KeyNotYetValid { key: fingerprint(), from: first.from, created },
            false => Refusal::KeyExpired { key: fingerprint(), until: first.until, created },
        })
    }

    /// The key in whose seat this one sits: itself, or the one in whose place it came. Nothing on the way is compromised, and
    /// each counted when this was signed.
    fn seated<'a>(&'a self, key: &'a Key, created: Time) -> Result<&'a Key, Refusal> {
        self.ended.check_key(key, created)?;
        if let Some(gone) = self.rotations.values().find(|it| it.read.body.old == *key)
            && created >= gone.read.created
        {
            return Err(Refusal::KeyRetired { key: key.fingerprint(), since: gone.read.created, created });
        }
        let mut seated = key;
        for _ in 0..ROTATIONS_MAX {
            let Some(came) = self.rotations.values().find(|it| it.read.body.new == *seated) else { break };
            let (from, until) = (came.read.created, came.read.body.expires);
            if created < from {
                return Err(Refusal::KeyNotYetValid { key: key.fingerprint(), from, created });
            }
            if created >= until {
                return Err(Refusal::KeyExpired { key: key.fingerprint(), until, created });
            }
            seated = &came.read.body.old;
            self.ended.check_compromised(seated)?;
        }
        Ok(seated)
    }

    /// Whether a key has, or came into, a seat of this publisher, whenever that was.
    pub(super) fn is_of_publisher(&self, key: &Key, namespace: &Name) -> bool {
        let has_seat = |key: &Key| {
            let mut seats = self.roster().into_iter().flat_map(|roster| &roster.publishers);
            seats.any(|seat| seat.holder == *namespace && seat.key == *key)
        };
        let before = self.rotations.values().find(|it| it.read.body.new == *key);
        has_seat(key) || before.is_some_and(|it| has_seat(&it.read.body.old))
    }
}

/// Whether an approval is within what a reviewer decides.
pub(super) fn may_approve(seat: &Seat, body: &Approval) -> Result<(), Vec<Refusal>> {
    let problem = match above(&body.grants, seat.class_max) {
        _ if !seat.clients.cover(&body.clients) => {
            format!("the approval is for clients {}, and the seat for {}", body.clients, seat.clients)
        }
        Some((interface, class)) => format!("`{interface}` is {class}, and the seat ends at {}", seat.class_max),
        None => return Ok(()),
    };
    Err(vec![out_of_scope(seat, problem)])
}

pub(super) fn for_client(seat: &Seat, client: &Name) -> Result<(), Refusal> {
    for_clients(seat, &Names::These(vec![client.clone()]))
}

pub(super) fn for_clients(seat: &Seat, clients: &Names) -> Result<(), Refusal> {
    match seat.clients.cover(clients) {
        true => Ok(()),
        false => {
            Err(out_of_scope(seat, format!("it is about the clients {clients}, and the seat is for {}", seat.clients)))
        }
    }
}

pub(super) fn out_of_scope(seat: &Seat, problem: String) -> Refusal {
    Refusal::OutOfScope { who: seat.holder.clone(), problem }
}

/// The first interface above a class, and its class.
pub(super) fn above(grants: &Grants, most: Class) -> Option<(&str, Class)> {
    let rows = grants.iter().filter_map(|(interface, _)| Some((interface, capability::interface(interface)?.class)));
    rows.into_iter().find(|(_, class)| *class > most)
}
