//! A guest that is timed. Each line that it logs is a moment that the bench takes down.

use std::hint::black_box;
use std::time::Duration;

use remit_sdk::device;
use remit_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// Says when it is entered, calls the host so often, and holds still so long.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Stopwatch {
    /// Host calls that answer a record of strings.
    #[serde(default)]
    calls: u32,
    /// How long it stays after that.
    #[serde(default)]
    hold_ms: u64,
}

impl Detect for Stopwatch {
    fn detect(&self) -> Result<Report> {
        info!("entered");
        for _ in 0..self.calls {
            black_box(device::get_os()?);
        }
        info!("called");
        if self.hold_ms > 0 {
            run::sleep(Duration::from_millis(self.hold_ms));
        }
        Ok(Report::compliant(""))
    }
}

remit_sdk::plugin!(Stopwatch: Detect);
