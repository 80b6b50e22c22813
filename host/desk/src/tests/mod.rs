//! A real hub over TLS on loopback, a technician, and devices that are simulated.

mod asking;
mod composing;
mod ordering;
mod outcomes;
mod sealing;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bus::dial::{Dial, Opener, Way};
use bus::server::{self, Limits};
use bus::{Line as _, Message, Spool};
use contract::Class;
use fleet::{Facts, Inventory, Os};
use hub::{Config, Hub, Post, api};
use model::{Clock, Digest, SystemClock};
use tempfile::TempDir;
use tokio::net::TcpListener;
use trust::statement::{Approval, Assignment, Form, Plugin, Root, RootKey, Roster, Seat, Session};
use trust::{Key, Name, Names, SessionKey, Signed, Signer, Statement, Time, Trust, statement};

use crate::{Client, compose};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn names(texts: &[&str]) -> Names {
    Names::try_from(texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>()).unwrap()
}

fn seed_of(holder: &str) -> [u8; 32] {
    *Digest::of(holder.as_bytes()).as_bytes()
}

/// Somebody's key: the same for the same word.
fn key(holder: &str) -> Key {
    SessionKey::from_seed(&seed_of(holder)).key()
}

fn now() -> Time {
    Time::from_ms(SystemClock.now_ms())
}

fn signed<T: Statement>(body: &T, holders: &[&str]) -> Signed {
    let mut signed = Signed::new(statement::write(now().plus_seconds(-60), body).unwrap(), Vec::new());
    holders.iter().for_each(|holder| signed.sign(&mut Signer::from_seed(&seed_of(holder))).unwrap());
    signed
}

fn root() -> Signed {
    let keys = vec![RootKey { person: name("ann"), key: key("ann") }];
    let expires = "2049-01-01T00:00:00Z".parse().unwrap();
    let root = Root { serial: 1, expires, msp: name("example-msp"), threshold: 1, keys };
    let created = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut signed = Signed::new(statement::write(created, &root).unwrap(), Vec::new());
    signed.sign(&mut Signer::from_seed(&seed_of("ann"))).unwrap();
    signed
}

/// `tess` for acme up to L2, `gus` for globex, `boss` and `chief` for all up to L4; `rob` reviews, `remit` publishes.
fn roster() -> Signed {
    let seat = |holder: &str, clients: &[&str], class_max: Class| Seat {
        holder: name(holder),
        key: key(holder),
        from: "2026-01-01T00:00:00Z".parse().unwrap(),
        until: "2049-01-01T00:00:00Z".parse().unwrap(),
        clients: names(clients),
        class_max,
    };
    let technicians = vec![
        seat("tess", &["acme"], Class::L2),
        seat("gus", &["globex"], Class::L2),
        seat("boss", &["*"], Class::L4),
        seat("chief", &["*"], Class::L4),
    ];
    let (reviewers, publishers) = (vec![seat("rob", &["*"], Class::L4)], vec![seat("remit", &["*"], Class::L4)]);
    let expires = "2049-01-01T00:00:00Z".parse().unwrap();
    signed(
        &Roster { serial: 1, expires, technicians, reviewers, publishers, clients: Vec::new(), releases: Vec::new() },
        &["ann"],
    )
}

fn assignment(device: &str, client: &str, tags: &[&str], by: &str) -> Signed {
    let tags = tags.iter().map(|&tag| name(tag)).collect();
    let (site, expires) = (name("berlin"), now().plus_days(100));
    let body = Assignment { serial: 1, expires, device: key(device), client: name(client), site, tags };
    signed(&body, &[by])
}

/// The bytes of a plugin; nobody here runs it.
const PLUGIN: &[u8] = b"the plugin";

fn about() -> Plugin {
    Plugin {
        form: Form::Script,
        publisher: name("remit"),
        name: name("disk-cleanup"),
        version: semver::Version::new(1, 2, 0),
        digest: Digest::of(PLUGIN),
        size_bytes: PLUGIN.len() as u64,
        manifest: Digest::of(b"its manifest"),
        contract: None,
    }
}

fn plugin(wishes: &[(&str, &[&str])]) -> compose::Plugin {
    let mut grants = model::Grants::default();
    wishes.iter().for_each(|(it, scope)| grants.add(it, scope.iter().map(|&entry| entry.to_owned()).collect()));
    compose::Plugin { statement: about(), signed: vec![signed(&about(), &["remit"])], wishes: grants }
}

fn approval(clients: &[&str], grants: &[(&str, &[&str])]) -> Signed {
    let mut granted = model::Grants::default();
    grants.iter().for_each(|(it, scope)| granted.add(it, scope.iter().map(|&entry| entry.to_owned()).collect()));
    let approval = Approval {
        name: name("disk-cleanup"),
        serial: 1,
        expires: now().plus_days(30),
        plugins: vec![Digest::of(PLUGIN)],
        grants: granted,
        clients: names(clients),
        tags: Names::All,
        modes: vec![model::Mode::Detect, model::Mode::DryRun, model::Mode::Enforce],
        downgrade: false,
    };
    signed(&approval, &["rob"])
}

/// A hub that serves, and stops with this value.
struct World {
    _folder: TempDir,
    hub: Arc<Hub>,
    address: std::net::SocketAddr,
    served: tokio::task::JoinHandle<()>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl World {
    /// With a root, and a roster that `boss` handed over.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub");
        let open = move || {
            let config = Config {
                listen: "127.0.0.1:0".parse().unwrap(),
                names: vec!["127.0.0.1".to_owned()],
                certificate: None,
                limits: hub::Limits::default(),
            };
            Hub::init(&path, &config, &root(), &SystemClock).unwrap();
            Arc::new(Hub::open(&path, Arc::new(SystemClock)).unwrap())
        };
        let hub = tokio::task::spawn_blocking(open).await.unwrap();
        hub.put_own(roster()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let post = Arc::new(Post::new(Arc::clone(&hub)));
        let desk = server::Desk::new(post.clone(), post, hub.ca().digest(), Arc::new(SystemClock));
        let routes = api::router(Arc::clone(&hub)).merge(server::routes(Arc::new(desk)));
        let tls = Arc::new(hub.ca().tls().unwrap());
        let served = tokio::spawn(server::serve(listener, tls, routes, Limits::default()));
        Self { _folder: folder, hub, address, served, told: Arc::default() }
    }

    fn way(&self) -> Way {
        let address = format!("https://{}", self.address).parse().unwrap();
        Way::new(&address, &[self.hub.ca().digest()], None).unwrap()
    }

    /// Somebody at the hub.
    fn client(&self, holder: &str) -> Client {
        let (signer, told) = (Signer::from_seed(&seed_of(holder)), Arc::clone(&self.told));
        let tell = move |text: &str| told.lock().unwrap().push(text.to_owned());
        Client::new(self.way(), signer, Arc::new(SystemClock), Box::new(tell)).unwrap()
    }

    /// What somebody believes who asks the hub.
    async fn believes(&self, client: &Client) -> Trust {
        let pin = root();
        let mut trust = Trust::pinned(Digest::of(pin.statement()), &pin).unwrap();
        let synced = client.sync(&mut trust, &std::collections::BTreeSet::new()).await.unwrap();
        assert!(synced.refused.is_empty(), "{:?}", synced.refused);
        trust
    }

    /// A device that was assigned, and told what it is.
    async fn device(&self, device: &'static str, client: &str, tags: &[&str], facts: &Facts) {
        self.client("boss").hand_over(&assignment(device, client, tags, "boss")).await.unwrap();
        let line = Dial::new(self.way(), Box::new(Device(device)));
        let body = serde_json::to_vec(&Inventory::of(facts).whole()).unwrap();
        let message = Message { spool: Spool(1), sequence: 1, kind: name("facts"), body: body.into() };
        line.deliver(&[message]).await.unwrap();
    }
}

/// A device, by its key.
struct Device(&'static str);

#[async_trait]
impl Opener for Device {
    async fn open(&self, hub: Digest, key: &Key) -> Result<Vec<u8>, String> {
        let session = Session {
            hub,
            key: key.clone(),
            from: now(),
            until: now().plus_seconds(3_600),
            machine: None,
            process: None,
        };
        let mut signed = Signed::new(statement::write(now(), &session).unwrap(), Vec::new());
        signed.sign(&mut Signer::from_seed(&seed_of(self.0))).unwrap();
        Ok(signed.to_text())
    }
}

fn facts(hostname: &str, family: &str) -> Facts {
    Facts {
        hostname: Some(hostname.to_owned()),
        os: Some(Os { family: family.to_owned(), version: "12.7".to_owned(), ..Os::default() }),
        ..Facts::default()
    }
}
