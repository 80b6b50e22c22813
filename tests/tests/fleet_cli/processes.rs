//! The world as processes of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use tests::hub::{Hub, init};
use tests::remit::Ran;
use tests::{Msp, Remit};

use super::world::{self, DEVICES, TECHNICIANS, World};

/// A hub, three agents of two halves each, and two technicians.
pub(crate) struct Processes {
    msp: Msp,
    hub: Hub,
    technicians: BTreeMap<&'static str, Remit>,
    devices: Vec<Device>,
}

struct Device {
    remit: Remit,
    halves: Vec<Half>,
}

/// A half of an agent. It is killed with this value.
struct Half(Child);

impl Drop for Half {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Processes {
    pub(crate) fn new() -> Self {
        let msp = Msp::new();
        world::seat(&msp, &TECHNICIANS);
        let approvals = world::plugins(&msp);
        let folder = msp.folder.join("hub");
        let folder_text = folder.to_str().unwrap();
        msp.ok(&init(folder_text, "root.statement"));
        for signed in ["roster.statement"].into_iter().chain(approvals.iter().map(String::as_str)) {
            msp.ok(&["hub", "take", "--folder", folder_text, signed]);
        }
        let hub = Hub::start(&msp.remit, &folder);
        let compiled = world::compiled();
        let device = |_| {
            let device = Device { remit: Remit::new(), halves: Vec::new() };
            let folder = device.remit.state().join("compiled");
            fs::create_dir_all(&folder).unwrap();
            for file in world::compiled_files(&compiled) {
                fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
            }
            let work = device.remit.folder("work");
            fs::write(device.remit.policy(), world::policy(work.to_str().unwrap())).unwrap();
            device
        };
        let devices = (0..DEVICES).map(device).collect();
        let technicians = TECHNICIANS.into_iter().map(|who| (who, Remit::new())).collect();
        let it = Self { msp, hub, technicians, devices };
        let (url, ca, fingerprint) = (it.url(), it.hub.ca.to_str().unwrap(), it.msp.fingerprint());
        for who in TECHNICIANS {
            it.technician(who, &world::use_hub(&url, ca, who, &fingerprint)).expect(0);
        }
        it
    }

    fn url(&self) -> String {
        format!("https://{}", self.hub.address)
    }
}

impl Device {
    fn start(&mut self) {
        let config = self.remit.folder("config").join("agent.toml");
        let (orders, state) = (self.remit.folder("orders"), self.remit.state());
        let text = format!(
            "orders = {orders:?}\nrun-dir = {state:?}\n[metrics]\nlisten = \"unix:{}/metrics.sock\"\n[log]\nformat = \"stderr\"\n",
            state.display()
        );
        fs::write(&config, text).unwrap();
        let start = |half: &str| {
            let mut command =
                self.remit.command(&["agent", "run", "--half", half, "--config", config.to_str().unwrap()]);
            let log = fs::File::options().create(true).append(true).open(self.remit.folder("config").join(half));
            Half(command.stdout(Stdio::null()).stderr(log.unwrap()).spawn().unwrap())
        };
        self.halves = ["executor", "network"].map(start).into();
    }
}

impl World for Processes {
    fn technician(&self, who: &str, args: &[&str]) -> Ran {
        self.msp.run_on(&self.technicians[who], args)
    }

    fn write(&self, name: &str, text: &str) {
        self.msp.write(name, text);
    }

    fn join(&mut self, at: usize, token: &str) -> Ran {
        let joined = self.devices[at].remit.run(&["agent", "join", &self.url(), token, "--output", "json"]);
        self.devices[at].start();
        joined
    }

    fn off(&mut self, at: usize) {
        self.devices[at].halves.clear();
    }

    fn on(&mut self, at: usize) {
        self.devices[at].start();
    }

    fn work(&self, at: usize) -> PathBuf {
        self.devices[at].remit.folder("work")
    }

    fn log(&self) -> String {
        let read = |(at, device): (usize, &Device)| {
            let read = |half| fs::read_to_string(device.remit.folder("config").join(half)).unwrap_or_default();
            format!("device {at}:\n{}\n{}\n", read("executor"), read("network"))
        };
        self.devices.iter().enumerate().map(read).collect()
    }
}
