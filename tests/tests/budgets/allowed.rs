//! What a machine's owner lets run: by class, plugin, publisher and window; and whose the file is that says so.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::time::{SystemTime, UNIX_EPOCH};

use tests::Msp;
use tests::msp::DEVICE;

use super::*;

/// A script whose class is that of what it declares, and that only looks.
fn looks(capabilities: &str, import: &str) -> String {
    format!(
        "{import}\nexport const manifest = {{ name: \"looker\", description: \"A test\", capabilities: {{ {capabilities} }} }};\n\
         export function detect() {{ return {{ verdict: \"compliant\", summary: \"\" }}; }}\n\
         export function remediate() {{ return {{ summary: \"\" }}; }}\n"
    )
}

fn of_l2() -> String {
    looks(
        "\"files-write\": { scope: [\"scratch\"], reason: \"A test\" }",
        "import { makeFolder } from \"msp:automation/files-write\"; const kept = makeFolder;",
    )
}

fn of_l4() -> String {
    looks(
        "\"files-erase\": { scope: [\"scratch\"], reason: \"A test\" }",
        "import { eraseEntries } from \"msp:automation/files-erase\"; const kept = eraseEntries;",
    )
}

#[test]
fn no_class_above_the_owners_is_granted_by_anybody() {
    let bench = Bench::new("[device]\nclass-max = \"L2\"");
    bench.enforce(&of_l2()).expect(0);
    let refused = bench.enforce(&of_l4()).expect(20);
    assert_eq!(refused.codes(), ["policy"], "{refused}");
    assert!(refused.stderr.contains("`files-erase` is of class L4, and `class-max` is L2"), "{refused}");
    assert_eq!(bench.latest("ended")[0]["outcome"], "refused");
    // Nor by a word on the command line; and whoever only looks, or plans, may.
    let word = ["--mode", "enforce", "--allow", "files-erase"];
    bench.run(&of_l4(), &word).expect(20);
    for mode in ["detect", "dry-run"] {
        bench.run(&of_l4(), &["--mode", mode]).expect(0);
    }
    bench.decide("[device]\nclass-max = \"L4\"");
    bench.enforce(&of_l4()).expect(0);
}

#[test]
fn plugins_run_that_the_owner_names() {
    let bench = Bench::new("[device]\nplugins = [\"look*\"]");
    bench.enforce(&of_l2()).expect(0);
    bench.decide("[device]\nplugins = [\"other\", \"looke\"]");
    for mode in ["enforce", "detect"] {
        let refused = bench.run(&of_l2(), &["--mode", mode]).expect(20);
        assert_eq!(refused.codes(), ["policy"], "{refused}");
        assert!(refused.stderr.contains("`plugins` does not have `looker`"), "{refused}");
    }
}

#[test]
fn plugins_run_whose_publishers_the_owner_names() {
    let msp = Msp::new();
    msp.script("look", "1.0.0", DEVICE);
    msp.approve("look.wasm", &[]);
    let decide = |device: &str| fs::write(msp.remit.policy(), device).unwrap();
    decide("[device]\npublishers = [\"remit\"]");
    msp.ok(&["run", "look.wasm"]);
    decide("[device]\npublishers = [\"somebody\"]");
    msp.refused(&["run", "look.wasm"], &["policy"]);
    assert!(msp.run(&["run", "look.wasm"]).stderr.contains("`publishers` does not have `remit`"));
    // Unsigned, it may say of itself what it likes.
    let bench = Bench::new("[device]\npublishers = [\"*\"]");
    let refused = bench.enforce(&of_l2()).expect(20);
    assert!(refused.stderr.contains("nobody signed this one"), "{refused}");
    bench.decide("");
    bench.enforce(&of_l2()).expect(0);
}

/// `daily 10:00-11:00`, from so many hours after now to so many, in UTC.
fn window(from: u64, to: u64) -> String {
    let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60;
    let time = |hours: u64| {
        let minutes = (minutes + hours * 60) % 1_440;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    };
    format!("daily {}-{}", time(from), time(to))
}

#[test]
fn what_changes_something_waits_for_its_window() {
    let (open, shut) = (window(23, 25), window(3, 5));
    let windows = |text: &str| format!("[[device.windows]]\nzone = \"UTC\"\n{text}\n");
    let allowed = |weekly: &str| windows(&format!("allowed = [{{ weekly = \"{weekly}\" }}]"));
    let blackout = |weekly: &str| windows(&format!("blackout = [{{ name = \"fair\", weekly = \"{weekly}\" }}]"));
    let bench = Bench::new("");
    for (device, refused) in [
        (allowed(&open), None),
        (allowed(&shut), Some(("window", ", until 2"))),
        (blackout(&shut), None),
        (blackout(&open), Some(("blackout", ", until 2"))),
        (allowed(&open) + &allowed(&shut), Some(("window", "none will within a year"))),
        (windows(&format!("allowed = [{{ weekly = \"{shut}\", classes = [\"L3\", \"L4\"] }}]")), None),
    ] {
        bench.decide(&device);
        let ran = bench.enforce(&of_l2());
        match refused {
            None => drop(ran.expect(0)),
            Some((code, opens)) => {
                let ran = ran.expect(20);
                assert_eq!(ran.codes(), [code], "{device}\n{ran}");
                assert!(ran.stderr.contains(opens), "when it opens: {ran}");
                assert_eq!(bench.latest("ended")[0]["outcome"], "refused");
            }
        }
        // Whoever looks, or only plans, may always.
        for mode in ["detect", "dry-run"] {
            bench.run(&of_l2(), &["--mode", mode]).expect(0);
        }
    }
}

#[test]
fn root_believes_a_file_that_only_root_may_write() {
    let _root = tests::need_root!();
    let bench = Bench::new("");
    let folder = bench.remit.folder("policy");
    let file = folder.join("policy.toml");
    fs::write(&file, "").unwrap();
    let run = || {
        let script = scripts::write(&bench.remit, "script.js", &of_l2());
        let named = ["--policy", file.to_str().unwrap(), "run", script.to_str().unwrap()];
        bench.remit.run(&named)
    };
    let set = |path: &Path, mode: u32, owner: u32| {
        chown(path, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let (of_file, of_folder) = (file.display().to_string(), folder.display().to_string());
    for (file_is, folder_is, mends) in [
        ((0o644, 0), (0o755, 0), None),
        ((0o664, 0), (0o755, 0), Some(format!("chmod go-w {of_file}"))),
        ((0o646, 0), (0o755, 0), Some(format!("chmod go-w {of_file}"))),
        ((0o600, 1), (0o755, 0), Some(format!("chown root:root {of_file}"))),
        ((0o644, 0), (0o775, 0), Some(format!("chmod go-w {of_folder}"))),
        ((0o644, 0), (0o755, 1), Some(format!("chown root:root {of_folder}"))),
    ] {
        set(&file, file_is.0, file_is.1);
        set(&folder, folder_is.0, folder_is.1);
        match mends {
            None => drop(run().expect(0)),
            Some(mends) => {
                let refused = run().expect(1);
                assert!(refused.stderr.contains(&format!("`{mends}`")), "{mends}:\n{refused}");
                let line = mends.split(' ').map(str::to_owned).collect::<Vec<_>>();
                assert!(std::process::Command::new(&line[0]).args(&line[1..]).status().unwrap().success());
                run().expect(0);
            }
        }
    }
}

#[test]
fn a_policy_that_is_wrong_lets_nothing_run() {
    let bench = Bench::new("[device.budgets]\nreboots-per-day = 1");
    bench.enforce(&of_l2()).expect(0);
    bench.decide("[device]\nclass = \"L2\"\n[device.budgets]\nreboots = 1");
    let refused = bench.enforce(&of_l2()).expect(1);
    for said in ["`class` is unknown: expected `class-max`", "`reboots` is unknown: expected one of `reboots-per-day`"]
    {
        assert!(refused.stderr.contains(said), "{refused}");
    }
    assert_eq!(refused.stderr.matches("line ").count(), 2, "{refused}");
}

#[test]
fn what_is_not_granted_is_not_charged() {
    let bench = Bench::new(&format!(
        "{}\n{} = {PLENTY}\n{} = {PLENTY}",
        limited(Budget::DeletedBytes, PLENTY),
        Budget::EgressBytes,
        Budget::L4Runs
    ));
    let scope = "\"files-erase\": { scope: [\"scratch\"], reason: \"A test\" }";
    let import = "import { eraseEntries } from \"msp:automation/files-erase\";";
    // Outside its scope, and what it never declared: it gains nothing, and takes nothing from others.
    bench.enforce(&does(scope, import, "eraseEntries(\"elsewhere\", [\"a.log\"], now());")).expect(21);
    assert_eq!((bench.used(Budget::DeletedBytes), bench.used(Budget::L4Runs)), (0, 1));
    let more = format!("{import} import {{ get }} from \"msp:automation/http\";");
    bench.enforce(&does(scope, &more, "get({ url: \"http://127.0.0.1:1/\" }, null);")).expect(20);
    assert_eq!((bench.used(Budget::EgressBytes), bench.used(Budget::L4Runs)), (0, 1), "it was not even started");
}

#[test]
fn a_doctor_tells_what_is_left() {
    let bench = Bench::new("");
    let check = |name: &str| {
        // Of the folders that a test made for it, it may think what it likes.
        let said = bench.remit.run(&["--output", "json", "doctor"]).json();
        said.as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone()
    };
    assert_eq!(check("device policy")["detail"], "limits nothing");
    assert_eq!(check("device budgets")["detail"], "limit nothing");
    let shut = window(3, 5);
    bench.decide(&format!(
        "[device]\nclass-max = \"L4\"\nplugins = [\"*\"]\n[[device.windows]]\nzone = \"UTC\"\nallowed = [{{ weekly = \
         \"{shut}\", classes = [\"L3\"] }}]\n[device.budgets]\nl4-runs-per-day = 1\nreboots-per-day = 2\n"
    ));
    let policy = check("device policy")["detail"].as_str().unwrap().to_owned();
    for said in ["up to L4", "plugins [*]", "L2 may start now", "L3 may start from 2"] {
        assert!(policy.contains(said), "{policy}");
    }
    let before = check("device budgets");
    assert_eq!((&before["state"], &before["budgets"][0]["left"]), (&"ok".into(), &2.into()), "{before}");
    bench.enforce(&of_l4()).expect(0);
    let after = check("device budgets");
    assert_eq!(after["state"], "warning", "{after}");
    assert_eq!(after["detail"], "reboots-per-day: 2 of 2 left; l4-runs-per-day: 0 of 1 left");
    assert!(after["next"].as_str().unwrap().starts_with("`l4-runs-per-day` has room again from 2"), "{after}");
    let text = bench.remit.run(&["doctor"]).stdout;
    assert!(text.lines().any(|line| line.contains("device budgets") && line.contains("0 of 1 left")), "{text}");
}
