//! A guest that ends in the way that it is asked to: each exit code of `remit run` has a run that really ends so.

use std::time::Duration;

use remit_sdk::files_write::WriteMode;
use remit_sdk::prelude::*;
use remit_sdk::{files, files_write, kv_write};
use schemars::JsonSchema;
use serde::Deserialize;

const ROOT: &str = "scratch";

/// Ends in the way that it is asked to.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Endings {
    /// How.
    end: End,
    /// For how long it waits, or how often it does what it does.
    #[serde(default = "one")]
    times: u32,
}

/// How a run is to end.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum End {
    /// Reports that all is well.
    Compliant,
    /// Reports a finding.
    NonCompliant,
    /// Has nothing to say.
    NotApplicable,
    /// Does not know.
    Unknown,
    /// Asks for what is outside its scope, and gives up.
    Denied,
    /// Gives up with an error of its own.
    PluginError,
    /// Traps.
    Trap,
    /// Never ends, waiting.
    Sleeps,
    /// Never ends, working.
    Works,
    /// Writes so many MiB to its log.
    Talks,
    /// Waits so many times 100 ms.
    Waits,
    /// Changes something, and finds the same again.
    Recurs,
    /// Changes something in every way that there is, and finds it done.
    Changes,
}

fn one() -> u32 {
    1
}

impl Detect for Endings {
    fn detect(&self) -> Result<Report> {
        match self.end {
            End::Compliant => Ok(Report::compliant("all is well")),
            End::NonCompliant => Ok(Report::non_compliant("").finding(Finding::new("wrong", "something is wrong"))),
            End::NotApplicable => Ok(Report::not_applicable("not here")),
            End::Unknown => Ok(Report::unknown("who knows?")),
            End::Denied => files::get_entry("elsewhere", "").map(|_| Report::compliant("it was let in")),
            End::PluginError => Err(Error::new("gave-up", "it had enough")),
            End::Trap => std::process::abort(),
            End::Sleeps => loop {
                run::sleep(Duration::from_secs(60));
            },
            End::Works => {
                let mut number = 1_u64;
                loop {
                    number = std::hint::black_box(number.wrapping_mul(3));
                }
            }
            End::Talks => {
                let line = "x".repeat(8_000);
                (0..self.times * 131).for_each(|_| info!("{line}"));
                files::get_entry(ROOT, "done")?;
                Ok(Report::compliant("it was heard"))
            }
            End::Waits => {
                for _ in 0..self.times {
                    run::sleep(Duration::from_millis(100));
                    run::check_cancelled()?;
                }
                Ok(Report::compliant("it waited"))
            }
            End::Recurs => Ok(to_do()),
            End::Changes if files::get_entry(ROOT, "done")?.is_some() => Ok(Report::compliant("done")),
            End::Changes => Ok(to_do()),
        }
    }
}

fn to_do() -> Report {
    Report::non_compliant("").finding(Finding::new("to-do", "there is something to do").remediable())
}

impl Remediate for Endings {
    fn remediate(&self, _findings: &[Finding]) -> Result<Remedy> {
        let before_ms = run::now();
        files_write::make_folder(ROOT, "made/deep")?;
        files_write::write_file(ROOT, "made/deep/new", b"new\n", WriteMode::Create)?;
        files_write::write_file(ROOT, "replaced", b"after\n", WriteMode::Replace)?;
        for _ in 0..self.times {
            files_write::write_file(ROOT, "appended", b"more\n", WriteMode::Append)?;
            kv_write::put_value("endings", "kept", None, 0)?;
        }
        files_write::remove_entries(ROOT, &["removed".to_owned()], before_ms)?;
        files_write::write_file(ROOT, "done", b"done\n", WriteMode::Create)?;
        Ok(Remedy::new("done"))
    }
}

remit_sdk::plugin!(Endings: Detect + Remediate);
