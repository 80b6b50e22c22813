//! Remit, as the agent has it: one engine, a prepared plugin, a device.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backends::secrets::Secrets;
use backends::{Device, Policy, Shared};
use contract::device::OsInfo;
use contract::run::{LogLevel, Trigger, TriggerKind};
use model::{Clock, Limits, Mode, Outcome, RunId, SystemClock};
use runtime::{Compiler, Engine, NoObserver, Observer, Options, Prepared, Recorder, Request};
use serde_json::{Map, Value, json};
use store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What the timed guest is asked to do.
#[derive(Clone, Copy, Default)]
pub(crate) struct Work {
    pub(crate) calls: u32,
    pub(crate) hold: Duration,
}

impl Work {
    pub(crate) fn parameters(self) -> Map<String, Value> {
        let hold_ms = u64::try_from(self.hold.as_millis()).unwrap();
        Map::from_iter([("calls".to_owned(), json!(self.calls)), ("hold-ms".to_owned(), json!(hold_ms))])
    }
}

/// What was seen of one run of the timed guest.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    /// From the request to the guest's first line.
    pub(crate) entry: Duration,
    /// From there to its second line: what its calls took.
    pub(crate) calls: Duration,
    /// From the request until all is done and dropped.
    pub(crate) whole: Duration,
}

impl Marks {
    pub(crate) fn new(asked: Instant, lines: &[Instant], whole: Duration) -> Self {
        let [entered, called] = lines else { panic!("the guest logs two lines, not {}", lines.len()) };
        Self { entry: *entered - asked, calls: *called - *entered, whole }
    }
}

/// A plugin on a device.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    prepared: Prepared,
    device: Device,
    clock: Arc<dyn Clock>,
    /// What it is given, and its own defaults.
    parameters: Map<String, Value>,
}

/// A runtime as the agent has it.
pub(crate) fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What both sides answer the timed guest: three strings, and nothing else of length.
const FIXTURE: &str = "now = 2026-01-01T00:00:00Z\n[device.os]\nbuild = \"\"\narch = \"\"\nattributes = {}";

/// The operating system of that fixture.
pub(crate) fn os() -> OsInfo {
    fixture().device.os.0
}

fn fixture() -> backends::Fixture {
    toml::from_str(FIXTURE).unwrap()
}

impl Host {
    /// The guest that is timed, on a device in memory: what is behind its calls costs next to nothing.
    pub(crate) async fn timed(stopwatch: &Path) -> Self {
        let fixture = fixture();
        let device = backends::memory(&fixture, "stopwatch", fixture.clock()).await.unwrap();
        Self::new(stopwatch, device).await
    }

    /// A plugin on this machine.
    pub(crate) async fn real(plugin: &Path, store: &Arc<Store>, folder: &Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let device = backends::real(&Shared {
            store: Arc::clone(store),
            secrets: Arc::new(Secrets::in_memory(&BTreeMap::new(), Arc::clone(&clock))),
            clock,
            policy: Arc::new(Policy::default()),
            root: "/".into(),
            folder: folder.to_owned(),
        });
        Self::new(plugin, device).await
    }

    /// A plugin on the device of a fixture, with these parameters.
    pub(crate) async fn on(plugin: &Path, fixture: &str, parameters: Map<String, Value>) -> Self {
        let fixture: backends::Fixture = toml::from_str(fixture).unwrap();
        let device = backends::memory(&fixture, "bench", fixture.clock()).await.unwrap();
        Self::with(plugin, device, parameters).await
    }

    async fn new(plugin: &Path, device: Device) -> Self {
        Self::with(plugin, device, Map::new()).await
    }

    async fn with(plugin: &Path, device: Device, parameters: Map<String, Value>) -> Self {
        let plugin = artifact::verify_local(std::fs::read(plugin).unwrap(), None).unwrap();
        let engine = Engine::new(Options::default()).unwrap();
        let parameters = plugin.parameters(parameters).unwrap();
        let grants = plugin.manifest().wishes(&parameters).unwrap();
        let prepared = runtime::prepare(&engine, &plugin, &grants, None, &Compiler::InProcess).await.unwrap();
        Self { engine, prepared, device, clock: Arc::new(SystemClock), parameters }
    }

    /// Runs the timed guest.
    pub(crate) async fn run(&self, work: Work, recorder: Box<dyn Recorder>, watch: Arc<Watch>) -> Marks {
        let asked = Instant::now();
        let observer = Arc::clone(&watch) as Arc<dyn Observer>;
        let whole = self.execute(request(RunId::new(), work.parameters()), recorder, observer).await;
        let lines = watch.lines.lock().unwrap();
        Marks::new(asked, &lines, whole)
    }

    /// Runs the plugin with its own defaults.
    pub(crate) async fn run_by_default(&self, run: RunId, recorder: Box<dyn Recorder>) {
        self.execute(request(run, self.parameters.clone()), recorder, Arc::new(NoObserver)).await;
    }

    async fn execute(&self, request: Request, recorder: Box<dyn Recorder>, observer: Arc<dyn Observer>) -> Duration {
        let asked = Instant::now();
        let ended = runtime::execute(&self.prepared, request, &self.device, &self.clock, recorder, observer).await;
        let took = asked.elapsed();
        let ended = ended.unwrap();
        assert_eq!(ended.outcome, Outcome::Completed, "{}", ended.detail);
        took
    }
}

fn request(run: RunId, parameters: Map<String, Value>) -> Request {
    Request {
        run,
        mode: Mode::Detect,
        trigger: Trigger { kind: TriggerKind::ByHand, name: "bench".to_owned(), event: None, attributes: Vec::new() },
        parameters,
        limits: Limits::default(),
        plan: None,
        recording: false,
        device: "dev_bench".to_owned(),
        roots: BTreeMap::new(),
        cancel: CancellationToken::new(),
        resumed: None,
    }
}

/// Takes down when the guest logs, and tells whoever waits for that.
#[derive(Default)]
pub(crate) struct Watch {
    lines: Mutex<Vec<Instant>>,
    tells: Option<mpsc::Sender<()>>,
}

impl Watch {
    pub(crate) fn telling(tells: mpsc::Sender<()>) -> Self {
        Self { lines: Mutex::default(), tells: Some(tells) }
    }
}

impl Observer for Watch {
    fn progress(&self, _: u32, _: &str) {}

    fn log(&self, _: LogLevel, _: &str) {
        let mut lines = self.lines.lock().unwrap();
        lines.push(Instant::now());
        if let (2, Some(tells)) = (lines.len(), &self.tells) {
            tells.try_send(()).unwrap();
        }
    }
}
