//! The package, as apt installs it.

use tests::hosts::Host;
use tests::package::{self, Size};
use tests::{built, need_root, releases};

const EPOCH_S: u64 = 1_700_000_000;

#[test]
fn the_package_is_installed_upgraded_removed_and_purged() {
    let root = need_root!();
    let folder = tempfile::tempdir().unwrap();
    let make = |program, name: &str| package::make(program, &folder.path().join(name), EPOCH_S, Size::Soon);
    let (old, again) = (make(built::remit(), "old"), make(built::remit(), "again"));
    for (one, other) in [(&old.deb, &again.deb), (&old.tarball, &again.tarball), (&old.program, &again.program)] {
        assert_eq!(package::digest_of(one), package::digest_of(other), "the same bytes: {}", one.display());
    }
    let next = folder.path().join("next");
    releases::next(built::remit(), "0.1.1", &next);
    let new = make(&next, "new");
    let listed = std::process::Command::new("tar").arg("-tf").arg(&old.tarball).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("remit-0.1.0/remit\n"));

    let host = Host::prepare(root).with_program("/srv/old.deb", &old.deb).with_program("/srv/new.deb", &new.deb).boot();
    let apt = |args: &[&str]| {
        host.run(&[&["apt-get", "--yes", "--quiet", "--option", "Dpkg::Options::=--force-confold"], args].concat())
    };
    let there = |path: &str| host.path(path).symlink_metadata().is_ok();
    let runs = || {
        let output = host.output(&["remit", "--output", "json", "agent", "status"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default()["version"].clone()
    };
    apt(&["install", "/srv/old.deb"]);
    super::wait_until("the agent of the package runs", || runs() == "0.1.0");
    for unit in ["remit-executor.service", "remit-agent.service"] {
        host.run(&["systemctl", "is-enabled", unit]);
        super::wait_until("it is active", || host.output(&["systemctl", "is-active", unit]).status.success());
    }
    assert_eq!(host.run(&["readlink", "/usr/lib/remit/remit"]).trim(), "/usr/lib/remit/base/remit");
    assert!(host.run(&["dpkg", "--verify", "remit"]).is_empty());
    host.run(&["sh", "-c", "echo 'site = \"here\"' >/etc/remit/agent.toml; echo kept >/var/lib/remit/mine"]);

    apt(&["install", "/srv/new.deb"]);
    super::wait_until("the next one runs", || runs() == "0.1.1");
    assert_eq!(host.run(&["cat", "/etc/remit/agent.toml"]), "site = \"here\"\n", "what its owner wrote stays");
    assert!(there("/var/lib/remit/mine"));

    // What came by order and is newer stays; what is older gives way to the package.
    let order = |version: &str| {
        let folder = format!("/usr/lib/remit/versions/{version}");
        host.run(&["mkdir", "-p", &folder]);
        host.run(&["cp", "/usr/lib/remit/base/remit", &format!("{folder}/remit")]);
        host.run(&["ln", "-sfn", &format!("{folder}/remit"), "/usr/lib/remit/remit"]);
        apt(&["install", "--reinstall", "/srv/new.deb"]);
        host.run(&["readlink", "/usr/lib/remit/remit"]).trim().to_owned()
    };
    assert_eq!(order("0.2.0"), "/usr/lib/remit/versions/0.2.0/remit");
    assert_eq!(order("0.1.0"), "/usr/lib/remit/base/remit");

    apt(&["remove", "remit"]);
    assert!(!there("/usr/lib/remit/remit") && !there("/usr/bin/remit"));
    assert!(!host.output(&["systemctl", "is-active", "--quiet", "remit-executor.service"]).status.success());
    assert!(there("/var/lib/remit/mine") && there("/etc/remit/agent.toml"), "what it remembers stays");
    apt(&["purge", "remit"]);
    assert!(!there("/var/lib/remit") && !there("/etc/remit") && !there("/usr/lib/remit"));
    assert!(!host.run(&["cat", "/etc/passwd"]).contains("remit:"));
}
