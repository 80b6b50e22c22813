//! As many open files as many devices hold.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many as ten thousand devices have connections for a moment, three each.
const WANTED: u64 = 65_536;

/// As many files as wanted, where root asks; else as many as this process may have.
pub fn raise() {
    let both = Rlimit { current: Some(WANTED), maximum: Some(WANTED) };
    let files = getrlimit(Resource::Nofile);
    if files.maximum.is_some_and(|most| most >= WANTED) || setrlimit(Resource::Nofile, both).is_err() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
    }
}
