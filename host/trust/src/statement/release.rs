use model::Digest;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Kind, Statement, check_sentence};
use crate::{Name, Time};

/// The most bytes of a program that is released: five times what one has today.
pub const PROGRAM_BYTES_MAX: u64 = 512 << 20;

/// A version of the agent for one kind of machine. Whoever has a seat among the roster's `releases` signs it; a device takes no
/// other program in the place of the one that it runs, whoever ordered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AgentRelease {
    /// What the program says that it is.
    pub version: Version,
    /// The machines that it runs on: architecture and system, such as `x86_64-linux`.
    pub target: Name,
    /// Of the program, as it lies on the disk.
    pub digest: Digest,
    /// Of the program, so that whoever unpacks it knows when to stop.
    pub size_bytes: u64,
    /// The form in which it keeps what it remembers. One that an older agent could not read would leave no way back.
    pub state: u32,
    /// The oldest version whose place it takes.
    pub from: Version,
    /// Nobody begins with it from then on.
    pub expires: Time,
    /// What is new, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl Statement for AgentRelease {
    const KIND: Kind = Kind::Release;

    fn check(&self) -> Result<(), String> {
        if self.size_bytes == 0 || self.size_bytes > PROGRAM_BYTES_MAX {
            return Err(format!("`size-bytes`: expected 1 to {PROGRAM_BYTES_MAX}"));
        }
        match self.comment.is_empty() {
            true => Ok(()),
            false => check_sentence("comment", &self.comment),
        }
    }
}
