//! What devices leave with a real hub, and what technicians leave there for devices: tickets, secrets, and which machine is which.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::echo::Echo;
use tests::fleet::{Fleet, Machine, wait_for};

/// Raises a ticket, or resolves it, as its parameter says.
const WATCH: &str = r#"
import { addNote, raiseTicket, resolveIfMine } from "msp:automation/ticket";
import { putValue, removeValue } from "msp:automation/kv-write";
import { triggerEvent, resolveEvent } from "msp:automation/notify";
import { getParameters } from "msp:automation/run";

export const manifest = {
  name: "watch", description: "Raises what it is told", publisher: "remit", version: "0.1.0",
  capabilities: {
    ticket: { scope: ["*"], reason: "Tells a person" },
    "kv-write": { scope: ["seen"], reason: "Notes that it was there" },
    notify: { scope: ["on-call"], reason: "Calls somebody" },
  },
  parameters: { type: "object", properties: { resolve: { type: "boolean", default: false } } },
};

const finding = {
  fingerprint: "disk", title: "the disk is full", severity: "error", target: "/", evidence: "9 % left", remediable: true,
  attributes: {},
};

export function detect() { return { verdict: "non-compliant", summary: "it is full", findings: [finding] }; }

export function remediate() {
  if (JSON.parse(getParameters()).resolve) {
    removeValue("seen", undefined);
    resolveEvent("on-call", "disk");
    return { summary: resolveIfMine("disk", "somebody emptied it").effect };
  }
  raiseTicket({
    fingerprint: "disk", kind: "incident", title: "the disk is full", body: "9 % left", impact: "medium", urgency: "high",
    severity: "error", attributes: {},
  });
  addNote("disk", "seen once more", "internal");
  putValue("seen", "the disk is full", undefined, 0);
  triggerEvent({
    dedupKey: "disk", audience: "on-call", severity: "critical", summary: "the disk is full", component: "", group: "",
    eventClass: "", links: [], attributes: {},
  });
  return { summary: "raised" };
}
"#;

/// What the hub calls a device.
fn named(machine: &Machine) -> String {
    let path = machine.remit.state().join("device.key");
    let key = trust::Signer::from_file(&path, || panic!("it has no passphrase")).unwrap().key().unwrap();
    trust::Device::of(&key).hex()
}

fn watch(machine: &Machine) -> PathBuf {
    let file = machine.remit.folder("scripts").join("watch.js");
    fs::write(&file, WATCH).unwrap();
    file
}

#[track_caller]
fn raise(machine: &Machine, more: &[&str]) {
    let file = watch(machine);
    let ran = machine.remit.run_plugin(
        &file,
        &[&["--mode", "enforce", "--allow", "ticket", "--allow", "notify", "--allow", "kv-write"], more].concat(),
    );
    assert!(!ran.stderr.contains("denied") && ran.code.is_some_and(|code| code < 20), "{ran}");
}

fn tickets(fleet: &Fleet, more: &[&str]) -> Vec<Value> {
    fleet.json(&[&["ticket", "list", "--hub", "--all"], more].concat()).as_array().unwrap().clone()
}

#[test]
fn a_ticket_is_at_the_hub_once_also_where_the_device_was_away_and_its_agent_was_killed() {
    let fleet = Fleet::default();
    let (mut web, mail) = (fleet.device("acme"), fleet.device("globex"));
    // Nobody carries what it says, and then nobody is there to say it.
    web.kill();
    web.start_half("executor");
    assert!(wait_for(|| web.status().is_some()), "{}", web.log());
    raise(&web, &[]);
    raise(&web, &[]);
    web.kill();
    assert!(tickets(&fleet, &[]).is_empty());
    web.start();
    assert!(wait_for(|| tickets(&fleet, &[]).len() == 1), "{}", web.log());
    raise(&web, &[]);
    let times = |number: u64| fleet.json(&["ticket", "show", &number.to_string()])["ticket"]["times"].clone();
    assert!(wait_for(|| times(1) == 3), "{}", web.log());
    // The same plugin with the same fingerprint on another device has its own.
    raise(&mail, &["--param", "resolve=true"]);
    raise(&mail, &[]);
    assert!(wait_for(|| tickets(&fleet, &[]).len() == 2), "{}", mail.log());
    let (own, other) = (tickets(&fleet, &["--client", "acme"]), tickets(&fleet, &["--client", "globex"]));
    assert_eq!((own.len(), &own[0]["key"], &own[0]["times"]), (1, &json!("watch/disk"), &json!(3)));
    assert_eq!((other.len(), &other[0]["times"]), (1, &json!(1)));
    assert_eq!(own[0]["device"], named(&web));
    // What the plugin finds resolved is closed; raised once more it is the same one.
    raise(&web, &["--param", "resolve=true"]);
    let shown = || fleet.json(&["ticket", "show", "1"]);
    assert!(wait_for(|| shown()["ticket"]["state"] == "closed"), "{}", web.log());
    assert_eq!(shown()["ticket"]["resolution"], "somebody emptied it");
    assert_eq!(tickets(&fleet, &["--client", "globex"])[0]["state"], "open", "its neighbour's is not touched");
    raise(&web, &[]);
    assert!(wait_for(|| shown()["ticket"]["state"] == "open"), "{}", web.log());
    assert_eq!(shown()["notes"].as_array().unwrap().len(), 4, "one a raise: {}", shown());
    // Once a technician has answered, the device does not close it by itself.
    fleet.ok(&["ticket", "note", "1", "I look at it"]);
    raise(&web, &["--param", "resolve=true"]);
    assert!(wait_for(|| shown().to_string().contains("a technician has answered")), "{}", web.log());
    assert_eq!(shown()["ticket"]["state"], "open");
    let closed = fleet.json(&["ticket", "resolve", "1", "another disk"]);
    assert_eq!(
        (&closed["ticket"]["state"], &closed["ticket"]["resolution"]),
        (&json!("closed"), &json!("another disk"))
    );
    assert_eq!(tickets(&fleet, &[]).len(), 2, "in the end one each");
}

/// Asks for a secret, and says how that went.
const ASKS: &str = r#"
import { describeSecret } from "msp:automation/secrets";
export const manifest = {
  name: "asks", description: "Asks for a secret", publisher: "remit", version: "0.1.0",
  capabilities: { secrets: { scope: ["halo-token"], reason: "Asks for it" } },
};
export function detect() {
  try {
    return { verdict: "compliant", summary: describeSecret("halo-token").places.join(" ") };
  } catch (error) {
    return { verdict: "non-compliant", summary: error.kind };
  }
}
"#;

const TOKEN: &str = "tok-0123456789-abcdef";

/// What a plugin on the machine finds of the secret.
fn found(machine: &Machine) -> String {
    let file = machine.remit.folder("scripts").join("asks.js");
    fs::write(&file, ASKS).unwrap();
    machine.remit.run_plugin(&file, &["--allow", "secrets [halo-token]", "--output", "json"]).stdout
}

/// Whether these bytes are anywhere under a folder.
fn holds(folder: &std::path::Path, text: &str) -> bool {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|it| it.unwrap()) {
            match entry.file_type().unwrap() {
                it if it.is_dir() => folders.push(entry.path()),
                it if it.is_file() => {
                    let bytes = fs::read(entry.path()).unwrap_or_default();
                    if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                        return true;
                    }
                }
                _ => {}
            }
        }
    }
    false
}

fn set(fleet: &Fleet, args: &[&str]) -> tests::remit::Ran {
    use std::io::Write as _;
    let args = [&["secret", "set", "halo-token", "--yes"], args].concat();
    let mut command = fleet.tess.command(&args);
    let command = command.current_dir(&fleet.msp.folder).stdin(std::process::Stdio::piped());
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(TOKEN.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

/// Carries the secret to where it is for.
const CARRIES: &str = r#"
import { get } from "msp:automation/http";
import { getParameters } from "msp:automation/run";
import { openBearer } from "msp:automation/secrets";
export const manifest = {
  name: "carries", description: "Shows a secret to a server", publisher: "remit", version: "0.1.0",
  capabilities: {
    http: { scope: ["127.0.0.0/8"], reason: "Asks the server" },
    secrets: { scope: ["halo-token"], reason: "Shows it" },
  },
  parameters: { type: "object", properties: { url: { type: "string" } }, required: ["url"] },
};
export function detect() {
  const { status } = get({ url: JSON.parse(getParameters()).url, timeoutMs: 5000 }, openBearer("halo-token"));
  return { verdict: "compliant", summary: `the server said ${status}` };
}
"#;

fn carry(machine: &Machine, echo: &Echo) -> tests::remit::Ran {
    let file = machine.remit.folder("scripts").join("carries.js");
    fs::write(&file, CARRIES).unwrap();
    let url = format!("url=https://127.0.0.1:{}", echo.port);
    let allowed = ["--allow", "secrets [halo-token]", "--allow", "http [127.0.0.0/8]"];
    machine.remit.run_plugin(&file, &[&["--param", &url][..], &allowed].concat())
}

#[test]
fn a_secret_goes_sealed_to_the_devices_that_are_meant_and_nobody_on_the_way_reads_it() {
    let (fleet, echo) =
        (Fleet::default(), Echo::start(|_| "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".into()));
    let (mut web, mail) = (fleet.device("acme"), fleet.device("globex"));
    let authority = web.remit.folder("trust").join("authority.pem");
    fs::write(&authority, &echo.authority).unwrap();
    fs::write(web.remit.policy(), format!("[http]\ntrust = [\"{}\"]\n", authority.display())).unwrap();
    web.kill();
    web.start();
    let here = format!("http:127.0.0.1:{}", echo.port);
    let places = ["--for", "http:api.example.com", "--for", &here];
    assert!(found(&web).contains("not-found"));
    set(&fleet, &[&places[..], &["--client", "acme"]].concat()).expect(0);
    assert!(wait_for(|| found(&web).contains("http:api.example.com")), "{}", web.log());
    let listed = |args: &[&str]| fleet.json(&[&["secret", "list", "--name", "halo-token"], args].concat());
    assert!(wait_for(|| listed(&["--client", "acme"])[0]["state"] == "held"), "{}", listed(&["--client", "acme"]));
    assert_eq!(listed(&["--client", "globex"])[0]["state"], "missing");
    assert!(found(&mail).contains("not-found"), "nobody meant it");
    // The control: on the device a plugin carries it to where it is for, and nowhere else.
    carry(&web, &echo).expect(0);
    let heard = echo.heard();
    assert!(heard.len() == 1 && heard[0].contains(&format!("Bearer {TOKEN}")), "{heard:?}");
    // It lies there where its owner's are kept. In the hub's files, its backup and its memory, in what speaks to the network on the
    // device, and in what the technician keeps, it is nowhere.
    let of_hub = web.remit.state().join("secrets-of-hub").join("halo-token");
    assert!(of_hub.exists());
    let (hub, tess) = (fleet.msp.folder.join("hub"), fleet.tess.state());
    for folder in [&hub, &tess] {
        assert!(!holds(folder, TOKEN), "{}", folder.display());
    }
    let backup = fleet.msp.folder.join("backup");
    fleet.msp.ok(&["hub", "backup", "--folder", hub.to_str().unwrap(), backup.to_str().unwrap()]);
    let backup = fs::read(&backup).unwrap();
    let is_in = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(is_in(&backup, "halo-token") && !is_in(&backup, TOKEN));
    let in_memory =
        |text: &str| [fleet.hub.has_in_memory(text.as_bytes()), web.has_in_memory("network", text.as_bytes())];
    // Its name went the same ways.
    assert_eq!(in_memory("halo-token"), [true, true]);
    assert_eq!(in_memory(TOKEN), [false, false]);
    assert!(!web.log().contains(TOKEN));
    let exported = fleet.msp.run(&["hub", "export", "--folder", hub.to_str().unwrap(), "acme"]);
    assert!(!exported.stdout.contains(TOKEN));
    // A device that joins later lacks it, and that is shown.
    let late = fleet.device("acme");
    let states = || {
        let rows = listed(&["--client", "acme"]);
        let mut states: Vec<String> =
            rows.as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    };
    assert!(wait_for(|| states() == ["held", "missing"]), "{:?}", states());
    set(&fleet, &[&places[..], &["--device", &named(&late)]].concat()).expect(0);
    assert!(wait_for(|| states() == ["held", "held"]), "{:?}", states());
    fleet.ok(&["secret", "rm", "halo-token", "--client", "acme", "--yes"]);
    assert!(wait_for(|| found(&web).contains("not-found") && found(&late).contains("not-found")), "{}", web.log());
    assert!(wait_for(|| states() == ["removed", "removed"]), "{:?}", states());
    assert!(!of_hub.exists());
    assert_ne!(carry(&web, &echo).code, Some(0));
    assert_eq!(echo.heard().len(), 1, "nobody carries it any more");
    fleet.run(&["secret", "rm", "halo-token", "--client", "acme", "--yes"]).expect(1);
}

/// The root of a machine that says that it is this one.
fn root_of(machine: &Machine, id: &str) -> String {
    let root = machine.remit.folder(&format!("root-{id}"));
    for (path, text) in [("etc/machine-id", id), ("sys/class/dmi/id/product_uuid", "1111-2222")] {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    }
    root.to_str().unwrap().to_owned()
}

fn state_of(fleet: &Fleet, device: &str) -> Value {
    let listed = fleet.json(&["device", "list"]);
    let found = listed.as_array().unwrap().iter().find(|it| it["device"]["device"] == device).cloned();
    found.map(|it| it["device"]["cloned-ms"].clone()).unwrap_or_default()
}

#[test]
fn a_copied_disk_is_noticed_and_a_machine_that_was_started_anew_is_not() {
    let fleet = Fleet::default();
    let mut web = fleet.device("acme");
    let device = named(&web);
    assert!(wait_for(|| web.is_told()), "{}", web.log());
    let mut copy = web.copied(Some(&root_of(&web, "another")));
    // The controls: killed and started, and a backup of itself put back.
    for _ in 0..2 {
        web.kill();
        web.start();
        assert!(wait_for(|| web.is_told()), "{}", web.log());
    }
    assert!(state_of(&fleet, &device).is_null());
    // Another machine with that disk does nothing for the hub, and everybody is told.
    copy.start();
    assert!(wait_for(|| state_of(&fleet, &device).is_u64()), "{}", copy.log());
    let status = copy.status().unwrap();
    assert!(status["hub"].is_null() && status.to_string().contains("copied"), "{status}");
    assert!(fleet.ok(&["device", "list"]).stdout.contains("cloned"));
    assert!(web.is_told(), "the one that joined goes on");
    // It joins as a device of its own.
    fleet.join(&copy, "acme", &[]).expect(0);
    assert_ne!(named(&copy), device);
    assert!(wait_for(|| copy.is_told()), "{}", copy.log());
    fleet.join(&web, "acme", &[]).expect(0);
    assert_eq!(named(&web), device);
    assert!(wait_for(|| web.is_told() && state_of(&fleet, &device).is_null()), "{}", web.log());
    assert_eq!(fleet.json(&["device", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn two_machines_that_look_the_same_are_noticed_by_the_hub() {
    let fleet = Fleet::default();
    let mut web = fleet.device("acme");
    let device = named(&web);
    assert!(wait_for(|| web.is_told()), "{}", web.log());
    let mut copy = web.copied(None);
    assert!(state_of(&fleet, &device).is_null());
    copy.start();
    assert!(wait_for(|| state_of(&fleet, &device).is_u64()), "{}\n{}", web.log(), copy.log());
    // Whoever looks after it makes the copy a device of its own.
    fleet.join(&copy, "acme", &["--as-new"]).expect(0);
    assert_ne!(named(&copy), device);
    assert!(wait_for(|| copy.is_told()), "{}", copy.log());
    web.kill();
}

/// Debian's aiosmtpd, a real server, and what it accepted.
struct Mail {
    child: std::process::Child,
    port: u16,
    said: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Mail {
    fn open() -> Self {
        use std::io::Read as _;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = std::process::Command::new("/usr/bin/python3");
        command.args(["-u", "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Debugging", "-l"]);
        command.arg(format!("127.0.0.1:{port}")).stdout(std::process::Stdio::piped());
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let (mut out, said) = (child.stdout.take().unwrap(), std::sync::Arc::<std::sync::Mutex<String>>::default());
        let kept = std::sync::Arc::clone(&said);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = out.read(&mut bytes) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        assert!(wait_for(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()), "aiosmtpd does not answer");
        Self { child, port, said }
    }

    fn count(&self, text: &str) -> usize {
        self.said.lock().unwrap().matches(text).count()
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_hub_mails_what_a_device_has_no_route_for_once_and_reads_what_its_plugins_keep() {
    let mail = Mail::open();
    let mut fleet = Fleet::default();
    let route = format!(
        "[all.routes.on-call]\nkind = 'smtp'\nserver = '127.0.0.1'\nport = {}\ntls = 'none'\nfrom = 'remit@example.com'\n\
         to = ['ada@example.com']\n",
        mail.port
    );
    let mut web = fleet.device("acme");
    // While there is no such route, and nobody carries what it says.
    web.kill();
    web.start_half("executor");
    assert!(wait_for(|| web.status().is_some()), "{}", web.log());
    raise(&web, &[]);
    raise(&web, &[]);
    fs::write(fleet.msp.folder.join("hub").join("notify.toml"), route).unwrap();
    fleet.restart_hub();
    web.kill();
    web.start();
    assert!(wait_for(|| mail.count("Subject: [CRITICAL] the disk is full") == 1), "{}", web.log());
    let kept = || fleet.json(&["device", "show", &named(&web), "--kv"]);
    assert!(wait_for(|| kept()[0]["value"] == "the disk is full"), "{}", kept());
    // Killed and started anew, both: nobody is told again.
    fleet.restart_hub();
    web.kill();
    web.start();
    raise(&web, &["--param", "resolve=true"]);
    assert!(wait_for(|| mail.count("Subject: [resolved] the disk is full") == 1), "{}", web.log());
    assert_eq!(mail.count("Subject:"), 2, "{}", mail.said.lock().unwrap());
    assert!(mail.count("of acme") > 0);
    let kept = || fleet.json(&["device", "show", &named(&web), "--kv"]);
    assert!(wait_for(|| kept() == json!([])), "{}", kept());
}
