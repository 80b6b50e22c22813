//! What is fuzzed, as plain functions: libFuzzer calls them with a nightly compiler, and a test replays the corpus with the one
//! that builds everything else. None may panic, whatever the bytes, and what is read must be what was written.

use distribution::{Label, read_archive, write_archive};

/// An archive with a plugin in it.
pub(crate) fn archive(bytes: &[u8]) {
    if let Ok(package) = read_archive(bytes) {
        let again = write_archive(&package, &Label::default()).expect("it was read");
        assert_eq!(read_archive(again.as_slice()).expect("it was written"), package);
    }
}
