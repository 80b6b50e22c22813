//! What the conformance suites share.

use std::time::{Duration, Instant};

use contract::Context;

/// A call of the plugin `test` that has a minute.
pub(crate) fn context() -> Context {
    Context::new("run_01", "test", "dev_01", vec!["*".to_owned()], Instant::now() + Duration::from_secs(60))
}

/// A device without a past, at 2026-01-01.
pub(crate) fn shared() -> crate::Shared {
    let clock = std::sync::Arc::new(model::ManualClock::new(1_767_225_600_000));
    crate::Shared::in_memory(clock).unwrap()
}

/// The same, where policy masks people.
#[cfg(target_os = "linux")]
pub(crate) fn shared_masking_people() -> crate::Shared {
    let policy = toml::from_str("[device-people]\nmask-people = true").unwrap();
    crate::Shared { policy: std::sync::Arc::new(policy), ..shared() }
}

/// What an independent tool of this machine prints.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "a test compares with the machine's own tools")]
pub(crate) fn tool(command: &[&str]) -> String {
    let output = std::process::Command::new(command[0]).args(&command[1..]).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: is its Debian package installed?", command[0]));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The recorded files of a machine, gone when it is dropped.
#[cfg(target_os = "linux")]
pub(crate) struct Recorded(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Recorded {
    /// These files, each by its path without the first slash.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let recorded = Self(tempfile::tempdir().unwrap());
        for (path, content) in files {
            recorded.add(path, content.as_bytes());
        }
        recorded
    }

    /// One more file.
    pub(crate) fn add(&self, path: &str, content: &[u8]) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// One more link.
    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// To read from.
    pub(crate) fn root(&self) -> crate::facts::Root {
        crate::facts::Root::new(self.0.path())
    }
}
