//! A managed host: a real Debian with systemd, booted for the demo, with a repository of its own.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tests::{Host, apt};

use super::hand::{Answer, Hand, ask, saw, text};
use super::updates::{listed, same};

const REMIT: &str = "/usr/local/bin/remit";
const WORKER: &str = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
/// The host's owner lets security updates in, and nothing else.
const POLICY: &str = "[[patch.rule]]\naction = \"approve\"\nclasses = [\"security\"]\n";
/// What is pending and not approved.
const LEFT: [&str; 6] = ["probe-plain", "probe-library", "probe-tool", "probe-conf", "probe-held", "probe-kept"];

pub(super) fn managed(hand: &Hand) -> anyhow::Result<()> {
    let root = tests::required("cargo xtask demo").context("the demo needs root")?;
    let mut prepared = Host::prepare(root)
        .with_program(REMIT, hand.program())
        .with_file("/etc/remit/policy.toml", POLICY)
        .with_unit("worker.service", WORKER);
    for plugin in ["patch-compliance", "service-watchdog"] {
        prepared = prepared.with_file(&inside(plugin), std::fs::read(hand.plugin(plugin))?);
    }
    let host = prepared.boot();
    saw("it has booted, and systemd says `running`");
    let _repository = apt::pending_updates(&host);
    pending(&host)?;
    upgrade(&host)?;
    watchdog(&host)
}

fn inside(plugin: &str) -> String {
    format!("/srv/plugins/{plugin}.wasm")
}

/// `remit run` on the host.
fn run(host: &Host, plugin: &str, args: &[&str]) -> anyhow::Result<Answer> {
    let file = inside(plugin);
    ask(&mut host.command(&[&[REMIT, "run", &file], args, &["--output", "json"]].concat()))
}

fn pending(host: &Host) -> anyhow::Result<()> {
    let found = run(host, "patch-compliance", &["--mode", "detect"])?;
    same(&found, &host.run(&["apt-get", "--simulate", "dist-upgrade"]))?;
    let of = |key: &str, word: &str| -> Vec<&str> {
        listed(&found).iter().filter(|it| text(it, key) == word).map(|it| text(it, "id")).collect()
    };
    ensure!(of("state", "available").len() >= 5, "fewer than five updates are pending: {}", found.json);
    for (key, word, id) in [
        ("classification", "security", "apt:probe-security@2.0"),
        ("state", "held", "apt:probe-held@2.0"),
        ("state", "kept-back", "apt:probe-kept@2.0"),
    ] {
        ensure!(of(key, word) == [id], "{word}: {:?}, not {id}", of(key, word));
        saw(&format!("{word}: {id}"));
    }
    Ok(())
}

fn upgrade(host: &Host) -> anyhow::Result<()> {
    let args = ["--param", "security-days=0", "--allow", "patch-install [apt]"];
    ensure!(version(host, "probe-security") == "1.0", "probe-security is there already");
    let dry = run(host, "patch-compliance", &[&["--mode", "dry-run"], &args[..]].concat())?.must("planned", &[0])?;
    ensure!(version(host, "probe-security") == "1.0", "the dry run installed something");
    let plan = ["--mode", "enforce", "--plan", dry.text("run")];
    run(host, "patch-compliance", &[&plan, &args[..]].concat())?.must("fixed", &[0])?;
    ensure!(version(host, "probe-security") == "2.0", "dpkg has {}", version(host, "probe-security"));
    saw("dpkg has probe-security 2.0, where it had 1.0 before and after the dry run");
    for name in LEFT {
        ensure!(version(host, name) == "1.0", "{name} was installed, and no rule approves it");
    }
    saw("what no rule of the policy approves is where it was");
    Ok(())
}

fn version(host: &Host, package: &str) -> String {
    host.run(&["dpkg-query", "--show", "--showformat", "${Version}", package])
}

fn watchdog(host: &Host) -> anyhow::Result<()> {
    host.run(&["systemctl", "stop", "worker.service"]);
    let is_active = || host.output(&["systemctl", "is-active", "--quiet", "worker.service"]).status.success();
    ensure!(!is_active(), "the service does not stop");
    saw("systemctl stop worker.service: it is stopped");
    let services = format!("services={}", Value::from(vec!["worker"]));
    #[rustfmt::skip]
    let args = [
        "--mode", "enforce", "--param", &services, "--allow", "service-control [worker]",
        "--allow", "kv-write [restarts/*]", "--allow", "ticket [*]",
    ];
    run(host, "service-watchdog", &args)?.must("fixed", &[0])?;
    ensure!(is_active(), "systemd says that the service is not active");
    saw("systemd says that the service is active");
    Ok(())
}
