//! A disk without a byte, and one that nothing can be written to. Each test runs again in a process with mounts of its own, which go
//! with it.

use std::fs;
use std::io::{ErrorKind, Write as _};

use super::*;

/// A real file system with 64 MiB at `$1`, and then the test.
const EXT4: &str =
    "truncate -s 64M \"$1.img\" && mkfs.ext4 -q -m 0 \"$1.img\" && mount -o loop,errors=remount-ro \"$1.img\" \"$1\"";
const TMPFS: &str = "mount -t tmpfs -o size=64m,mode=700 tmpfs \"$1\"";

/// Runs a test again on each of them.
fn on_each(test: &str) {
    for mount in [EXT4, TMPFS] {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::create_dir(&disk).unwrap();
        let child = again(test, &disk);
        #[expect(clippy::disallowed_methods, reason = "mounts are of a process")]
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-c", &format!("{mount} && shift && exec \"$@\""), "sh"]).arg(&disk);
        command.arg(child.get_program()).args(child.get_args()).env(FOLDER, &disk);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{mount}: {said}");
    }
}

/// Takes every byte that is left, and gives the file that has them.
fn fill(disk: &Path) -> PathBuf {
    let filler = disk.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    for size in [1 << 20, 4_096, 1] {
        let error = loop {
            if let Err(error) = file.write_all(&vec![1; size]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
    let _ = file.sync_all();
    let probe = fs::write(disk.join("probe"), vec![1; 8_192]);
    assert_eq!(probe.map_err(|error| error.kind()), Err(ErrorKind::StorageFull));
    fs::remove_file(disk.join("probe")).unwrap();
    filler
}

fn is_full(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Full { .. }))
}

#[test]
fn the_run_that_frees_a_full_disk_is_recorded() {
    let Some(disk) = folder_of_child() else {
        ::tests::need_root!();
        return on_each("full::the_run_that_frees_a_full_disk_is_recorded");
    };
    // A process that lives on, and one that is started when nothing is left.
    for is_open_before in [true, false] {
        let state = disk.join(format!("state-{is_open_before}"));
        let before = Arc::new(Store::open(&state).unwrap());
        whole_run(&before, RunId::new(), |_| ()).unwrap();
        let before = is_open_before.then_some(before);
        let filler = fill(&disk);
        let store = before.unwrap_or_else(|| Arc::new(Store::open(&state).unwrap()));
        let runs: Vec<RunId> = (0..20).map(|_| RunId::new()).collect();
        runs.iter().for_each(|run| whole_run(&store, *run, |_| ()).unwrap());
        assert!(!state.join("state.reserve").exists(), "it was given away");
        fs::remove_file(filler).unwrap();
        whole_run(&store, RunId::new(), |_| ()).unwrap();
        assert!(state.join("state.reserve").metadata().unwrap().len() > 0, "and taken again");
        assert!(runs.iter().all(|run| events_of(&store, *run) == 4));
        drop(store);
        let store = Store::open(&state).unwrap();
        assert_eq!((store.runs(u32::MAX).unwrap().len(), store.set_aside().len()), (22, 0));
        store.check().unwrap();
    }
}

#[test]
fn a_full_disk_is_named_and_never_taken_for_damage() {
    let Some(disk) = folder_of_child() else {
        ::tests::need_root!();
        return on_each("full::a_full_disk_is_named_and_never_taken_for_damage");
    };
    let state = disk.join("state");
    let store = Arc::new(Store::open(&state).unwrap());
    let filler = fill(&disk);
    // Whatever is kept for it, at some time it is used up.
    let mut written = Vec::new();
    let refused = loop {
        let run = RunId::new();
        match whole_run(&store, run, |_| ()) {
            Ok(()) => written.push(run),
            refused => break refused,
        }
    };
    assert!(is_full(&refused), "{refused:?}");
    assert!(written.len() > 100, "the reserve is for {} runs", written.len());
    let other = Arc::new(Store::open(&state).unwrap());
    assert!(is_full(&whole_run(&other, RunId::new(), |_| ())));
    fs::remove_file(filler).unwrap();
    let next = RunId::new();
    whole_run(&store, next, |_| ()).unwrap();
    written.push(next);
    assert!(written.iter().all(|run| events_of(&other, *run) == 4));
    assert!(store.set_aside().is_empty() && other.set_aside().is_empty());
    store.check().unwrap();
}

#[test]
fn a_disk_that_nothing_can_be_written_to_is_named_and_never_taken_for_damage() {
    let Some(disk) = folder_of_child() else {
        ::tests::need_root!();
        return on_each("full::a_disk_that_nothing_can_be_written_to_is_named_and_never_taken_for_damage");
    };
    let state = disk.join("state");
    let run = RunId::new();
    let write = |run| whole_run(&Arc::new(Store::open(&state)?), run, |_| ());
    write(run).unwrap();
    let remount = |how: &str| {
        #[expect(clippy::disallowed_methods, reason = "only mount mounts")]
        let status = std::process::Command::new("mount").args(["-o", how]).arg(&disk).status().unwrap();
        assert!(status.success());
    };
    remount("remount,ro");
    let refused = write(RunId::new());
    assert!(matches!(refused, Err(Error::ReadOnly { .. })), "{refused:?}");
    remount("remount,rw");
    write(RunId::new()).unwrap();
    let store = Store::open(&state).unwrap();
    assert_eq!((events_of(&store, run), store.set_aside().len()), (4, 0));
}
