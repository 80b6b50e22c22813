//! What the executor counts, and what this half counts of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the executor is. A half that was replaced before the other knows fewer of them, or more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Numbers {
    /// Since when it runs.
    pub(crate) since_ms: u64,
    /// Runs that ended since then, by outcome.
    pub(crate) ended: BTreeMap<String, u64>,
    /// Runs that wait.
    pub(crate) runs_waiting: u64,
    /// Runs under way.
    pub(crate) runs_under_way: u64,
    /// Runs that wait for a reboot.
    pub(crate) runs_suspended: u64,
    /// What is wrong: files, orders, states.
    pub(crate) problems: u64,
    /// Firings, events and runs that came to nothing since it runs, by reason.
    pub(crate) not_run: BTreeMap<String, u64>,
    /// Standing orders that hold.
    pub(crate) orders: u64,
    /// Orders that are off until somebody looks.
    pub(crate) breakers: u64,
    /// What the device's budgets leave, by name.
    pub(crate) budgets_left: BTreeMap<String, u64>,
    /// When it last looked at what is due.
    pub(crate) looked_ms: u64,
    /// What waits to be sent.
    pub(crate) spool_bytes: u64,
    /// What it uses.
    pub(crate) usage: Usage,
}

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Usage {
    /// Memory that is its own now.
    pub(crate) rss_bytes: u64,
    /// Processor time since it began.
    pub(crate) cpu_us: u64,
}

impl Usage {
    /// Of this process; nothing where `/proc` is not.
    pub(crate) fn own() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu_us = cpu.tv_sec.saturating_mul(1_000_000).saturating_add(cpu.tv_nsec / 1_000);
        Self {
            rss_bytes: rss.and_then(|it| it.trim().parse::<u64>().ok()).unwrap_or_default() * 1024,
            cpu_us: u64::try_from(cpu_us).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_of_the_executor_is_understood() {
        let numbers: Numbers = serde_json::from_str(r#"{"runs-waiting":3,"something-new":[1]}"#).unwrap();
        assert_eq!(numbers, Numbers { runs_waiting: 3, ..Numbers::default() });
        assert!(serde_json::from_str::<Numbers>(r#"{"runs-waiting":-3}"#).is_err());
    }

    #[test]
    fn a_process_knows_what_it_uses() {
        let before = Usage::own();
        // More than tests beside this one let go of meanwhile.
        let mut held = vec![1_u8; 256 << 20];
        for round in 0..4 {
            held.iter_mut().for_each(|it| *it = it.wrapping_mul(3).wrapping_add(round));
        }
        let after = Usage::own();
        assert!(after.rss_bytes > before.rss_bytes + (100 << 20), "{before:?} {after:?} {}", held[0]);
        assert!(after.cpu_us > before.cpu_us + 1_000, "{before:?} {after:?}");
    }
}
