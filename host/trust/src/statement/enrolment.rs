use model::Digest;
use serde::{Deserialize, Serialize};

use super::{Kind, Statement};
use crate::Key;

/// A device joins with a token. Both keys sign it: whoever has the token lets this device in, and the device is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Enrolment {
    /// The root that the device pinned: its first statement.
    pub tenant: Digest,
    /// The token's public half.
    pub token: Key,
    /// The device's own key.
    pub device: Key,
}

impl Statement for Enrolment {
    const KIND: Kind = Kind::Enrolment;

    fn check(&self) -> Result<(), String> {
        match self.token == self.device {
            true => Err("`device` is the token: whoever else has it would be this device".to_owned()),
            false => Ok(()),
        }
    }
}
