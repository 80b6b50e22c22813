use serde::{Deserialize, Serialize};

use super::assignment::file_name_of;
use super::{Kind, Standing, Statement};
use crate::{Key, Time};

/// One key in place of another, between two rosters. Both sign it: the old one says so, and the new one is there. From then on
/// the new key has the old one's seat, and the old one is retired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rotation {
    /// Goes up.
    pub serial: u64,
    /// By then the new key is in the roster.
    pub expires: Time,
    /// The key that goes.
    pub old: Key,
    /// The key that comes.
    pub new: Key,
}

impl Statement for Rotation {
    const KIND: Kind = Kind::Key;

    fn check(&self) -> Result<(), String> {
        match self.old == self.new {
            true => Err("`new` is the old key".to_owned()),
            false => Ok(()),
        }
    }
}

impl Standing for Rotation {
    fn subject(&self) -> String {
        file_name_of(&self.old)
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
