//! Each row of `SCHEDULES.md` names its test, and each test has its row.

use crate::rows;

const PAGE: &str = include_str!("../../../SCHEDULES.md");
const TESTS: [&str; 4] =
    [include_str!("changes.rs"), include_str!("clocks.rs"), include_str!("missed.rs"), include_str!("open.rs")];

#[test]
fn every_row_has_its_test_and_every_test_its_row() {
    rows::check(PAGE, &TESTS, 40);
}
