//! Agents that are replaced by order, on a booted host with a hub beside them: by one that is well, and by one that is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::hosts::Prepared;
use tests::{Host, Msp, built, need_root, package, releases};

use super::REMIT;

/// Where the MSP's keys, documents and releases lie on the host.
const DESK: &str = "/srv/msp";

/// The versions that are released, beside the one of this repository, `0.1.0`.
const GOOD: &str = "0.1.1";
const BAD: &str = "0.1.2";

/// The programs, made once for all tests.
struct Programs {
    folder: TempDir,
}

static PROGRAMS: LazyLock<Programs> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    package::strip(built::remit(), &folder.path().join("remit"));
    releases::next(built::remit(), GOOD, &folder.path().join(GOOD));
    releases::failing(BAD, &folder.path().join(BAD));
    Programs { folder }
});

fn program(name: &str) -> PathBuf {
    PROGRAMS.folder.path().join(name)
}

/// An MSP with a technician and somebody who releases.
fn msp() -> Msp {
    let msp = Msp::new();
    let seat = |list: &str, holder: &str| {
        msp.make_key(holder);
        let time = "from = \"2020-01-01T00:00:00Z\"\nuntil = \"2050-01-01T00:00:00Z\"\n";
        let key = msp.public(holder);
        format!("[[{list}]]\nholder = \"{holder}\"\nkey = \"{key}\"\n{time}clients = [\"*\"]\nclass-max = \"L3\"\n")
    };
    let seats = [seat("technicians", "tess"), seat("releases", "ray")].concat();
    msp.write("seats.toml", &(msp.roster().replace("serial = 1", "serial = 2") + &seats));
    msp.ok(&["roster", "make", "seats.toml", "--key", "ann"]);
    msp.ok(&["sign", "seats.statement", "--key", "ben"]);
    msp
}

/// A release of a program, whose statement is changed before somebody signs it.
fn release(msp: &Msp, name: &str, version: &str, by: &str, change: impl FnOnce(&mut Value)) {
    let file = format!("{name}.statement");
    msp.write(&file, &releases::statement(&program(version), version, change));
    msp.ok(&["sign", &file, "--key", by]);
}

fn put(prepared: Prepared, msp: &Msp, names: &[&str]) -> Prepared {
    let read = |name: &str| fs::read(msp.folder.join(name)).unwrap();
    names.iter().fold(prepared, |prepared, name| prepared.with_file(&format!("{DESK}/{name}"), read(name)))
}

/// A host with an agent that joined a hub, which is on the same host.
struct Site {
    host: Host,
}

impl Site {
    fn boot(root: tests::Root, msp: &Msp, releases: &[(&str, &str)]) -> Self {
        let documents =
            ["root.statement", "root.statement.sig", "seats.statement", "seats.statement.sig", "tess", "tess.pub"];
        let prepared = Host::prepare(root).with_program("/opt/remit", &program("remit"));
        let mut prepared = put(prepared, msp, &documents);
        for (name, version) in releases {
            prepared = prepared.with_program(&format!("{DESK}/{name}"), &program(version));
            prepared = put(prepared, msp, &[&format!("{name}.statement"), &format!("{name}.statement.sig")]);
        }
        let host = prepared.boot();
        let site = Self { host };
        site.host.run(&["chmod", "600", &format!("{DESK}/tess")]);
        site.host.run(&["/opt/remit", "agent", "install", "--binary"]);
        let fingerprint = msp.fingerprint();
        site.desk(&["root", "pin", "root.statement", "--fingerprint", &fingerprint]);
        site.desk(&["take", "seats.statement"]);
        #[rustfmt::skip]
        site.desk(&[
            "hub", "init", "--folder", "hub", "--root-statement", "root.statement", "--name", "127.0.0.1", "--listen", "127.0.0.1:8443",
        ]);
        site.desk(&["hub", "take", "--folder", "hub", "seats.statement"]);
        let state = format!("--setenv=REMIT_STATE={DESK}/state");
        let at = format!("--working-directory={DESK}");
        site.host.run(&["systemd-run", "--unit=hub", &state, &at, "/opt/remit", "hub", "run", "--folder", "hub"]);
        #[rustfmt::skip]
        let ask = [
            "hub", "use", "https://127.0.0.1:8443", "--authority", "hub/ca.pem", "--key", "tess", "--root-statement", "root.statement",
            "--fingerprint", &fingerprint,
        ];
        super::wait_until("the hub answers", || site.try_desk(&ask).is_ok());
        let token = site.desk(&["token", "make", "--client", "acme", "--site", "berlin", "--uses", "1", "--yes"]);
        site.host.run(&[REMIT, "agent", "join", "https://127.0.0.1:8443", token.trim()]);
        super::wait_until("the device is online", || {
            site.desk(&["device", "list", "--output", "csv"]).contains("online")
        });
        site
    }

    /// What the technician's command says, where it ends well.
    fn desk(&self, args: &[&str]) -> String {
        self.try_desk(args).unwrap_or_else(|wrong| panic!("{args:?}: {wrong}"))
    }

    fn try_desk(&self, args: &[&str]) -> Result<String, String> {
        let state = format!("REMIT_STATE={DESK}/state");
        let inside = [&["env", "--chdir", DESK, &state, "/opt/remit"], args].concat();
        let output = self.host.output(&inside);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(text + &String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Orders an upgrade, and waits for what the device signed about it.
    fn upgrade(&self, file: &str) -> Value {
        let given =
            self.desk(&["--output", "json", "fleet", "upgrade", file, "--where", "client == \"acme\"", "--yes"]);
        let order = serde_json::from_str::<Value>(&given).unwrap()["id"].as_str().unwrap().to_owned();
        let deadline = Instant::now() + Duration::from_secs(110);
        loop {
            // It says how it went by its exit code too.
            let told = self.try_desk(&["--output", "json", "fleet", "results", &order]).unwrap_or_else(|told| told);
            let told: Value = serde_json::Deserializer::from_str(&told).into_iter().next().unwrap().unwrap();
            let results = told["results"].as_array().unwrap();
            assert!(results.len() <= 1, "one result: {told}");
            if let Some(result) = results.first() {
                return result.clone();
            }
            assert!(Instant::now() < deadline, "no result of {file}: {}\n{}", self.journal(), self.status());
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn status(&self) -> Value {
        let output = self.host.output(&[REMIT, "--output", "json", "agent", "status"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn journal(&self) -> String {
        self.host.run(&["journalctl", "--no-pager", "--unit=remit-*"])
    }
}

fn told(result: &Value) -> (&str, &str, &str) {
    let report = &result["report"];
    let text = |name: &str| report[name].as_str().unwrap_or_default();
    (text("outcome"), text("verdict"), text("refused"))
}

#[test]
fn an_agent_is_replaced_by_order_and_one_that_is_not_well_is_put_back() {
    let root = need_root!();
    let msp = msp();
    release(&msp, "good", GOOD, "ray", |_| ());
    release(&msp, "bad", BAD, "ray", |_| ());
    release(&msp, "by-tess", GOOD, "tess", |_| ());
    release(&msp, "other-machine", GOOD, "ray", |it| it["target"] = json!("s390x-linux"));
    let releases = [("good", GOOD), ("bad", BAD), ("by-tess", GOOD), ("other-machine", GOOD)];
    let site = Site::boot(root, &msp, &releases);
    assert_eq!(site.status()["version"], "0.1.0");

    // Whoever may order, but not release, gets nothing signed.
    let refused = site.try_desk(&["fleet", "upgrade", "by-tess", "--where", "true", "--yes"]).unwrap_err();
    assert!(refused.contains("(other-role)"), "{refused}");
    let refused = site.try_desk(&["fleet", "upgrade", "other-machine", "--where", "true", "--yes"]).unwrap_err();
    assert!(refused.contains("no device is meant"), "{refused}");

    let good = site.upgrade("good");
    assert_eq!(told(&good), ("completed", "fixed", ""), "{good}\n{}", site.journal());
    assert_eq!(site.status()["version"], GOOD);
    assert_eq!(
        site.host.run(&["readlink", "/usr/lib/remit/remit"]).trim(),
        format!("/usr/lib/remit/versions/{GOOD}/remit")
    );
    super::wait_until("the hub knows", || site.desk(&["device", "list", "--output", "json"]).contains(GOOD));

    let bad = site.upgrade("bad");
    assert_eq!(told(&bad).1, "failed", "{bad}\n{}", site.journal());
    assert_eq!(site.status()["version"], GOOD, "{}", site.journal());
    assert!(!site.host.path("/var/lib/remit/upgrade.json").exists(), "it was told, and is forgotten");
    // It goes on as before: what has that version is not meant.
    let refused = site.try_desk(&["fleet", "upgrade", "good", "--where", "true", "--yes"]).unwrap_err();
    assert!(refused.contains("no device is meant"), "{refused}");
}

/// Wherever what replaces the agent dies, one of both agents runs afterwards, and the attempt comes to an end.
#[test]
fn whoever_replaces_an_agent_may_die_anywhere() {
    let host = Host::prepare(need_root!())
        .with_program("/opt/remit", &program("remit"))
        .with_program("/srv/good", &program(GOOD))
        .with_program("/srv/bad", &program(BAD))
        .boot();
    host.run(&["/opt/remit", "agent", "install", "--binary"]);
    let lay = |version: &str, from: &str| {
        let folder = format!("/usr/lib/remit/versions/{version}");
        host.run(&["mkdir", "-p", &folder]);
        host.run(&["cp", "--remove-destination", from, &format!("{folder}/remit")]);
    };
    let points =
        ["upgrade.after-stage", "upgrade.trying", "upgrade.before-link", "upgrade.after-link", "upgrade.before-stage"];
    let all = if tests::soak!() { points.len() } else { 1 };
    for (version, from, ends) in [(BAD, "/srv/bad", "failed"), (GOOD, "/srv/good", "done")] {
        for point in points.iter().take(all) {
            host.run(&["ln", "-sfn", REMIT, "/usr/lib/remit/remit"]);
            host.run(&["ln", "-sfn", REMIT, "/usr/lib/remit/remit.before"]);
            host.run(&["systemctl", "restart", "remit-executor.service"]);
            lay(version, from);
            let attempt = json!({
                "format": 1, "run": "run_01KB3P3M00E5V8CXJ6ZV8Y4R5T", "from": "0.1.0", "to": version, "is-heard": false,
                "begun-ms": 1, "stage": { "is": "asked" },
            });
            let write = |path: &str, text: &str| {
                let target = host.path(path);
                fs::create_dir_all(Path::new(&target).parent().unwrap()).unwrap();
                fs::write(target, text).unwrap();
            };
            write("/var/lib/remit/upgrade.json", &attempt.to_string());
            let armed = format!("[Service]\nRestart=no\nEnvironment=REMIT_FAIL_POINT={point}\n");
            write("/etc/systemd/system/remit-upgrade.service.d/armed.conf", &armed);
            host.run(&["systemctl", "daemon-reload"]);
            host.output(&["systemctl", "restart", "remit-upgrade.service"]);
            let result = || host.run(&["systemctl", "show", "--property=Result,ActiveState", "remit-upgrade.service"]);
            super::wait_until("it dies", || result().contains("ActiveState=failed"));
            assert!(result().contains("Result=signal"), "{point}: {}", result());
            // What systemd does by itself where nobody armed it.
            fs::remove_file(host.path("/etc/systemd/system/remit-upgrade.service.d/armed.conf")).unwrap();
            host.run(&["systemctl", "daemon-reload"]);
            host.run(&["systemctl", "reset-failed", "remit-upgrade.service"]);
            host.run(&["systemctl", "start", "remit-upgrade.service"]);
            let stage = || {
                let text = fs::read_to_string(host.path("/var/lib/remit/upgrade.json")).unwrap_or_default();
                serde_json::from_str::<Value>(&text).unwrap_or_default()["stage"].clone()
            };
            super::wait_until("it comes to an end", || {
                ["done", "failed"].contains(&stage()["is"].as_str().unwrap_or(""))
            });
            assert_eq!(stage()["is"], ends, "{point}: {}", stage());
            let runs = if ends == "done" { version } else { "0.1.0" };
            super::wait_until("that agent answers", || {
                let output = host.output(&[REMIT, "--output", "json", "agent", "status"]);
                serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()["version"] == runs
            });
            host.run(&["rm", "/var/lib/remit/upgrade.json"]);
        }
    }
}
