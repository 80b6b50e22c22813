//! What a run may use. Each limit has one row: the table is what the manifest sets, what the engine enforces, and what the
//! tests hold a hostile guest against.

use serde::{Deserialize, Serialize};

/// One limit: its name, unit, default and ceiling.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// As in `[limits]` of a manifest; the unit comes last.
    pub name: &'static str,
    /// What a run gets that says nothing.
    pub default: u64,
    /// The most that a manifest may ask for.
    pub ceiling: u64,
    /// What is limited, and why so.
    pub doc: &'static str,
}

macro_rules! limits {
    ($($field:ident $name:literal = $default:expr, at most $ceiling:expr; $doc:literal;)*) => {
        /// What one run may use: the manifest's wishes, or the defaults.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub struct Limits {
            $(#[doc = $doc] pub $field: u64,)*
        }

        /// Every limit, in the order of the documentation.
        pub const LIMITS: &[Limit] = &[
            $(Limit { name: $name, default: $default, ceiling: $ceiling, doc: $doc },)*
        ];

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Limits {
            /// Each limit with what it is set to.
            pub fn rows(&self) -> Vec<(&'static Limit, u64)> {
                LIMITS.iter().zip([$(self.$field),*]).collect()
            }
        }
    };
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

limits! {
    wall_ms "wall-ms" = 5 * MINUTE, at most 6 * 60 * MINUTE;
        "From the first instruction to the end, all phases together.";
    cpu_ms "cpu-ms" = 10 * SECOND, at most 10 * MINUTE;
        "Processor time of the guest and of the host's work for it, all phases together.";
    call_ms "call-ms" = 2 * MINUTE, at most 6 * 60 * MINUTE;
        "One host call. Functions that take a time-out of their own may ask for less.";
    memory_bytes "memory-bytes" = 64 * MIB, at most 512 * MIB;
        "All linear memories of an instance, added.";
    table_elements "table-elements" = 20_000, at most 200_000;
        "Elements of all tables of an instance, added.";
    instances "instances" = 32, at most 64;
        "Core instances in a component.";
    handles "handles" = 32, at most 256;
        "Secrets open at once.";
    handles_opened "handles-opened" = 1_000, at most 10_000;
        "Secrets opened in a run, closed or not: opening and closing in a loop is work for the host too.";
    calls "calls" = 100_000, at most 10_000_000;
        "Host calls in a run.";
    call_bytes "call-bytes" = 8 * MIB, at most 64 * MIB;
        "What one host call hands over, and what one answers.";
    run_bytes "run-bytes" = 256 * MIB, at most 4_096 * MIB;
        "What all host calls of a run hand over and answer.";
    log_bytes "log-bytes" = 256 * KIB, at most 16 * MIB;
        "Lines kept in the record, with what is written to standard output and error. Beyond it they are counted.";
    log_lines_per_second "log-lines-per-second" = 500, at most 10_000;
        "Lines kept of any one second.";
    result_bytes "result-bytes" = MIB, at most 8 * MIB;
        "A report: summary, findings and facts.";
    findings "findings" = 1_000, at most 1_000;
        "Findings in a report.";
    kv_bytes "kv-bytes" = MIB, at most 16 * MIB;
        "Values written to key-value stores in a run.";
    file_bytes "file-bytes" = 64 * MIB, at most 4_096 * MIB;
        "File content written in a run.";
    http_requests "http-requests" = 100, at most 10_000;
        "HTTP requests in a run.";
    http_body_bytes "http-body-bytes" = MIB, at most 16 * MIB;
        "One body of an HTTP answer; beyond it the answer is cut and says so.";
    http_ms "http-ms" = 30 * SECOND, at most 5 * MINUTE;
        "One HTTP exchange.";
}

/// A limit in a manifest that is above its ceiling, or zero.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit `{name}` is {value}: must be at least 1 and at most {ceiling}")]
pub struct LimitOutOfRange {
    /// Which.
    pub name: &'static str,
    /// What was asked for.
    pub value: u64,
    /// What may be asked for.
    pub ceiling: u64,
}

impl Limits {
    /// Everything that is out of range.
    pub fn out_of_range(&self) -> Vec<LimitOutOfRange> {
        self.rows()
            .into_iter()
            .filter(|(limit, value)| *value == 0 || *value > limit.ceiling)
            .map(|(limit, value)| LimitOutOfRange { name: limit.name, value, ceiling: limit.ceiling })
            .collect()
    }
}
