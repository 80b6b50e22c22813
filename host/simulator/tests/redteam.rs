//! The red team with few devices, so that every change meets it; `cargo xtask redteam` has a thousand.

use simulator::redteam;

#[test]
fn nobody_reaches_more_than_the_bars_say() {
    let devices = if tests::soak!() { 1_000 } else { 20 };
    let rows = redteam::run(devices, |_| ()).unwrap();
    assert!(rows.iter().all(redteam::Row::is_met), "{}", redteam::table(&rows));
}
