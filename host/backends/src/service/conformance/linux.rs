//! The suite over real managers: scripts of this machine, and systemd of a booted one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use contract::service::ServiceState;
use contract::types::{Effect, ErrorKind, StartType};

use super::super::{Services, Settings, attribute, linux, overlay};
use super::{Kind, all, check, clock, get, refused, restart, set, settles, start, stop, suite, within};

fn script(root: &Path, name: &str, needs: &str, more: &str) {
    let text = format!(
        r#"#!/bin/sh
### BEGIN INIT INFO
# Provides:          {name}
# Required-Start:    $local_fs {needs}
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: A probe
### END INIT INFO
PIDFILE=/run/{name}.pid
FILE={root}$PIDFILE
case "$1" in
  start) start-stop-daemon --start --quiet --oknodo --background --make-pidfile --pidfile $FILE --exec /bin/sleep -- 600 ;;
  stop) start-stop-daemon --stop --quiet --oknodo --pidfile $FILE; rm -f $FILE ;;
  restart) $0 stop; $0 start ;;
  status) start-stop-daemon --status --pidfile $FILE ;;
  {more}
  *) exit 3 ;;
esac
"#,
        root = root.display()
    );
    let path = root.join("etc/init.d").join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A root with scripts for real daemons, which run on this machine.
fn scripts() -> (tempfile::TempDir, Services) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for path in ["etc/init.d", "etc/rc2.d", "run"] {
        std::fs::create_dir_all(root.join(path)).unwrap();
    }
    script(root, "probe-a", "", "reload) exit 0 ;;");
    script(root, "probe-b", "probe-a", "");
    script(root, "probe-step", "", "");
    std::os::unix::fs::symlink("../init.d/probe-b", root.join("etc/rc2.d/S01probe-b")).unwrap();
    let services = linux(&Settings::of(root));
    let edit = |name: &str, from: &str, to: &str| {
        let path = root.join("etc/init.d").join(name);
        let text = std::fs::read_to_string(root.join("etc/init.d/probe-step")).unwrap();
        std::fs::write(&path, text.replace("probe-step", name).replace(from, to)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    edit("probe-fails", "start) ", "start) exit 7;");
    edit("probe-mute", "  status) start-stop-daemon --status --pidfile $FILE ;;\n", "");
    edit("probe-step", "2 3 4 5", "6");
    (folder, services)
}

#[tokio::test]
async fn scripts_conform() {
    let (_folder, services) = scripts();
    suite(&services, Kind { is_planned: false, has_units: false }).await;
    assert_eq!(get(&services, "probe-b").await.start_type, StartType::Automatic);
    let error = start(&services, &all(), "probe-fails", 5_000).await.unwrap_err();
    assert!(error.attributes.contains(&("exit-code".into(), "7".into())), "{error:?}");
    refused(set(&services, &all(), "probe-a", StartType::Masked).await, ErrorKind::Unsupported, "start-type");
    refused(start(&services, &all(), "probe-step", 0).await, ErrorKind::NotFound, "not-found");
}

#[tokio::test]
async fn a_dry_run_over_scripts_touches_none() {
    let (folder, services) = scripts();
    suite(&overlay(Arc::new(services), clock(), Arc::default()), Kind { is_planned: true, has_units: false }).await;
    assert_eq!(std::fs::read_dir(folder.path().join("run")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_script_that_cannot_tell_is_neither_up_nor_down() {
    let (folder, services) = scripts();
    let planned = overlay(Arc::new(linux(&Settings::of(folder.path()))), clock(), Arc::default());
    for services in [&planned, &services] {
        let cx = all();
        check(start(services, &cx, "probe-mute", 5_000).await, Effect::Changed, "other", "other");
        check(stop(services, &cx, "probe-mute", 5_000).await, Effect::Changed, "other", "other");
        assert!(cx.take_undo().is_empty());
    }
}

/// The first process's name and number, by what the kernel says.
fn is_running(pid: u32, name: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
}

#[tokio::test]
async fn cron_starts_stops_and_is_enabled_by_its_script() {
    assert!(Path::new("/etc/init.d/cron").exists(), "this test needs the Debian package cron");
    assert!(!Path::new("/run/systemd/system").exists(), "this test needs a machine without systemd");
    let (cx, services) = (within(&["cron"]), super::super::real(&crate::testing::shared()));
    stop(&services, &cx, "cron", 10_000).await.unwrap();
    check(start(&services, &cx, "cron", 10_000).await, Effect::Changed, "stopped", "running");
    let cron = get(&services, "cron").await;
    let first = cron.pid.unwrap();
    assert!(is_running(first, "cron") && cron.since_ms.is_some());
    check(restart(&services, &cx, "cron").await, Effect::Changed, "running", "running");
    assert_ne!(get(&services, "cron").await.pid, Some(first));

    let links = || std::fs::read_dir("/etc/rc2.d").unwrap().flatten().map(|it| it.file_name().into_string().unwrap());
    assert!(links().any(|link| link.starts_with('S') && link.ends_with("cron")), "Debian enables what it installs");
    check(set(&services, &cx, "cron", StartType::Manual).await, Effect::Changed, "automatic", "manual");
    assert!(!links().any(|link| link.starts_with('S') && link.ends_with("cron")));
    let undo = cx.take_undo().pop().unwrap();
    check(super::undo(&services, &undo).await, Effect::Changed, "manual", "automatic");
    assert!(links().any(|link| link.starts_with('S') && link.ends_with("cron")));

    check(stop(&services, &cx, "cron", 10_000).await, Effect::Changed, "running", "stopped");
    assert!(!is_running(first, "cron"));
}

/// Units of a host to be; the rest of their directory is Debian's.
const UNITS: [(&str, &str); 7] = [
    (
        "probe-a",
        "[Unit]\nDescription=A probe\n[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n\
         [Install]\nWantedBy=multi-user.target\n",
    ),
    ("probe-b", "[Unit]\nRequires=probe-a.service\nAfter=probe-a.service\n[Service]\nExecStart=/bin/sleep infinity\n"),
    ("probe-fails", "[Service]\nType=oneshot\nExecStart=/bin/false\n"),
    ("probe-brief", "[Service]\nExecStart=/bin/false\n"),
    ("probe-once", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
    ("probe-static", "[Service]\nExecStart=/bin/true\n"),
    ("probe-slow", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 3\n"),
];

/// The services of a booted host, over its own bus.
fn services_of(host: &tests::Host) -> Arc<Services> {
    let leader = host.leader().unwrap();
    let bus_address = format!("unix:path={}", host.system_bus().display());
    Arc::new(linux(&Settings { bus_address, root: format!("/proc/{leader}/root").into() }))
}

#[tokio::test]
async fn systemd_conforms() {
    let mut host = tests::Host::prepare(tests::need_root!());
    for (name, content) in UNITS {
        host = host.with_file(&format!("/usr/lib/systemd/system/{name}.service"), content);
    }
    let host = host.boot();
    let services = services_of(&host);
    host.run(&["ln", "-s", "probe-a.service", "/usr/lib/systemd/system/probe-alias.service"]);
    host.run(&["systemctl", "daemon-reload"]);
    systemd(&services).await;

    // An independent witness, and what happens behind our back.
    let cx = within(&["probe-a"]);
    check(start(&services, &cx, "probe-a", 10_000).await, Effect::Changed, "stopped", "running");
    let pid = get(&services, "probe-a").await.pid.unwrap().to_string();
    assert_eq!(host.run(&["systemctl", "show", "-P", "MainPID", "probe-a"]).trim(), pid);
    host.run(&["systemctl", "stop", "probe-a"]);
    let undo = cx.take_undo().remove(0);
    refused(super::undo(&services, &undo).await, ErrorKind::Conflict, "changed-since");
    host.run(&["systemctl", "stop", "dbus.socket", "dbus.service"]);
    refused(start(&services, &cx, "probe-a", 0).await, ErrorKind::Unavailable, "bus");
}

async fn systemd(services: &Arc<Services>) {
    suite(services, Kind { is_planned: false, has_units: true }).await;
    suite(&overlay(services.clone(), clock(), Arc::default()), Kind { is_planned: true, has_units: true }).await;
    assert_eq!(get(services, "probe-a").await.state, ServiceState::Stopped, "a dry run started it");
    let cx = within(&["probe-alias"]);
    refused(start(services, &cx, "probe-alias", 0).await, ErrorKind::Denied, "scope");
    assert_eq!(get(services, "probe-alias").await.name, "probe-a");

    check(start(services, &all(), "probe-slow", 200).await, Effect::Changed, "stopped", "start-pending");
    settles(services, "probe-slow", ServiceState::Running).await;
    stop(services, &all(), "probe-slow", 10_000).await.unwrap();
    let error = start(services, &all(), "probe-fails", 10_000).await.unwrap_err();
    assert!(error.attributes.contains(&("exit-code".into(), "1".into())), "{error:?}");

    refused(start(services, &all(), "probe-brief", 10_000).await, ErrorKind::Failed, "service-failed");
    refused(restart(services, &all(), "probe-brief").await, ErrorKind::Failed, "service-failed");

    let journal = get(services, "systemd-journald").await;
    assert_eq!((journal.state, attribute(&journal, "manager")), (ServiceState::Running, Some("systemd")));
    assert!(attribute(&journal, "binary").is_some_and(|it| it.ends_with("journald")) && journal.pid.is_some());
}
