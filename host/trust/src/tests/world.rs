//! A small MSP in which everything is right, for a test to make one thing wrong.

use std::collections::BTreeSet;

use contract::Class;
use model::{Digest, Grants, Mode};
use semver::Version;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use crate::statement::{Approval, Form, Plugin, Policy, Root, RootKey, Roster, Seat};
use crate::{Approved, Decision, Key, Kind, Name, Names, Refusal, Request, Signed, Statement, Time, Trust, statement};

pub(super) const NOW: &str = "2026-11-22T12:00:00Z";

pub(super) fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn names(texts: &[&str]) -> Names {
    Names::try_from(texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>()).unwrap()
}

pub(super) fn grants(entries: &[(&str, &[&str])]) -> Grants {
    let mut grants = Grants::default();
    entries.iter().for_each(|(it, scope)| grants.add(it, scope.iter().map(|&entry| entry.to_owned()).collect()));
    grants
}

/// Somebody's private key: the same for the same word.
pub(super) fn private(holder: &str) -> PrivateKey {
    let mut seed = [0; 32];
    seed[..holder.len()].copy_from_slice(holder.as_bytes());
    PrivateKey::from(Ed25519Keypair::from_seed(&seed))
}

pub(super) fn key(holder: &str) -> Key {
    Key::new(private(holder).public_key().key_data().clone()).unwrap()
}

pub(super) fn sign(kind: Kind, bytes: &[u8], holder: &str) -> String {
    private(holder).sign(kind.namespace(), HashAlg::Sha512, bytes).unwrap().to_pem(LineEnding::LF).unwrap()
}

/// A statement and its signatures.
pub(super) fn signed<T: Statement>(created: &str, body: &T, holders: &[&str]) -> Signed {
    let bytes = statement::write(time(created), body).unwrap();
    let signatures = holders.iter().map(|holder| sign(T::KIND, &bytes, holder)).collect();
    Signed::new(bytes, signatures)
}

/// A document, when it was made, and who signs it.
#[derive(Clone)]
pub(super) struct Made<T> {
    pub(super) body: T,
    pub(super) created: &'static str,
    pub(super) by: Vec<&'static str>,
}

impl<T: Statement> Made<T> {
    fn new(body: T, created: &'static str, by: &[&'static str]) -> Self {
        Self { body, created, by: by.to_vec() }
    }

    pub(super) fn signed(&self) -> Signed {
        signed(self.created, &self.body, &self.by)
    }
}

/// Everything that a decision depends on.
pub(super) struct World {
    pub(super) root: Made<Root>,
    pub(super) roster: Made<Roster>,
    /// The plugin as its bytes say.
    pub(super) plugin: Plugin,
    /// The plugin as its publisher says.
    pub(super) said: Made<Plugin>,
    pub(super) approval: Made<Approval>,
    pub(super) policy: Made<Policy>,
    /// What else arrives, in this order, after all of that.
    pub(super) later: Vec<Signed>,
    pub(super) client: Option<Name>,
    pub(super) tags: Vec<Name>,
    pub(super) mode: Mode,
    pub(super) wishes: Grants,
    pub(super) is_downgrade_meant: bool,
    pub(super) ran: Vec<Version>,
    pub(super) pin: Option<Digest>,
    /// The last word on what is beside the plugin.
    pub(super) carry: Box<dyn Fn(Signed) -> Signed>,
    pub(super) has_roster: bool,
    /// The device's key, where its client and tags come from its assignment.
    pub(super) device: Option<Key>,
}

pub(super) fn seat(holder: &str, key_of: &str, clients: &[&str], class_max: Class) -> Seat {
    let (from, until) = (time("2026-01-01T00:00:00Z"), time("2027-01-01T00:00:00Z"));
    Seat { holder: name(holder), key: key(key_of), from, until, clients: names(clients), class_max }
}

impl World {
    pub(super) fn new() -> Self {
        let plugin = Plugin {
            form: Form::Component,
            publisher: name("remit"),
            name: name("disk-cleanup"),
            version: Version::new(1, 2, 0),
            digest: Digest::of(b"the plugin"),
            size_bytes: 10,
            manifest: Digest::of(b"its manifest"),
            contract: Some(Version::parse(contract::VERSION).unwrap()),
        };
        let root_key = |person: &str, holder: &str| RootKey { person: name(person), key: key(holder) };
        let root = Root {
            serial: 1,
            expires: time("2031-01-01T00:00:00Z"),
            msp: name("example-msp"),
            threshold: 2,
            keys: vec![root_key("ann", "ann"), root_key("ann", "ann-2"), root_key("ben", "ben")],
        };
        let roster = Roster {
            serial: 3,
            expires: time("2027-01-01T00:00:00Z"),
            technicians: vec![seat("tess", "tess", &["acme"], Class::L3)],
            reviewers: vec![seat("rob", "rob", &["*"], Class::L4), seat("rita", "rita", &["acme"], Class::L1)],
            publishers: vec![seat("remit", "remit", &["*"], Class::L4), seat("other", "other", &["*"], Class::L4)],
            clients: vec![seat("cleo", "cleo", &["acme"], Class::L4)],
            releases: Vec::new(),
        };
        let modes = vec![Mode::Detect, Mode::DryRun, Mode::Enforce];
        let wishes = grants(&[("device", &[]), ("files", &["scratch"]), ("files-write", &["scratch"])]);
        let approval = Approval {
            name: name("cleanup"),
            serial: 5,
            expires: time("2026-12-31T00:00:00Z"),
            plugins: vec![plugin.digest],
            grants: wishes.clone(),
            clients: names(&["acme"]),
            tags: names(&["server"]),
            modes: modes.clone(),
            downgrade: false,
        };
        let policy = Policy {
            serial: 1,
            expires: time("2026-12-31T00:00:00Z"),
            client: name("acme"),
            class_max: Class::L2,
            modes,
            publishers: names(&["remit"]),
            never: Vec::new(),
            people: crate::statement::People::Masked,
        };
        Self {
            root: Made::new(root, "2026-01-01T00:00:00Z", &["ann", "ben"]),
            roster: Made::new(roster, "2026-06-01T00:00:00Z", &["ann", "ben"]),
            said: Made::new(plugin.clone(), "2026-07-01T00:00:00Z", &["remit"]),
            plugin,
            approval: Made::new(approval, "2026-08-01T00:00:00Z", &["rob"]),
            policy: Made::new(policy, "2026-08-01T00:00:00Z", &["cleo"]),
            later: Vec::new(),
            client: Some(name("acme")),
            tags: vec![name("server"), name("ring1")],
            mode: Mode::Enforce,
            wishes,
            is_downgrade_meant: false,
            ran: Vec::new(),
            pin: None,
            carry: Box::new(|signed| signed),
            has_roster: true,
            device: None,
        }
    }

    /// What a host that was given all of this believes, or why it took something not.
    pub(super) fn trust(&self) -> Result<Trust, Vec<Refusal>> {
        let root = self.root.signed();
        let pin = self.pin.unwrap_or_else(|| Digest::of(root.statement()));
        let mut trust = Trust::pinned(pin, &root)?;
        let first = [self.roster.signed(), self.approval.signed(), self.policy.signed()];
        for document in first.iter().skip(usize::from(!self.has_roster)).chain(&self.later) {
            trust.take(document, time(NOW))?;
        }
        for version in &self.ran {
            let plugin = Plugin { version: version.clone(), ..self.plugin.clone() };
            trust.restore_versions([(crate::belief::full_name(&plugin), version.clone())].into());
        }
        Ok(trust)
    }

    pub(super) fn decide(&self, trust: &Trust, client: Option<&Name>, tags: &[Name]) -> Decision {
        trust.decide(&Request {
            plugin: &self.plugin,
            statement: &(self.carry)(self.said.signed()),
            client,
            tags,
            mode: self.mode,
            wishes: &self.wishes,
            is_downgrade_meant: self.is_downgrade_meant,
            now: time(NOW),
        })
    }

    /// What becomes of it: the way to run the plugin, or the codes of all that is wrong.
    pub(super) fn outcome(&self) -> Result<Approved, BTreeSet<&'static str>> {
        let codes = |refusals: &[Refusal]| refusals.iter().map(Refusal::code).collect::<BTreeSet<_>>();
        let trust = self.trust().map_err(|refusals| codes(&refusals))?;
        let place = self.device.as_ref().map(|device| trust.place(device, time(NOW))).transpose();
        let place = place.map_err(|refusals| codes(&refusals))?;
        let (client, tags) = match place {
            Some(place) => (Some(place.client), place.tags),
            None => (self.client.clone(), self.tags.clone()),
        };
        let decision = self.decide(&trust, client.as_ref(), &tags);
        let refusals: Vec<Refusal> = decision.refusals().cloned().collect();
        assert_eq!(decision.approved.is_some(), decision.checks.iter().all(|check| check.ok));
        assert!(decision.checks.iter().all(|check| check.ok == check.refusals.is_empty() && !check.found.is_empty()));
        decision.approved.ok_or_else(|| codes(&refusals))
    }
}
