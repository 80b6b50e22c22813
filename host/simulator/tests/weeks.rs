//! A standing order on devices of which some were off for weeks: a thousand of them in the long form.

use simulator::weeks;

#[tokio::test]
async fn two_weeks_with_a_third_away_are_one_run_each_on_return() {
    let devices = if tests::soak!() { 1_000 } else { 40 };
    let weeks = weeks::weeks(devices, 2, 300_000).await.unwrap();
    assert_eq!((weeks.once, weeks.weekly), (weeks.away, weeks.there), "{weeks:?}");
    assert!(weeks.away > 3 && weeks.there > 10, "{weeks:?}");
}
