//! Hostile guests, and the one host that they all run on.
#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod bounds;
pub(crate) mod components;
pub(crate) mod server;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use artifact::Plugin;
use backends::secrets::Secrets;
use backends::{Device, Policy, Shared};
use contract::run::{LogLevel, Trigger, TriggerKind};
use model::budget::{Allowance, Entry, NotBooked};
use model::{Clock, Ended, Event, Grants, Limits, Manifest, Mode, Outcome, RunId, SystemClock};
use runtime::{Compiler, Engine, MemoryRecorder, Observer, Options, Prepared, Recorder, Request};
use serde_json::{Value, json};
use store::Store;
use tempfile::TempDir;
use tests::built;
use tokio_util::sync::CancellationToken;

use table::{Ends, Guest, Row};

/// The host: engines, prepared guests, and what they are let loose on.
pub(crate) struct Lab {
    hostile: Prepared,
    components: BTreeMap<&'static str, Prepared>,
    /// Deep recursion on an engine with more stack.
    deep: Prepared,
    server: SocketAddr,
    clock: Arc<dyn Clock>,
}

/// How a run went.
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    pub(crate) events: Vec<Event>,
    /// From the request, or from when it was due, to the end.
    pub(crate) took: Duration,
    /// How much the guest was asked to do.
    pub(crate) amount: u64,
    /// How often whoever watches was told how far it is.
    pub(crate) told: u64,
    /// The most events that were kept in memory until they were written.
    pub(crate) written_at_once: usize,
}

/// Keeps what it is given, and how much that was.
#[derive(Clone, Default)]
struct Kept {
    recorder: MemoryRecorder,
    at_once: Arc<AtomicUsize>,
}

impl Recorder for Kept {
    fn append(&mut self, events: Vec<(u64, Event)>) -> Result<(), String> {
        self.at_once.fetch_max(events.len(), Ordering::Relaxed);
        self.recorder.append(events)
    }

    fn append_charging(
        &mut self,
        events: &[(u64, Event)],
        allowance: &Arc<Allowance>,
        entry: Entry,
    ) -> Result<Result<(), NotBooked>, String> {
        self.recorder.append_charging(events, allowance, entry)
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// Counts what it hears.
#[derive(Default)]
struct Watching(AtomicU64);

impl Observer for Watching {
    fn progress(&self, _: u32, _: &str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn log(&self, _: LogLevel, _: &str) {}
}

/// What one run finds: a device that remembers nothing, and a folder of its own.
pub(crate) struct Place {
    device: Device,
    _scratch: TempDir,
}

/// What is asked of the host.
struct Asked {
    guest: Guest,
    amount: u64,
    path: &'static str,
    limits: Limits,
    plan: Option<model::Plan>,
    cancel: CancellationToken,
}

/// Made once a process: compiling takes longest.
pub(crate) static LAB: LazyLock<Lab> = LazyLock::new(|| {
    // On a thread of its own, because the first test to ask may be on a runtime's thread.
    std::thread::spawn(|| runtime().block_on(Lab::new())).join().unwrap()
});

/// A runtime as the agent has it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Lab {
    async fn new() -> Self {
        let engine = Engine::new(Options::default()).unwrap();
        let server = server::start();
        let guest = built::folder(&built::repository().join("tests/guests"));
        let plugin = artifact::verify_local(std::fs::read(guest).unwrap(), None).unwrap();
        let parameters = json!({ "act": "work", "origins": [format!("http://{server}"), "127.0.0.0/8"] });
        let grants = plugin.manifest().wishes(parameters.as_object().unwrap()).unwrap();
        let hostile = prepare(&engine, &plugin, &grants).await;
        let mut components = BTreeMap::new();
        for guest in table::guests() {
            if let Guest::Component(name) = guest {
                components.insert(name, prepare(&engine, &plugin_of(name), &Grants::default()).await);
            }
        }
        let more_stack = Options { pooled: false, stack_bytes: table::STACK_BYTES_RAISED };
        let deep = Engine::new(more_stack).unwrap();
        let deep = prepare(&deep, &plugin_of("deep-recursion"), &Grants::default()).await;
        Self { hostile, components, deep, server, clock: Arc::new(SystemClock) }
    }

    /// Runs a row's guest where its limit stops it.
    pub(crate) async fn stopped(&self, row: &Row) -> Ran {
        let limits = row.at.map_or_else(Limits::default, |value| limits(row.limit, value));
        self.run(self.prepared(row.guest), row, limits).await
    }

    /// Runs it where its limit is high enough, or with so little that it is.
    pub(crate) async fn raised(&self, row: &Row) -> Ran {
        if let Some(less) = row.less {
            return self.run_guest(row.guest, less, None).await;
        }
        if row.limit == table::STACK_BYTES {
            return self.run(&self.deep, row, Limits::default()).await;
        }
        let limits = row.raised.map_or_else(Limits::default, |value| limits(row.limit, value));
        self.run(self.prepared(row.guest), row, limits).await
    }

    async fn run(&self, prepared: &Prepared, row: &Row, limits: Limits) -> Ran {
        let (guest, amount, path) = (row.guest, row.amount, self.path(row.limit));
        self.execute(prepared, Asked { guest, amount, path, limits, plan: None, cancel: CancellationToken::new() })
            .await
    }

    /// Runs a guest with default limits.
    pub(crate) async fn run_guest(&self, guest: Guest, amount: u64, plan: Option<model::Plan>) -> Ran {
        let cancel = CancellationToken::new();
        let asked = Asked { guest, amount, path: "/", limits: Limits::default(), plan, cancel };
        self.execute(self.prepared(guest), asked).await
    }

    /// Runs a guest that only works, in a place made beforehand, and takes the time since it was due.
    pub(crate) async fn neighbour(&self, rounds: u64, place: Place, due: Instant) -> Ran {
        let guest = Guest::Act("work", Mode::Detect);
        let (limits, cancel) = (Limits::default(), CancellationToken::new());
        let asked = Asked { guest, amount: rounds, path: "/", limits, plan: None, cancel };
        let ran = self.execute_in(&place, self.prepared(guest), asked).await;
        let took = due.elapsed();
        leave(place).await;
        Ran { took, ..ran }
    }

    /// Makes a place to run in. It writes files, which is no part of what is measured and must hold up nobody.
    pub(crate) async fn place(&self) -> Place {
        let clock = Arc::clone(&self.clock);
        tokio::task::spawn_blocking(move || place(clock)).await.unwrap()
    }

    /// What there is to be reached on this machine.
    pub(crate) fn server(&self) -> SocketAddr {
        self.server
    }

    /// Runs a guest with these limits, until it is cancelled.
    pub(crate) async fn run_with(&self, guest: Guest, amount: u64, limits: Limits, cancel: &CancellationToken) -> Ran {
        let asked = Asked { guest, amount, path: "/", limits, plan: None, cancel: cancel.clone() };
        self.execute(self.prepared(guest), asked).await
    }

    /// Runs a component that is no row's.
    pub(crate) async fn run_component(&self, component: Vec<u8>, limits: Limits) -> Ran {
        let engine = Engine::new(Options::default()).unwrap();
        let prepared = prepare(&engine, &plugin_of_bytes("one", component), &Grants::default()).await;
        let (guest, cancel) = (Guest::Component("one"), CancellationToken::new());
        self.execute(&prepared, Asked { guest, amount: 0, path: "/", limits, plan: None, cancel }).await
    }

    fn prepared(&self, guest: Guest) -> &Prepared {
        match guest {
            Guest::Act(..) => &self.hostile,
            Guest::Component(name) => &self.components[name],
        }
    }

    /// What of the server a guest asks to run into a limit.
    fn path(&self, limit: &str) -> &'static str {
        match limit {
            "wall-ms" | "call-ms" | "http-ms" => "/slow",
            "http-body-bytes" => "/large",
            _ => "/",
        }
    }

    async fn execute(&self, prepared: &Prepared, asked: Asked) -> Ran {
        let place = self.place().await;
        let ran = self.execute_in(&place, prepared, asked).await;
        leave(place).await;
        ran
    }

    async fn execute_in(&self, place: &Place, prepared: &Prepared, asked: Asked) -> Ran {
        let Asked { guest, amount, path, limits, plan, cancel } = asked;
        let (mode, parameters) = match guest {
            Guest::Act(act, mode) => {
                (mode, json!({ "act": act, "amount": amount, "url": format!("http://{}{path}", self.server) }))
            }
            Guest::Component(_) => (Mode::Detect, json!({})),
        };
        let Value::Object(parameters) = parameters else { unreachable!("it was just made") };
        let request = Request {
            run: RunId::new(),
            mode,
            trigger: Trigger {
                kind: TriggerKind::ByHand,
                name: "test".to_owned(),
                event: None,
                attributes: Vec::new(),
            },
            parameters,
            limits,
            plan,
            recording: false,
            device: "dev_test".to_owned(),
            roots: BTreeMap::new(),
            cancel,
            resumed: None,
        };
        let (kept, watching) = (Kept::default(), Arc::new(Watching::default()));
        let (boxed, observer) = (Box::new(kept.clone()), Arc::<Watching>::clone(&watching));
        let began = Instant::now();
        let ended = runtime::execute(prepared, request, &place.device, &self.clock, boxed, observer).await.unwrap();
        Ran {
            ended,
            events: kept.recorder.events().into_iter().map(|(_, event)| event).collect(),
            took: began.elapsed(),
            amount,
            told: watching.0.load(Ordering::Relaxed),
            written_at_once: kept.at_once.load(Ordering::Relaxed),
        }
    }
}

/// This machine, with a root of its own, one secret, and nothing remembered.
fn place(clock: Arc<dyn Clock>) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let scratch = folder.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    std::fs::write(scratch.join("one-mib"), vec![b'x'; 1 << 20]).unwrap();
    std::fs::write(scratch.join("lines"), format!("{}\n", "x".repeat(99)).repeat(10_000)).unwrap();
    let mut policy = Policy::default();
    policy.files.roots.insert("scratch".to_owned(), scratch);
    let token = serde_json::from_value(json!({ "value": "a token of nobody", "places": [] })).unwrap();
    let secrets = Secrets::in_memory(&BTreeMap::from([("token".to_owned(), token)]), Arc::clone(&clock));
    let shared = Shared {
        store: Arc::new(Store::in_memory().unwrap()),
        clock,
        secrets: Arc::new(secrets),
        policy: Arc::new(policy),
        root: "/".into(),
        folder: folder.path().to_owned(),
    };
    Place { device: backends::real(&shared), _scratch: folder }
}

/// Removes a place, where that holds up nobody either.
async fn leave(place: Place) {
    tokio::task::spawn_blocking(move || drop(place)).await.unwrap();
}

impl Ran {
    /// Whether it ended as the table says.
    pub(crate) fn ended_as(&self, ends: Ends) -> bool {
        let ended = &self.ended;
        match ends {
            // A limit has one name; a sentence for a person may say more.
            Ends::With(outcome @ (Outcome::Limit | Outcome::Timeout), name) => {
                ended.outcome == outcome && ended.detail == name
            }
            Ends::With(outcome, detail) => ended.outcome == outcome && ended.detail.contains(detail),
            Ends::Dropped => self.is_completed() && ended.resources.log_lines_dropped > 0,
            Ends::Cut => self.is_completed() && self.summary().ends_with(", cut"),
            Ends::LineCut => self.is_completed() && self.has_cut_line(),
            Ends::LineBroken => self.is_completed() && self.lines() == 2,
            Ends::Untold => self.is_completed() && (1..self.amount).contains(&self.told),
        }
    }

    /// Whether it ended as if there were no limit at all.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_completed()
            && self.ended.resources.log_lines_dropped == 0
            && !self.summary().ends_with(", cut")
            && !self.has_cut_line()
            && (self.told == 0 || self.told == self.amount)
    }

    fn has_cut_line(&self) -> bool {
        let is_cut = |event: &Event| matches!(event, Event::Log { message, .. } if message.ends_with('…'));
        self.events.iter().any(is_cut)
    }

    fn is_completed(&self) -> bool {
        self.ended.outcome == Outcome::Completed
    }

    /// What the guest reported in one line.
    pub(crate) fn summary(&self) -> &str {
        let report = self.events.iter().find_map(|event| match event {
            Event::Reported { report, .. } => Some(report.summary.as_str()),
            _ => None,
        });
        report.unwrap_or_default()
    }

    /// The lines that were kept.
    pub(crate) fn lines(&self) -> u64 {
        self.events.iter().filter(|event| matches!(event, Event::Log { .. })).count() as u64
    }
}

/// The defaults, but for one.
fn limits(name: &str, value: u64) -> Limits {
    let mut all = serde_json::to_value(Limits::default()).unwrap();
    *all.get_mut(name).unwrap() = value.into();
    serde_json::from_value(all).unwrap()
}

async fn prepare(engine: &Engine, plugin: &Plugin, grants: &Grants) -> Prepared {
    runtime::prepare(engine, plugin, grants, None, &Compiler::InProcess).await.unwrap()
}

/// A component as a plugin that asks for nothing.
pub(crate) fn plugin_of(name: &str) -> Plugin {
    plugin_of_bytes(name, components::component(name))
}

/// The same, of any component.
pub(crate) fn plugin_of_bytes(name: &str, component: Vec<u8>) -> Plugin {
    let text = format!(
        "[plugin]\nname = \"{name}\"\nversion = \"0.1.0\"\npublisher = \"remit\"\ndescription = \"hostile\"\nlicense = \"Apache-2.0\"\n"
    );
    let manifest = Manifest::from_toml(&text, None).unwrap();
    artifact::verify_local(artifact::embed(component, &manifest, &[]), None).unwrap()
}
