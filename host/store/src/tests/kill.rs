//! `kill -9` under load, and at what changes the file as a whole: what was told to be durable is there, and nothing is half there.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::*;

const KILL: i32 = 9;
const THREADS: usize = 8;

/// Runs beside each other until it is killed; it says what it was told is durable.
fn work(folder: &Path) {
    let store = Arc::new(Store::open(folder).unwrap());
    let tell = |line: String| std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    let runs = || loop {
        let run = RunId::new();
        whole_run(&store, run, |count| tell(format!("{run} {count}\n"))).unwrap();
        store.put("c", &run.to_string(), "x", Expected::Absent, None, 1).unwrap().unwrap();
        tell(format!("{run} 5\n"));
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(runs))));
}

#[test]
fn what_was_told_to_be_durable_is_there_after_a_kill_at_any_moment() {
    if let Some(folder) = folder_of_child() {
        return work(&folder);
    }
    let kills = if ::tests::soak!() { 200 } else { 15 };
    let (folder, mut chance) = (tempfile::tempdir().unwrap(), ::tests::Chance::new(::tests::seed()));
    let (mut interrupted, mut all) = (0, HashMap::new());
    for _ in 0..kills {
        let mut child = again("kill::what_was_told_to_be_durable_is_there_after_a_kill_at_any_moment", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told = |line: String| {
            Some((line.split_once(' ')?.0.parse::<RunId>().ok()?, line.split_once(' ')?.1.parse::<usize>().ok()?))
        };
        let first = lines.by_ref().find_map(told).expect("it works");
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_micros(chance.below(150_000)));
            child.kill().unwrap();
            (child.wait().unwrap().signal(), chance)
        });
        let durable: HashMap<RunId, usize> = std::iter::once(first).chain(lines.filter_map(told)).collect();
        let signal;
        (signal, chance) = killer.join().unwrap();
        assert_eq!(signal, Some(KILL));
        let store = Arc::new(Store::open(folder.path()).unwrap());
        assert!(store.set_aside().is_empty());
        for (run, count) in &durable {
            assert!(events_of(&store, *run) >= *count.min(&4), "{run} was told {count}");
            let is_there = store.get("c", &run.to_string(), 1).unwrap().is_some();
            assert!(is_there || *count < 5, "{run}");
        }
        interrupted += store.close_interrupted(2).unwrap().len();
        all.extend(durable);
    }
    let store = Arc::new(Store::open(folder.path()).unwrap());
    let runs = store.runs(u32::MAX).unwrap();
    assert!(runs.len() >= all.len() && runs.iter().all(|run| run.ended.is_some()), "each has its end");
    assert!(runs.iter().all(|run| matches!(store.events(run.run).unwrap().len(), 2 | 4)));
    assert_eq!(store.spool_bytes().unwrap(), store.spool_bytes_anew());
    store.check().unwrap();
    drop(store);
    assert_eq!(std::fs::read_dir(folder.path().join("running")).unwrap().count(), 0, "no lock is left");
    eprintln!("{kills} kills: {} runs, {interrupted} of them interrupted", runs.len());
    assert!(interrupted > kills / 2, "most kills came during a run");
}

/// Dies at a point, in a process of its own.
fn dies_at(point: &str, test: &str, folder: &Path) {
    let died = again(test, folder).env("REMIT_FAIL_POINT", point).stdout(Stdio::null()).status().unwrap();
    assert_eq!(died.signal(), Some(KILL), "nothing reaches {point}");
}

#[test]
fn a_purge_takes_whole_runs_or_none() {
    let purge = |folder: &Path| {
        let store = Arc::new(Store::open(folder).unwrap());
        store.purge_runs(&Limits { bytes: 0, age_ms: u64::MAX }, 1).unwrap().runs
    };
    if let Some(folder) = folder_of_child() {
        purge(&folder);
        return;
    }
    for (point, left) in [("event.before-commit", 3), ("event.after-commit", 0)] {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        (0..3).for_each(|_| whole_run(&store, RunId::new(), |_| ()).unwrap());
        drop(store);
        dies_at(point, "kill::a_purge_takes_whole_runs_or_none", folder.path());
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.runs(9).unwrap().len(), left, "{point}");
        assert_eq!(store.spool_bytes().unwrap(), store.spool_bytes_anew());
        drop(store);
        assert_eq!(purge(folder.path()), u64::try_from(left).unwrap());
    }
}

#[test]
fn who_dies_while_a_damaged_file_is_set_aside_is_followed_by_one_who_does_it() {
    if let Some(folder) = folder_of_child() {
        drop(Store::open(&folder));
        return;
    }
    for point in crate::fail::POINTS.iter().filter(|point| point.starts_with("aside.")) {
        let folder = tempfile::tempdir().unwrap();
        make_private_folder(folder.path()).unwrap();
        let file = folder.path().join("state.db");
        std::fs::write(&file, "no database ".repeat(1_000)).unwrap();
        let test = "kill::who_dies_while_a_damaged_file_is_set_aside_is_followed_by_one_who_does_it";
        dies_at(point, test, folder.path());
        let store = Arc::new(Store::open(folder.path()).unwrap());
        whole_run(&store, RunId::new(), |_| ()).unwrap();
        let aside: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()).collect();
        let aside: Vec<_> = aside.iter().filter(|it| it.to_str().unwrap().contains(".corrupt-")).collect();
        assert_eq!(aside.len(), 1, "{point}: {aside:?}");
        assert!(std::fs::read_to_string(aside[0]).unwrap().starts_with("no database"));
    }
}
