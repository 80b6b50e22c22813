//! A guest that needs a reboot in the middle of its work. On both sides of it, it asks for all that a replay must give it
//! again: the time, a random number, a sleep, what it kept.

use std::time::{Duration, Instant};

use remit_sdk::prelude::*;
use remit_sdk::{kv, kv_write, patch_install};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Needs a reboot in the middle of its work.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Reboots {
    /// The key that it writes when its work is done.
    key: String,
    /// For how long it sleeps on each side of the reboot, in WASI.
    #[serde(default)]
    sleep_ms: u64,
}

/// What it keeps through the reboot.
#[derive(Serialize, Deserialize)]
struct Half {
    at_ms: u64,
    chance: u64,
}

impl Detect for Reboots {
    fn detect(&self) -> Result<Report> {
        Ok(match kv::get_value(&self.key)? {
            Some(done) => Report::compliant(done.value),
            None => Report::non_compliant("").finding(Finding::new("undone", "the work is not done").remediable()),
        })
    }
}

impl Remediate for Reboots {
    fn remediate(&self, _findings: &[Finding]) -> Result<Remedy> {
        let began = Instant::now();
        std::thread::sleep(Duration::from_millis(self.sleep_ms));
        let slept = began.elapsed() >= Duration::from_millis(self.sleep_ms);
        let (at_ms, chance) = (run::get_context().started_ms, chance());
        info!("slept: {slept}, {chance}");
        let Some(half) = run::resumed::<Half>()? else {
            run::checkpoint(&Half { at_ms, chance })?;
            patch_install::request_reboot("half of the work is done")?;
            return Ok(Remedy::new("half of it"));
        };
        let value = format!("{} {} before, {at_ms} {chance} after", half.at_ms, half.chance);
        kv_write::put_value(&self.key, &value, None, 0)?;
        Ok(Remedy::new("all of it"))
    }
}

/// Whatever the standard library takes its chances with.
fn chance() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

remit_sdk::plugin!(Reboots: Detect + Remediate);
