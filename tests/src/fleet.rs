//! A fleet of real processes: an MSP, its hub, a technician's machine, and devices with both halves of the agent.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::hub::{Hub, init};
use crate::remit::Ran;
use crate::{Msp, Remit};

/// An MSP with a hub that serves, and a technician `tess` who is for all clients up to L4.
pub struct Fleet {
    /// The MSP.
    pub msp: Msp,
    /// The technician's machine.
    pub tess: Remit,
    /// The hub.
    pub hub: Hub,
}

/// A device.
pub struct Machine {
    /// Its state.
    pub remit: Remit,
    halves: Vec<Child>,
    root: Option<String>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new("")
    }
}

impl Fleet {
    /// With these lines more in the hub's configuration.
    pub fn new(config: &str) -> Self {
        let msp = Msp::new();
        msp.make_key("tess");
        let roster = msp.roster().replace("serial = 1", "serial = 2");
        let seat = format!(
            "[[technicians]]\nholder = \"tess\"\nkey = \"{}\"\nfrom = \"2020-01-01T00:00:00Z\"\nuntil = \"2050-01-01T00:00:00Z\"\n\
             clients = [\"*\"]\nclass-max = \"L4\"\n",
            msp.public("tess")
        );
        msp.write("seats.toml", &(roster + &seat));
        msp.ok(&["roster", "make", "seats.toml", "--key", "ann"]);
        msp.ok(&["sign", "seats.statement", "--key", "ben"]);
        let folder = msp.folder.join("hub");
        msp.ok(&init(folder.to_str().unwrap(), "root.statement"));
        let file = folder.join("hub.toml");
        let text = fs::read_to_string(&file).unwrap();
        // At a place that stays over starts.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = text.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
        fs::write(&file, format!("{text}\n{config}")).unwrap();
        msp.ok(&["hub", "take", "--folder", folder.to_str().unwrap(), "seats.statement"]);
        let hub = Hub::start(&msp.remit, &folder);
        let it = Self { tess: Remit::new(), msp, hub };
        let (url, ca) = (format!("https://{}", it.hub.address), it.hub.ca.to_str().unwrap().to_owned());
        let pin = ["--root-statement", "root.statement", "--fingerprint", &it.msp.fingerprint()].map(str::to_owned);
        let pin: Vec<&str> = pin.iter().map(String::as_str).collect();
        it.ok(&[&["hub", "use", &url, "--authority", &ca, "--key", "tess"][..], &pin].concat());
        it
    }

    /// Kills the hub, and starts it anew.
    #[track_caller]
    pub fn restart_hub(&mut self) {
        self.hub.kill();
        self.hub = Hub::start(&self.msp.remit, &self.msp.folder.join("hub"));
    }

    /// What the technician types.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.msp.run_on(&self.tess, args)
    }

    /// The same, if it ended well.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Ran {
        self.run(args).expect(0)
    }

    /// What it wrote as JSON.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        self.ok(&[args, &["--output", "json"]].concat()).json()
    }

    /// A device that joined as this client's, with an agent.
    #[track_caller]
    pub fn device(&self, client: &str) -> Machine {
        let mut machine = Machine { remit: crate::msp::compiled(), halves: Vec::new(), root: None };
        self.join(&machine, client, &[]).expect(0);
        machine.start();
        machine
    }

    /// Has a machine join with a new token.
    #[track_caller]
    pub fn join(&self, machine: &Machine, client: &str, more: &[&str]) -> Ran {
        let made = self.ok(&["token", "make", "--client", client, "--site", "berlin", "--yes"]);
        let (url, token) = (format!("https://{}", self.hub.address), made.stdout.trim().to_owned());
        machine.run(&[&["agent", "join", &url, &token, "--output", "json"][..], more].concat())
    }
}

impl Machine {
    /// A machine whose disk is a copy of this one's, and which is another one, or looks the same.
    pub fn copied(&self, root: Option<&str>) -> Self {
        let remit = Remit::new();
        let done = std::process::Command::new("cp")
            .args(["-a", &format!("{}/.", self.remit.state().display()), &remit.state().display().to_string()])
            .status();
        assert!(done.unwrap().success());
        let root = root.map(str::to_owned).or_else(|| self.root.clone());
        Self { remit, halves: Vec::new(), root }
    }

    /// Runs a command on it.
    pub fn run(&self, args: &[&str]) -> Ran {
        let root = self.root.iter().flat_map(|root| ["--root", root.as_str()]);
        self.remit.run(&args.iter().copied().chain(root).collect::<Vec<_>>())
    }

    /// Starts both halves, and waits until the executor answers.
    #[track_caller]
    pub fn start(&mut self) {
        self.start_half("executor");
        self.start_half("network");
        assert!(wait_for(|| self.status().is_some()), "{}", self.log());
    }

    /// Starts one of them.
    pub fn start_half(&mut self, half: &str) {
        let config = self.remit.folder("config").join("agent.toml");
        let (orders, state) = (self.remit.folder("orders"), self.remit.state());
        let text = format!(
            "orders = {orders:?}\nrun-dir = {state:?}\n[metrics]\nlisten = \"unix:{}/metrics.sock\"\n[log]\nformat = \"stderr\"\n",
            state.display()
        );
        fs::write(&config, text).unwrap();
        let log = fs::File::options().create(true).append(true).open(self.remit.folder("config").join(half)).unwrap();
        let args = ["agent", "run", "--half", half, "--config", config.to_str().unwrap()];
        let root = self.root.iter().flat_map(|root| ["--root", root.as_str()]);
        let args: Vec<&str> = args.into_iter().chain(root).collect();
        self.halves.push(self.remit.command(&args).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Whether these bytes are anywhere in the memory of one of them: the executor, or what speaks to the network.
    pub fn has_in_memory(&self, half: &str, bytes: &[u8]) -> bool {
        let at = if half == "executor" { 0 } else { 1 };
        has_in_memory(self.halves[at].id(), bytes)
    }

    /// Kills both halves.
    pub fn kill(&mut self) {
        for mut half in self.halves.drain(..) {
            let _ = half.kill();
            let _ = half.wait();
        }
    }

    /// What the agent says of itself.
    pub fn status(&self) -> Option<Value> {
        let ran = self.remit.run(&["agent", "status", "--output", "json"]);
        (ran.code == Some(0)).then(|| ran.json())
    }

    /// Whether the hub answers it, and has all that it has to say.
    pub fn is_told(&self) -> bool {
        self.status()
            .is_some_and(|it| it["hub"]["trouble"].is_null() && it["hub"]["to-say"] == 0 && it["hub"].is_object())
    }

    /// What both halves wrote.
    pub fn log(&self) -> String {
        let read = |half: &str| fs::read_to_string(self.remit.folder("config").join(half)).unwrap_or_default();
        format!("executor:\n{}\nnetwork:\n{}", read("executor"), read("network"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether these bytes are anywhere in the memory of a process that this one started.
pub(crate) fn has_in_memory(process: u32, bytes: &[u8]) -> bool {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let holds = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        let ends: Vec<u64> = range.split('-').map(|end| u64::from_str_radix(end, 16).unwrap()).collect();
        // What is of a file is no buffer.
        if !rights.starts_with("rw") || words.nth(2) != Some("0") {
            return false;
        }
        // What was there when the list was written may be gone.
        let mut found = vec![0; usize::try_from(ends[1] - ends[0]).unwrap()];
        let length = memory.read_at(&mut found, ends[0]).unwrap_or_default();
        found[..length].windows(bytes.len()).any(|window| window == bytes)
    };
    maps.lines().any(holds)
}

/// Waits for something for at most a minute; whether it came.
pub fn wait_for(is: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if is() {
            return true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    false
}
