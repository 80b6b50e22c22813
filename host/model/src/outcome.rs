//! What was found, how the machinery ended, and the exit code that a shell sees.

use serde::{Deserialize, Serialize};

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Compliant,
    /// Not as it should be.
    NonCompliant,
    /// A dry run: these changes would be made.
    Planned,
    /// It was not, and now is: measured by detecting again.
    Fixed,
    /// Changes were made, and what they were to fix is still found.
    Recurred,
    /// An undo that could not take everything back. A plugin whose `remediate` gives up ends with outcome `plugin-error` instead.
    Failed,
    /// The plugin has nothing to say about this machine.
    NotApplicable,
    /// Nobody knows: the plugin said so, or the run did not get that far.
    Unknown,
}

/// How the machinery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The plugin answered.
    Completed,
    /// The plugin answered with an error, exited, or answered what it may not.
    PluginError,
    /// It was not started: grants, manifest or policy forbid it.
    Refused,
    /// The plugin gave up because a call was denied.
    Denied,
    /// Wall time ran out.
    Timeout,
    /// Somebody stopped it.
    Cancelled,
    /// It ran into a limit other than wall time.
    Limit,
    /// The guest trapped.
    Trap,
    /// The host could not do its work.
    HostError,
    /// The host died during the run.
    Interrupted,
    /// It waits for a reboot, and goes on after it.
    Suspended,
}

/// Who has to act on an outcome that is not `completed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// Nobody.
    Nobody,
    /// Whoever wrote the plugin.
    Plugin,
    /// Whoever grants or stops runs.
    Operator,
    /// Whoever runs the host.
    Host,
}

/// The exit codes of `remit run`, `resume`, `undo` and `replay`. Clap's 2 is a wrong command line; 1 is any other failure.
pub mod exit {
    /// Nothing needs attention: `compliant`, `fixed`, `not-applicable`, or a dry run's `planned`.
    pub const OK: u8 = 0;
    /// Any failure that is not about a run.
    pub const FAILURE: u8 = 1;
    /// Verdict `non-compliant`.
    pub const NON_COMPLIANT: u8 = 10;
    /// Verdict `recurred`.
    pub const RECURRED: u8 = 11;
    /// Verdict `failed`.
    pub const FAILED: u8 = 12;
    /// Verdict `unknown`, from a plugin that answered.
    pub const UNKNOWN: u8 = 13;
    /// Outcome `refused`.
    pub const REFUSED: u8 = 20;
    /// Outcome `denied`.
    pub const DENIED: u8 = 21;
    /// Outcome `plugin-error`.
    pub const PLUGIN_ERROR: u8 = 22;
    /// Outcome `trap`.
    pub const TRAP: u8 = 23;
    /// Outcome `timeout`.
    pub const TIMEOUT: u8 = 24;
    /// Outcome `limit`.
    pub const LIMIT: u8 = 25;
    /// Outcome `cancelled`.
    pub const CANCELLED: u8 = 26;
    /// Outcome `interrupted`.
    pub const INTERRUPTED: u8 = 27;
    /// Outcome `suspended`.
    pub const SUSPENDED: u8 = 28;
    /// Outcome `host-error` (sysexits' EX_SOFTWARE).
    pub const HOST_ERROR: u8 = 70;
    /// A replay that went another way than its record.
    pub const DIVERGED: u8 = 30;
}

impl Outcome {
    /// Who has to act.
    pub fn blame(self) -> Blame {
        match self {
            Self::Completed | Self::Suspended => Blame::Nobody,
            Self::PluginError | Self::Trap | Self::Limit | Self::Timeout => Blame::Plugin,
            Self::Refused | Self::Denied | Self::Cancelled => Blame::Operator,
            Self::HostError | Self::Interrupted => Blame::Host,
        }
    }

    /// Whether the same run could go better a second time, with nothing changed by a person.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Timeout | Self::HostError | Self::Interrupted)
    }
}

/// The exit code for how a run ended: the outcome's where it did not complete, else the verdict's.
pub fn exit_code(verdict: Verdict, outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Completed => match verdict {
            Verdict::Compliant | Verdict::Planned | Verdict::Fixed | Verdict::NotApplicable => exit::OK,
            Verdict::NonCompliant => exit::NON_COMPLIANT,
            Verdict::Recurred => exit::RECURRED,
            Verdict::Failed => exit::FAILED,
            Verdict::Unknown => exit::UNKNOWN,
        },
        Outcome::PluginError => exit::PLUGIN_ERROR,
        Outcome::Refused => exit::REFUSED,
        Outcome::Denied => exit::DENIED,
        Outcome::Timeout => exit::TIMEOUT,
        Outcome::Cancelled => exit::CANCELLED,
        Outcome::Limit => exit::LIMIT,
        Outcome::Trap => exit::TRAP,
        Outcome::HostError => exit::HOST_ERROR,
        Outcome::Interrupted => exit::INTERRUPTED,
        Outcome::Suspended => exit::SUSPENDED,
    }
}

macro_rules! words {
    ($($ty:ident),*) => { $(
        impl std::fmt::Display for $ty {
            /// The word that the record has.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let word = serde_json::to_value(self).unwrap_or_default();
                f.pad(word.as_str().unwrap_or_default())
            }
        }
    )* };
}

words!(Verdict, Outcome, Blame);
