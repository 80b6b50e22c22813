//! The same day where each of them is a machine: a hub and three devices, each booted, with an address of its own, and the agent
//! installed as anybody installs it. In the end the agents are replaced.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;

use serde_json::Value;
use tests::network::address;
use tests::remit::Ran;
use tests::{Host, Msp, Remit, Root, built, need_root, releases};

use super::scenario::{self, Day};
use super::world::{self, DEVICES, TECHNICIANS, World};

const REMIT: &str = "/usr/local/bin/remit";

/// Where the hub keeps itself, on its host.
const FOLDER: &str = "/var/lib/remit-hub";

/// What plugins may write, on each device.
const WORK: &str = "/srv/work";

/// The next version, and one after it that ends at once where it is to work.
const GOOD: &str = "0.1.1";
const BAD: &str = "0.1.2";

struct Booted {
    msp: Msp,
    hub: Host,
    devices: Vec<Host>,
    technicians: BTreeMap<&'static str, Remit>,
}

/// The number of a device at the switch.
fn number(at: usize) -> u8 {
    u8::try_from(at).unwrap() + 11
}

impl Booted {
    fn new(root: Root) -> Self {
        let msp = Msp::new();
        world::seat(&msp, &TECHNICIANS);
        let approvals = world::plugins(&msp);
        release(&msp);
        let compiler = world::compiled();
        let compiled = world::compiled_files(&compiler);
        let signed: Vec<&str> =
            ["root.statement", "roster.statement"].into_iter().chain(approvals.iter().map(String::as_str)).collect();
        let hub = || {
            let mut prepared = Host::prepare(root).with_program(REMIT, built::remit());
            for file in signed.iter().flat_map(|it| [(*it).to_owned(), format!("{it}.sig")]) {
                prepared = prepared.with_file(&format!("/opt/msp/{file}"), fs::read(msp.folder.join(&file)).unwrap());
            }
            prepared.boot()
        };
        let device = || {
            let mut prepared = Host::prepare(root).with_program("/opt/remit", built::remit());
            for file in ["/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo/UTC"] {
                prepared = prepared.with_file(file, fs::read(file).unwrap());
            }
            for file in &compiled {
                let name = file.file_name().unwrap().to_str().unwrap();
                prepared = prepared.with_file(&format!("/var/lib/remit/compiled/{name}"), fs::read(file).unwrap());
            }
            prepared
                .with_file("/etc/remit/policy.toml", world::policy(WORK))
                .with_file(&format!("{WORK}/here"), "")
                .boot()
        };
        let (hub, devices) = thread::scope(|scope| {
            let devices: Vec<_> = (0..DEVICES).map(|_| scope.spawn(device)).collect();
            let hub = hub();
            (hub, devices.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>())
        });
        hub.have_switch();
        devices.iter().enumerate().for_each(|(at, device)| hub.plug(device, number(at)));

        let (name, listen) = (address(1), format!("{}:8443", address(1)));
        let root = ["--root-statement", "/opt/msp/root.statement", "--name", &name, "--listen", &listen];
        hub.run(&[&[REMIT, "hub", "init", "--folder", FOLDER][..], &root].concat());
        signed
            .iter()
            .skip(1)
            .for_each(|it| drop(hub.run(&[REMIT, "hub", "take", "--folder", FOLDER, &format!("/opt/msp/{it}")])));
        hub.run(&["systemd-run", "--quiet", "--unit=remit-hub", REMIT, "hub", "run", "--folder", FOLDER]);
        let technicians = TECHNICIANS.into_iter().map(|who| (who, Remit::new())).collect();
        let it = Self { msp, hub, devices, technicians };
        fs::copy(it.hub.path(&format!("{FOLDER}/ca.pem")), it.msp.folder.join("ca.pem")).unwrap();
        let (url, fingerprint) = (url(), it.msp.fingerprint());
        for who in TECHNICIANS {
            it.technician(who, &world::use_hub(&url, "ca.pem", who, &fingerprint)).expect(0);
        }
        it
    }
}

/// Both versions, each signed by who releases.
fn release(msp: &Msp) {
    releases::next(built::remit(), GOOD, &msp.folder.join(GOOD));
    releases::failing(BAD, &msp.folder.join(BAD));
    for version in [GOOD, BAD] {
        let file = format!("{version}.statement");
        msp.write(&file, &releases::statement(&msp.folder.join(version), version, |_| ()));
        msp.ok(&["sign", &file, "--key", world::RELEASES]);
    }
}

/// All agents become the next version, one first; the one after that is put back where it was to be the first, and no other has it.
fn upgrade(day: &Day<'_>) {
    let order = |version: &str| {
        let how = ["--where", "true", "--rings", "1,100%", "--soak", "1s", "--max-failures", "0%", "--yes"];
        let made = day.json("tess", &[&["fleet", "upgrade", version][..], &how].concat());
        made["id"].as_str().unwrap().to_owned()
    };
    let last = day.watch(&order(GOOD)).expect(0).lines().pop().unwrap();
    assert_eq!((last["state"].as_str(), &last["rings"][1]["well"]), (Some("done"), &2.into()), "{last}");
    day.wait("the hub is told what runs", |day| {
        day.ok("tom", &["device", "list", "--output", "json"]).stdout.matches(GOOD).count() >= DEVICES
    });
    let bad = order(BAD);
    let mut stood = Value::Null;
    day.wait("the first is put back", |day| {
        stood = day.status("tom", &bad);
        stood["rings"][0]["badly"] == 1
    });
    assert_eq!((&stood["rings"][1]["state"], &stood["state"]), (&"waiting".into(), &"running".into()), "{stood}");
    assert!(stood["rings"][1]["waits"].as_str().unwrap().contains("1 of ring 1 failed, at most 0 may"), "{stood}");
}

fn url() -> String {
    format!("https://{}:8443", address(1))
}

impl World for Booted {
    /// On this machine, which the hub's host is the way to: no key of theirs is ever there.
    fn technician(&self, who: &str, args: &[&str]) -> Ran {
        let command = self.technicians[who].command(args);
        let mut there = self.hub.in_network(command.get_program());
        there.args(command.get_args()).current_dir(&self.msp.folder).env_clear();
        there.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        there.stdin(std::process::Stdio::null()).output().unwrap().into()
    }

    fn write(&self, name: &str, text: &str) {
        self.msp.write(name, text);
    }

    fn join(&mut self, at: usize, token: &str) -> Ran {
        let device = &self.devices[at];
        device.run(&["/opt/remit", "agent", "install", "--binary"]);
        device.output(&[REMIT, "agent", "join", &url(), token, "--output", "json"]).into()
    }

    fn off(&mut self, at: usize) {
        self.devices[at].power_off();
    }

    fn on(&mut self, at: usize) {
        self.devices[at].power_on();
        self.hub.plug(&self.devices[at], number(at));
    }

    fn work(&self, at: usize) -> PathBuf {
        self.devices[at].path(WORK)
    }

    fn log(&self) -> String {
        let journal = |host: &Host| host.leader().map(|_| host.run(&["journalctl", "--no-pager", "--lines=60"]));
        [&self.hub].into_iter().chain(&self.devices).filter_map(journal).collect()
    }
}

#[test]
fn a_day_of_a_fleet_on_booted_hosts() {
    let mut world = Booted::new(need_root!());
    let day = scenario::play(&mut world);
    upgrade(&day);
    drop(day);
    for device in &world.devices {
        let status = device.run(&[REMIT, "--output", "json", "agent", "status"]);
        assert_eq!(serde_json::from_str::<Value>(&status).unwrap()["version"], GOOD, "{status}");
        // What is installed stays so.
        device.run(&[REMIT, "agent", "install", "--check"]);
    }
}
