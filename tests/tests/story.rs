//! From whoever publishes a plugin to whoever runs it, and back: people who trust nobody in between, and a registry that nobody
//! trusts. Once with a component and once with a script.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::msp::{DEVICE, NOTHING, compiled, look, trust_of_latest};
use tests::registry::Registry;
use tests::remit::Ran;
use tests::{Msp, Remit, built, need_root, relabelled};

/// A technician's machine, before it knows anybody, and the registry.
struct Story {
    msp: Msp,
    publisher: Remit,
    machine: Remit,
    /// Where the plugin is, without a version.
    there: String,
    _registry: Registry,
}

impl Story {
    fn new() -> Self {
        let registry = Registry::start();
        let there = format!("{}/plugins/look", registry.address());
        Self { msp: Msp::new(), publisher: compiled(), machine: compiled(), there, _registry: registry }
    }

    fn at(&self, version: &str) -> String {
        format!("{}:{version}", self.there)
    }

    /// A command on the technician's machine.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> Value {
        on(&self.msp, &self.machine, args)
    }

    #[track_caller]
    fn refused(&self, args: &[&str], codes: &[&str]) -> String {
        let ran = self.msp.run_on(&self.machine, args).expect(20);
        assert_eq!(ran.codes(), codes, "{ran}");
        ran.stderr
    }

    /// The publisher signs and pushes.
    fn publish(&self, file: &str) {
        self.msp.run_on(&self.publisher, &["sign", file, "--key", "remit"]).expect(0);
        let pushed = on(&self.msp, &self.publisher, &["plugin", "push", file, &self.there]);
        eprintln!("push {}: {}", pushed["to"], pushed["traffic"]);
    }

    /// The whole way, for a plugin `look` of which version 2 asks for one capability more.
    fn tell(&self, one: &str, two: &str) {
        let old = self.at("1.0.0");
        self.publish(one);

        // A machine that knows nobody.
        let arrived = self.ok(&["plugin", "install", &old]);
        eprintln!("install {old}: {}", arrived["traffic"]);
        assert_eq!(arrived["installed"][0]["approved"], json!([]));
        self.refused(&["run", "look"], &["no-root"]);
        assert_eq!(self.machine.runs()[0]["ended"]["outcome"], "refused", "a refusal has a record");

        // It pins the root that it was told, and takes the roster; the label is read before anything runs.
        self.msp.enroll(&self.machine);
        assert_eq!(self.ok(&["inspect", "look"])["trust"], "signed by remit");
        let told = self.refused(&["run", "look"], &["no-approval"]);
        assert!(told.contains("`remit approve look@1.0.0 --name look-1.0.0 --client '*'`"), "{told}");
        self.refused(&["verify", "look"], &[]);
        assert_eq!(self.list(), [("1.0.0".to_owned(), 0)]);

        // The MSP's reviewer approves what is in the registry, and hands that out over it.
        let approve = ["approve", &self.there, "--versions", "^1", "--name", "look-1", "--client", "*", "--key", "rob"];
        self.msp.ok(&approve);
        self.msp.ok(&["plugin", "pull", &old, "pulled.wasm"]);
        let with = ["plugin", "push", "pulled.wasm", &self.there, "--with", "look-1.approval.statement"];
        self.msp.ok(&with);
        let upgraded = self.ok(&["plugin", "upgrade"]);
        assert_eq!((&upgraded[0]["became"], &upgraded[0]["means"]), (&json!("newest"), &json!("1.0.0")));
        assert_eq!(self.list(), [("1.0.0".to_owned(), 3)]);
        self.ok(&["verify", "look"]);
        assert_eq!(self.ok(&["inspect", "look"])["trust"], "signed by remit, approved by rob in look-1");
        self.ok(&["run", "look"]);
        assert_eq!(trust_of_latest(&self.machine), "signed by remit, approved by rob in look-1");

        // A version that asks for more.
        self.publish(two);
        let looked = self.msp.run_on(&self.machine, &["--output", "json", "plugin", "upgrade", "--dry-run"]).expect(20);
        assert_eq!((&looked.json()[0]["newer"], &looked.json()[0]["grows"]), (&json!("2.0.0"), &json!(true)));
        assert_eq!(self.list().len(), 1, "and nothing was installed");
        let refused = self.msp.run_on(&self.machine, &["--output", "json", "plugin", "upgrade", "look"]).expect(20);
        let row = &refused.json()[0];
        eprintln!(
            "upgrade to {}: {}",
            row["newer"],
            refused.stderr.lines().find(|it| it.contains(" bytes sent")).unwrap()
        );
        assert_eq!((&row["became"], &row["means"], &row["grows"]), (&json!("refused"), &json!("1.0.0"), &json!(true)));
        assert!(text(row, "next").contains("`remit approve look@2.0.0 --name look-2.0.0 --client '*'`"), "{row}");
        assert_eq!(self.list(), [("1.0.0".to_owned(), 3), ("2.0.0".to_owned(), 0)]);
        self.refused(&["run", "look@2.0.0"], &["no-approval"]);
        self.ok(&["run", "look"]);
        assert_eq!(self.ran(), "1.0.0", "what merely is installed is in nobody's way");
        let lock = fs::read_to_string(self.machine.state().join("plugins.lock")).unwrap();
        assert!(lock.contains("version = \"1.0.0\"") && !lock.contains("2.0.0"), "{lock}");

        // The line that was printed approves it.
        self.ok(&["approve", "look@2.0.0", "--name", "look-2.0.0", "--client", "*", "--key", "rob"]);
        self.ok(&["plugin", "upgrade"]);
        self.ok(&["run", "look"]);
        assert_eq!(self.ran(), "2.0.0");
        assert_eq!(trust_of_latest(&self.machine), "signed by remit, approved by rob in look-2.0.0");
        let lock = fs::read_to_string(self.machine.state().join("plugins.lock")).unwrap();
        assert!(lock.contains("version = \"2.0.0\"") && !lock.contains("1.0.0"), "{lock}");
        self.refused(&["run", "look@1.0.0"], &["older-version"]);
        self.ok(&["plugin", "remove", "look"]);
        assert!(self.list().is_empty());
        let gone = self.msp.run_on(&self.machine, &["run", "look"]).expect(1);
        assert!(gone.stderr.contains("look is not installed"), "{gone}");
        let blobs = fs::read_dir(self.machine.state().join("plugins/blobs")).unwrap().count();
        assert_eq!(blobs, 0, "nothing is left of it");
    }

    /// What is installed: version, and the modes in which it is approved.
    fn list(&self) -> Vec<(String, usize)> {
        let row = |row: &Value| (text(row, "version"), row["approved"].as_array().unwrap().len());
        self.ok(&["plugin", "list"]).as_array().unwrap().iter().map(row).collect()
    }

    /// The version that ran last.
    fn ran(&self) -> String {
        let run = text(&self.machine.runs()[0], "run");
        text(&self.machine.events(&run)[0], "version")
    }
}

#[track_caller]
fn on(msp: &Msp, machine: &Remit, args: &[&str]) -> Value {
    let ran = msp.run_on(machine, &[&["--output", "json"], args].concat()).expect(0);
    if ran.stdout.is_empty() { Value::Null } else { ran.json() }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field}: {value:#}")).to_owned()
}

#[test]
fn a_script_from_its_publisher_to_a_run_and_an_upgrade() {
    let story = Story::new();
    for (name, version, capabilities) in [("one.js", "1.0.0", NOTHING), ("two.js", "2.0.0", DEVICE)] {
        story.msp.write(name, &look(version, capabilities));
        story.msp.run_on(&story.publisher, &["build", name]).expect(0);
    }
    story.tell("one.wasm", "two.wasm");
}

#[test]
fn a_component_from_its_publisher_to_a_run_and_an_upgrade() {
    let story = Story::new();
    let built = fs::read(built::plugin("inventory")).unwrap();
    let of_version = |version: &str, asks: Option<&str>| {
        relabelled(&built, |manifest| {
            manifest["plugin"]["name"] = "look".into();
            manifest["plugin"]["version"] = version.into();
            if let Some(more) = asks {
                manifest["capabilities"][more] = json!({ "reason": "Tells who is at it" });
            }
        })
    };
    fs::write(story.msp.folder.join("one.wasm"), of_version("1.0.0", None)).unwrap();
    fs::write(story.msp.folder.join("two.wasm"), of_version("2.0.0", Some("device-people"))).unwrap();
    story.tell("one.wasm", "two.wasm");
}

/// In a network namespace of its own, which has no way out of it.
fn without_network(msp: &Msp, machine: &Remit, args: &[&str]) -> Ran {
    let inner = machine.command(args);
    let mut command = Command::new("unshare");
    command.arg("-n").arg(inner.get_program()).args(inner.get_args()).current_dir(&msp.folder);
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.output().unwrap().into()
}

#[test]
fn a_plugin_is_carried_to_where_there_is_no_network() {
    need_root!();
    let story = Story::new();
    let msp = &story.msp;
    msp.script("one", "1.0.0", DEVICE);
    on(msp, &story.publisher, &["plugin", "push", "one.wasm", &story.there]);
    msp.ok(&["plugin", "install", &story.at("1.0.0")]);
    msp.ok(&["approve", "look", "--name", "look", "--client", "*", "--key", "rob"]);
    msp.ok(&["plugin", "save", "look", "stick.tar"]);

    let island = compiled();
    let there = |args: &[&str]| without_network(msp, &island, args);
    // That there is no network is seen: what anybody reaches here is out of reach there.
    let cut_off = there(&["plugin", "install", &story.at("1.0.0")]).expect(1);
    assert!(cut_off.stderr.contains("cannot be reached"), "{cut_off}");
    there(&["root", "pin", "root.statement", "--fingerprint", &msp.fingerprint()]).expect(0);
    there(&["take", "roster.statement"]).expect(0);
    let loaded = there(&["--output", "json", "plugin", "load", "stick.tar"]).expect(0).json();
    assert_eq!(loaded["installed"][0]["approved"], json!(["detect", "dry-run", "enforce"]), "its approval came along");
    there(&["verify", "look"]).expect(0);
    there(&["run", "look"]).expect(0);
    assert_eq!(trust_of_latest(&island), "signed by remit, approved by rob in look");
    // Without the approval, the same archive is taken in and does not run.
    fs::remove_dir_all(island.state().join("trust/approval")).unwrap();
    there(&["run", "look"]).expect(20);
    // What was changed on the way is not taken in.
    let mut bytes = fs::read(msp.folder.join("stick.tar")).unwrap();
    let at = bytes.windows(11).position(|it| it == b"all is well").unwrap();
    bytes[at] ^= 1;
    fs::write(msp.folder.join("other.tar"), bytes).unwrap();
    let changed = there(&["plugin", "load", "other.tar"]).expect(1);
    assert!(changed.stderr.contains("it was changed"), "{changed}");
}

#[test]
fn what_its_publisher_took_back_is_not_taken_up_and_what_runs_goes_on() {
    let story = Story::new();
    let msp = &story.msp;
    msp.enroll(&story.machine);
    msp.script("one", "1.0.0", NOTHING);
    msp.script("two", "2.0.0", NOTHING);
    for file in ["one.wasm", "two.wasm"] {
        on(msp, &story.publisher, &["plugin", "push", file, &story.there]);
    }
    // An index that the publisher signs says where it is.
    let (one, two) = (format!("oci://{}", story.at("1.0.0")), format!("oci://{}", story.at("2.0.0")));
    msp.run_on(&story.publisher, &["plugin", "index", "remit", &one, &two, "--key", "remit"]).expect(0);
    story.ok(&["take", "remit.index.statement"]);
    story.ok(&["plugin", "install", "look@1.0.0"]);
    story.ok(&["approve", "look", "--name", "look", "--client", "*", "--key", "rob"]);
    story.ok(&["run", "look"]);
    on(msp, &msp.machine(), &["plugin", "install", "one.wasm"]);

    // A stranger takes nothing back.
    let yank = |machine: &Remit, of: &str, key: &str| {
        let args = ["plugin", "yank", of, "--reason", "it deletes too much", "--key", key];
        msp.run_on(machine, &args).expect(0)
    };
    let told = yank(&story.publisher, &story.at("2.0.0"), "other");
    assert!(told.stderr.contains("another key signed the plugin"), "{told}");
    let looked = story.msp.run_on(&story.machine, &["--output", "json", "plugin", "upgrade", "--dry-run"]).expect(20);
    assert_eq!(looked.json()[0]["newer"], "2.0.0", "{looked}");
    assert!(looked.stderr.contains("ends nothing of it"), "{looked}");

    // Approvals of before hold, and these are of the second before.
    thread::sleep(Duration::from_millis(1100));
    yank(&story.publisher, &story.at("2.0.0"), "remit");
    let upgraded = story.msp.run_on(&story.machine, &["--output", "json", "plugin", "upgrade"]).expect(0);
    assert!(upgraded.stderr.contains("look 2.0.0 is passed over"), "{upgraded}");
    assert_eq!(upgraded.json()[0]["became"], "newest");
    story.refused(&["plugin", "install", &story.at("2.0.0")], &["retired"]);

    // The one that runs is taken back too: it goes on where it was approved, and nobody approves it any more.
    yank(&story.publisher, &story.at("1.0.0"), "remit");
    story.ok(&["plugin", "upgrade"]);
    story.ok(&["run", "look"]);
    assert_eq!(story.ok(&["plugin", "list"])[0]["approved"].as_array().unwrap().len(), 3);
    assert!(text(&story.ok(&["plugin", "show", "look"])["installed"], "retired").contains("it deletes too much"));
    let late = ["approve", &story.there, "--versions", "*", "--name", "late", "--client", "*", "--key", "rob"];
    let late = msp.run_on(&story.machine, &late).expect(1);
    assert!(late.stderr.contains("that is not retired"), "{late}");

    // Beside a file it is the same.
    yank(&story.publisher, "one.wasm", "remit");
    let again = msp.run_on(&msp.machine(), &["plugin", "install", "one.wasm"]).expect(20);
    assert_eq!(again.codes(), ["retired"], "{again}");
}
