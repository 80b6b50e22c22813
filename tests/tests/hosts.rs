//! Managed hosts are what they claim to be.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::{Host, apt, need_root};

const WORKER: &str = "[Service]\nExecStart=/usr/bin/sleep infinity\nRestart=on-failure\nRestartSec=100ms\n";

#[test]
fn a_host_boots_with_systemd_and_a_bus_of_its_own() {
    let root = need_root!();
    let (one, other) = (Host::boot(root), Host::boot(root));
    assert_eq!(one.run(&["systemctl", "is-system-running"]), "running\n");
    assert_eq!(one.run(&["cat", "/proc/1/comm"]), "systemd\n");
    assert!(std::os::unix::net::UnixStream::connect(one.system_bus()).is_ok());
    assert_ne!(one.run(&["cat", "/etc/machine-id"]), other.run(&["cat", "/etc/machine-id"]));
    // Without a network of this machine, nothing of a test leaves the host.
    assert_eq!(one.run(&["ls", "/sys/class/net"]), "lo\n");
}

#[test]
fn a_unit_that_is_killed_comes_back() {
    let host = Host::prepare(need_root!()).with_unit("worker.service", WORKER).boot();
    let pid = || host.run(&["systemctl", "show", "--property=MainPID", "--value", "worker.service"]).trim().to_owned();
    let before = pid();
    host.run(&["kill", "-9", &before]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while [before.as_str(), "0"].contains(&pid().as_str()) {
        assert!(Instant::now() < deadline, "the unit stays down");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(host.run(&["systemctl", "show", "--property=NRestarts", "--value", "worker.service"]), "1\n");
}

#[test]
fn a_reboot_is_a_new_boot_of_the_same_disk() {
    let mut host = Host::boot(need_root!());
    let (boot, machine) = (host.boot_id(), host.run(&["cat", "/etc/machine-id"]));
    host.run(&["sh", "-c", "echo kept >/var/tmp/kept; echo lost >/run/lost"]);
    host.run(&["systemctl", "reboot"]);
    host.wait_for_reboot_after(&boot);
    assert_ne!(host.boot_id(), boot);
    assert_eq!(host.run(&["cat", "/etc/machine-id", "/var/tmp/kept"]), format!("{machine}kept\n"));
    assert!(!host.output(&["test", "-e", "/run/lost"]).status.success());
}

/// systemd stops every process before it kills them, also those that were put into the host from outside.
#[test]
fn a_command_that_runs_at_the_reboot_does_not_hold_it_up() {
    let mut host = Host::boot(need_root!());
    let boot = host.boot_id();
    let mut command = host.command(&["sh", "-c", "touch /begun; exec sleep infinity"]).spawn().unwrap();
    wait_for(|| host.path("/begun").exists().then_some(()));
    host.run(&["systemctl", "reboot"]);
    host.wait_for_reboot_after(&boot);
    assert!(!command.wait().unwrap().success());
}

#[test]
fn apt_sees_every_kind_of_pending_update() {
    let host = Host::boot(need_root!());
    apt::pending_updates(&host);
    let simulated = host.run(&["apt-get", "--simulate", "dist-upgrade"]);
    let mut installs: Vec<&str> = simulated.lines().filter(|line| line.starts_with("Inst ")).collect();
    installs.sort_unstable();
    assert_eq!(
        installs,
        [
            "Inst probe-conf [1.0] (2.0 Debian:stable [all])",
            "Inst probe-library [1.0] (2.0 Debian:stable [all])",
            "Inst probe-plain [1.0] (2.0 Debian:stable [all])",
            "Inst probe-security [1.0] (2.0 Debian-Security:stable-security [all])",
            "Inst probe-tool [1.0] (2.0 Debian:stable [all])",
        ]
    );
    assert_eq!(host.run(&["apt-mark", "showhold"]), "probe-held\n");
    assert!(simulated.contains("kept back:\n  probe-held probe-kept"), "{simulated}");

    host.run(&["apt-get", "--yes", "install", "probe-tool"]);
    assert_eq!(host.run(&["cat", "/run/reboot-required.pkgs"]), "probe-tool\n");
    assert_eq!(host.run(&["dpkg-query", "-W", "-f", "${Version}", "probe-tool"]), "2.0");
}

#[test]
fn a_host_dies_with_its_test() {
    let root = need_root!();
    // This test again, in a process of its own, which boots a host and waits to be killed.
    if let Some(marker) = std::env::var_os("REMIT_TESTS_MARKER") {
        let host = Host::boot(root);
        std::fs::write(&marker, host.leader().unwrap().to_string()).unwrap();
        std::thread::sleep(Duration::from_secs(600));
    }
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("leader");
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_host_dies_with_its_test"])
        .env("REMIT_TESTS_MARKER", &marker)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let leader = wait_for(|| std::fs::read_to_string(&marker).ok().filter(|pid| !pid.is_empty()));
    let process = std::path::Path::new("/proc").join(leader);
    assert!(process.exists(), "the host is up");
    test.kill().unwrap();
    test.wait().unwrap();
    wait_for(|| (!process.exists()).then_some(()));
}

#[test]
fn a_host_is_gone_when_it_is_dropped() {
    let host = Host::boot(need_root!());
    let process = std::path::Path::new("/proc").join(host.leader().unwrap().to_string());
    let disk = host.path("/");
    assert!(process.exists() && disk.exists());
    drop(host);
    assert!(!process.exists() && !disk.exists());
}

fn wait_for<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        if let Some(it) = ready() {
            return it;
        }
        assert!(Instant::now() < deadline, "it never happens");
        std::thread::sleep(Duration::from_millis(20));
    }
}
