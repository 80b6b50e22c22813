//! Accounts that `useradd` and its like change.

use std::fs;
use std::path::Path;
use std::process::Command;

use agent::{Notice, Watch};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::linux::account_change;
use crate::testing::Bench;

fn watch(only_admins: bool) -> Watch {
    Watch::AccountChange { only_admins }
}

/// A system with two users, one of which may administer.
fn system() -> TempDir {
    let system = tempfile::tempdir().unwrap();
    fs::create_dir(system.path().join("etc")).unwrap();
    let files = [
        ("passwd", "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann:/home/ann:/bin/bash\n"),
        ("group", "root:x:0:\nsudo:x:27:\nusers:x:100:\nann:x:1000:\n"),
        ("shadow", "root:*:20000:0:99999:7:::\nann:$y$j9T$secret:20000:0:99999:7:::\n"),
        ("gshadow", "root:*::\nsudo:*::\nusers:*::\nann:!::\n"),
    ];
    for (name, content) in files {
        fs::write(system.path().join("etc").join(name), content).unwrap();
    }
    system
}

#[expect(clippy::disallowed_methods, reason = "a test does what an administrator would do")]
fn run(system: &Path, command: &[&str]) {
    let mut run = Command::new(command[0]);
    let output = run.arg("--prefix").arg(system).args(&command[1..]).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn start(bench: &mut Bench, system: &Path, only_admins: bool) {
    let etc = system.join("etc");
    bench.start_as(&watch(only_admins), |around, sink, kept| async move {
        account_change::watch(&etc, only_admins, &around, &sink, &kept).await
    });
}

fn facts<const N: usize>(told: &Notice, names: [&str; N]) -> [Value; N] {
    names.map(|name| told.data[name].clone())
}

#[tokio::test]
async fn what_useradd_and_its_like_do_is_told_and_never_a_hash() {
    let _root = ::tests::need_root!();
    let system = system();
    let system = system.path();
    let mut bench = Bench::new();
    start(&mut bench, system, false);
    bench.until_kept(&watch(false)).await;
    run(system, &["useradd", "--user-group", "--groups", "sudo", "ben"]);
    let told = bench.until_silence().await;
    let subjects: Vec<&str> = told.iter().map(|it| it.subject.as_str()).collect();
    assert_eq!(subjects, ["user/ben", "group/ben"]);
    let [what, is, was, groups] = facts(&told[0], ["what", "is-admin", "was-admin", "groups-added"]);
    assert_eq!((what, is, was, groups), (json!("added"), json!(true), json!(false), json!(["ben", "sudo"])));
    run(system, &["usermod", "--append", "--groups", "users", "ann"]);
    let told = bench.until_silence().await;
    assert_eq!(told.len(), 1);
    assert_eq!(facts(&told[0], ["what", "changed", "is-admin"]), [json!("changed"), json!(["groups"]), json!(false)]);
    run(system, &["usermod", "--password", "$y$j9T$other", "--shell", "/bin/sh", "ann"]);
    let told = bench.until_silence().await;
    assert_eq!(facts(&told[0], ["changed", "shell"]), [json!(["shell", "password"]), json!("/bin/sh")]);
    assert!(!serde_json::to_string(&told).unwrap().contains("$y$"));
    run(system, &["usermod", "--lock", "ann"]);
    assert_eq!(facts(&bench.next().await, ["changed", "is-locked"]), [json!(["locked"]), json!(true)]);
    run(system, &["userdel", "ben"]);
    let told = bench.until_silence().await;
    assert_eq!(facts(&told[0], ["name", "what", "was-admin"]), [json!("ben"), json!("removed"), json!(true)]);
    // Near it: another file, the same accounts written again, and a lock that comes and goes.
    fs::write(system.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    fs::write(system.join("etc/passwd"), fs::read(system.join("etc/passwd")).unwrap()).unwrap();
    fs::write(system.join("etc/.pwd.lock"), "").unwrap();
    bench.silence().await;
    // What was kept is no hash either, and a change while it was off is told.
    bench.stop().await;
    let kept: Value = bench.kept(&watch(false)).load().unwrap();
    assert!(!kept.to_string().contains("$y$"));
    run(system, &["usermod", "--groups", "sudo", "ann"]);
    start(&mut bench, system, false);
    let told = bench.next().await;
    assert_eq!(facts(&told, ["name", "is-admin", "while-away"]), [json!("ann"), json!(true), json!(true)]);
    bench.silence().await;
}

#[tokio::test]
async fn a_rule_for_administrators_hears_of_nobody_else() {
    let _root = ::tests::need_root!();
    let system = system();
    let system = system.path();
    let mut bench = Bench::new();
    start(&mut bench, system, true);
    bench.until_kept(&watch(true)).await;
    run(system, &["useradd", "carla"]);
    run(system, &["groupadd", "staff"]);
    bench.silence().await;
    run(system, &["usermod", "--append", "--groups", "sudo", "carla"]);
    let told = bench.until_silence().await;
    assert_eq!(told.len(), 1);
    assert_eq!(facts(&told[0], ["name", "is-admin", "was-admin"]), [json!("carla"), json!(true), json!(false)]);
    // root's equal, by number.
    run(system, &["useradd", "--non-unique", "--uid", "0", "toor"]);
    assert_eq!(bench.next().await.subject, "user/toor");
    run(system, &["usermod", "--groups", "", "carla"]);
    let told = bench.next().await;
    assert_eq!(facts(&told, ["name", "is-admin", "was-admin"]), [json!("carla"), json!(false), json!(true)]);
}
