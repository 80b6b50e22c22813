//! What the agent answers when it is asked how it is, and how a person reads it.

use std::collections::BTreeMap;

use model::RunId;
use model::budget::Left;
use serde::{Deserialize, Serialize};

/// How the agent is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// When it began, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// Whether it is about to end, and starts nothing more.
    pub(crate) is_draining: bool,
    /// The hub that this device joined.
    #[serde(default)]
    pub(crate) hub: Option<HubRow>,
    /// The reboot that a run waits for.
    #[serde(default)]
    pub(crate) reboot: Option<RebootRow>,
    /// Whether somebody has paused all orders.
    pub(crate) is_paused: bool,
    pub(crate) orders: usize,
    pub(crate) runs: Vec<RunRow>,
    /// When it looks at the clock next, in milliseconds since 1970.
    pub(crate) wake_ms: Option<i64>,
    /// What the device's budgets leave.
    #[serde(default)]
    pub(crate) budgets: Vec<Left>,
    /// What came to nothing since it began, by reason.
    #[serde(default)]
    pub(crate) not_run: BTreeMap<String, u64>,
    /// What is wrong, by what it is wrong with: a file, an order, a state.
    pub(crate) problems: BTreeMap<String, Vec<String>>,
}

/// How it stands with the hub.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct HubRow {
    pub(crate) address: String,
    /// The fingerprint of this device's key.
    pub(crate) device: String,
    /// Whose it is; none, where nobody has signed that yet.
    pub(crate) client: Option<String>,
    pub(crate) site: Option<String>,
    pub(crate) tags: Vec<String>,
    /// What is wrong with the line; none, where it answers.
    pub(crate) trouble: Option<String>,
    /// When it last answered, in milliseconds since 1970.
    pub(crate) heard_ms: Option<u64>,
    /// Orders that began and run one time.
    pub(crate) under_way: usize,
    /// Orders that stand.
    pub(crate) standing: usize,
    /// Orders that wait, for a time, a word or a ring before theirs.
    pub(crate) waiting: usize,
    /// Messages that the hub does not have yet.
    pub(crate) to_say: usize,
    /// Messages that had to go for others since the agent began.
    pub(crate) lost: u64,
}

/// A reboot that a run was granted and waits for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RebootRow {
    pub(crate) run: RunId,
    /// Why, in the words of whoever asked for it.
    pub(crate) reason: String,
    /// Since when, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// What became of it so far.
    pub(crate) is: String,
}

/// A run that waits or is under way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RunRow {
    pub(crate) run: RunId,
    /// None, where it is by hand.
    pub(crate) order: Option<String>,
    /// `waiting`, `under-way` or `suspended`.
    pub(crate) stage: String,
    pub(crate) since_ms: i64,
}

/// An order in a list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OrderRow {
    pub(crate) order: String,
    pub(crate) plugin: String,
    pub(crate) mode: String,
    /// The pattern, or what is watched.
    pub(crate) occasion: String,
    /// Whether it runs by the clock; else on an event.
    #[serde(default)]
    pub(crate) is_by_clock: bool,
    /// `active`, `paused`, `tripped` or `expired`.
    pub(crate) state: String,
    /// When it is due next and nothing that is known speaks against it, in milliseconds since 1970.
    pub(crate) next_ms: Option<i64>,
}

/// Why an order ran, and why not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Explained {
    pub(crate) order: String,
    /// What it is, where it stands; else it is gone, or cannot be.
    pub(crate) stands: Option<OrderRow>,
    /// What speaks against a run now.
    pub(crate) against: Vec<Against>,
    /// How many of its runs began today (UTC), and how many may.
    pub(crate) runs_today: u32,
    pub(crate) runs_today_max: Option<u32>,
    /// When it is looked at next if nothing happens before, in milliseconds since 1970.
    pub(crate) looks_ms: Option<i64>,
    /// What was decided, the latest first.
    pub(crate) decided: Vec<Row>,
    /// What would have to be otherwise, by the code of what speaks, or spoke, against runs.
    pub(crate) advice: BTreeMap<String, String>,
    /// What is to come, with what speaks against it.
    pub(crate) coming: Vec<Upcoming>,
}

/// Something that speaks against a run now.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Against {
    /// A word for programs.
    pub(crate) code: String,
    /// For a person.
    pub(crate) detail: String,
    /// Until when, in milliseconds since 1970, where time ends it.
    pub(crate) until_ms: Option<i64>,
}

/// Something that was decided.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Row {
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// A word for programs: `queued`, `started`, `ended`, or why not.
    pub(crate) code: String,
    /// For a person.
    pub(crate) detail: String,
    pub(crate) run: Option<RunId>,
    /// What it is about: firings or events.
    pub(crate) of: Option<Times>,
}

/// Firings or events, with their own times.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Times {
    pub(crate) count: u64,
    /// When the first was due or noticed, in milliseconds since 1970.
    pub(crate) first_ms: i64,
    /// When the last was.
    pub(crate) last_ms: i64,
}

/// A firing to come.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Upcoming {
    /// When the pattern has it, in milliseconds since 1970.
    pub(crate) nominal_ms: i64,
    /// When this device has it, in milliseconds since 1970.
    pub(crate) due_ms: i64,
    /// Why it will not happen, as far as that is known.
    pub(crate) refused: Option<String>,
}
