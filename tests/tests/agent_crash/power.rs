//! Power goes: what was not flushed by then is gone, and so is the agent. The device's memory is on a disk that does just that;
//! what its runs do in the world is not.

use std::fs::{self, File};
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use tests::Chance;

use crate::books::{Books, Log};
use crate::disk::{Flushes, Mains};
use crate::load::{self, People};
use crate::site::{Site, wait_for};

const MIB: u64 = 128;

/// The control: without it, what follows would hold on any disk.
#[test]
fn what_was_not_flushed_is_gone_and_what_was_is_there() {
    tests::need_root!();
    tests::apart!();
    for (flushes, is_kept) in [(Flushes::Kept, true), (Flushes::Ignored, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut mains = Mains::new(folder.path(), MIB, flushes);
        let write = |name: &str| {
            let mut file = File::create(folder.path().join(name)).unwrap();
            file.write_all(&[b'x'; 100_000]).unwrap();
            file
        };
        let flushed = write("flushed");
        flushed.sync_all().unwrap();
        File::open(folder.path()).unwrap().sync_all().unwrap();
        let _not_flushed = write("not flushed");
        mains.cut();
        mains.switch_on();
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap_or_default();
        assert_eq!(read("flushed") == [b'x'; 100_000], is_kept);
        assert_eq!(read("not flushed"), b"", "what nobody flushed");
    }
}

/// Whoever was told that their run completed finds it after the power went; not on a disk that lies about it.
#[test]
fn what_somebody_was_told_outlives_the_power() {
    tests::need_root!();
    tests::apart!();
    for (flushes, is_kept) in [(Flushes::Kept, true), (Flushes::Ignored, false)] {
        let mut mains = None;
        let site = Site::with(|machine| mains = Some(Mains::new(&machine.state(), MIB, flushes)));
        let mut mains = mains.unwrap();
        let told = site.ask(&["run", "writer", "--mode", "enforce"]).json();
        mains.cut();
        mains.switch_on();
        let runs = site.machine.runs();
        let is_there = runs.iter().any(|run| run["run"] == told["run"] && run["ended"]["outcome"] == "completed");
        assert_eq!(is_there, is_kept, "{runs:?}");
    }
}

#[test]
fn an_agent_whose_power_goes_accounts_for_everything() {
    tests::need_root!();
    tests::apart!();
    let cuts = if tests::soak!() { 50 } else { 5 };
    let mut chance = Chance::new(tests::seed());
    let mut mains = None;
    let site = Site::with(|machine| mains = Some(Mains::new(&machine.state(), MIB, Flushes::Kept)));
    let mut mains = mains.unwrap();
    let (since, mut log) = (load::place(&site), Log::new());
    let began = Instant::now();
    let (people, ()) = People::busy(&site, || {
        for cut in 0..cuts {
            let mut agent = site.spawn();
            // Also while it starts, where it puts in order what the one before left; and for certain while something runs.
            if cut % 4 > 0 {
                assert!(wait_for(|| site.is_up()), "{}", site.said());
            }
            if cut % 4 == 1 {
                site.begin_a_run();
            } else {
                thread::sleep(Duration::from_millis(chance.below(3_000)));
            }
            assert!(agent.ended().is_none(), "it ended by itself:\n{}", site.said());
            mains.cut();
            agent.kill();
            mains.switch_on();
            log.read(&site);
        }
    });
    let cut = began.elapsed();
    let mut agent = site.start();
    load::come_to_rest(&site, &mut agent);
    let books = Books::of(&site, &since, people, log);
    books.check(cuts);
    eprintln!("{cuts} times without power within {cut:?}: {}", books.told());
    assert!(books.count(model::Outcome::Interrupted) > 0, "some came during runs");
}
