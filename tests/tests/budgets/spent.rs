//! Budgets, each by what is done with room for it, and is not with room for one less.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;
use std::time::{Duration, Instant};

use tests::{Host, apt, built, need_root};

use super::*;

/// Something to be removed, by `how`; gives what it takes on the disk.
fn deletes(how: &str) -> String {
    let (interface, import) = match how.contains("erase") {
        true => ("files-erase", "eraseEntries"),
        false => ("files-write", "removeEntries, writeFile"),
    };
    does(
        &format!("\"{interface}\": {{ scope: [\"scratch\"], reason: \"A test\" }}"),
        &format!("import {{ {import} }} from \"msp:automation/{interface}\";"),
        how,
    )
}

fn lay_out(bench: &Bench) -> (PathBuf, u64) {
    let file = bench.scratch.join("a.log");
    fs::write(&file, vec![b'x'; 100_000]).unwrap();
    let bytes = fs::metadata(&file).unwrap().blocks() * 512;
    (file, bytes)
}

#[test]
fn deleted_bytes_are_counted() {
    for how in [
        "removeEntries(\"scratch\", [\"a.log\"], now());",
        "writeFile(\"scratch\", \"a.log\", new Uint8Array([1]), \"replace\");",
        "eraseEntries(\"scratch\", [\"a.log\"], now());",
    ] {
        let script = deletes(how);
        let bench = Bench::with(Budget::DeletedBytes, PLENTY);
        let (file, bytes) = lay_out(&bench);
        bench.run(&script, &["--mode", "dry-run"]).expect(0);
        assert_eq!(bench.used(Budget::DeletedBytes), 0, "{how}: a dry run deletes nothing");
        bench.enforce(&script).expect(11);
        assert_eq!(bench.used(Budget::DeletedBytes), bytes, "{how}");
        assert!(!file.exists() || fs::read(&file).unwrap().len() == 1, "{how}");

        let bench = Bench::with(Budget::DeletedBytes, bytes - 1);
        let (file, _) = lay_out(&bench);
        no_room(bench.enforce(&script), Budget::DeletedBytes);
        assert_eq!(fs::read(&file).unwrap().len(), 100_000, "{how}: it is as it was");
        assert_eq!(bench.latest("intent").len(), 0, "{how}: nor was it begun");
        bench.decide(&limited(Budget::DeletedBytes, bytes));
        bench.enforce(&script).expect(11);
        lay_out(&bench);
        no_room(bench.enforce(&script), Budget::DeletedBytes);
    }
}

#[test]
fn what_is_not_deleted_is_given_back() {
    let bench = Bench::with(Budget::DeletedBytes, PLENTY);
    let (file, bytes) = lay_out(&bench);
    // It was written after that, so it is left alone.
    let script = deletes("removeEntries(\"scratch\", [\"a.log\"], 1); removeEntries(\"scratch\", [\"none\"], now());");
    bench.enforce(&script).expect(10);
    assert!(file.exists() && bytes > 0);
    assert_eq!(bench.used(Budget::DeletedBytes), 0);
}

#[test]
fn a_record_tells_once_what_has_no_room_however_often_it_is_asked() {
    let bench = Bench::with(Budget::DeletedBytes, 0);
    lay_out(&bench);
    let twice = "for (const _ of [1, 2]) try { removeEntries(\"scratch\", [\"a.log\"], now()); } catch {}";
    let ran = bench.enforce(&deletes(twice)).expect(10).json();
    assert_eq!(ran["failed-calls"].as_array().unwrap().len(), 2, "{ran}");
    let told = bench.latest("exhausted");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["budget"], &told[0]["limit"]), (&"deleted-bytes-per-day".into(), &0.into()));
}

fn asks(url: &str, times: usize) -> String {
    format!(
        "import {{ get }} from \"msp:automation/http\";\n\
         export const manifest = {{ name: \"asker\", description: \"A test\", capabilities: {{ http: {{ scope: \
         [\"{}\", \"127.0.0.0/8\"], reason: \"A test\" }} }} }};\n\
         export function detect() {{\n  for (let at = 0; at < {times}; at += 1) get({{ url: \"{url}\", headers: [], timeoutMs: \
         0, attributes: [] }}, null);\n  return {{ verdict: \"compliant\", summary: \"\" }};\n}}\n",
        url.trim_end_matches('/'),
    )
}

fn sends(url: &str) -> String {
    let scope = format!("[\"POST {}\", \"127.0.0.0/8\"]", url.trim_end_matches('/'));
    does(
        &format!("\"http-write\": {{ scope: {scope}, reason: \"A test\" }}"),
        "import { send } from \"msp:automation/http-write\";",
        &format!(
            "send(\"post\", {{ url: \"{url}\", headers: [[\"x-a\", \"12345\"]], timeoutMs: 0, attributes: [] }}, new \
             Uint8Array(100), null);"
        ),
    )
}

#[test]
fn sent_bytes_are_counted() {
    let server = Server::start();
    let once = server.url.len() as u64;
    // What only reads sends its address, in every mode; and what was sent is sent, whoever asks next.
    let bench = Bench::with(Budget::EgressBytes, 2 * once - 1);
    bench.run(&asks(&server.url, 1), &[]).expect(0);
    assert_eq!((server.came(), bench.used(Budget::EgressBytes)), (1, once));
    no_room(bench.run(&asks(&server.url, 1), &["--mode", "dry-run"]), Budget::EgressBytes);
    assert_eq!(server.came(), 1, "it was not asked");
    bench.decide(&limited(Budget::EgressBytes, 2 * once));
    no_room(bench.run(&asks(&server.url, 2), &[]), Budget::EgressBytes);
    assert_eq!(server.came(), 2, "the first of the two has gone through");

    let posted = once + "x-a12345".len() as u64 + 100;
    for (room, code) in [(posted - 1, 21), (posted, 11)] {
        let (bench, server) = (Bench::with(Budget::EgressBytes, room), Server::start());
        let script = sends(&server.url);
        let differs = server.url.len() as u64 - once;
        bench.decide(&limited(Budget::EgressBytes, room + differs));
        bench.run(&script, &["--mode", "dry-run"]).expect(0);
        assert_eq!((server.came(), bench.used(Budget::EgressBytes)), (0, 0), "a dry run sends nothing");
        bench.enforce(&script).expect(code);
        assert_eq!(server.came(), usize::from(code == 11));
    }
}

#[test]
fn what_is_told_is_sent() {
    let script = does(
        "notify: { scope: [\"technician\"], reason: \"A test\" }",
        "import { triggerEvent } from \"msp:automation/notify\";",
        "triggerEvent({ dedupKey: \"k\", audience: \"technician\", severity: \"error\", summary: \"x\".repeat(1000), component: \
         \"\", group: \"\", eventClass: \"\", links: [], attributes: [] });",
    );
    let bench = Bench::with(Budget::EgressBytes, PLENTY);
    bench.enforce(&script).expect(11);
    let told = bench.used(Budget::EgressBytes);
    assert!((1_000..1_300).contains(&told), "{told}");
    let bench = Bench::with(Budget::EgressBytes, told - 1);
    no_room(bench.enforce(&script), Budget::EgressBytes);
    bench.decide(&limited(Budget::EgressBytes, told));
    bench.enforce(&script).expect(11);
}

#[test]
fn runs_are_counted_by_their_class() {
    let nothing = "";
    let l3 = does(
        "\"http-write\": { scope: [\"POST https://example.com\"], reason: \"A test\" }",
        "import { send } from \"msp:automation/http-write\";",
        nothing,
    );
    let l4 = deletes("eraseEntries(\"scratch\", [], now());");
    for (budget, other, script) in [(Budget::L3Runs, Budget::L4Runs, l3), (Budget::L4Runs, Budget::L3Runs, l4)] {
        let bench = Bench::new(&format!("{}\n{other} = 0", limited(budget, 1)));
        for mode in ["detect", "dry-run"] {
            bench.run(&script, &["--mode", mode]).expect(10);
        }
        bench.enforce(&script).expect(10);
        assert_eq!((bench.used(budget), bench.used(other)), (1, 0));
        let refused = bench.enforce(&script).expect(20);
        assert_eq!(refused.codes(), ["budget"], "{refused}");
        assert!(refused.stderr.contains(&format!("`{budget}` has 0 of 1 left")), "{refused}");
        let ended = bench.latest("ended").remove(0);
        assert_eq!(ended["outcome"], "refused", "{ended}");
        assert_eq!(bench.latest("exhausted").len(), 1);
        assert_eq!(bench.latest("phase-started").len(), 0, "nothing ran");
        bench.run(&script, &["--mode", "detect"]).expect(10);
        let dry = bench.run(&script, &["--mode", "dry-run"]).expect(10);
        assert!(dry.stderr.contains("note: enforced now, it would be refused"), "{dry}");
        bench.decide(&format!("{}\n{other} = 0", limited(budget, 2)));
        bench.enforce(&script).expect(10);
    }
}

/// A device that manages a system in a folder, in which an update waits for a reboot.
#[test]
fn reboots_are_counted() {
    let bench = Bench::with(Budget::Reboots, 0);
    let root = bench.remit.folder("root");
    fs::create_dir(root.join("run")).unwrap();
    fs::write(root.join("run/reboot-required.pkgs"), "linux-image-amd64\n").unwrap();
    let guest = remit::guest("reboots");
    let enforce = || {
        let root = root.to_str().unwrap();
        bench.remit.run_plugin(&guest, &["--root", root, "--mode", "enforce", "--param", "key=done"])
    };
    no_room(enforce(), Budget::Reboots);
    bench.decide(&limited(Budget::Reboots, 1));
    // That this machine cannot take its reboot is what the command ends with.
    let suspended = enforce().expect(1).json();
    assert_eq!(suspended["outcome"], "suspended");
    assert_eq!(bench.used(Budget::Reboots), 1);
    no_room(enforce(), Budget::Reboots);
}

/// Whatever dies, and wherever: what is gone was charged, and at most what was in flight was charged for nothing.
#[test]
fn a_host_that_dies_has_charged_what_it_did() {
    const KILL: i32 = 9;
    let bench = Bench::with(Budget::DeletedBytes, PLENTY);
    let guest = remit::guest("endings");
    let lay_out = || {
        fs::remove_dir_all(&bench.scratch).unwrap();
        fs::create_dir(&bench.scratch).unwrap();
        for name in ["replaced", "appended", "removed"] {
            fs::write(bench.scratch.join(name), "before\n").unwrap();
        }
        fs::metadata(bench.scratch.join("removed")).unwrap().blocks() * 512
    };
    let enforce = || {
        let bind = format!("scratch={}", bench.scratch.display());
        let run = ["run", guest.to_str().unwrap(), "--mode", "enforce", "--param", "end=changes", "--bind", &bind];
        bench.remit.command(&run)
    };
    let is_gone = |name: &str| fs::read(bench.scratch.join(name)).ok().is_none_or(|content| content != b"before\n");
    let each = lay_out();
    assert!(enforce().status().unwrap().success());
    let mut before = bench.used(Budget::DeletedBytes);
    assert_eq!(before, 2 * each, "one is removed, and one replaced");
    let (mut killed, mut over) = (0, 0);
    for point in ["event.before-commit", "event.after-commit", "files.after-change"] {
        for time in 1.. {
            lay_out();
            let status = enforce().env("REMIT_FAIL_POINT", format!("{point}:{time}")).status().unwrap();
            let gone = ["replaced", "removed"].into_iter().filter(|name| is_gone(name)).count() as u64 * each;
            let charged = bench.used(Budget::DeletedBytes).checked_sub(before).expect("nothing is reset");
            before += charged;
            assert!(gone <= charged, "{point}:{time}: {gone} bytes are gone, {charged} were charged");
            assert!(charged <= gone + each, "{point}:{time}: {charged} for {gone}");
            over += u32::from(charged > gone);
            if status.signal() != Some(KILL) {
                assert!(status.success(), "{point}:{time}");
                break;
            }
            killed += 1;
        }
    }
    assert!(killed > 10 && over > 0, "{killed} died, {over} of them between charge and effect");
}

const APPROVES: &str = "repairs = true\n[[patch.rule]]\naction = \"approve\"\npackages = [\"probe-a\"]\n";

fn explain(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn installs_and_reboots_of_a_machine_are_counted_over_its_boots() {
    let device = |installs: u64, reboots: u64| {
        format!("{ALLOW}{APPROVES}[device.budgets]\ninstalls-per-day = {installs}\nreboots-per-day = {reboots}\n")
    };
    let mut host = Host::prepare(need_root!())
        .with_program("/usr/local/bin/remit", built::remit())
        .with_program("/opt/plugin.wasm", &built::plugin("patch-compliance"))
        .with_file("/etc/remit/policy.toml", device(1, 0))
        .boot();
    let repository = apt::Repository::new(&host);
    repository.install(&[apt::Package::new("probe-a", "1.0"), apt::Package::new("probe-b", "1.0")]);
    let new = apt::Package::new("probe-a", "2.0").with("Depends", "probe-b (>= 2.0)").wants_reboot();
    repository.publish(&apt::MAIN, &[new, apt::Package::new("probe-b", "2.0")]);
    host.run(&["apt-get", "update"]);
    let boot = host.boot_id();
    let enforce = |host: &Host| {
        let run = ["/usr/local/bin/remit", "run", "/opt/plugin.wasm", "--mode", "enforce", "--output", "json"];
        let params = ["--param", "security-days=0", "--param", "other-days=0", "--param", "reboot=true"];
        host.output(&[&run[..], &params].concat())
    };
    let version = |host: &Host| host.run(&["dpkg-query", "-W", "-f", "${Version}", "probe-a"]);
    let left = |host: &Host, budget: &str| {
        let said = host.output(&["/usr/local/bin/remit", "doctor", "--output", "json"]).stdout;
        let said: Value = serde_json::from_slice(&said).unwrap();
        let budgets = said.as_array().unwrap().iter().find(|check| check["name"] == "device budgets").unwrap();
        let all = budgets["budgets"].as_array().unwrap();
        all.iter().find(|it| it["budget"] == budget).unwrap()["left"].as_u64().unwrap()
    };
    let decide = |host: &Host, policy: String| fs::write(host.path("/etc/remit/policy.toml"), policy).unwrap();

    // The update brings another package along: that is two.
    let output = enforce(&host);
    no_room(output.into(), Budget::Installs);
    assert_eq!((version(&host).as_str(), left(&host, "installs-per-day")), ("1.0", 1));
    decide(&host, device(2, 0));
    let output = enforce(&host);
    no_room(output.into(), Budget::Reboots);
    assert_eq!((version(&host).as_str(), left(&host, "installs-per-day")), ("2.0", 0));
    assert_eq!(host.boot_id(), boot, "it was not rebooted");

    decide(&host, device(2, 1));
    let output = enforce(&host);
    if output.status.code().is_some() && !output.stdout.is_empty() {
        assert_eq!(output.status.code(), Some(28), "{}", explain(&output));
    }
    host.wait_for_reboot_after(&boot);
    assert_eq!((left(&host, "installs-per-day"), left(&host, "reboots-per-day")), (0, 0), "a boot resets nothing");
    repository_after(&host);
    let boot = host.boot_id();
    let deadline = Instant::now() + Duration::from_secs(60);
    let ended = |host: &Host| {
        let list = host.output(&["/usr/local/bin/remit", "runs", "list", "--output", "json"]).stdout;
        let list: Value = serde_json::from_slice(&list).unwrap();
        list[0]["ended"] != Value::Null
    };
    while !ended(&host) {
        assert!(Instant::now() < deadline, "the run ends after the boot");
        std::thread::sleep(Duration::from_millis(100));
    }
    no_room(enforce(&host).into(), Budget::Installs);
    assert_eq!(host.boot_id(), boot);
}

/// Another update, which nobody has room for.
fn repository_after(host: &Host) {
    let package = apt::Package::new("probe-a", "3.0");
    apt::Repository::new(host).publish(&apt::MAIN, &[package]);
    host.run(&["apt-get", "update"]);
}
