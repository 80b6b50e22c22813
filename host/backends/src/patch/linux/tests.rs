//! What only apt itself can show: its own figures, changelogs, logs and locks, installs that outlive their caller, and what
//! an install never does.

use std::time::{Duration, Instant};

use contract::Context;
use contract::patch::{ListHistory, ListSources, SourceHealth, UpdateState};
use contract::patch_control::RefreshIndex;
use contract::patch_install::{InstallOutcome, InstallResult, Repair};
use contract::types::{Effect, ErrorKind};

use crate::patch::Parts;
use crate::patch::conformance::{failed, hold, install, overlay, update, updates};
use crate::patch::real_root::{Deb, Root, must};
use crate::testing::context;

const APPROVE: &str = "repairs = true\n[[rule]]\naction = \"approve\"\n";
const SLOW: &str = "apt:remit-slow@1.1";

async fn source(parts: &Parts) -> SourceHealth {
    parts.reader.list_sources(&context(), &ListSources {}).await.unwrap().remove(0)
}

fn find<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
}

async fn one(parts: &Parts, id: &str) -> InstallResult {
    parts.install.install_updates(&context(), &install(&[id])).await.unwrap().remove(0)
}

/// Begins an install that waits for `/go`, and drops its caller when dpkg is at it.
async fn abandon(root: &Root, parts: &Parts) {
    let (cx, call) = (context(), install(&[SLOW]));
    let install = parts.install.install_updates(&cx, &call);
    let begun = async {
        while !root.version("remit-slow").contains("1.1 half-configured") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        result = install => panic!("it cannot be done yet: {result:?}"),
        () = begun => {}
    }
}

#[tokio::test]
async fn what_is_pending_is_what_apt_says() {
    let root = Root::new();
    let parts = root.device("");
    let listed = updates(&parts).await;
    let is_apts = |state| !matches!(state, UpdateState::Held);
    let beside = ["unsatisfiable", "phased"];
    let mut ids: Vec<String> = listed
        .iter()
        .filter(|it| {
            is_apts(it.state) && !find(&it.attributes, "state-reason").is_some_and(|why| beside.contains(&why))
        })
        .map(|it| it.id.clone())
        .collect();
    ids.sort();
    assert_eq!(ids, root.inst());
    let app = listed.iter().find(|it| it.product == "remit-app").unwrap();
    assert!(app.size_bytes > 100 && find(&app.attributes, "origin") == Some("Probe:probe"), "{app:?}");
}

#[tokio::test]
async fn a_refresh_brings_what_is_new_and_what_changelogs_say() {
    let root = Root::new();
    let parts = root.device("");
    let before = update(&parts, "remit-sec").await.unwrap();
    assert_eq!((before.cves.len(), find(&before.attributes, "changelog")), (0, Some("not-read")));
    let refresh = RefreshIndex { source: "apt".into() };
    let change = parts.control.refresh_index(&context(), &refresh).await.unwrap();
    assert!(change.after > change.before, "{change:?}");
    let after = update(&parts, "remit-sec").await.unwrap();
    assert_eq!(after.cves, ["CVE-2026-1234", "CVE-2026-4321"]);
    assert_eq!((after.released_ms, find(&after.attributes, "changelog")), (Some(1_795_168_800_000), Some("read")));
    assert_eq!(after.first_seen_ms, before.first_seen_ms);
    assert_eq!(source(&parts).await.refreshed_ms.map(|it| it.to_string()), change.after);
    assert_eq!(find(&update(&parts, "remit-app").await.unwrap().attributes, "changelog"), Some("not-read"));

    root.write("etc/apt/sources.list", "deb [trusted=yes] file:/none probe main\n");
    let error = parts.control.refresh_index(&context(), &refresh).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Unavailable, "fetch"), "{error}");
}

#[tokio::test]
async fn history_tells_what_was_done_also_in_rotated_logs() {
    let root = Root::new();
    let parts = root.device(APPROVE);
    one(&parts, "apt:remit-sec@1.1").await;
    let log = root.path().join("var/log/apt/history.log");
    must(&["gzip", "-S", ".1.gz", log.to_str().unwrap()]);
    one(&parts, "apt:remit-kept@2.0").await;
    let list = async |since_ms, limit| {
        let call = ListHistory { since_ms, limit };
        parts.reader.list_history(&context(), &call).await.unwrap().into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    let all = list(0, 5_000).await;
    assert!(all[..2].contains(&"apt:remit-kept@2.0".to_owned()) && all[2] == "apt:remit-sec@1.1", "{all:?}");
    assert_eq!(list(0, 1).await.len(), 1);
    assert_eq!(list(u64::MAX / 2, 10).await, [""; 0]);
    let too_many = ListHistory { since_ms: 0, limit: 5_001 };
    assert_eq!(failed(parts.reader.list_history(&context(), &too_many).await).1, "limit");
}

#[tokio::test]
async fn an_install_outlives_its_caller_and_is_adopted() {
    let root = Root::new();
    abandon(&root, &root.device(APPROVE)).await;
    // Another host over the same state, as after a crash.
    let parts = root.device(APPROVE);
    let holder = source(&parts).await.locked_by.unwrap();
    assert!(holder.starts_with("apt-get (pid "), "{holder}");
    assert_eq!(
        failed(parts.control.hold(&context(), &hold("remit-app")).await),
        (ErrorKind::Busy, "dpkg-locked".into())
    );
    let other = parts.install.install_updates(&context(), &install(&["apt:remit-app@2.0"])).await;
    assert_eq!(failed(other), (ErrorKind::Busy, "install-running".into()));
    let planned = overlay(&parts).install.install_updates(&context(), &install(&["apt:remit-app@2.0"])).await;
    assert_eq!(failed(planned).0, ErrorKind::Busy);

    let soon = Context::new("run_02", "test", "dev_01", vec![], Instant::now() + Duration::from_millis(300));
    let adopted = parts.machine.adopt(&soon).await.unwrap();
    assert_eq!((adopted[0].run.as_str(), &adopted[0].results), ("run_01", &None));
    assert!(adopted[0].progress.unwrap() > 0.0);

    root.write("go", "");
    let adopted = parts.machine.adopt(&context()).await.unwrap();
    let result = &adopted[0].results.as_ref().unwrap()[0];
    assert_eq!((result.outcome, result.change.effect), (InstallOutcome::Succeeded, Effect::Changed));
    assert_eq!((result.change.before.as_deref(), result.change.after.as_deref()), (Some("1.0"), Some("1.1")));
    assert_eq!(root.version("remit-slow"), "1.1 installed");
    assert_eq!(parts.machine.adopt(&context()).await.unwrap(), [], "it is taken once");
    parts.control.hold(&context(), &hold("remit-app")).await.unwrap();
}

#[tokio::test]
async fn the_same_install_asked_for_again_takes_the_running_one_over() {
    let root = Root::new();
    abandon(&root, &root.device(APPROVE)).await;
    let parts = root.device(APPROVE);
    root.write("go", "");
    let call = install(&["apt:remit-sec@1.1", SLOW]);
    let results = parts.install.install_updates(&context(), &call).await.unwrap();
    assert_eq!(results.iter().map(|it| it.outcome).collect::<Vec<_>>(), [InstallOutcome::Succeeded; 2]);
    assert_eq!(find(&results[1].attributes, "adopted-from"), Some("run_01"));
    assert_eq!(find(&results[0].attributes, "adopted-from"), None);
}

/// The processes that one has started, once it has: dpkg says that it configures before it starts the script.
#[expect(clippy::disallowed_methods, reason = "a test looks for processes")]
async fn children_of(process: &str) -> String {
    for _ in 0..500 {
        let found = std::process::Command::new("pgrep").args(["-P", process]).output().unwrap();
        if found.status.success() {
            return String::from_utf8(found.stdout).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{process} starts nothing");
}

#[tokio::test]
async fn an_install_that_is_killed_half_way_is_reported_and_repaired() {
    let root = Root::new();
    abandon(&root, &root.device(APPROVE)).await;
    let parts = root.device(APPROVE);
    let holder = source(&parts).await.locked_by.unwrap();
    let pid = holder.trim_start_matches("apt-get (pid ").trim_end_matches(')');
    // dpkg and the script go too, as they would when the machine loses its power.
    let children = children_of(pid).await;
    let dpkg = children.trim();
    let scripts = children_of(dpkg).await;
    must(&[&["kill", "-9", pid, dpkg], &scripts.split_whitespace().collect::<Vec<_>>()[..]].concat());
    root.write("go", "");

    let adopted = parts.machine.adopt(&context()).await.unwrap();
    let result = &adopted[0].results.as_ref().unwrap()[0];
    assert_eq!((result.outcome, result.code.as_str()), (InstallOutcome::Failed, "interrupted"));
    assert_eq!(result.change.after.as_deref(), Some("1.1 half-configured"));
    assert_eq!(source(&parts).await.broken, ["remit-slow"]);
    let app = install(&["apt:remit-app@2.0"]);
    let refused = parts.install.install_updates(&context(), &app).await;
    assert_eq!(failed(refused), (ErrorKind::Conflict, "dpkg-broken".into()));

    let repair = Repair { source: "apt".into() };
    let denied = root.device("").install.repair(&context(), &repair).await;
    assert_eq!(failed(denied), (ErrorKind::Denied, "policy".into()));
    let planned = overlay(&parts).install.repair(&context(), &repair).await.unwrap();
    let change = parts.install.repair(&context(), &repair).await.unwrap();
    assert_eq!(
        (&change.before, &change.after, &change.attributes),
        (&planned.before, &planned.after, &planned.attributes)
    );
    assert_eq!(root.version("remit-slow"), "1.1 installed");
    assert_eq!(parts.install.repair(&context(), &repair).await.unwrap().effect, Effect::Unchanged);
    assert_eq!(one(&parts, "apt:remit-app@2.0").await.outcome, InstallOutcome::Succeeded);
}

#[tokio::test]
async fn a_failing_update_says_so_and_ends_it_where_asked() {
    for stop in [true, false] {
        let root = Root::new();
        let parts = root.device(APPROVE);
        let mut call = install(&["apt:remit-bad@1.1", "apt:remit-app@2.0"]);
        call.options.stop_on_failure = stop;
        let results = parts.install.install_updates(&context(), &call).await.unwrap();
        assert_eq!((results[0].outcome, results[0].code.as_str()), (InstallOutcome::Failed, "dpkg-1"));
        assert!(results[0].message.contains("exit status 3"), "{}", results[0].message);
        assert_eq!(results[0].change.after.as_deref(), Some("1.1 half-configured"));
        let (outcome, version) = match stop {
            true => (InstallOutcome::NotAttempted, "1.0 installed"),
            false => (InstallOutcome::Succeeded, "2.0 installed"),
        };
        assert_eq!((results[1].outcome, root.version("remit-app").as_str()), (outcome, version));
    }
}

#[tokio::test]
async fn an_edited_configuration_is_kept_unless_it_is_to_be_replaced() {
    for (word, kept) in [("keep", "edited\n"), ("replace", "1.1\n")] {
        let root = Root::new();
        root.write("etc/remit-conf.conf", "edited\n");
        let mut call = install(&["apt:remit-conf@1.1"]);
        call.options.attributes.push(("conffiles".into(), word.into()));
        let results = root.device(APPROVE).install.install_updates(&context(), &call).await.unwrap();
        assert_eq!(results[0].outcome, InstallOutcome::Succeeded);
        assert_eq!(root.read("etc/remit-conf.conf"), kept);
    }
}

#[tokio::test]
async fn what_policy_forbids_does_not_come_as_a_dependency() {
    let root = Root::new();
    let forbidding = format!("{APPROVE}[[rule]]\naction = \"block\"\npackages = [\"remit-new\"]\n");
    let call = install(&["apt:remit-kept@2.0", "apt:remit-app@2.0"]);
    let parts = root.device(&forbidding);
    let planned = overlay(&parts).install.install_updates(&context(), &call).await.unwrap();
    let results = parts.install.install_updates(&context(), &call).await.unwrap();
    for results in [planned, results] {
        assert_eq!((results[0].outcome, results[0].code.as_str()), (InstallOutcome::NotApproved, "blocked"));
        assert_eq!(results[1].outcome, InstallOutcome::Succeeded);
    }
    assert_eq!(root.version("remit-kept"), "1.0 installed");
    let result = one(&root.device(APPROVE), "apt:remit-kept@2.0").await;
    assert_eq!(find(&result.attributes, "also-changed"), Some("remit-new 1.0"));
    assert_eq!(root.version("remit-new"), "1.0 installed");
}

#[tokio::test]
async fn an_update_that_would_remove_something_is_not_installed() {
    let root = Root::new();
    let eater =
        Deb { pool: "main", name: "remit-conf", version: "1.2", fields: "Conflicts: remit-app\n", postinst: "" };
    root.publish(&eater);
    let parts = root.device(APPROVE);
    assert_eq!(one(&parts, "apt:remit-conf@1.1").await.outcome, InstallOutcome::Superseded);
    let result = one(&parts, "apt:remit-conf@1.2").await;
    assert_eq!((result.outcome, result.change.effect), (InstallOutcome::Failed, Effect::Unchanged), "{result:?}");
    assert_eq!(root.version("remit-app"), "1.0 installed");
}

#[tokio::test]
async fn bytes_can_be_fetched_first() {
    let root = Root::new();
    let parts = root.device(APPROVE);
    let mut call = install(&["apt:remit-app@2.0"]);
    call.options.attributes.push(("download-only".into(), "yes".into()));
    let planned = overlay(&parts).install.install_updates(&context(), &call).await.unwrap();
    let results = parts.install.install_updates(&context(), &call).await.unwrap();
    assert_eq!(results, planned);
    assert_eq!(results[0].change.after.as_deref(), Some("downloaded"));
    assert_eq!(root.version("remit-app"), "1.0 installed");
}

#[tokio::test]
async fn a_system_without_apt_says_so() {
    let root = Root::new();
    std::fs::remove_file(root.path().join("usr/bin/apt-get")).unwrap();
    let error = root.device("").reader.list_updates(&context(), &contract::patch::ListUpdates {}).await;
    assert_eq!(failed(error), (ErrorKind::Unsupported, "no-apt".into()));
}

/// A dry run shows what the real install then leaves: versions, and what came with them.
#[tokio::test]
async fn planned_software_is_the_software_that_comes() {
    let root = Root::new();
    let shared = root.shared(APPROVE);
    let find = async |software: &dyn contract::software::Backend| -> Vec<(String, String)> {
        let call = contract::software::FindPrograms { name: "remit-*".into() };
        let found = software.find_programs(&context(), &call).await.unwrap();
        found.items.into_iter().map(|program| (program.id, program.version)).collect()
    };
    let call = install(&["apt:remit-kept@2.0", "apt:remit-app@2.0"]);
    let device = crate::real(&shared);
    let before = find(&*device.backends.software).await;
    let dry = device.overlay();
    assert_eq!(find(&*dry.software).await, before);
    let cx = context();
    dry.patch_install.install_updates(&cx, &call).await.unwrap();
    assert_eq!(cx.take_unforeseen(), [""; 0]);
    let planned = find(&*dry.software).await;
    assert_eq!(find(&*device.backends.software).await, before, "nothing is done yet");
    device.backends.patch_install.install_updates(&context(), &call).await.unwrap();
    assert_eq!(planned, find(&*device.backends.software).await);
    assert!(planned.contains(&("apt:remit-new".to_owned(), "1.0".to_owned())), "{planned:?}");
    assert!(planned.contains(&("apt:remit-kept".to_owned(), "2.0".to_owned())), "{planned:?}");
    assert!(!before.iter().any(|(id, _)| id == "apt:remit-new"), "{before:?}");
}

#[tokio::test]
async fn a_plan_that_brings_more_than_can_be_listed_says_so() {
    let root = Root::new();
    let names: Vec<String> = (0..90).map(|at| format!("remit-{at:02}-{}", "x".repeat(40))).collect();
    for name in &names {
        root.build(&Deb { pool: "main", name, version: "1.0", fields: "", postinst: "" });
    }
    let depends = format!("Depends: {}\n", names.join(", "));
    root.publish(&Deb { pool: "main", name: "remit-app", version: "3.0", fields: &depends, postinst: "" });
    let parts = root.device(APPROVE);
    let cx = context();
    let planned = overlay(&parts).install.install_updates(&cx, &install(&["apt:remit-app@3.0"])).await.unwrap();
    let also = find(&planned[0].attributes, "also-changed").unwrap();
    assert!(also.ends_with(", …") && also.len() <= 4 << 10, "{} bytes: {also}", also.len());
    assert_eq!(cx.take_unforeseen(), ["patch", "software"]);
}
