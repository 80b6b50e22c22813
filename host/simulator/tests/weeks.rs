//! A standing order on devices of which some were off for weeks.

use simulator::weeks;

#[tokio::test]
async fn two_weeks_with_a_third_away_are_one_run_each_on_return() {
    let weeks = weeks::weeks(40, 2, 300_000).await.unwrap();
    assert_eq!((weeks.once, weeks.weekly), (weeks.away, weeks.there), "{weeks:?}");
    assert!(weeks.away > 3 && weeks.there > 10, "{weeks:?}");
}
