use model::{Digest, Mode, Outcome, RunId, Verdict};
use serde::{Deserialize, Serialize};

use super::{Kind, Statement};
use crate::{Key, Name, Time};

/// What became of an order on a device. The device signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The root that the device pinned: its first statement.
    pub tenant: Digest,
    /// The order: its statement's digest.
    pub order: Digest,
    /// The device's own key.
    pub device: Key,
    /// The run; none, where it was refused before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Which try, from 1 on.
    pub attempt: u32,
    /// How the machinery ended.
    pub outcome: Outcome,
    /// What was found.
    pub verdict: Verdict,
    /// Why it was refused, as a program reads it. It is there where the outcome is `refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Name>,
    /// What it was to do.
    pub mode: Mode,
    /// When it ended, by the device's clock.
    pub ended: Time,
    /// The plan that a dry run came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// Of the details that travel beside it.
    pub record: Digest,
    /// The device's results are counted, from 1 on.
    pub sequence: u64,
    /// The result before it: its statement's digest. None for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
}

impl Statement for Report {
    const KIND: Kind = Kind::Result;

    fn check(&self) -> Result<(), String> {
        if self.attempt == 0 || self.sequence == 0 {
            return Err("`attempt` and `sequence` are counted from 1 on".to_owned());
        }
        if (self.outcome == Outcome::Refused) != self.refused.is_some() {
            return Err("`refused` says why the outcome is `refused`, and nothing of another".to_owned());
        }
        match (self.sequence == 1) == self.previous.is_none() {
            true => Ok(()),
            false => Err("`previous` is the result before it, and the first has none".to_owned()),
        }
    }
}
