//! What is fuzzed, as plain functions: libFuzzer calls them for ten minutes each in `cargo xtask soak`, and in `cargo xtask test` they
//! get the corpus. None may panic, whatever the bytes, and what is read must be what was written.

use distribution::{Label, Lock, read_archive, write_archive};

/// An archive with a plugin in it.
pub(crate) fn archive(bytes: &[u8]) {
    if let Ok(package) = read_archive(bytes) {
        let again = write_archive(&package, &Label::default()).expect("it was read");
        assert_eq!(read_archive(again.as_slice()).expect("it was written"), package);
    }
}

/// What a project wrote down of the plugins that it takes.
pub(crate) fn lock(bytes: &[u8]) {
    if let Ok(lock) = Lock::parse(&String::from_utf8_lossy(bytes)) {
        assert_eq!(Lock::parse(&lock.to_text()).expect("it was written"), lock);
    }
}
