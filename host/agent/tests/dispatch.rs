//! Whatever happens to an agent, and whenever it dies: each firing has one account, one run at a time changes the device, orders
//! keep their order, nobody starves, and no budget is given back. What is durable is a map and a log; all else is lost with each
//! crash, which comes before a step is durable, after it, between two of its starts, and between the end of a run and its step.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot go on panics"
)]

#[path = "dispatch/books.rs"]
mod books;
#[path = "dispatch/device.rs"]
mod device;
mod dice;

use device::Device;
use dice::Dice;

#[test]
fn every_firing_has_one_account() {
    eprintln!("{:?}", live(if tests::soak!() { 300 } else { 3 }, false));
}

#[test]
fn also_where_clocks_are_set_and_orders_change() {
    eprintln!("{:?}", live(if tests::soak!() { 300 } else { 3 }, true));
}

/// Devices drawn by lot live for a while, one after another, until everything has happened that there is to tell.
fn live(worlds: usize, is_rough: bool) -> books::Totals {
    let mut dice = Dice(tests::seed());
    let mut totals = books::Totals::default();
    for lived in 0..worlds + WORLDS_MORE {
        if lived >= worlds && totals.lacks().is_empty() {
            break;
        }
        Device::new(&mut dice, is_rough).live(400, &mut totals);
    }
    assert_eq!(totals.lacks(), [""; 0], "{totals:?}");
    totals
}

/// However the dice fall, so many more show what three did not.
const WORLDS_MORE: usize = 20;
