//! Each row of `DISPATCH.md` names its test, and each test has its row.

use crate::rows;

const PAGE: &str = include_str!("../../../DISPATCH.md");
const TESTS: [&str; 7] = [
    include_str!("ends.rs"),
    include_str!("events.rs"),
    include_str!("line.rs"),
    include_str!("once.rs"),
    include_str!("orders.rs"),
    include_str!("restarts.rs"),
    include_str!("../../reboot/tests.rs"),
];

#[test]
fn every_row_has_its_test_and_every_test_its_row() {
    rows::check(PAGE, &TESTS, 30);
}
