use contract::Class;
use model::{Digest, Mode, Outcome, Verdict};
use trust::statement::{End, Gate, Order, OrderedPlugin, Report, Revocation, Ring, Root, RootKey, write};
use trust::{Key, Names, Signed, Signer, Statement, Time, Trust};

use super::name;
use crate::{Device, Tree};

pub(crate) fn time(text: &str) -> Time {
    super::time(text)
}

/// Somebody with a key, by a number.
pub(crate) fn signer(number: u8) -> Signer {
    Signer::from_seed(&[number; 32])
}

pub(crate) fn key(number: u8) -> Key {
    signer(number).key().unwrap()
}

pub(crate) fn signed<T: Statement>(created: &str, body: &T, by: &[u8]) -> Signed {
    let mut signed = Signed::new(write(time(created), body).unwrap(), Vec::new());
    by.iter().for_each(|number| signed.sign(&mut signer(*number)).unwrap());
    signed
}

/// Devices with keys, numbered from 100 on.
pub(crate) struct World {
    devices: u8,
}

impl World {
    pub(crate) fn new(devices: u8) -> Self {
        Self { devices }
    }

    pub(crate) fn devices(&self) -> Vec<Device> {
        (0..usize::from(self.devices)).map(|at| Device::of(&self.key(at))).collect()
    }

    pub(crate) fn key(&self, at: usize) -> Key {
        key(100 + u8::try_from(at).unwrap())
    }

    pub(crate) fn sign(&self, at: usize, body: &Report) -> Signed {
        signed("2026-11-22T12:30:00Z", body, &[100 + u8::try_from(at).unwrap()])
    }
}

/// Whose key the root is.
pub(crate) const ROOT: u8 = 10;

/// A root that is pinned, and nothing else.
pub(crate) fn pinned() -> (Trust, Signed) {
    let root = Root {
        serial: 1,
        expires: time("2028-01-01T00:00:00Z"),
        msp: name("msp"),
        threshold: 1,
        keys: vec![RootKey { person: name("ann"), key: key(ROOT) }],
    };
    let root = signed("2026-01-01T00:00:00Z", &root, &[ROOT]);
    (Trust::pinned(Digest::of(root.statement()), &root).unwrap(), root)
}

/// The root says that a key was stolen.
pub(crate) fn revocation(key: Key) -> Signed {
    let (end, reason) = (End::Compromised, "stolen".to_owned());
    let body = Revocation { end, plugins: Vec::new(), keys: vec![key], statements: Vec::new(), reason };
    signed("2026-11-22T12:30:00Z", &body, &[ROOT])
}

/// An order to these rings: one in four may fail, it soaks for 30 minutes, absent after a day.
pub(crate) fn order(rings: &[&Tree]) -> Order {
    let gate = Gate { soak_seconds: 1800, failures_max_ppm: 250_000, absent_after_seconds: 86_400 };
    Order {
        tenant: Digest::of(b"root"),
        id: model::OrderId::new(),
        by: key(1),
        counter: 1,
        from: time("2026-11-22T12:00:00Z"),
        expires: time("2026-12-22T12:00:00Z"),
        clients: Names::All,
        r#where: String::new(),
        rings: rings.iter().map(|tree| Ring { devices: tree.devices(), root: tree.root() }).collect(),
        gate: (rings.len() > 1).then_some(gate),
        plugin: OrderedPlugin {
            name: name("cleanup"),
            version: "1.0.0".parse().unwrap(),
            digest: Digest::of(b"cleanup"),
        },
        parameters: "{}".to_owned(),
        mode: Mode::Enforce,
        plan: None,
        allow: Vec::new(),
        class_max: Class::L2,
        windows: None,
        standing: None,
        undoes: None,
        upgrade: None,
        comment: String::new(),
    }
}

pub(crate) fn report(order: Digest, device: &Key, outcome: Outcome, verdict: Verdict, ended: &str) -> Report {
    Report {
        tenant: Digest::of(b"root"),
        order,
        device: device.clone(),
        run: None,
        attempt: 1,
        outcome,
        verdict,
        refused: None,
        mode: Mode::Enforce,
        ended: time(ended),
        plan: None,
        record: Digest::of(b"details"),
        sequence: 1,
        previous: None,
    }
}
