//! What a test tells past the harness, which keeps what a passing test prints to itself.

use std::io::Write as _;

/// A test's name, from the path of a function inside it.
pub(crate) fn name(here: &str) -> &str {
    here.trim_end_matches("::here").trim_end_matches("::{{closure}}")
}

/// Tells a line, in one write, so that no other line gets in.
pub(crate) fn tell(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
