//! Counts tests, from what the test harness prints.

use std::collections::BTreeSet;
use std::fmt;

/// A test that stands aside prints this and its name, and then returns.
const SKIPPED: &str = "skipped: ";
/// A test that takes its long form prints this and its name.
const SOAKED: &str = "soaked: ";

/// What became of the tests.
#[derive(Default)]
pub(crate) struct Tally {
    returned: usize,
    failed: usize,
    ignored: usize,
    /// The tests that stood aside.
    pub(crate) skipped: BTreeSet<String>,
    /// The tests that took their long form.
    pub(crate) soaked: BTreeSet<String>,
}

impl Tally {
    /// Takes in one line of output.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix(SKIPPED) {
            self.skipped.insert(name.trim().to_owned());
        } else if let Some(name) = line.strip_prefix(SOAKED) {
            self.soaked.insert(name.trim().to_owned());
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            self.returned += count(counts, "passed");
            self.failed += count(counts, "failed");
            self.ignored += count(counts, "ignored");
        }
    }

    /// A line for each test that stood aside.
    pub(crate) fn skipped_by_name(&self) -> String {
        self.skipped.iter().map(|name| format!("{SKIPPED}{name}\n")).collect()
    }

    /// Something ran, and all of it held.
    pub(crate) fn is_good(&self) -> bool {
        self.failed == 0 && self.passed() > 0
    }

    /// The harness takes a test that stood aside for one that passed.
    fn passed(&self) -> usize {
        self.returned.saturating_sub(self.skipped.len())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.ignored + self.skipped.len();
        write!(f, "{} passed, {} failed, {skipped} skipped", self.passed(), self.failed)
    }
}

/// The number before `word` in `ok. 5 passed; 0 failed; …`.
fn count(counts: &str, word: &str) -> usize {
    let mut words = counts.split([' ', ';']).filter(|part| !part.is_empty());
    let mut last = "";
    words
        .find_map(|part| {
            if part == word {
                last.parse().ok()
            } else {
                last = part;
                None
            }
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn sums_over_all_binaries() {
        let output = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s\n\
            noise\n\
            test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(tally(output).to_string(), "7 passed, 3 failed, 1 skipped");
        assert!(!tally(output).is_good());
    }

    #[test]
    fn a_test_that_stood_aside_did_not_pass() {
        let output = "skipped: hosts::boots\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(tally(output).to_string(), "1 passed, 0 failed, 1 skipped");
        assert_eq!(tally(output).skipped_by_name(), "skipped: hosts::boots\n");
        assert!(tally(output).is_good());
    }

    #[test]
    fn nothing_is_not_good() {
        assert!(!tally("").is_good());
    }
}
