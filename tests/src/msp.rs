//! A small MSP: people with keys that `ssh-keygen` made, a root and a roster that they signed, and machines that pin the root.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::Remit;
use crate::remit::Ran;

/// The people: two of the root, a reviewer, two publishers. Each has a private key of that name in the folder, and a `.pub`.
const HOLDERS: [&str; 5] = ["ann", "ben", "rob", "remit", "other"];

/// A script that finds nothing.
const LOOK: &str = r#"
export const manifest = { name: "look", description: "Looks", publisher: "remit", version: "VERSION", CAPABILITIES };
export function detect() { return { verdict: "compliant", summary: "all is well" }; }
"#;

/// What [`Msp::script`] may ask for: nothing.
pub const NOTHING: &str = "capabilities: {}";
/// What [`Msp::script`] may ask for: facts of the machine.
pub const DEVICE: &str = "capabilities: { device: { reason: \"Reads what the machine is\" } }";

/// The people's keys and documents in one folder, and the machine of those who look after them, which pins the root.
pub struct Msp {
    /// The machine.
    pub remit: Remit,
    /// Where commands are run: keys, statements and plugins lie there.
    pub folder: PathBuf,
}

impl Default for Msp {
    fn default() -> Self {
        Self::new()
    }
}

impl Msp {
    /// With a root of two people, pinned, and a roster, taken.
    pub fn new() -> Self {
        let remit = compiled();
        let it = Self { folder: remit.folder("msp"), remit };
        HOLDERS.iter().for_each(|holder| it.make_key(holder));
        it.write("root.toml", &it.root());
        it.ok(&["root", "make", "root.toml", "--key", "ann"]);
        let refused = it.run(&["root", "pin", "root.statement", "--fingerprint", &it.fingerprint()]).expect(20);
        assert!(refused.stderr.contains("(too-few-keys)"), "{refused}");
        it.ok(&["sign", "root.statement", "--key", "ben"]);
        it.write("roster.toml", &it.roster());
        it.ok(&["roster", "make", "roster.toml", "--key", "ann"]);
        it.ok(&["sign", "roster.statement", "--key", "ben"]);
        it.enroll(&it.remit);
        it
    }

    /// A machine of its own that pins the root and knows the roster.
    pub fn machine(&self) -> Remit {
        let remit = compiled();
        self.enroll(&remit);
        remit
    }

    /// Pins the root on a machine, and has it take the roster.
    pub fn enroll(&self, remit: &Remit) {
        self.run_on(remit, &["root", "pin", "root.statement", "--fingerprint", &self.fingerprint()]).expect(0);
        self.run_on(remit, &["take", "roster.statement"]).expect(0);
    }

    /// Runs a command in the folder, on the MSP's own machine.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_on(&self.remit, args)
    }

    /// Runs a command in the folder, on another machine.
    pub fn run_on(&self, remit: &Remit, args: &[&str]) -> Ran {
        remit.command(args).current_dir(&self.folder).output().unwrap().into()
    }

    /// The same on its own machine, if it ended well.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Ran {
        self.run(args).expect(0)
    }

    /// Refused on its own machine, with these codes and no others.
    #[track_caller]
    pub fn refused(&self, args: &[&str], codes: &[&str]) {
        let ran = self.run(args).expect(20);
        assert_eq!(ran.codes(), codes, "{ran}");
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// Makes a key: the private one is called like its holder.
    pub fn make_key(&self, holder: &str) {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", holder]).current_dir(&self.folder);
        assert!(command.stdin(Stdio::null()).status().unwrap().success());
    }

    /// The line of a holder's public key.
    pub fn public(&self, holder: &str) -> String {
        fs::read_to_string(self.folder.join(holder).with_extension("pub")).unwrap().trim().to_owned()
    }

    /// What is pinned.
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let root = fs::read(self.folder.join("root.statement")).unwrap();
        format!("sha256:{}", hex::encode(Sha256::digest(root)))
    }

    /// The root, as `remit root make` takes it.
    pub fn root(&self) -> String {
        let key = |person: &str| format!("[[keys]]\nperson = \"{person}\"\nkey = \"{}\"\n", self.public(person));
        let head = "msp = \"example\"\nserial = 1\nthreshold = 2\nexpires = \"2050-01-01T00:00:00Z\"\n";
        [head, &key("ann"), &key("ben")].concat()
    }

    /// The roster, as `remit roster make` takes it.
    pub fn roster(&self) -> String {
        let seat = |list: &str, holder: &str| {
            let time = "from = \"2020-01-01T00:00:00Z\"\nuntil = \"2050-01-01T00:00:00Z\"\n";
            let scope = "clients = [\"*\"]\nclass-max = \"L4\"\n";
            format!("[[{list}]]\nholder = \"{holder}\"\nkey = \"{}\"\n{time}{scope}", self.public(holder))
        };
        let head = "serial = 1\nexpires = \"2050-01-01T00:00:00Z\"\n";
        [head, &seat("reviewers", "rob"), &seat("publishers", "remit"), &seat("publishers", "other")].concat()
    }

    /// A script that is called `look` in `NAME.wasm`, packed and signed by its publisher.
    pub fn script(&self, name: &str, version: &str, capabilities: &str) {
        let source = format!("{name}.js");
        self.write(&source, &look(version, capabilities));
        self.ok(&["build", &source]);
        self.ok(&["sign", &format!("{name}.wasm"), "--key", "remit"]);
    }

    /// Approves a plugin for everybody, as the reviewer.
    #[track_caller]
    pub fn approve(&self, plugin: &str, more: &[&str]) {
        self.ok(&[&["approve", plugin, "--name", "look", "--client", "*", "--key", "rob"], more].concat());
    }

    /// What the record of the latest run says of who vouches.
    pub fn trust_of_latest(&self) -> String {
        trust_of_latest(&self.remit)
    }

    /// Changes a file of the folder for as long as what is returned lives.
    pub fn changed(&self, name: &str, change: impl Fn(&mut Vec<u8>)) -> Restored {
        let path = self.folder.join(name);
        let before = fs::read(&path).unwrap();
        let mut bytes = before.clone();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        Restored(path, before)
    }
}

/// What the record of a machine's latest run says of who vouches.
pub fn trust_of_latest(remit: &Remit) -> String {
    let run = remit.runs()[0]["run"].as_str().unwrap().to_owned();
    remit.events(&run)[0]["trust"].as_str().unwrap().to_owned()
}

/// Puts a file back as it was.
pub struct Restored(PathBuf, Vec<u8>);

impl Drop for Restored {
    fn drop(&mut self) {
        fs::write(&self.0, &self.1).unwrap();
    }
}

/// The source of a script that is called `look`.
pub fn look(version: &str, capabilities: &str) -> String {
    LOOK.replace("VERSION", version).replace("CAPABILITIES", capabilities)
}

/// A device that has compiled the script runtime: in a debug build that takes seconds, once.
pub fn compiled() -> Remit {
    static COMPILED: LazyLock<Remit> = LazyLock::new(|| {
        let remit = Remit::new();
        let script = remit.folder("scripts").join("look.js");
        fs::write(&script, look("0.1.0", NOTHING)).unwrap();
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
