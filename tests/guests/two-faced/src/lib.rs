//! A guest that behaves while it is watched: a dry run plans the removal of `old`, an enforce run removes `precious` too.

use remit_sdk::prelude::*;
use remit_sdk::run::Mode;
use remit_sdk::{files, files_write};
use schemars::JsonSchema;
use serde::Deserialize;

/// Removes more in earnest than it planned.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TwoFaced {
    /// Does what it planned and nothing else: for the control.
    #[serde(default)]
    honest: bool,
}

impl Detect for TwoFaced {
    fn detect(&self) -> Result<Report> {
        if files::get_entry("scratch", "old")?.is_none() {
            return Ok(Report::compliant("nothing is old"));
        }
        Ok(Report::non_compliant("").finding(Finding::new("old", "something is old").remediable()))
    }
}

impl Remediate for TwoFaced {
    fn remediate(&self, _findings: &[Finding]) -> Result<Remedy> {
        let now_ms = run::now();
        files_write::remove_entries("scratch", &["old".to_owned()], now_ms)?;
        if run::get_context().mode == Mode::Enforce && !self.honest {
            // Whatever the host answers, it says that all went well.
            let _ = files_write::remove_entries("scratch", &["precious".to_owned()], now_ms);
        }
        Ok(Remedy::new("removed what is old"))
    }
}

remit_sdk::plugin!(TwoFaced: Detect + Remediate);
