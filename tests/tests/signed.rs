//! Signed plugins, from a publisher's key to a run: who vouches, what is refused, and what the record says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tests::remit::Ran;
use tests::{Remit, built};

/// A small MSP: people with keys that `ssh-keygen` made, on one machine, in one folder.
struct Msp {
    remit: Remit,
    folder: PathBuf,
}

const LOOK: &str = r#"
export const manifest = { name: "look", description: "Looks", publisher: "remit", version: "VERSION", CAPABILITIES };
export function detect() { return { verdict: "compliant", summary: "all is well" }; }
"#;

const NOTHING: &str = "capabilities: {}";
const DEVICE: &str = "capabilities: { device: { reason: \"Reads what the machine is\" } }";

impl Msp {
    /// With a root of two people, pinned, and a roster, taken.
    fn new() -> Self {
        let remit = compiled();
        let it = Self { folder: remit.folder("msp"), remit };
        for holder in ["ann", "ben", "rob", "remit", "other"] {
            it.make_key(holder);
        }
        it.write("root.toml", &it.root());
        it.ok(&["root", "make", "root.toml", "--key", "ann"]);
        let refused = it.run(&["root", "pin", "root.statement", "--fingerprint", &it.fingerprint()]).expect(20);
        assert!(refused.stderr.contains("(too-few-keys)"), "{refused}");
        it.ok(&["sign", "root.statement", "--key", "ben"]);
        it.ok(&["root", "pin", "root.statement", "--fingerprint", &it.fingerprint()]);
        it.write("roster.toml", &it.roster());
        it.ok(&["roster", "make", "roster.toml", "--key", "ann"]);
        it.ok(&["sign", "roster.statement", "--key", "ben"]);
        it.ok(&["take", "roster.statement"]);
        it
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.remit.command(args).current_dir(&self.folder).output().unwrap().into()
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> Ran {
        self.run(args).expect(0)
    }

    /// Refused, with these codes and no others.
    #[track_caller]
    fn refused(&self, args: &[&str], codes: &[&str]) {
        let ran = self.run(args).expect(20);
        let told: Vec<&str> =
            ran.stderr.lines().filter_map(|line| Some(line.strip_suffix(')')?.rsplit_once(" (")?.1)).collect();
        assert_eq!(told, codes, "{ran}");
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    fn make_key(&self, holder: &str) {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", holder]).current_dir(&self.folder);
        assert!(command.stdin(Stdio::null()).status().unwrap().success());
    }

    fn public(&self, holder: &str) -> String {
        fs::read_to_string(self.folder.join(holder).with_extension("pub")).unwrap().trim().to_owned()
    }

    fn fingerprint(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let root = fs::read(self.folder.join("root.statement")).unwrap();
        format!("sha256:{}", hex::encode(Sha256::digest(root)))
    }

    fn root(&self) -> String {
        let key = |person: &str| format!("[[keys]]\nperson = \"{person}\"\nkey = \"{}\"\n", self.public(person));
        let head = "msp = \"example\"\nserial = 1\nthreshold = 2\nexpires = \"2050-01-01T00:00:00Z\"\n";
        [head, &key("ann"), &key("ben")].concat()
    }

    fn roster(&self) -> String {
        let seat = |list: &str, holder: &str| {
            let time = "from = \"2020-01-01T00:00:00Z\"\nuntil = \"2050-01-01T00:00:00Z\"\n";
            let scope = "clients = [\"*\"]\nclass-max = \"L4\"\n";
            format!("[[{list}]]\nholder = \"{holder}\"\nkey = \"{}\"\n{time}{scope}", self.public(holder))
        };
        let head = "serial = 1\nexpires = \"2050-01-01T00:00:00Z\"\ntechnicians = []\nclients = []\n";
        [head, &seat("reviewers", "rob"), &seat("publishers", "remit"), &seat("publishers", "other")].concat()
    }

    /// A script, packed and signed.
    fn script(&self, name: &str, version: &str, capabilities: &str) {
        let source = format!("{name}.js");
        self.write(&source, &LOOK.replace("VERSION", version).replace("CAPABILITIES", capabilities));
        self.ok(&["build", &source]);
        self.ok(&["sign", &format!("{name}.wasm"), "--key", "remit"]);
    }

    fn approve(&self, plugin: &str, more: &[&str]) {
        self.ok(&[&["approve", plugin, "--name", "look", "--client", "*", "--key", "rob"], more].concat());
    }

    /// What the record of the latest run says of who vouches.
    fn trust_of_latest(&self) -> String {
        let run = self.remit.runs()[0]["run"].as_str().unwrap().to_owned();
        self.remit.events(&run)[0]["trust"].as_str().unwrap().to_owned()
    }

    fn changed(&self, name: &str, change: impl Fn(&mut Vec<u8>)) -> Restored {
        let path = self.folder.join(name);
        let before = fs::read(&path).unwrap();
        let mut bytes = before.clone();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        Restored(path, before)
    }
}

/// Puts a file back as it was.
struct Restored(PathBuf, Vec<u8>);

impl Drop for Restored {
    fn drop(&mut self) {
        fs::write(&self.0, &self.1).unwrap();
    }
}

/// A device that has compiled the script runtime: in a debug build that takes seconds, once.
fn compiled() -> Remit {
    static COMPILED: LazyLock<Remit> = LazyLock::new(|| {
        let remit = Remit::new();
        let script = remit.folder("scripts").join("look.js");
        fs::write(&script, LOOK.replace("VERSION", "0.1.0").replace("CAPABILITIES", NOTHING)).unwrap();
        remit.run_plugin(&script, &[]).expect(0);
        remit
    });
    let remit = Remit::new();
    let folder = remit.state().join("compiled");
    fs::create_dir_all(&folder).unwrap();
    for file in fs::read_dir(COMPILED.state().join("compiled")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    remit
}

#[test]
fn a_plugin_runs_when_both_have_signed_and_the_record_says_so() {
    let msp = Msp::new();
    msp.script("look", "1.0.0", DEVICE);
    msp.refused(&["run", "look.wasm"], &["no-approval"]);
    assert_eq!(msp.remit.runs()[0]["ended"]["outcome"], "refused", "a refusal has a record");
    msp.run(&["verify", "look.wasm"]).expect(20);
    msp.approve("look.wasm", &[]);
    let verified = msp.ok(&["--output", "json", "verify", "look.wasm"]).json();
    assert_eq!(verified["ok"], true);
    assert!(verified["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{verified:#}");
    msp.ok(&["run", "look.wasm"]);
    assert_eq!(msp.trust_of_latest(), "signed by remit, approved by rob in look");
    msp.run(&["run", "look.wasm", "--allow", "files-write"]).expect(1);
    fs::rename(msp.folder.join("look.wasm.statement"), msp.folder.join("gone")).unwrap();
    msp.ok(&["run", "look.wasm"]);
    assert_eq!(msp.trust_of_latest(), "unsigned", "by hand, from a file, and the record says so");
}

#[test]
fn a_component_is_signed_as_a_script_is() {
    let msp = Msp::new();
    let component = built::folder(&built::repository().join("plugins/inventory"));
    fs::copy(component, msp.folder.join("inventory.wasm")).unwrap();
    msp.ok(&["sign", "inventory.wasm", "--key", "remit"]);
    let before = fs::read_dir(msp.remit.state().join("compiled")).unwrap().count();
    msp.refused(&["run", "inventory.wasm"], &["no-approval"]);
    let after: Vec<String> = fs::read_dir(msp.remit.state().join("compiled"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let labels = after.iter().filter(|name| name.ends_with(".label")).count();
    assert_eq!((after.len(), labels), (before + 1, 2), "its label was read, and nothing of it compiled: {after:?}");
    msp.approve("inventory.wasm", &[]);
    msp.ok(&["run", "inventory.wasm"]);
    assert_eq!(msp.trust_of_latest(), "signed by remit, approved by rob in look");
}

#[test]
fn what_was_changed_on_the_way_does_not_run() {
    let msp = Msp::new();
    msp.script("look", "1.0.0", DEVICE);
    msp.script("other", "2.0.0", DEVICE);
    msp.approve("look.wasm", &[]);
    let run = ["run", "look.wasm"];
    msp.ok(&run);
    let flip = |what: &'static [u8]| {
        move |bytes: &mut Vec<u8>| {
            let at = bytes.windows(what.len()).position(|it| it == what).unwrap();
            bytes[at] ^= 1;
        }
    };
    let changed = msp.changed("look.wasm", flip(b"all is well"));
    msp.refused(&run, &["other-bytes", "no-approval"]);
    drop(changed);
    let changed = msp.changed("look.wasm", flip(b"Reads what"));
    msp.refused(&run, &["other-bytes", "other-manifest", "no-approval"]);
    drop(changed);
    let changed = msp.changed("look.wasm.statement", flip(b"look"));
    msp.refused(&run, &["bad-signature", "relabelled"]);
    drop(changed);
    let changed = msp.changed("look.wasm.statement.sig", |bytes| bytes.clear());
    msp.refused(&run, &["no-signature"]);
    drop(changed);
    let other = fs::read(msp.folder.join("other.wasm.statement.sig")).unwrap();
    let changed = msp.changed("look.wasm.statement.sig", |bytes| bytes.clone_from(&other));
    msp.refused(&run, &["bad-signature"]);
    drop(changed);
    msp.ok(&run);
}

#[test]
fn an_upgrade_that_asks_for_more_needs_more_words_and_a_downgrade_too() {
    let msp = Msp::new();
    msp.script("one", "1.0.0", NOTHING);
    msp.script("two", "2.0.0", DEVICE);
    msp.approve("one.wasm", &[]);
    msp.ok(&["run", "one.wasm"]);
    msp.refused(&["run", "two.wasm"], &["no-approval"]);
    // The old version keeps an approval of its own.
    msp.ok(&["approve", "one.wasm", "--name", "narrow", "--client", "*", "--key", "rob", "--out", "."]);
    msp.approve("two.wasm", &[]);
    msp.ok(&["run", "two.wasm"]);
    msp.refused(&["run", "one.wasm"], &["older-version"]);
    msp.refused(&["run", "one.wasm", "--downgrade"], &["older-version"]);
    msp.approve("one.wasm", &["--downgrade"]);
    msp.refused(&["run", "one.wasm"], &["older-version"]);
    msp.ok(&["run", "one.wasm", "--downgrade"]);
}

#[test]
fn an_approval_is_for_whom_it_says_and_ends_when_it_is_revoked() {
    let msp = Msp::new();
    msp.script("look", "1.0.0", DEVICE);
    let approve = ["approve", "look.wasm", "--name", "look", "--client", "acme", "--tag", "server", "--key", "rob"];
    msp.ok(&[&approve[..], &["--mode", "detect"]].concat());
    msp.refused(&["run", "look.wasm"], &["other-client", "other-tags"]);
    let there = ["run", "look.wasm", "--client", "acme", "--tag", "server"];
    msp.ok(&there);
    msp.refused(&[&there[..], &["--mode", "enforce"]].concat(), &["other-mode"]);
    msp.write(
        "policy.toml",
        "serial = 1\nexpires = \"2050-01-01T00:00:00Z\"\nclient = \"acme\"\nclass-max = \"L2\"\nmodes = [\"detect\"]\n\
         publishers = [\"other\"]\n",
    );
    msp.ok(&["policy", "make", "policy.toml", "--key", "ann"]);
    msp.run(&["take", "policy.statement"]).expect(20);
    msp.ok(&["sign", "policy.statement", "--key", "ben"]);
    msp.ok(&["take", "policy.statement"]);
    msp.refused(&there, &["policy-forbids"]);
    let mut allowed = fs::read_to_string(msp.folder.join("policy.toml")).unwrap();
    allowed = allowed.replace("\"other\"", "\"*\"").replace("serial = 1", "serial = 2");
    msp.write("policy.toml", &allowed);
    msp.ok(&["policy", "make", "policy.toml", "--key", "ann"]);
    msp.ok(&["sign", "policy.statement", "--key", "ben"]);
    msp.ok(&["take", "policy.statement"]);
    msp.ok(&there);
    let revoke = ["revoke", "--end", "compromised", "--reason", "it does harm", "--plugin", "look.wasm"];
    msp.ok(&[&revoke[..], &["--key", "remit"]].concat());
    msp.refused(&there, &["revoked"]);
}

#[test]
fn a_roster_that_is_rolled_back_is_not_taken() {
    let msp = Msp::new();
    let make = |serial: &str| {
        msp.write("roster.toml", &msp.roster().replace("serial = 1", serial));
        msp.ok(&["roster", "make", "roster.toml", "--key", "ann"]);
        msp.ok(&["sign", "roster.statement", "--key", "ben"]);
    };
    make("serial = 3");
    msp.ok(&["take", "roster.statement"]);
    make("serial = 2");
    msp.refused(&["take", "roster.statement"], &["rolled-back"]);
    let shown = msp.ok(&["--output", "json", "roster", "show"]).json();
    assert_eq!(shown["serial"], Value::from(3));
    assert!(Path::new(&msp.remit.state().join("trust/pin")).exists());
}
