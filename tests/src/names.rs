//! What a host is called, and with it all that this machine has of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A name that no other host has: `remit-PID-COUNT`.
pub(crate) fn new() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("remit-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// What lies in `folder` under the name of a host whose test did not live to remove it.
pub(crate) fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left_behind)).map(|entry| entry.path()).collect()
}

fn is_left_behind(name: &str) -> bool {
    let owner = name.strip_prefix("remit-").and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
    owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_nobody_alive_is_left_behind() {
        assert!(!is_left_behind(&new()));
        // Process numbers end long before.
        assert!(is_left_behind("remit-4294967295-0"));
        for other in ["remit", "remit-x-0", "remit-4294967295", "nginx-4294967295-0"] {
            assert!(!is_left_behind(other), "{other}");
        }
    }
}
