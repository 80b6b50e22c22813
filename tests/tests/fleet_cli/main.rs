//! A technician at the command line, before a real `remit hub run`: whom they ask, what they sign, and what is refused before they do.

mod booted;
mod processes;
mod rest;
mod scenario;
mod world;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::hub::{Hub, init};
use tests::remit::Ran;
use tests::{Msp, Remit};

/// An MSP with a hub that serves, and two technicians: `rob` reviews, `tess` and `tom` are for all clients up to L4.
struct Fleet {
    msp: Msp,
    tess: Remit,
    hub: Hub,
}

impl Fleet {
    fn new() -> Self {
        let msp = Msp::new();
        msp.make_key("stranger");
        world::seat(&msp, &["tess", "tom"]);
        let folder = msp.folder.join("hub");
        let folder_text = folder.to_str().unwrap();
        msp.ok(&init(folder_text, "root.statement"));
        msp.ok(&["hub", "take", "--folder", folder_text, "roster.statement"]);
        let hub = Hub::start(&msp.remit, &folder);
        let it = Self { tess: Remit::new(), msp, hub };
        it.use_hub("tess", &[]).expect(0);
        it
    }

    /// `tess`'s own machine asks this hub, with somebody's key.
    fn use_hub(&self, key: &str, more: &[&str]) -> Ran {
        let (url, ca) = (format!("https://{}", self.hub.address), self.hub.ca.to_str().unwrap().to_owned());
        let pin = ["--root-statement", "root.statement", "--fingerprint", &self.msp.fingerprint()].map(str::to_owned);
        let pin: Vec<&str> = pin.iter().map(String::as_str).collect();
        self.run(&[&["hub", "use", &url, "--authority", &ca, "--key", key][..], &pin, more].concat())
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.msp.run_on(&self.tess, args)
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> Ran {
        self.run(args).expect(0)
    }

    /// What it wrote as JSON.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        self.ok(&[args, &["--output", "json"]].concat()).json()
    }
}

#[test]
fn whom_one_asks_is_named_once_and_nobody_else_is_asked() {
    let fleet = Fleet::new();
    let file = fs::read_to_string(fleet.tess.state().join("hub.toml")).unwrap();
    assert!(file.contains(&fleet.hub.address) && file.contains("/tess\""), "{file}");
    assert_eq!(fleet.json(&["device", "list"]), serde_json::json!([]));
    // A key without a seat may be named, and is told so; it asks nothing.
    let stranger = fleet.use_hub("stranger", &[]).expect(0);
    assert!(stranger.stderr.contains("lets that key ask nothing"), "{stranger}");
    let refused = fleet.run(&["device", "list"]).expect(1);
    assert!(refused.stderr.contains("unknown-key"), "{refused}");
    fleet.use_hub("tess", &[]).expect(0);
    // Whoever shows another authority is nobody's hub, and nothing is kept of them.
    let other = format!("sha256:{}", "0".repeat(64));
    let url = format!("https://{}", fleet.hub.address);
    let stranger = fleet.run(&["hub", "use", &url, "--authority", &other, "--key", "tess"]).expect(1);
    assert!(stranger.stderr.contains("not the hub"), "{stranger}");
    assert_eq!(fs::read_to_string(fleet.tess.state().join("hub.toml")).unwrap(), file);
    let nowhere = fleet.msp.run(&["device", "list"]).expect(1);
    assert!(nowhere.stderr.contains("remit hub use URL"), "{nowhere}");
}

#[test]
fn a_token_is_signed_shown_once_and_taken_away() {
    let fleet = Fleet::new();
    let make = ["token", "make", "--client", "acme", "--site", "berlin", "--tag", "server", "--uses", "3"];
    let unasked = fleet.run(&make).expect(1);
    assert!(unasked.stderr.contains("\"kind\":\"admission\"") && unasked.stderr.contains("`--yes`"), "{unasked}");
    assert_eq!(fleet.json(&["token", "list"]), serde_json::json!([]), "nothing was signed");
    let made = fleet.ok(&[&make[..], &["--yes"]].concat());
    assert!(made.stdout.starts_with("remit1_") && made.stderr.contains("\"kind\":\"admission\""), "{made}");
    let token: trust::Token = made.stdout.trim().parse().unwrap();
    assert_eq!(token.root.to_string(), fleet.msp.fingerprint());
    let listed = fleet.json(&["token", "list"]);
    assert_eq!((&listed[0]["uses-max"], &listed[0]["needs-accept"]), (&3.into(), &false.into()), "{listed}");
    let accept = fleet.ok(&["token", "make", "--client", "acme", "--site", "berlin", "--accept"]);
    assert!(!accept.stderr.contains("admission"), "each device is signed for: {accept}");
    let csv = fleet.ok(&["token", "list", "--output", "csv"]);
    assert!(csv.stdout.starts_with("token,client,site") && csv.stdout.lines().count() == 3, "{csv}");
    let name = listed[0]["token"].as_str().unwrap();
    fleet.ok(&["token", "take-away", name]);
    assert_eq!(fleet.json(&["token", "list"]).as_array().unwrap().len(), 1);
    fleet.run(&["token", "take-away", name]).expect(1);
}

#[test]
fn nothing_is_signed_that_would_be_refused_and_everything_wrong_is_said() {
    let fleet = Fleet::new();
    fleet.msp.script("look", "0.1.0", tests::msp::DEVICE);
    let run = ["fleet", "run", "look.wasm", "--client", "acme", "--yes", "--where"];
    let nobody = fleet.run(&[&run[..], &["client == 'acme'"]].concat()).expect(20);
    for expected in ["no device is meant", "no-approval"] {
        assert!(nobody.stderr.contains(expected), "{expected}: {nobody}");
    }
    assert!(nobody.stderr.contains("remit approve look@0.1.0") && !nobody.stderr.contains("signed with"), "{nobody}");
    let wrong = fleet.run(&[&run[..], &["clint == 1 && size(volumes) < 'x'"]].concat()).expect(20);
    assert!(wrong.stderr.matches("--where:").count() >= 2, "{wrong}");
    assert_eq!(fleet.json(&["orders", "list"]), serde_json::json!([]));
}

#[test]
fn the_chain_of_the_hub_is_remembered() {
    let fleet = Fleet::new();
    let first = fleet.json(&["audit", "verify"]);
    assert!(first["broken"].is_null() && first["known"] == 0, "{first}");
    fleet.ok(&["token", "make", "--client", "acme", "--site", "berlin", "--accept"]);
    let second = fleet.json(&["audit", "verify"]);
    assert_eq!(second["known"], first["entries"], "{second}");
    // Somebody puts another chain in its place: here, memory says so.
    let memory = fleet.tess.state().join("hub-audit.json");
    let text = fs::read_to_string(&memory).unwrap();
    fs::write(&memory, text.replacen("\"1\":\"sha256:", "\"1\":\"sha256:0", 1)).unwrap();
    let broken = fleet.run(&["audit", "verify"]).expect(1);
    assert!(broken.stdout.contains("entry 1 is not the one that was seen before"), "{broken}");
}

/// Runs a program before a terminal, answers when it is asked for a passphrase, and says how often that was.
const ANSWERED: &str = "import os, pty, sys, termios, time
asked = 0
def read(terminal):
    global asked
    said = os.read(terminal, 65536)
    if b'passphrase of' in said:
        asked += 1
        # What is typed before the echo is off is thrown away with it.
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            time.sleep(0.01)
        os.write(terminal, b'secret\\n')
    return said
code = os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read))
print(f'asked {asked}, code {code}')
";

#[test]
fn a_passphrase_is_asked_for_once() {
    let fleet = Fleet::new();
    let folder = &fleet.msp.folder;
    let lock = ["-q", "-p", "-P", "", "-N", "secret", "-f", "tess"];
    assert!(Command::new("ssh-keygen").args(lock).current_dir(folder).status().unwrap().success());
    // It opens a session, and signs; with `--key` too where that is the same.
    for more in [&[][..], &["--key", "tess"]] {
        let make = ["token", "make", "--client", "acme", "--site", "berlin", "--yes"];
        let command = fleet.tess.command(&[&make[..], more].concat());
        let mut python = Command::new("/usr/bin/python3");
        python
            .args(["-c", ANSWERED])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(folder)
            .env_clear();
        python.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let said = Ran::from(python.stdin(Stdio::null()).output().unwrap());
        assert!(said.stdout.contains("asked 1, code 0") && said.stdout.contains("remit1_"), "{said}");
    }
}
