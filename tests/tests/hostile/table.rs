//! Which guest is held against which limit, and how it ends.

use model::limits::LIMITS;
use model::{Mode, Outcome};

use super::bounds;

/// A guest in its place.
pub(crate) struct Row {
    /// The limit that stops it, or, where none does, the rule.
    pub(crate) limit: &'static str,
    /// The limit's value that stops it there. Where it is none, the default.
    pub(crate) at: Option<u64>,
    /// With what it completes. Where it is none, the default.
    pub(crate) raised: Option<u64>,
    /// Who.
    pub(crate) guest: Guest,
    /// How much, for a guest that asks.
    pub(crate) amount: u64,
    /// With how much it completes, where the limit is the host's own and nobody can raise it.
    pub(crate) less: Option<u64>,
    /// How it ends.
    pub(crate) ends: Ends,
}

/// Who misbehaves.
#[derive(Clone, Copy)]
pub(crate) enum Guest {
    /// `tests/guests`, with this `act`.
    Act(&'static str, Mode),
    /// `components.rs` has it.
    Component(&'static str),
}

/// How a guest ends that went over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// With this outcome and this detail.
    With(Outcome, &'static str),
    /// It completes; the lines beyond the limit are counted, not kept.
    Dropped,
    /// It completes; the answer was cut, and said so.
    Cut,
    /// It completes; the line was cut.
    LineCut,
    /// It completes; the line became several.
    LineBroken,
    /// It completes; not all of it was shown to whoever watches.
    Untold,
}

impl Guest {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Act(name, _) | Self::Component(name) => name,
        }
    }
}

impl Row {
    fn at(mut self, value: u64) -> Self {
        self.at = Some(value);
        self
    }

    fn raised(mut self, value: u64) -> Self {
        self.raised = Some(value);
        self
    }

    pub(super) fn less(mut self, amount: u64) -> Self {
        self.less = Some(amount);
        self
    }
}

pub(super) fn row(limit: &'static str, guest: Guest, amount: u64, ends: Ends) -> Row {
    Row { limit, at: None, raised: None, guest, amount, less: None, ends }
}

/// A guest that looks, and ends with the limit's own name.
fn looks(limit: &'static str, act: &'static str, amount: u64) -> Row {
    row(limit, Guest::Act(act, Mode::Detect), amount, Ends::With(Outcome::Limit, limit))
}

fn component(limit: &'static str, name: &'static str) -> Row {
    row(limit, Guest::Component(name), 0, Ends::With(Outcome::Limit, limit))
}

/// The stack that bounds recursion, before and after; the engine has it, not the run.
pub(crate) const STACK_BYTES: &str = "stack-bytes";
/// The stack of the engine on which deep recursion completes.
pub(crate) const STACK_BYTES_RAISED: usize = 16 << 20;

const MIB: u64 = 1 << 20;

/// Every limit of a run, in the order of `LIMITS`, then recursion. Values are low where the default would make a test slow.
pub(crate) fn rows() -> Vec<Row> {
    let timeout = Ends::With(Outcome::Timeout, "wall-ms");
    vec![
        row("wall-ms", Guest::Act("sleep", Mode::Detect), 1_000, timeout).at(300),
        row("wall-ms", Guest::Act("host-sleep", Mode::Detect), 1_000, timeout).at(300),
        row("wall-ms", Guest::Act("fetch", Mode::Detect), 1, timeout).at(300),
        looks("cpu-ms", "work", 400_000_000).at(100),
        component("cpu-ms", "start-loops").at(100),
        looks("call-ms", "fetch", 1).at(200),
        looks("memory-bytes", "allocate", 96 * MIB).raised(256 * MIB),
        component("memory-bytes", "ten-memories").raised(256 * MIB),
        component("table-elements", "huge-table").raised(40_000),
        component("table-elements", "ten-tables").raised(100_000),
        component("instances", "many-instances").raised(64),
        looks("handles", "hold-secrets", 40).raised(64),
        looks("handles-opened", "churn-secrets", 1_500).raised(2_000),
        looks("calls", "call", 1_500).at(1_000),
        looks("call-bytes", "hand-over", 9 * MIB).raised(64 * MIB),
        looks("call-bytes", "hand-over-list", 1_000_000).raised(64 * MIB),
        looks("call-bytes", "tail", 10_000).at(100_000),
        looks("run-bytes", "read", 10).at(8 * MIB),
        row("log-bytes", Guest::Act("log-long", Mode::Detect), 100, Ends::Dropped).raised(MIB),
        row("log-bytes", Guest::Act("log-fields", Mode::Detect), 10, Ends::Dropped).raised(4 * MIB),
        row("log-lines-per-second", Guest::Act("log", Mode::Detect), 2_000, Ends::Dropped).raised(10_000),
        row("log-lines-per-second", Guest::Act("print", Mode::Detect), 2_000, Ends::Dropped).raised(10_000),
        looks("result-bytes", "report", 2 * MIB).raised(4 * MIB),
        row("result-bytes", Guest::Act("remedy", Mode::Enforce), 2 * MIB, Ends::With(Outcome::Limit, "result-bytes"))
            .raised(4 * MIB),
        looks("findings", "findings", 50).at(10),
        row("kv-bytes", Guest::Act("write-kv", Mode::Enforce), 20, Ends::With(Outcome::Limit, "kv-bytes"))
            .raised(2 * MIB),
        row("file-bytes", Guest::Act("write-files", Mode::Enforce), 3, Ends::With(Outcome::Limit, "file-bytes"))
            .at(2 * MIB),
        looks("http-requests", "fetch", 5).at(3),
        row("http-body-bytes", Guest::Act("fetch-whole", Mode::Detect), 0, Ends::Cut).at(16 << 10),
        looks("http-ms", "fetch", 1).at(200),
        component(STACK_BYTES, "deep-recursion"),
    ]
    .into_iter()
    .chain(super::bounds::rows())
    .collect()
}

/// Guests that no limit helps: what they do is wrong however much they may use. The detail is how it begins.
pub(crate) const WRONG: &[(Guest, Ends)] = &[
    (Guest::Act("exit", Mode::Detect), Ends::With(Outcome::PluginError, "it exited with status 0")),
    (Guest::Act("panic", Mode::Detect), Ends::With(Outcome::Trap, "wasm `unreachable` instruction executed")),
    (
        Guest::Act("write-in-detect", Mode::Enforce),
        Ends::With(Outcome::Denied, "`put-value` changes something, and `detect` only looks"),
    ),
    (Guest::Component("unreachable"), Ends::With(Outcome::Trap, "wasm `unreachable` instruction executed")),
    (Guest::Component("out-of-bounds"), Ends::With(Outcome::Trap, "out of bounds memory access")),
    (Guest::Component("divides-by-zero"), Ends::With(Outcome::Trap, "integer divide by zero")),
    (Guest::Component("bad-answer"), Ends::With(Outcome::Trap, "string pointer/length out of bounds of memory")),
];

/// The row of every guest; of those that no limit helps, the row says so.
pub(crate) fn all() -> Vec<Row> {
    let wrong = WRONG.iter().map(|(guest, ends)| row("no limit", *guest, 0, *ends));
    rows().into_iter().chain(wrong).collect()
}

/// What is no limit of a run, and has a test of its own: limit, default, ceiling, guest, outcome, detail.
const OTHERS: &[[&str; 6]] = &[
    ["time to compile", "120 s", "the host's", "huge-module", "`refused`", "compiling took more than 120 s"],
    [
        "memory to compile",
        "2 GiB",
        "the host's",
        "huge-module",
        "`refused`",
        "compiling took more than 2048 MiB of memory",
    ],
    ["the plan that a run is tied to", "", "", "hypocrite", "`denied`", "the plan does not have what it did"],
];

/// The table of `host/ARCHITECTURE.md`.
pub(crate) fn markdown() -> String {
    let mut lines = vec![
        "| limit | default | ceiling | guest | outcome | detail |".to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for row in rows() {
        let limit = LIMITS.iter().find(|limit| limit.name == row.limit);
        let bound = bounds::BOUNDS.iter().find(|bound| bound.name == row.limit);
        let (default, ceiling) = match (limit, bound) {
            (Some(limit), _) => (limit.default, limit.ceiling.to_string()),
            (None, Some(bound)) => (bound.value, "the host's".to_owned()),
            (None, None) => (runtime::Options::default().stack_bytes as u64, "the engine's".to_owned()),
        };
        lines.push(line([&format!("`{}`", row.limit), &default.to_string(), &ceiling, row.guest.name()], row.ends));
    }
    lines.extend(OTHERS.iter().map(|cells| format!("| {} |", cells.join(" | "))));
    lines.extend(WRONG.iter().map(|(guest, ends)| line(["none", "", "", guest.name()], *ends)));
    lines.join("\n") + "\n"
}

fn line(cells: [&str; 4], ends: Ends) -> String {
    format!("| {} | {} |", cells.join(" | "), how(ends))
}

fn how(ends: Ends) -> String {
    match ends {
        Ends::With(outcome, detail) => format!("`{outcome}` | {detail}"),
        Ends::Dropped => "`completed` | lines beyond it are counted".to_owned(),
        Ends::Cut => "`completed` | the answer is cut, and says so".to_owned(),
        Ends::LineCut => "`completed` | the line is cut".to_owned(),
        Ends::LineBroken => "`completed` | the line becomes several".to_owned(),
        Ends::Untold => "`completed` | what is beyond it is not shown".to_owned(),
    }
}

/// Every guest, once.
pub(crate) fn guests() -> Vec<Guest> {
    all().iter().map(|row| row.guest).collect()
}
