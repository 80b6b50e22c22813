//! What somebody tries who may write a plugin's files, a file's name, or a folder beside the host's: each with its control.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use model::{Event, RunId};
use store::Store;
use tests::{Remit, built};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A folder with one old file of this name.
fn scratch(remit: &Remit, name: &str) -> String {
    let folder = remit.folder("scratch");
    let file = File::create(folder.join(name)).unwrap();
    file.set_modified(SystemTime::now() - 90 * DAY).unwrap();
    format!("scratch={}", folder.display())
}

/// What a person sees of a dry run of disk-cleanup.
fn shown(name: &str) -> String {
    let remit = Remit::new();
    let bind = scratch(&remit, name);
    let plugin = built::plugin("disk-cleanup");
    let ran = remit.run(&["run", plugin.to_str().unwrap(), "--mode", "dry-run", "--bind", &bind]).expect(0);
    let run = ran.stdout.split(' ').next().unwrap().to_owned();
    ran.stdout + &remit.run(&["runs", "show", &run]).expect(0).stdout
}

#[test]
fn a_files_name_steers_no_terminal_and_forges_no_line() {
    let hostile =
        shown("a\u{1b}[2J\u{1b}]52;c;ZWNobw==\u{7}\r\n  changed   files-write.remove-entries nothing\u{202e}");
    for steering in ['\u{1b}', '\u{7}', '\r', '\u{202e}'] {
        assert!(!hostile.contains(steering), "{hostile:?}");
    }
    assert!(hostile.contains("\\u{1b}[2J"), "it is shown: {hostile}");
    assert!(!hostile.lines().any(|line| line.starts_with("  changed")), "{hostile}");
    let plain = shown("ordinary ü 日本.log");
    assert!(plain.contains("ordinary ü 日本.log"), "{plain}");
    assert!(plain.lines().any(|line| line.starts_with("  planned")), "{plain}");
}

#[test]
fn a_state_folder_that_others_may_fill_is_not_used() {
    let remit = Remit::new();
    let plugin = built::plugin("disk-cleanup");
    let run = || remit.run(&["run", plugin.to_str().unwrap(), "--bind", &scratch(&remit, "old")]);
    run().expect(10);
    let compiled = remit.state().join("compiled");
    for folder in [remit.state(), compiled] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = run();
        assert_ne!(refused.code, Some(10), "{refused}");
        assert!(refused.stderr.contains("others may write to it"), "{refused}");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        run().expect(10);
    }
}

#[test]
fn a_plan_that_was_changed_after_it_was_made_binds_nobody() {
    let remit = Remit::new();
    let bind = scratch(&remit, "old");
    let plugin = built::plugin("disk-cleanup");
    let dry = remit.run_plugin(&plugin, &["--mode", "dry-run", "--bind", &bind]).expect(0).json();
    let dry: RunId = dry["run"].as_str().unwrap().parse().unwrap();
    let store = Arc::new(Store::open(&remit.state()).unwrap());
    // The same record again under another number, as it is and with one path more in its plan.
    let copy = |change: &dyn Fn(&mut model::Plan)| {
        let run = RunId::new();
        let events = store.events(dry).unwrap().into_iter().map(|recorded| {
            let mut event = recorded.event;
            if let Event::Ended(ended) = &mut event {
                change(ended.plan.as_mut().unwrap());
            }
            (recorded.at_ms, event)
        });
        store.open_run(run).unwrap().unwrap().append(events.collect()).unwrap();
        run.to_string()
    };
    let enforce = |run: &str| {
        let tied = ["--mode", "enforce", "--allow", "files-write", "--plan", run, "--bind", &bind];
        remit.run_plugin(&plugin, &tied)
    };
    let changed = copy(&|plan| plan.mutations[0].arguments["paths"] = serde_json::json!(["old", "another"]));
    let refused = enforce(&changed).expect(20);
    assert!(refused.stderr.contains("somebody has changed it"), "{refused}");
    assert!(remit.folder("scratch").join("old").exists());
    enforce(&copy(&|_| {})).expect(0);
    assert!(!remit.folder("scratch").join("old").exists());
}
