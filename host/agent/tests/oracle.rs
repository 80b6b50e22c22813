//! Two years of mixed schedules on a manual clock that is set forward and back, with suspends, restarts and pauses, against an
//! oracle that shares nothing with the agent: it has another time zone database, no cron library, and looks at every minute.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot go on panics"
)]

#[path = "oracle/brute.rs"]
mod brute;
mod dice;
#[path = "oracle/orders.rs"]
mod orders;
#[path = "oracle/through.rs"]
mod through;
#[path = "oracle/world.rs"]
mod world;

use brute::{Clock, Clocks};
use dice::Dice;
use orders::ORDERS;
use world::World;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;
const YEAR: i64 = 365 * DAY;

/// 2027-07-01, and two years later: four changes of the clocks, and a leap day.
const BEGIN: i64 = 1_814_400_000_000;
const END: i64 = BEGIN + 731 * DAY;

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"];

/// What was compared, of all orders.
#[derive(Debug, Default)]
struct Totals {
    looks: u64,
    fired: u64,
    late: u64,
    not_fired: u64,
    events: u64,
    reasons: std::collections::BTreeMap<String, u64>,
}

#[test]
fn two_years_are_as_the_oracle_says() {
    let rounds = if tests::soak!() { 25 } else { 1 };
    let (first, last) = ((BEGIN - YEAR - 30 * DAY) / MINUTE, (END + YEAR + 30 * DAY) / MINUTE);
    let clocks: Clocks = ZONES.into_iter().map(|zone| (zone, Clock::new(zone, first, last))).collect();
    let mut dice = Dice(tests::seed());
    for _ in 0..rounds {
        let mut totals = Totals::default();
        for order in ORDERS {
            World::new(order, &clocks, &mut dice).run(&mut totals);
        }
        eprintln!("0 missed, 0 doubled: {totals:?}");
        assert!(totals.fired >= 100_000, "{} firings are too few to tell", totals.fired);
        for reason in ["window", "blackout", "misfire", "overlap", "expired", "not-started", "paused"] {
            assert!(totals.reasons.get(reason).is_some_and(|&count| count > 0), "nothing was refused for {reason}");
        }
        for cause in ["clock-set", "suspended", "not-running", "busy"] {
            assert!(totals.reasons.contains_key(cause), "nothing was missed for {cause}");
        }
    }
}

/// The dispatcher decides the same, with runs of its own that wait for each other, and with nothing but what it keeps over restarts.
/// Orders that fire every minute are left to the long form.
#[test]
fn two_years_are_so_through_the_dispatcher() {
    let is_long = tests::soak!();
    let (first, last) = ((BEGIN - YEAR - 30 * DAY) / MINUTE, (END + YEAR + 30 * DAY) / MINUTE);
    let clocks: Clocks = ZONES.into_iter().map(|zone| (zone, Clock::new(zone, first, last))).collect();
    let mut dice = Dice(tests::seed());
    let mut totals = Totals::default();
    let often = |order: &&orders::Order| order.trigger.contains("cron = \"*");
    for order in ORDERS.iter().filter(|order| is_long || !often(order)) {
        World::new(order, &clocks, &mut dice).through().run(&mut totals);
    }
    eprintln!("0 missed, 0 doubled: {totals:?}");
    assert!(totals.fired >= 5_000, "{} firings are too few to tell", totals.fired);
    assert!(totals.reasons.contains_key("overlap") && totals.reasons.contains_key("misfire"));
}
