//! What a source noticed.

use std::path::PathBuf;

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
    /// Where it is about a file or a folder: what is there, as far as whoever hands it in looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// What is at a place of the device, in words that two who looked can compare.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Found {
    /// Its absolute path, on which nothing is a link.
    pub path: PathBuf,
    /// Its device and its number there: a file may have several names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<(u64, u64)>,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Content::is_unknown")]
    pub content: Content,
}

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Nobody looked, or could.
    #[default]
    Unknown,
    /// There is no such file.
    Nothing,
    /// This, in an effect's words: `sha256:` and the digest, or `folder`.
    Is(String),
}

impl Content {
    /// Whether nobody knows.
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
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
