//! From whoever publishes a plugin to whoever runs it, and back: people who trust nobody in between, and a registry that nobody
//! trusts. Once with a component and once with a script.

use std::fs;

use serde_json::{Value, json};
use tests::msp::{DEVICE, NOTHING, compiled, look, trust_of_latest};
use tests::registry::Registry;
use tests::{Msp, Remit, built, relabelled};

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
        println!("push {}: {}", pushed["to"], pushed["traffic"]);
    }

    /// The whole way, for a plugin `look` of which version 2 asks for one capability more.
    fn tell(&self, one: &str, two: &str) {
        let old = self.at("1.0.0");
        self.publish(one);

        // A machine that knows nobody.
        let arrived = self.ok(&["plugin", "install", &old]);
        println!("install {old}: {}", arrived["traffic"]);
        assert_eq!(arrived["installed"][0]["approved"], json!([]));
        self.refused(&["run", "look"], &["no-root"]);
        assert_eq!(self.machine.runs()[0]["ended"]["outcome"], "refused", "a refusal has a record");

        // It pins the root that it was told, and takes the roster; the label is read before anything runs.
        self.msp.enroll(&self.machine);
        assert_eq!(self.ok(&["inspect", "look"])["name"], "look");
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
        self.ok(&["run", "look"]);
        assert_eq!(trust_of_latest(&self.machine), "signed by remit, approved by rob in look-1");

        // A version that asks for more.
        self.publish(two);
        let looked = self.msp.run_on(&self.machine, &["--output", "json", "plugin", "upgrade", "--dry-run"]).expect(20);
        assert_eq!((&looked.json()[0]["newer"], &looked.json()[0]["grows"]), (&json!("2.0.0"), &json!(true)));
        assert_eq!(self.list().len(), 1, "and nothing was installed");
        let refused = self.msp.run_on(&self.machine, &["--output", "json", "plugin", "upgrade", "look"]).expect(20);
        let row = &refused.json()[0];
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
