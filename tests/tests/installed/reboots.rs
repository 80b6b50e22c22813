//! An installed host that goes down while a run of an order is under way, and because one was granted a reboot.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Host, Msp, Root, built, need_root, remit};

use super::{REMIT, wait_until};

const POLICY: &str = "[patch]\nreboots = true\n";

/// A window that is long over.
const SHUT: &str = "[[device.windows]]\nzone = \"UTC\"\nallowed = [{ dates = \"2020-01-01/2020-01-02\" }]\n";

/// A host with the agent, and a plugin of an MSP that it believes, which is approved and installed. Its digest, too.
pub(crate) fn believing(root: Root, msp: &Msp, name: &str, grants: &[&str], policy: &str) -> (Host, String) {
    let file = format!("{name}.wasm");
    msp.ok(&["sign", &file, "--key", "remit"]);
    let approve = ["approve", &file, "--name", name, "--client", "*", "--key", "rob"];
    let grants: Vec<&str> = grants.iter().flat_map(|grant| ["--grant", *grant]).collect();
    msp.ok(&[&approve[..], &grants].concat());
    let mut prepared = Host::prepare(root).with_program("/opt/remit", built::remit());
    // Whoever installs may have to fetch, and then wants to know whom to believe.
    for file in ["/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo/UTC"] {
        prepared = prepared.with_file(file, fs::read(file).unwrap());
    }
    for (folder, from) in
        [("/opt/msp", msp.folder.clone()), ("/var/lib/remit/compiled", msp.remit.state().join("compiled"))]
    {
        for file in fs::read_dir(from).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file()) {
            let name = file.file_name().unwrap().to_str().unwrap();
            prepared = prepared.with_file(&format!("{folder}/{name}"), fs::read(&file).unwrap());
        }
    }
    // Who waits for a run that does not come to its end is killed: sooner here than elsewhere.
    let stop = "[Service]\nTimeoutStopSec=3s\n";
    let prepared = prepared.with_file("/etc/systemd/system/remit-executor.service.d/stop.conf", stop);
    let host = prepared.with_file("/etc/remit/policy.toml", policy).boot();
    host.run(&["/opt/remit", "agent", "install", "--binary"]);
    host.run(&[REMIT, "root", "pin", "/opt/msp/root.statement", "--fingerprint", &msp.fingerprint()]);
    host.run(&[REMIT, "take", "/opt/msp/roster.statement"]);
    let installed = host.run(&[REMIT, "plugin", "install", &format!("/opt/msp/{file}"), "--output", "json"]);
    host.run(&[REMIT, "take", &format!("/opt/msp/{name}.approval.statement")]);
    let installed: Value = serde_json::from_str(&installed).unwrap();
    (host, installed["installed"][0]["digest"].as_str().unwrap().to_owned())
}

/// A host with a plugin that wants a reboot, and an order that runs it when it is told to.
fn host(root: Root, sleep_ms: u64) -> Host {
    let msp = Msp::new();
    fs::copy(remit::guest("reboots"), msp.folder.join("reboots.wasm")).unwrap();
    let (host, digest) = believing(root, &msp, "reboots", &["kv", "kv-write", "patch-install"], POLICY);
    let order = format!(
        "format = 1\nplugin = \"reboots\"\ndigest = \"{digest}\"\nmode = \"enforce\"\n[event]\nwatch = {{ type = \"emitted\", name = \"go\" }}\n\
         [parameters]\nkey = \"done\"\nsleep-ms = {sleep_ms}\n"
    );
    fs::write(host.path("/etc/remit/orders.d/work.toml"), order).unwrap();
    wait_until("the order stands", || codes(&host) == ["placed"]);
    host
}

fn rows(host: &Host) -> Vec<Value> {
    rows_of(host, "work")
}

/// What was decided of an order, the first of it first.
pub(crate) fn rows_of(host: &Host, order: &str) -> Vec<Value> {
    let told = host.output(&[REMIT, "agent", "explain", order, "--output", "json"]).stdout;
    let told: Value = serde_json::from_slice(&told).unwrap_or_default();
    told["decided"].as_array().cloned().unwrap_or_default().into_iter().rev().collect()
}

fn codes(host: &Host) -> Vec<String> {
    rows(host).iter().map(|row| row["code"].as_str().unwrap().to_owned()).collect()
}

fn count(host: &Host, code: &str) -> usize {
    codes(host).iter().filter(|it| *it == code).count()
}

fn says(host: &Host, what: &str) -> bool {
    rows(host).iter().any(|row| row["detail"].as_str().unwrap().contains(what))
}

/// Waits until `explain` says so.
fn wait_until_it_says(host: &Host, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !says(host, what) {
        let who = || host.run(&["sh", "-c", "who; journalctl --no-pager --unit=remit-executor.service | tail -n 30"]);
        assert!(Instant::now() < deadline, "{what}: {:#?}\n{}", rows(host), who());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The one run of the order, whose record has one end, which is last.
fn ended(host: &Host) -> Value {
    let list: Value = serde_json::from_str(&host.run(&[REMIT, "--output", "json", "runs", "list"])).unwrap();
    let runs: Vec<&Value> =
        list.as_array().unwrap().iter().filter(|run| run["started"]["trigger"]["name"] == "work").collect();
    let [run] = runs[..] else { panic!("{runs:#?}") };
    let events = host.run(&[REMIT, "runs", "show", run["run"].as_str().unwrap(), "--events"]);
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let started = events.iter().filter(|event| event["event"] == "started").count();
    let ends: Vec<usize> = (0..events.len()).filter(|&at| events[at]["event"] == "ended").collect();
    assert_eq!((started, ends), (1, vec![events.len() - 1]), "{events:#?}");
    events.last().unwrap().clone()
}

#[test]
fn a_host_that_goes_down_in_the_middle_of_a_run_has_its_one_end() {
    let mut host = host(need_root!(), 120_000);
    host.run(&[REMIT, "emit", "go"]);
    wait_until("it is under way", || {
        let runs = host.run(&[REMIT, "--output", "json", "runs", "list"]);
        count(&host, "started") == 1 && runs.contains("\"work\"")
    });
    let boot = host.boot_id();
    host.run(&["systemctl", "--no-block", "reboot"]);
    host.wait_for_reboot_after(&boot);
    wait_until("its end is known", || count(&host, "ended") == 1);
    assert_eq!(codes(&host), ["placed", "queued", "started", "ended"]);
    assert_eq!(ended(&host)["outcome"], "interrupted");
}

#[test]
fn a_run_that_is_granted_a_reboot_goes_on_after_it_and_people_are_heard_before() {
    let mut host = host(need_root!(), 0);
    host.run(&["sh", "-c", "echo linux-image-amd64 >/run/reboot-required.pkgs"]);
    let visitor = "script --quiet --flush --command 'login -f root' /dev/null";
    host.run(&["systemd-run", "--quiet", "--unit=visitor", "sh", "-c", &format!("{visitor} >/var/tmp/seen")]);
    wait_until("somebody is logged in", || host.run(&["who"]).contains("root"));
    let boot = host.boot_id();
    host.run(&[REMIT, "emit", "go"]);
    wait_until("it is put off for them", || {
        says(&host, "put off for 60 minutes, because of 1 who are logged in: 1 of 3")
    });
    let seen = || fs::read_to_string(host.path("/var/tmp/seen")).unwrap_or_default();
    wait_until("they read why", || seen().contains("This machine is to be rebooted: half of the work is done."));
    let status = host.run(&[REMIT, "agent", "status"]);
    assert!(status.contains("waits for a reboot since") && status.contains("is at work"), "{status}");

    // They go while nobody can tell what the owner wants, and then the window is shut: it waits all the same, and holds up nobody.
    let policy = host.path("/etc/remit/policy.toml");
    let reload = || host.run(&["systemctl", "--no-block", "reload", "remit-executor.service"]);
    fs::write(&policy, format!("{POLICY}[device]\nwindow = 1\n")).unwrap();
    reload();
    wait_until("policy cannot be read", || host.run(&[REMIT, "agent", "status"]).contains("wrong: policy"));
    host.run(&["systemctl", "stop", "visitor.service"]);
    wait_until_it_says(&host, "`window` is unknown");
    fs::write(&policy, format!("{POLICY}{SHUT}")).unwrap();
    reload();
    wait_until_it_says(&host, "its reboot waits: no window allows it");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(host.boot_id(), boot);
    assert!(host.run(&[REMIT, "agent", "status"]).contains("is at work"));
    fs::write(&policy, POLICY).unwrap();
    reload();
    host.wait_for_reboot_after(&boot);
    wait_until("its end is known", || count(&host, "ended") == 1);
    let codes = codes(&host);
    assert_eq!(codes[..4], ["placed", "queued", "started", "suspended"], "{codes:?}");
    assert!(codes[4..codes.len() - 1].iter().all(|code| code == "reboot"), "{codes:?}");
    assert!(says(&host, "the machine goes down for it"));
    let end = ended(&host);
    assert_eq!((&end["outcome"], &end["verdict"]), (&"completed".into(), &"fixed".into()), "{end}");
    let told_ms = rows(&host).last().unwrap()["at-ms"].as_i64().unwrap();
    let late_ms = told_ms - end["at-ms"].as_i64().unwrap();
    assert!(late_ms < 5_000, "the agent knew {late_ms} ms later");
}
