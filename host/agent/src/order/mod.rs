//! Standing orders: which plugin runs here on which occasion, with what, and what it may.

mod form;
mod retry;

use std::collections::BTreeSet;
use std::fmt;

use contract::run::Mode;
use model::Digest;
use model::capability::Capability;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::form::Form;
use crate::{EventTrigger, Trigger, written};

pub use self::retry::{Retry, Retryable};

/// The most bytes of an order: its parameters are most of it, and a plugin is handed these whole.
pub const ORDER_BYTES_MAX: usize = 128 << 10;

/// A standing order. It was read whole, and nothing is wrong with it that can be known without the device and the plugin.
///
/// ```toml
/// format = 1
/// plugin = "disk-cleanup"
/// digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
/// mode = "enforce"
/// allow = ["files-write [scratch]"]
///
/// [parameters]
/// root = "scratch"
///
/// [schedule]
/// cron = "0 2 * * mon-fri"
/// zone = "Europe/Berlin"
///
/// [retry]
/// attempts = 3
/// backoff = "5m"
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Order {
    /// The plugin's name.
    pub plugin: String,
    /// Which plugin that is: this one and no other.
    pub digest: Digest,
    /// What it is handed, before its schema fills in defaults.
    pub parameters: Map<String, Value>,
    /// What a run of it may do.
    pub mode: Mode,
    /// On which occasion it runs.
    pub occasion: Occasion,
    /// Before which others.
    pub priority: Priority,
    /// Whether a run that ended badly is tried again.
    pub retry: Option<Retry>,
    /// The most runs that begin in a day (UTC), tries included; any, where it is left out.
    pub runs_per_day: Option<u32>,
    /// What of its approval the plugin may use, beside what is granted by hand without a word. All of it, where nothing is listed.
    pub allow: Vec<Capability>,
    /// Whose device this is, for approvals that are for some clients only.
    pub client: Option<String>,
    /// What the device is counted among, for approvals that are for some tags only.
    pub tags: BTreeSet<String>,
    /// Nothing of it begins from then on; milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// For whoever reads it.
    pub comment: String,
}

/// On which occasion an order runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// By the clock.
    Schedule(Box<Trigger>),
    /// When something is noticed.
    Event(Box<EventTrigger>),
    /// One time, as soon as windows let it.
    Once,
}

/// Before which other runs a run begins. Whoever waits rises by one for every ten minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// After the others.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Before the others.
    High,
}

/// Everything that is wrong with an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadOrder(
    /// A line each; out of a file, with its place there.
    pub Vec<String>,
);

impl fmt::Display for BadOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Order {
    /// Reads the text of a file, which is called so where something is wrong with it.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, BadOrder> {
        if text.len() > ORDER_BYTES_MAX {
            return Err(BadOrder(vec![format!(
                "{file}: it has {} bytes: at most {ORDER_BYTES_MAX} are read",
                text.len()
            )]));
        }
        let written = written::read::<Form>(file, text);
        let mut problems = written.problems;
        let order = written.value.map(|form| form.checked(&mut problems));
        match order.flatten().filter(|_| problems.is_empty()) {
            Some(order) => Ok(order),
            None => Err(BadOrder(problems.into_lines())),
        }
    }

    /// Whether its runs change the device.
    pub fn changes(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

/// The name of the order in a file of this name; nothing where the file does not end in `.toml`, and is none of ours.
pub fn order_name(file: &str) -> Option<Result<String, String>> {
    let name = file.strip_suffix(".toml")?;
    Some(match is_name(name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "`{file}`: the name of an order is expected before `.toml`: 1 to {NAME_BYTES_MAX} of `a-z`, `0-9`, `-`, `.`, `_`, \
             the first a letter or digit"
        )),
    })
}

/// The most bytes of the name of an order, a client or a tag.
const NAME_BYTES_MAX: usize = 64;

/// Whether it is a name as statements have them, but for `@`.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_first = text.bytes().next().is_some_and(is_plain);
    is_first && text.len() <= NAME_BYTES_MAX && text.bytes().all(|byte| is_plain(byte) || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests;
