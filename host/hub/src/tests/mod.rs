//! A hub on a disk with an MSP around it, for a test to make one thing wrong.

mod authority;
mod bus;
mod documents;
mod joining;
mod notify;
mod orders;
mod rollouts;
mod secrets;
mod sessions;
mod strangers;
mod upkeep;

use std::path::PathBuf;
use std::sync::Arc;

use contract::Class;
use model::{Clock, ManualClock};
use tempfile::TempDir;
use trust::statement::{Assignment, Root, RootKey, Roster, Seat};
use trust::{Key, Name, Names, SessionKey, Signed, Signer, Statement, Time, statement};

use crate::db::Actor;
use crate::{Asker, Config, Hub, Scope};

/// 2026-11-22T12:00:00Z.
pub(crate) const NOW_MS: u64 = 1_795_348_800_000;

pub(crate) fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn names(texts: &[&str]) -> Names {
    Names::try_from(texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>()).unwrap()
}

fn seed(holder: &str) -> [u8; 32] {
    *model::Digest::of(holder.as_bytes()).as_bytes()
}

/// Somebody's key: the same for the same word.
pub(crate) fn key(holder: &str) -> Key {
    SessionKey::from_seed(&seed(holder)).key()
}

/// A statement and its signatures.
pub(crate) fn signed<T: Statement>(created: &str, body: &T, holders: &[&str]) -> Signed {
    let mut signed = Signed::new(statement::write(time(created), body).unwrap(), Vec::new());
    holders.iter().for_each(|holder| signed.sign(&mut Signer::from_seed(&seed(holder))).unwrap());
    signed
}

pub(crate) fn root() -> Signed {
    let keys = vec![RootKey { person: name("ann"), key: key("ann") }];
    let root = Root { serial: 1, expires: time("2031-01-01T00:00:00Z"), msp: name("example-msp"), threshold: 1, keys };
    signed("2026-01-01T00:00:00Z", &root, &["ann"])
}

/// Technicians: `tess` for acme, `gus` for globex, `boss` for all.
pub(crate) fn roster(serial: u64) -> Signed {
    let seat = |holder: &str, clients: &[&str]| Seat {
        holder: name(holder),
        key: key(holder),
        from: time("2026-01-01T00:00:00Z"),
        until: time("2027-01-01T00:00:00Z"),
        clients: names(clients),
        class_max: Class::L3,
    };
    let technicians = vec![seat("tess", &["acme"]), seat("gus", &["globex"]), seat("boss", &["*"])];
    let expires = time("2027-01-01T00:00:00Z");
    let (reviewers, publishers, clients) = (Vec::new(), Vec::new(), Vec::new());
    let roster = Roster { serial, expires, technicians, reviewers, publishers, clients, releases: Vec::new() };
    signed("2026-06-01T00:00:00Z", &roster, &["ann"])
}

pub(crate) fn assignment(serial: u64, device: &str, client: &str, by: &str) -> Signed {
    let assignment = Assignment {
        serial,
        expires: time("2027-01-01T00:00:00Z"),
        device: key(device),
        client: name(client),
        site: name("berlin"),
        tags: vec![name("server")],
    };
    signed("2026-11-01T00:00:00Z", &assignment, &[by])
}

/// A session of somebody that ends so many minutes after now.
pub(crate) fn session(by: &str, hub: model::Digest, minutes: u64) -> Signed {
    let (from, until) = (Time::from_ms(NOW_MS), Time::from_ms(NOW_MS + minutes * 60_000));
    let session = statement::Session { hub, key: key("ephemeral"), from, until, machine: None, process: None };
    signed(&from.to_string(), &session, &[by])
}

pub(crate) fn enrolment(device: &str, token: &str, by: &[&str]) -> Signed {
    let tenant = model::Digest::of(root().statement());
    let enrolment = statement::Enrolment { tenant, token: key(token), device: key(device) };
    signed("2026-11-22T12:00:00Z", &enrolment, by)
}

/// An order of acme's to these rings, the same for the same word; it looks, soaks for a minute, and one in four may fail.
pub(crate) fn order(word: &str, clients: &[&str], by: &str, rings: &[&fleet::Tree]) -> Signed {
    let id = format!("order_01J{:0>23}", word.to_uppercase());
    let gate = statement::Gate { soak_seconds: 60, failures_max_ppm: 250_000, absent_after_seconds: 86_400 };
    let order = statement::Order {
        tenant: model::Digest::of(root().statement()),
        id: id.parse().unwrap(),
        by: key(by),
        counter: 1,
        from: time("2026-11-22T12:00:00Z"),
        expires: time("2026-11-29T12:00:00Z"),
        clients: names(clients),
        r#where: String::new(),
        rings: rings.iter().map(|it| statement::Ring { devices: it.devices(), root: it.root() }).collect(),
        gate: (rings.len() > 1).then_some(gate),
        plugin: statement::OrderedPlugin {
            name: name("disk-cleanup"),
            version: "1.2.0".parse().unwrap(),
            digest: model::Digest::of(b"the plugin"),
        },
        parameters: "{}".to_owned(),
        mode: model::Mode::Detect,
        plan: None,
        undoes: None,
        upgrade: None,
        allow: Vec::new(),
        class_max: Class::L1,
        windows: None,
        standing: None,
        comment: String::new(),
    };
    signed("2026-11-22T12:00:00Z", &order, &[by])
}

/// That a device has a secret no more; the same bytes each time.
pub(crate) fn secret_gone(device: &str, client: &str, by: &str, serial: u64) -> Signed {
    signed("2026-11-22T12:00:00Z", &secret_of(device, client, serial), &[by])
}

/// A secret of a device.
pub(crate) fn secret(device: &str, client: &str, by: &str, serial: u64) -> Signed {
    let places = vec!["http:api.example.com".to_owned()];
    let body = statement::Secret { places, ..secret_of(device, client, serial) };
    let body = body.seal(model::Digest::of(root().statement()), b"tok-0123456789").unwrap();
    signed("2026-11-22T12:00:00Z", &body, &[by])
}

fn secret_of(device: &str, client: &str, serial: u64) -> statement::Secret {
    statement::Secret {
        serial,
        expires: time("2027-01-01T00:00:00Z"),
        client: name(client),
        device: key(device),
        name: name("halo-token"),
        places: Vec::new(),
        sealed: String::new(),
    }
}

/// A token of acme's that lets two devices in.
pub(crate) async fn make_token(world: &World, holder: &str, needs_accept: bool) {
    let new = crate::db::NewToken {
        token: crate::device_id(&key(holder)),
        key: key(holder).to_string(),
        site: "berlin".to_owned(),
        tags: Vec::new(),
        uses_max: 2,
        needs_accept,
        made_by: "tess".to_owned(),
        expires_ms: NOW_MS + 3_600_000,
    };
    let held = Scope::of_hub().hold(&name("acme")).unwrap();
    world.hub.db.write(move |change| change.put_token(&held, &new, NOW_MS)).await.unwrap();
}

pub(crate) fn asker(holder: &str, clients: &[&str]) -> Asker {
    let actor = Actor::Technician(holder.to_owned(), key(holder).fingerprint());
    Asker { scope: Scope::of_seat(&names(clients)), actor, key: *key(holder).digest().as_bytes() }
}

/// A hub and its folder.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    /// With a root, a roster, and a device of each of two clients.
    pub(crate) async fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::new(NOW_MS)));
        let (path, its_clock) = (folder.path().join("hub"), Arc::clone(&clock));
        let open = move || {
            let config = Config {
                listen: "127.0.0.1:0".parse().unwrap(),
                names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
                certificate: None,
                limits: crate::Limits::default(),
            };
            Hub::init(&path, &config, &root(), &*its_clock).unwrap();
            Hub::open(&path, its_clock).unwrap()
        };
        let hub = Arc::new(tokio::task::spawn_blocking(open).await.unwrap());
        let world = Self { folder, hub, clock };
        let boss = asker("boss", &["*"]);
        for document in [roster(1), assignment(1, "web", "acme", "tess"), assignment(1, "db", "globex", "gus")] {
            world.hub.put_document(document, &boss).await.unwrap();
        }
        world
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    /// The same folder, opened again.
    pub(crate) async fn reopened(&self) -> Hub {
        let (path, clock) = (self.path(), Arc::clone(&self.clock) as Arc<dyn Clock>);
        tokio::task::spawn_blocking(move || Hub::open(&path, clock).unwrap()).await.unwrap()
    }
}
