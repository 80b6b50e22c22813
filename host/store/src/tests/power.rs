//! The power goes: of the log, which grows at its end, some part is on the disk. What was told to be durable was synced before, and
//! is in any such part; of what came after nothing is half there.

use std::thread;

use super::*;

const PAGE: usize = 4_096;
const FRAME: usize = 24 + PAGE;

/// What was told, and how long the log was by then.
struct Told {
    run: RunId,
    count: usize,
    log_bytes: usize,
}

fn log_bytes(folder: &Path) -> usize {
    usize::try_from(folder.join("state.db-wal").metadata().unwrap().len()).unwrap()
}

/// A device that worked: its file, its log, and what was told when.
fn worked(folder: &Path) -> (Vec<u8>, Vec<u8>, Vec<Told>) {
    let store = Arc::new(Store::open(folder).unwrap());
    // What the log begins with is in the file, so that nothing is folded in from here on.
    store.writer().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let file = std::fs::read(folder.join("state.db")).unwrap();
    let told = Mutex::new(Vec::new());
    let runs = |count: usize| {
        for _ in 0..count {
            let run = RunId::new();
            let tell = |count| told.lock().unwrap().push(Told { run, count, log_bytes: log_bytes(folder) });
            whole_run(&store, run, tell).unwrap();
        }
    };
    // One at a time, where it is known to the frame how much was synced; and beside each other, where commits are shared.
    runs(8);
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| runs(3)))));
    assert_eq!(file, std::fs::read(folder.join("state.db")).unwrap(), "nothing was folded in meanwhile");
    let log = std::fs::read(folder.join("state.db-wal")).unwrap();
    (file, log, told.into_inner().unwrap())
}

#[test]
fn whatever_part_of_the_log_is_left_has_what_was_told_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let (file, log, told) = worked(folder.path());
    let mut chance = ::tests::Chance::new(::tests::seed());
    let frames: Vec<usize> = (0..=(log.len() - 32) / FRAME).map(|frame| 32 + frame * FRAME).collect();
    assert!(frames.len() > 60 && frames.last() == Some(&log.len()), "{} frames", frames.len());
    let random: Vec<usize> = (0..60).map(|_| usize::try_from(chance.below(log.len() as u64)).unwrap()).collect();
    let left = tempfile::tempdir().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for cut in frames.into_iter().chain(random).chain([0, 1, 31]) {
        // What was not synced is not there, or is anything.
        for garbage in [0, 2 * FRAME] {
            let mut cut_log = log[..cut].to_vec();
            cut_log.extend((0..garbage).map(|_| chance.below(256) as u8));
            for name in ["state.db-shm", "state.reserve"] {
                let _ = std::fs::remove_file(left.path().join(name));
            }
            std::fs::write(left.path().join("state.db"), &file).unwrap();
            std::fs::write(left.path().join("state.db-wal"), cut_log).unwrap();
            let store = Store::open(left.path()).unwrap();
            for it in &told {
                let found = events_of(&store, it.run);
                assert!(found >= it.count || it.log_bytes > cut, "{}: {} of {} at {cut}", it.run, found, it.count);
            }
            let count = store.runs(u32::MAX).unwrap().len();
            assert_eq!(store.spool_bytes().unwrap(), store.spool_bytes_anew());
            seen.insert(count);
        }
    }
    assert!(seen.contains(&0) && seen.contains(&20) && seen.len() > 10, "some of them cut something off: {seen:?}");
}
