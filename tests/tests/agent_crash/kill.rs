//! `kill -9` of the agent and all that it started, at random moments.

use std::thread;
use std::time::{Duration, Instant};

use tests::Chance;

use crate::books::{Books, Log};
use crate::load::{self, People};
use crate::site::{Site, wait_for};

#[test]
fn an_agent_that_is_killed_under_load_accounts_for_everything() {
    let kills = if tests::soak!() { 200 } else { 12 };
    let mut chance = Chance::new(tests::seed());
    let site = Site::new();
    let (since, mut log) = (load::place(&site), Log::new());
    let began = Instant::now();
    let (people, ()) = People::busy(&site, || {
        for kill in 0..kills {
            let mut agent = site.spawn();
            // Also while it starts, where it puts in order what the one before left; and for certain while something runs.
            if kill % 4 > 0 {
                assert!(wait_for(|| site.is_up()), "{}", site.said());
            }
            if kill % 4 == 1 {
                site.begin_a_run();
            } else {
                thread::sleep(Duration::from_millis(chance.below(3_000)));
            }
            assert!(agent.ended().is_none(), "it ended by itself:\n{}", site.said());
            agent.kill();
            log.read(&site);
        }
    });
    let killed = began.elapsed();
    let mut agent = site.start();
    load::come_to_rest(&site, &mut agent);
    let books = Books::of(&site, &since, people, log);
    books.check(kills);
    eprintln!("{kills} kills within {killed:?}: {}", books.told());
    assert!(books.count(model::Outcome::Interrupted) > 0, "some kills came during runs");
}
