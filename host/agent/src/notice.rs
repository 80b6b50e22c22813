//! What a source noticed.

use model::RunId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something that a source noticed for one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    /// When; milliseconds since 1970.
    pub at_ms: i64,
    /// What it is about: a path, a service, a user, `tcp/443`. A level is held for each subject by itself; empty, where a watch
    /// has only one.
    pub subject: String,
    /// What became of it.
    pub change: Change,
    /// What a filter and the plugin read: at most 64 KiB as JSON.
    pub data: Map<String, Value>,
    /// The run that brought it about, where the source knows: `run-finished`, or what a run emitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<RunId>,
}

/// What became of what is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It begins to hold.
    Raised,
    /// It no longer holds.
    Cleared,
    /// It happened, and is over.
    Happened,
}
