//! A managed host that has the recipes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Host, Remit, Root, built};

use crate::{LOOPBACK, RECIPES};

const POLICY: &str = r#"
[files.roots]
cache = "/srv/cache"
backups = "/srv/backups"
logs = "/srv/logs"

[notify.routes.technician]
kind = "webhook"
url = "http://127.0.0.1:8090/"

[[allow]]
capability = "files-write [cache]"

[[allow]]
capability = "service-control"

[[allow]]
capability = "process-control"

[[allow]]
capability = "kv-write"

[[allow]]
capability = "ticket"

[[allow]]
capability = "notify [technician]"

[[allow]]
capability = "LOOPBACK"
"#;

/// A device of this machine that has compiled the script runtime: in a debug build that takes seconds, once.
pub(crate) fn compiled() -> &'static Remit {
    static COMPILED: LazyLock<Remit> = LazyLock::new(|| {
        let remit = Remit::new();
        remit.run_plugin(&crate::folder().join("uptime-report.js"), &[]).expect(0);
        remit
    });
    &COMPILED
}

/// A host, and which recipes ran on it.
pub(crate) struct Managed {
    host: Host,
    ran: RefCell<BTreeSet<String>>,
}

impl Managed {
    pub(crate) fn boot(root: Root) -> Self {
        let mut prepared = Host::prepare(root)
            .with_program("/usr/local/bin/remit", built::remit())
            .with_file("/etc/remit/policy.toml", POLICY.replace("LOOPBACK", LOOPBACK));
        for recipe in RECIPES {
            prepared = prepared.with_file(&format!("/opt/{}.js", recipe.name), recipe.text());
        }
        for file in fs::read_dir(compiled().state().join("compiled")).unwrap() {
            let file = file.unwrap();
            let path = format!("/var/lib/remit/compiled/{}", file.file_name().to_str().unwrap());
            prepared = prepared.with_file(&path, fs::read(file.path()).unwrap());
        }
        Self { host: prepared.boot(), ran: RefCell::default() }
    }

    pub(crate) fn has_run(&self, recipe: &str) -> bool {
        self.ran.borrow().contains(recipe)
    }

    /// Runs a command line of a shell inside, which must succeed.
    pub(crate) fn sh(&self, line: &str) -> String {
        self.host.run(&["sh", "-c", line])
    }

    /// Runs a command of `remit` inside, which must succeed.
    pub(crate) fn remit(&self, args: &[&str]) -> String {
        self.host.run(&[&["/usr/local/bin/remit"], args].concat())
    }

    /// Writes a file inside.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.host.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Keeps a Python program running.
    pub(crate) fn python(&self, unit: &str, program: &str) {
        self.write(&format!("/opt/{unit}.py"), program);
        self.sh(&format!("systemd-run --quiet --unit={unit} python3 /opt/{unit}.py"));
    }

    pub(crate) fn wait_until(&self, line: &str) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while !self.host.output(&["sh", "-c", line]).status.success() {
            assert!(Instant::now() < deadline, "never: {line}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn run(&self, recipe: &str, mode: &str, args: &[&str]) -> Value {
        let script = format!("/opt/{recipe}.js");
        let command = ["/usr/local/bin/remit", "--output", "json", "run", &script, "--mode", mode];
        let output = self.host.output(&[&command, args].concat());
        let ran: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{recipe}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(ran["outcome"], "completed", "{recipe}: {ran:#}");
        self.ran.borrow_mut().insert(recipe.to_owned());
        ran
    }

    /// The recipe looks, and answers this.
    pub(crate) fn says(&self, recipe: &str, args: &[&str], verdict: &str) -> Value {
        let ran = self.run(recipe, "detect", args);
        assert_eq!(ran["verdict"], verdict, "{recipe}: {ran:#}");
        ran
    }

    /// The recipe looks, and finds this and nothing else; what shows each is answered.
    pub(crate) fn finds(&self, recipe: &str, args: &[&str], titles: &[&str]) -> String {
        let ran = self.says(recipe, args, "non-compliant");
        let findings = ran["findings"].as_array().unwrap();
        let found: Vec<&str> = findings.iter().map(|it| it["title"].as_str().unwrap()).collect();
        assert_eq!(found, titles, "{recipe}: {ran:#}");
        findings.iter().map(|it| it["evidence"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// The recipe acts, with this verdict and these changes.
    pub(crate) fn acts(&self, recipe: &str, args: &[&str], verdict: &str, changed: &[&str]) -> Value {
        let ran = self.run(recipe, "enforce", args);
        assert_eq!(ran["verdict"], verdict, "{recipe}: {ran:#}");
        let effects = ran["effects"].as_array().unwrap().iter().filter(|it| it["effect"] == "changed");
        let targets: Vec<&str> = effects.map(|it| it["target"].as_str().unwrap()).collect();
        assert_eq!(targets, changed, "{recipe}: {ran:#}");
        ran
    }
}
