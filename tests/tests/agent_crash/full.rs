//! A disk without a byte, for a while, under load and `kill -9`.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use model::RunId;
use store::{Expected, Store};
use tests::Chance;

use crate::books::{Books, Log};
use crate::disk::Disk;
use crate::load::{self, People};
use crate::site::{Agent, Site, wait_for};

const MIB: u64 = 64;

/// So often a device's disk is full. A store's file takes a log's worth more each time that all of it is used up, and keeps it.
const ROUNDS: u64 = 4;

/// The reserve for a full disk is for the records of a hundred runs. So many people use it up.
const LOUD: usize = 3;

/// As a supervisor does, for at most so long: one that ended is started again.
fn tend(site: &Site, agent: &mut Agent, most: Duration, is_over: impl Fn() -> bool) {
    let began = Instant::now();
    while began.elapsed() < most && !is_over() {
        if agent.ended().is_some() {
            *agent = site.spawn();
        }
        thread::sleep(Duration::from_millis(100));
    }
}

const TAKEN: &str = "taken";

/// Writes until there is no room for any more, large things first.
fn use_up(store: &Store) {
    for size in [200_000, 20_000, 2_000, 1] {
        while store.put(TAKEN, &RunId::new().to_string(), &"x".repeat(size), Expected::Any, None, 1).is_ok() {}
    }
}

fn give_back(store: &Store) {
    for taken in store.list(TAKEN, "", "", u32::MAX, 1).unwrap() {
        // What a file had is free a moment after it is gone.
        let remove = || store.remove(TAKEN, &taken.key, Expected::Any, 1);
        assert!(wait_for(|| remove().is_ok()), "{:?}", remove().map(drop));
    }
}

#[test]
fn an_agent_on_a_full_disk_accounts_for_everything() {
    tests::need_root!();
    tests::apart!();
    let (devices, rounds) = if tests::soak!() { (5, ROUNDS) } else { (1, 1) };
    let mut chance = Chance::new(tests::seed());
    (0..devices).for_each(|_| one_device(rounds, &mut chance));
}

fn one_device(rounds: u64, chance: &mut Chance) {
    let mut disk = None;
    let site = Site::with(|machine| disk = Some(Disk::mount(&machine.state(), MIB)));
    let disk = disk.unwrap();
    let (since, mut log) = (load::place(&site), Log::new());
    let mut deaths = 0;
    let (people, ()) = People::busy_with(&site, LOUD, |people| {
        let mut agent = site.start();
        for round in 0..rounds {
            let mut pass = |ms| Duration::from_millis(ms + chance.below(2_000));
            tend(&site, &mut agent, pass(500), || false);
            let (refused, filler) = (people.refused(), disk.fill());
            tend(&site, &mut agent, pass(0), || false);
            if round % 2 == 0 {
                agent.kill();
                deaths += 1;
                log.read(&site);
                agent = site.spawn();
            }
            // Whatever becomes free is taken, what is kept for a full disk too, until somebody has met the end of it.
            let is_met = wait_for(|| {
                disk.fill();
                use_up(&site.store());
                people.refused() > refused
            });
            assert!(is_met, "the disk was as full as can be");
            tend(&site, &mut agent, pass(1_000), || false);
            fs::remove_file(filler).unwrap();
            give_back(&site.store());
            tend(&site, &mut agent, pass(0), || false);
            assert!(wait_for(|| site.is_up()), "it comes back by itself: {}", site.said());
        }
        agent.kill();
        deaths += 1;
    });
    let refused = people.refused();
    let mut agent = site.start();
    load::come_to_rest(&site, &mut agent);
    let books = Books::of(&site, &since, people, log);
    books.check(deaths);
    eprintln!(
        "{rounds} times full: {}; of {} events people were told that they could not be written down",
        books.told(),
        refused
    );
}
