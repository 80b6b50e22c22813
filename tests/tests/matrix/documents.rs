//! The documents of a small MSP, in this process: keys that follow from their holders' names, and signatures by the hundred.

use std::time::{SystemTime, UNIX_EPOCH};

use contract::Class;
use model::{Digest, Grants, Mode};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use trust::statement::{self, Approval, Root, RootKey, Roster, Seat};
use trust::{Key, Kind, Name, Names, Signed, Statement, Time};

const DAY_MS: u64 = 86_400_000;

/// So many days from now; days that were are negative.
pub(crate) fn day(days: i64) -> Time {
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    Time::from_ms(now_ms.saturating_add_signed(days * i64::try_from(DAY_MS).unwrap()))
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn names(texts: &[&str]) -> Names {
    Names::try_from(texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>()).unwrap()
}

pub(crate) fn grants(entries: &[(&str, &[&str])]) -> Grants {
    let mut grants = Grants::default();
    entries.iter().for_each(|(it, scope)| grants.add(it, scope.iter().map(|&entry| entry.to_owned()).collect()));
    grants
}

fn private(holder: &str) -> PrivateKey {
    let mut seed = [0; 32];
    seed[..holder.len()].copy_from_slice(holder.as_bytes());
    PrivateKey::from(Ed25519Keypair::from_seed(&seed))
}

/// Somebody's key: the same for the same word.
pub(crate) fn key(holder: &str) -> Key {
    private(holder).public_key().to_openssh().unwrap().parse().unwrap()
}

pub(crate) fn sign(kind: Kind, bytes: &[u8], holder: &str) -> String {
    private(holder).sign(kind.namespace(), HashAlg::Sha512, bytes).unwrap().to_pem(LineEnding::LF).unwrap()
}

/// A document, how many days ago it was made, and who signs it.
#[derive(Clone)]
pub(crate) struct Made<T> {
    pub(crate) body: T,
    pub(crate) days: i64,
    pub(crate) by: Vec<&'static str>,
}

impl<T: Statement> Made<T> {
    pub(crate) fn new(body: T, days: i64, by: &[&'static str]) -> Self {
        Self { body, days, by: by.to_vec() }
    }

    pub(crate) fn signed(&self) -> Signed {
        let bytes = statement::write(day(self.days), &self.body).unwrap();
        let signatures = self.by.iter().map(|holder| sign(T::KIND, &bytes, holder)).collect();
        Signed::new(bytes, signatures)
    }
}

/// Of two people, one of whom has two keys; both are needed.
pub(crate) fn root() -> Root {
    let root_key = |person: &str, holder: &str| RootKey { person: name(person), key: key(holder) };
    Root {
        serial: 1,
        expires: day(1000),
        msp: name("example"),
        threshold: 2,
        keys: vec![root_key("ann", "ann"), root_key("ann", "ann-2"), root_key("ben", "ben")],
    }
}

/// A reviewer and two publishers.
pub(crate) fn roster() -> Roster {
    Roster {
        serial: 3,
        expires: day(300),
        technicians: Vec::new(),
        reviewers: vec![seat("rob", key("rob"))],
        publishers: vec![seat("remit", key("remit")), seat("other", key("other"))],
        clients: Vec::new(),
        releases: Vec::new(),
    }
}

/// Of one plugin, on the devices of one client, in every mode.
pub(crate) fn approval(called: &str, plugin: Digest, grants: Grants) -> Approval {
    Approval {
        name: name(called),
        serial: 5,
        expires: day(30),
        plugins: vec![plugin],
        grants,
        clients: names(&["acme"]),
        tags: Names::All,
        modes: vec![Mode::Detect, Mode::DryRun, Mode::Enforce],
        downgrade: false,
    }
}

pub(crate) fn seat(holder: &str, key: Key) -> Seat {
    Seat { holder: name(holder), key, from: day(-300), until: day(300), clients: Names::All, class_max: Class::L4 }
}
