//! What an agent takes that has nothing to do, and how many runs it carries that look at the device.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::RunId;
use serde_json::{Value, json};
use tests::{Msp, Remit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::Bench;
use crate::host;
use crate::process::PYTHON;
use crate::row::{Bar, Row, Unit};
use crate::sample::{Sample, timed};
use crate::warm::run;

/// Until caches are filled, sources look for the first time, and what only begins is over.
const SETTLED_AFTER: Duration = Duration::from_secs(30);

/// How long it is looked at an agent at rest.
const AT_REST: Duration = Duration::from_secs(600);

/// Until as much lies in the store as may, and allocators have what they keep.
const WARM_AFTER: Duration = Duration::from_secs(60);

/// How long runs are carried then.
const CARRIED: Duration = Duration::from_secs(60);

/// The most memory of both halves.
const MEMORY_MOST: f64 = 30e6;

/// The most of a core, in microseconds a second.
const CPU_MOST: f64 = 1_000.0;

/// The most that a run may take of a second that is to have a thousand.
const RUN_MOST: f64 = 1_000.0;

/// How many ask at once: the agent listens to no more.
const ASKERS: usize = 64;

/// Ticks a second in which Linux tells processor time (`USER_HZ`, proc(5)).
const TICKS: f64 = 100.0;

/// What runs may leave behind, in bytes: less than they write in the time.
const SPOOL: u64 = 64 << 20;

/// What two rows read off the same time. A row that is measured again looks at another.
pub(crate) struct Once<T>(RefCell<Option<(&'static str, T)>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(RefCell::new(None))
    }
}

impl<T: Copy> Once<T> {
    fn read(&self, row: &'static str, measure: impl FnOnce() -> T) -> T {
        match self.0.take() {
            Some((first, measured)) if first != row => measured,
            _ => {
                let measured = measure();
                self.0.replace(Some((row, measured)));
                measured
            }
        }
    }
}

/// An agent at rest.
#[derive(Clone, Copy)]
pub(crate) struct Rest {
    /// The most memory that it had, and that of a Python process that sleeps beside it.
    memory: [f64; 2],
    /// Microseconds of a core in each second, and those of a ticker beside it.
    cpu: [f64; 2],
}

/// An agent under load.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Runs that ended.
    runs: u64,
    /// Memory when the time begins, and at its end.
    memory: [f64; 2],
    /// The store's files, likewise.
    store: [f64; 2],
}

/// Both halves' memory.
pub(crate) fn rest_memory(bench: &Bench) -> Row {
    let Rest { memory: [subject, baseline], .. } = bench.rest.read("memory", || at_rest(bench));
    Row {
        work: "both halves of an agent at rest with 50 orders, the most of ten minutes",
        peer: "python3 asleep",
        bar: Some(Bar::Within(MEMORY_MOST)),
        ..Row::new(Unit::Bytes, Sample::of(vec![baseline]), Sample::of(vec![subject]))
    }
}

/// Both halves' processor time.
pub(crate) fn rest_cpu(bench: &Bench) -> Row {
    let Rest { cpu: [subject, baseline], .. } = bench.rest.read("cpu", || at_rest(bench));
    Row {
        work: "the same, processor time in each second",
        peer: "a ticker of 10 ms",
        bar: Some(Bar::Within(CPU_MOST)),
        ..Row::new(Unit::Microseconds, Sample::of(vec![baseline]), Sample::of(vec![subject]))
    }
}

/// Runs that the agent carries.
pub(crate) fn runs(bench: &Bench) -> Row {
    let load = bench.load.read("runs", || under_load(bench));
    let each = CARRIED.as_secs_f64() * 1e6 / load.runs as f64;
    let process = Sample::of((0..200).map(|_| timed(|| run(Command::new("sh").args(["-c", "true"])))).collect());
    Row {
        work: "an agent's detect run of disk-space, each durable, for a minute",
        peer: "sh -c true",
        bar: Some(Bar::Within(RUN_MOST)),
        ..Row::new(Unit::Microseconds, process, Sample::of(vec![each]))
    }
}

/// What it grows by meanwhile.
pub(crate) fn runs_memory(bench: &Bench) -> Row {
    let Load { memory: [baseline, subject], .. } = bench.load.read("memory", || under_load(bench));
    Row {
        work: "its memory at the end of that minute",
        peer: "at its beginning",
        bar: Some(Bar::Times(1.1)),
        ..Row::new(Unit::Bytes, Sample::of(vec![baseline]), Sample::of(vec![subject]))
    }
}

/// What it leaves behind.
pub(crate) fn runs_store(bench: &Bench) -> Row {
    let Load { store: [baseline, subject], .. } = bench.load.read("store", || under_load(bench));
    Row {
        work: "its store at the end of that minute",
        peer: "at its beginning",
        bar: Some(Bar::Times(1.1)),
        ..Row::new(Unit::Bytes, Sample::of(vec![baseline]), Sample::of(vec![subject]))
    }
}

/// An agent, both halves, on a machine where `disk-space` is installed and approved. It is killed with this value.
struct Site {
    machine: Remit,
    config: PathBuf,
    digest: String,
    halves: Vec<Child>,
    _msp: Msp,
}

impl Drop for Site {
    fn drop(&mut self) {
        for half in &mut self.halves {
            let _ = half.kill();
            let _ = half.wait();
        }
    }
}

impl Site {
    fn new(bench: &Bench) -> Self {
        let msp = Msp::new();
        let machine = Remit::new();
        msp.enroll(&machine);
        let plugin = msp.folder.join("disk-space.wasm");
        fs::copy(&bench.plugin, &plugin).unwrap();
        msp.ok(&["sign", "disk-space.wasm", "--key", "remit"]);
        msp.approve("disk-space.wasm", &["--grant", "notify [technician]"]);
        let installed = msp.run_on(&machine, &["plugin", "install", "disk-space.wasm", "--output", "json"]);
        let digest = installed.expect(0).json()["installed"][0]["digest"].as_str().unwrap().to_owned();
        msp.run_on(&machine, &["take", "look.approval.statement"]).expect(0);
        let folder = machine.folder("agent");
        let config = folder.join("agent.toml");
        let lines = [
            format!("orders = {:?}", machine.folder("orders")),
            // Where the executor of a state folder of its own listens: there the other half looks for it.
            format!("run-dir = {:?}", machine.state()),
            format!("detect-runs-max = {ASKERS}"),
            format!("spool = {{ bytes-max = {SPOOL} }}"),
            format!("metrics = {{ listen = \"unix:{}\" }}", folder.join("metrics.sock").display()),
            "log = { format = \"stderr\" }".to_owned(),
        ];
        fs::write(&config, lines.join("\n")).unwrap();
        Self { machine, config, digest, halves: Vec::new(), _msp: msp }
    }

    fn order(&self, name: &str, more: &str) {
        let head = format!("format = 1\nplugin = \"disk-space\"\ndigest = \"{}\"\nmode = \"detect\"\n", self.digest);
        fs::write(self.machine.folder("orders").join(format!("{name}.toml")), head + more).unwrap();
    }

    /// Starts both halves, and waits until they answer.
    fn start(&mut self) {
        for half in ["executor", "network"] {
            let config = self.config.to_str().unwrap();
            let mut command = self.machine.command(&["agent", "run", "--half", half, "--config", config]);
            let said = fs::File::create(self.config.with_extension(half)).unwrap();
            self.halves.push(command.stdout(Stdio::null()).stderr(said).spawn().unwrap());
            if half == "executor" {
                self.wait(|site| site.machine.run(&["agent", "status"]).code == Some(0));
            }
        }
        self.wait(|site| site.said("network").contains("the executor is there"));
    }

    /// What a half said so far.
    fn said(&self, half: &str) -> String {
        fs::read_to_string(self.config.with_extension(half)).unwrap_or_default()
    }

    fn wait(&self, is: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is(self) {
            if began.elapsed() > Duration::from_secs(30) {
                panic!("the agent does not answer:\n{}\n{}", self.said("executor"), self.said("network"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Resident memory of both halves, in bytes.
    fn memory(&self) -> f64 {
        self.halves.iter().map(resident).sum()
    }

    /// Bytes of the store's files.
    fn stored(&self) -> f64 {
        let files = fs::read_dir(self.machine.state()).unwrap().map(|file| file.unwrap());
        let of_store = files.filter(|file| file.file_name().to_string_lossy().starts_with("state.db"));
        of_store.map(|file| file.metadata().unwrap().len() as f64).sum()
    }

    /// Processor time of both halves so far, in microseconds.
    fn cpu(&self) -> f64 {
        self.halves.iter().map(|half| cpu(&format!("/proc/{}/stat", half.id()))).sum()
    }
}

/// Resident memory of a process, in bytes.
fn resident(process: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1_024.0
}

/// Processor time of what a `stat` file is about, in microseconds.
fn cpu(stat: &str) -> f64 {
    let stat = fs::read_to_string(stat).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 1e6 / TICKS
}

/// What 25 rules watch, of every kind there is: none of it holds, or happens, on a machine that is left alone.
fn watches(folder: &Path) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let of = |kind: &str, more: &str| format!("{{ type = \"{kind}\"{more} }}");
    let mut watches: Vec<String> = ["boot", "resume", "network-change", "login", "account-change", "reboot-pending"]
        .map(|kind| of(kind, ""))
        .into();
    watches
        .extend(["/", "/tmp", "/var"].map(|path| of("disk-free", &format!(", path = \"{path}\", below = \"1KiB\""))));
    watches
        .extend(["nginx", "cron"].map(|it| of("service-state", &format!(", service = \"{it}\", state = \"failed\""))));
    watches.extend(["nginx", "mysqld"].map(|it| of("process", &format!(", name = \"{it}\", is-present = true"))));
    watches.extend(["a", "b"].map(|it| of("file-change", &format!(", path = \"{}\"", file(it)))));
    watches.extend(
        ["c", "d"].map(|it| of("log-match", &format!(", log = {{ file = \"{}\" }}, pattern = \"x\"", file(it)))),
    );
    watches.extend([
        of("listening-port", ", port = 1"),
        of("updates-available", ""),
        of("certificate-expiring", &format!(", path = \"{}\", within = \"30d\"", file("e.pem"))),
        of("load", ", above = \"1000\""),
        of("memory-free", ", below = \"1KiB\""),
        of("pressure", ", resource = \"io\", above = \"99%\""),
        of("run-finished", ", plugin = \"other\""),
        of("emitted", ", name = \"deploy\""),
    ]);
    watches
}

/// Watches an agent that has 50 orders, of which none is due.
fn at_rest(bench: &Bench) -> Rest {
    let mut site = Site::new(bench);
    let watched = site.machine.folder("watched");
    for (at, watch) in watches(&watched).into_iter().enumerate() {
        site.order(&format!("rule-{at}"), &format!("[event]\nwatch = {watch}\n"));
    }
    // Half a day from now.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let hour = (now / 3_600 + 12) % 24;
    for at in 0..25 {
        let cron = format!("{} {hour} * * *", at * 2);
        site.order(&format!("schedule-{at}"), &format!("schedule = {{ cron = \"{cron}\", zone = \"UTC\" }}\n"));
    }
    site.start();
    let orders = site.machine.run(&["agent", "orders", "--output", "json"]).expect(0).json();
    assert_eq!(orders.as_array().unwrap().len(), 50, "{}", site.machine.run(&["agent", "status"]));
    std::thread::sleep(SETTLED_AFTER);
    let ticker = std::thread::spawn(|| {
        let began = Instant::now();
        while began.elapsed() < AT_REST {
            std::thread::sleep(Duration::from_millis(10));
        }
        cpu("/proc/thread-self/stat") / began.elapsed().as_secs_f64()
    });
    let mut python = Command::new(PYTHON).args(["-c", "import time; time.sleep(9999)"]).spawn().unwrap();
    let (began, before) = (Instant::now(), site.cpu());
    let mut most: f64 = 0.0;
    while began.elapsed() < AT_REST {
        most = most.max(site.memory());
        std::thread::sleep(Duration::from_secs(1));
    }
    let used = (site.cpu() - before) / began.elapsed().as_secs_f64();
    let beside = resident(&python);
    python.kill().unwrap();
    python.wait().unwrap();
    Rest { memory: [most, beside], cpu: [used, ticker.join().unwrap()] }
}

/// Has as many ask as may, each again as soon as it is answered.
fn under_load(bench: &Bench) -> Load {
    let mut site = Site::new(bench);
    site.start();
    let socket = site.machine.state().join("agent.sock");
    let ended = Arc::new(AtomicU64::new(0));
    let tokio = host::tokio();
    let end = Instant::now() + WARM_AFTER + CARRIED;
    for _ in 0..ASKERS {
        let (socket, ended) = (socket.clone(), Arc::clone(&ended));
        tokio.spawn(async move {
            while Instant::now() < end {
                let outcome = ask_for_run(&socket).await;
                assert_eq!(outcome["ended"]["outcome"], "completed", "{outcome}");
                ended.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let look = || (ended.load(Ordering::Relaxed), site.memory(), site.stored());
    std::thread::sleep(WARM_AFTER);
    let before = look();
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    let after = look();
    // What was asked for by then comes to its end.
    tokio.shutdown_timeout(Duration::from_secs(5));
    assert!(after.0 > before.0);
    Load { runs: after.0 - before.0, memory: [before.1, after.1], store: [before.2, after.2] }
}

/// One run, as a program asks for it over the socket.
async fn ask_for_run(socket: &Path) -> Value {
    let job = json!({
        "run": RunId::new(), "mode": "detect", "given": {}, "allow": [], "roots": {}, "limits": [], "plan": null,
        "trigger": { "kind": "by-hand", "name": "bench", "event": null, "attributes": [] },
        "recording": false, "device": { "client": null, "tags": [], "downgrade": false }, "record": null,
    });
    let ask = json!({ "ask": "run", "job": job, "plugin": { "from": "installed", "name": "disk-space" } }).to_string();
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_u32(u32::try_from(ask.len()).unwrap()).await.unwrap();
    stream.write_all(ask.as_bytes()).await.unwrap();
    loop {
        let length = stream.read_u32().await.unwrap();
        let mut told = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut told).await.unwrap();
        let told: Value = serde_json::from_slice(&told).unwrap();
        if !["waits", "began", "progress", "log"].map(Value::from).contains(&told["told"]) {
            return told;
        }
    }
}
