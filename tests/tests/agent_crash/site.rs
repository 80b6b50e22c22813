//! A device with an agent, its plugins, and the world that their runs leave traces in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::{Expected, Store};
use tests::remit::Ran;
use tests::{Msp, Remit, msp};

/// How many bytes a run that writes deletes: what it replaces takes so many on the disk.
pub(crate) const PAGE: u64 = 4_096;

/// What the runs of `eraser` may be in a day.
pub(crate) const L4_RUNS: u64 = 6;

/// The plugins, and what each may use.
const PLUGINS: [(&str, &str, &str); 4] = [
    // It leaves its id in a file, and replaces another one: so many bytes are deleted.
    (
        "writer",
        "\"files-write\": { scope: [\"scratch\"], reason: \"Leaves a trace\" }",
        "import { writeFile } from \"msp:automation/files-write\";\n\
         const act = (id) => {\n  writeFile(\"scratch\", \"effects\", bytes(id + \"\\n\"), \"append\");\n  writeFile(\"scratch\", \
         \"page\", bytes(id.padEnd(4096, \".\")), \"replace\");\n};\n",
    ),
    // Class L1: it asks a server, once a run.
    (
        "asker",
        "http: { scope: [\"SERVER\", \"127.0.0.0/8\"], reason: \"Asks a server\" }",
        "import { get } from \"msp:automation/http\";\n\
         const act = (id) => get({ url: \"SERVER\" + id, headers: [], timeoutMs: 0, attributes: [] }, null);\n",
    ),
    // Class L4 because of what it may.
    (
        "eraser",
        "\"files-write\": { scope: [\"scratch\"], reason: \"Leaves a trace\" }, \"files-erase\": { scope: [\"scratch\"], reason: \
         \"Might erase\" }",
        "import { writeFile } from \"msp:automation/files-write\";\nimport { eraseEntries } from \"msp:automation/files-erase\";\n\
         const act = (id) => { const may = eraseEntries; writeFile(\"scratch\", \"effects\", bytes(id + \"\\n\"), \"append\"); };\n",
    ),
    // It takes a while, and says from when to when it had the machine.
    (
        "slow",
        "\"files-write\": { scope: [\"scratch\"], reason: \"Leaves a trace\" }",
        "import { writeFile } from \"msp:automation/files-write\";\nimport { now, sleep } from \"msp:automation/run\";\n\
         const mark = (id) => {\n  if (getContext().mode === \"enforce\") writeFile(\"scratch\", \"spans\", bytes(`${id} \
         ${now()}\\n`), \"append\");\n};\nconst act = (id) => { mark(id); sleep(1500); mark(id); };\n",
    ),
];

/// In an enforce run it acts while it puts things right, in any other while it looks; never twice.
const SCRIPT: &str = "IMPORTS
import { getContext } from \"msp:automation/run\";
export const manifest = { name: \"NAME\", description: \"A test\", publisher: \"remit\", version: \"1.0.0\", capabilities: { CAPABILITIES } };
const bytes = (text) => Uint8Array.from([...text].map((it) => it.charCodeAt(0)));
const finding = { fingerprint: \"it\", title: \"it\", severity: \"info\", target: \"it\", evidence: \"\", remediable: true };
export function detect() {
  const { mode, runId } = getContext();
  if (mode === \"enforce\") return { verdict: \"non-compliant\", summary: \"\", findings: [finding] };
  act(runId);
  return { verdict: \"compliant\", summary: \"\" };
}
export function remediate() {
  act(getContext().runId);
  return { summary: \"done\" };
}
";

/// Who signed these plugins, for all devices of this process.
struct Maker {
    msp: Msp,
    server: Server,
}

static MAKER: LazyLock<Maker> = LazyLock::new(|| {
    let (msp, server) = (Msp::new(), Server::start());
    for (name, capabilities, imports) in PLUGINS {
        let text = SCRIPT.replace("IMPORTS", imports).replace("CAPABILITIES", capabilities).replace("NAME", name);
        msp.write(&format!("{name}.js"), &text.replace("SERVER", &server.url));
        msp.ok(&["build", &format!("{name}.js")]);
    }
    let maker = Maker { msp, server };
    PLUGINS.iter().for_each(|(name, ..)| maker.sign(name, &[]));
    maker
});

impl Maker {
    /// Signs and approves `NAME.wasm`.
    fn sign(&self, name: &str, more: &[&str]) {
        let plugin = format!("{name}.wasm");
        self.msp.ok(&["sign", &plugin, "--key", "remit"]);
        let approve = ["approve", &plugin, "--name", name, "--client", "*", "--key", "rob"];
        self.msp.ok(&[&approve, more].concat());
    }

    /// Installs it on a device, approved. Gives its digest.
    fn install(&self, machine: &Remit, name: &str) -> String {
        let install = ["plugin", "install", &format!("{name}.wasm"), "--output", "json"];
        let installed = self.msp.run_on(machine, &install).expect(0).json();
        self.msp.run_on(machine, &["take", &format!("{name}.approval.statement")]).expect(0);
        installed["installed"][0]["digest"].as_str().unwrap().to_owned()
    }
}

/// A web server on loopback, and the runs that asked it, in order.
struct Server {
    url: String,
    came: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let came = Arc::<Mutex<Vec<String>>>::default();
        let server = Self { url: format!("http://{}/", listener.local_addr().unwrap()), came: Arc::clone(&came) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut asked) = (stream.unwrap(), [0; 4_096]);
                let length = stream.read(&mut asked).unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
                if let Some((run, _)) = asked.strip_prefix("GET /").and_then(|it| it.split_once(' ')) {
                    came.lock().unwrap().push(run.to_owned());
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
            }
        });
        server
    }
}

/// How many bytes of the egress budget one question takes.
pub(crate) fn question_bytes() -> u64 {
    (MAKER.server.url.len() + model::RunId::new().to_string().len()) as u64
}

/// The runs that asked the server, as often as they did.
pub(crate) fn asked() -> Vec<String> {
    MAKER.server.came.lock().unwrap().clone()
}

/// A device with these plugins.
pub(crate) struct Site {
    pub(crate) machine: Remit,
    pub(crate) orders: PathBuf,
    /// What the runs work on.
    pub(crate) scratch: PathBuf,
    config: PathBuf,
    digests: BTreeMap<&'static str, String>,
}

/// The agent, as a process. It is killed with this value, and whatever it started with it.
pub(crate) struct Agent {
    child: Child,
    /// Its number is nobody's any more, or another's.
    is_gone: bool,
}

impl Agent {
    /// `kill -9` of the whole process group.
    pub(crate) fn kill(&mut self) {
        if std::mem::replace(&mut self.is_gone, true) {
            return;
        }
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }

    /// Whether it died by itself, and of what.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// As the machine's supervisor ends it: what is under way comes to its end.
    pub(crate) fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "it ends well");
        self.is_gone = true;
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Site {
    /// A device with budgets that nobody exhausts, but for runs of class L4.
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// The same, with something done to its folder of state before anything is in it.
    pub(crate) fn with(prepare: impl FnOnce(&Remit)) -> Self {
        let maker = &*MAKER;
        let machine = Remit::new();
        prepare(&machine);
        let compiled = machine.state().join("compiled");
        fs::create_dir_all(&compiled).unwrap();
        for file in fs::read_dir(msp::compiled().state().join("compiled")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), compiled.join(file.file_name())).unwrap();
        }
        let scratch = machine.folder("scratch");
        fs::write(scratch.join("page"), vec![b'.'; PAGE as usize]).unwrap();
        let budgets = format!(
            "deleted-bytes-per-day = {0}\negress-bytes-per-day = {0}\nl4-runs-per-day = {L4_RUNS}\n",
            1_u64 << 40
        );
        let policy = format!("[files.roots]\nscratch = {scratch:?}\n[device.budgets]\n{budgets}");
        fs::write(machine.policy(), policy).unwrap();
        maker.msp.enroll(&machine);
        let digests = PLUGINS.iter().map(|(name, ..)| (*name, maker.install(&machine, name))).collect();
        let orders = machine.folder("orders");
        let config = machine.folder("config").join("agent.toml");
        fs::write(&config, format!("orders = {orders:?}\n[log]\nformat = \"stderr\"\n")).unwrap();
        Self { machine, orders, scratch, config, digests }
    }

    /// Has a plugin that is built signed, approved and installed. Gives its digest.
    pub(crate) fn install(&self, plugin: &Path, name: &str, more: &[&str]) -> String {
        fs::copy(plugin, MAKER.msp.folder.join(format!("{name}.wasm"))).unwrap();
        MAKER.sign(name, more);
        MAKER.install(&self.machine, name)
    }

    pub(crate) fn order(&self, name: &str, plugin: &str, mode: &str, more: &str) {
        self.order_of(name, (plugin, &self.digests[plugin]), mode, more);
    }

    pub(crate) fn order_of(&self, name: &str, (plugin, digest): (&str, &str), mode: &str, more: &str) {
        let head = format!("format = 1\nplugin = \"{plugin}\"\ndigest = \"{digest}\"\nmode = \"{mode}\"\n");
        fs::write(self.orders.join(format!("{name}.toml")), head + more).unwrap();
    }

    /// Starts the agent; what it says goes into a file.
    pub(crate) fn spawn(&self) -> Agent {
        self.spawn_with(&[])
    }

    pub(crate) fn spawn_with(&self, environment: &[(&str, &str)]) -> Agent {
        let mut command = self.machine.command(&["agent", "run", "--config", self.config.to_str().unwrap()]);
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        command.stdout(Stdio::null()).stderr(log).process_group(0).envs(environment.iter().copied());
        Agent { child: command.spawn().unwrap(), is_gone: false }
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&self) -> Agent {
        let agent = self.spawn();
        assert!(wait_for(|| self.is_up()), "the agent does not answer:\n{}", self.said());
        agent
    }

    fn log(&self) -> PathBuf {
        self.machine.folder("log").join("agent.log")
    }

    /// The last that the agent said.
    pub(crate) fn said(&self) -> String {
        let said = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Whether somebody listens: one that died leaves its socket behind.
    pub(crate) fn is_up(&self) -> bool {
        std::os::unix::net::UnixStream::connect(self.machine.state().join("agent.sock")).is_ok()
    }

    pub(crate) fn ask(&self, args: &[&str]) -> Ran {
        self.machine.run(&[args, &["--output", "json"]].concat())
    }

    /// What it says of itself; nothing where it does not answer.
    pub(crate) fn status(&self) -> Option<Value> {
        let ran = self.ask(&["agent", "status"]);
        (ran.code == Some(0)).then(|| ran.json())
    }

    /// Waits until nothing waits and nothing is under way, however long that takes as long as something happens.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let is_idle = || self.status().is_some_and(|status| status["runs"].as_array().is_some_and(Vec::is_empty));
        let is_settled = wait_for_at_most(Duration::from_secs(120), is_idle);
        assert!(is_settled, "it comes to no rest: {:?}\n{}", self.status(), self.said());
    }

    /// Has somebody start a run by hand that takes a while, and waits until it has begun.
    pub(crate) fn begin_a_run(&self) {
        let command = self
            .machine
            .command(&["run", "slow", "--mode", "detect"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        // Its end is nobody's business: the agent dies first.
        thread::spawn(|| command.unwrap().wait());
        let is_open = |run: &store::Summary| run.started.plugin == "slow" && run.ended.is_none();
        assert!(wait_for(|| self.store().runs(8).unwrap().iter().any(is_open)), "{}", self.said());
    }

    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::new(Store::open(&self.machine.state()).unwrap())
    }

    /// As if no agent had looked at an order for so long: what it remembers of when it looked last is put back. Gives that time.
    pub(crate) fn was_off_for(&self, order: &str, ms: i64) -> i64 {
        let (store, key) = (self.store(), format!("order/{order}"));
        let now_ms = now_ms();
        let kept = store.get("agent", &key, now_ms).unwrap().unwrap();
        let mut kept: Value = serde_json::from_str(&kept.value).unwrap();
        let looked = kept["schedule"]["looked-ms"].as_i64().unwrap() - ms;
        kept["schedule"]["looked-ms"] = json!(looked);
        kept["schedule"]["passed-ms"] = Value::Null;
        store.put("agent", &key, &kept.to_string(), Expected::Any, None, now_ms).unwrap().unwrap();
        looked
    }
}

pub(crate) fn now_ms() -> u64 {
    model::Clock::now_ms(&model::SystemClock)
}

pub(crate) fn wait_for(is: impl Fn() -> bool) -> bool {
    wait_for_at_most(Duration::from_secs(40), is)
}

pub(crate) fn wait_for_at_most(most: Duration, is: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < most {
        if is() {
            return true;
        }
        thread::sleep(Duration::from_millis(50));
    }
    is()
}
