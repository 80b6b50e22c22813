//! A standing order on devices of which some were off for weeks: a thousand of them in the long form.

use simulator::weeks;

#[test]
fn two_weeks_with_a_third_away_are_one_run_each_on_return() {
    let devices = if tests::soak!() { 1_000 } else { 40 };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let weeks = runtime.block_on(weeks::weeks(devices, 2, 300_000)).unwrap();
    assert_eq!((weeks.once, weeks.weekly), (weeks.away, weeks.there), "{weeks:?}");
    assert!(weeks.away > 3 && weeks.there > 10, "{weeks:?}");
}
