//! What an order says about runs that were missed, and runs that meet.

use std::fmt;
use std::str::FromStr;

use crate::{Manner, Occupancy, Reason, text};

/// The most runs that are caught up at once: more than one a day of three months is a backlog, not a schedule.
const RUNS_MAX: u32 = 100;

/// What becomes of firings that nobody was there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Misfire {
    /// They are left out: `skip`.
    Skip,
    /// The latest of them runs, late: `run-once`. One that is on time at the same moment takes its place.
    #[default]
    RunOnce,
    /// The latest so many run, one after another: `run-all(3)`; 1 to 100.
    RunAll(u32),
    /// As `run-once`, where it is at most so many milliseconds late: `run-once-if-within(4h)`.
    RunOnceIfWithin(i64),
}

impl FromStr for Misfire {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let argument = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if text == "skip" {
            Ok(Self::Skip)
        } else if text == "run-once" {
            Ok(Self::RunOnce)
        } else if let Some(runs) = argument("run-all") {
            let runs = runs.parse().ok().filter(|runs| (1..=RUNS_MAX).contains(runs));
            runs.map(Self::RunAll).ok_or_else(|| format!("`{text}`: expected 1 to {RUNS_MAX} runs"))
        } else if let Some(within) = argument("run-once-if-within") {
            text::duration_ms(within).map(Self::RunOnceIfWithin)
        } else {
            Err(format!(
                "`{text}` is unknown: expected `skip`, `run-once`, `run-all(3)` or `run-once-if-within(4h)`, with your numbers"
            ))
        }
    }
}

/// What becomes of a firing while an earlier one of the same order is under way or waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// It is left out: `skip`.
    #[default]
    Skip,
    /// It waits; a second one that would wait is left out: `queue`.
    Queue,
    /// It takes the place of all that is under way or waits: `replace`.
    Replace,
}

impl Overlap {
    /// How a firing meets other runs of its order, if it may.
    pub(crate) fn meet(self, occupancy: Occupancy) -> Result<Manner, Reason> {
        match (occupancy, self) {
            (Occupancy::Idle, _) => Ok(Manner::Start),
            (_, Self::Replace) => Ok(Manner::Replace),
            (Occupancy::Running, Self::Queue) => Ok(Manner::Queue),
            (_, Self::Skip | Self::Queue) => Err(Reason::Overlap),
        }
    }
}

impl FromStr for Overlap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "skip" => Ok(Self::Skip),
            "queue" => Ok(Self::Queue),
            "replace" => Ok(Self::Replace),
            _ => Err(format!("`{text}` is unknown: expected `skip`, `queue` or `replace`")),
        }
    }
}

impl fmt::Display for Misfire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip => f.write_str("skip"),
            Self::RunOnce => f.write_str("run-once"),
            Self::RunAll(runs) => write!(f, "run-all({runs})"),
            Self::RunOnceIfWithin(ms) => write!(f, "run-once-if-within({}s)", ms / 1_000),
        }
    }
}
