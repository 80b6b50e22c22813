use serde::{Deserialize, Serialize};

use super::assignment::file_name_of;
use super::{Kind, Standing, Statement, check_list};
use crate::{Key, Name, Time};

/// The most tags of a device.
const TAGS_MAX: usize = 64;

/// Whose devices are that join with a token. A technician of the client signs it, once for all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Admission {
    /// Goes up.
    pub serial: u64,
    /// Until when those that joined are whose it says, unless an assignment says so by then.
    pub expires: Time,
    /// Nobody joins from then on.
    pub joins_until: Time,
    /// The token's public half; whoever has the other half may join.
    pub token: Key,
    /// The client of those that join.
    pub client: Name,
    /// Their place.
    pub site: Name,
    /// What they are counted among.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Name>,
    /// So many may join.
    pub uses: u32,
}

impl Statement for Admission {
    const KIND: Kind = Kind::Admission;

    fn check(&self) -> Result<(), String> {
        if self.token.is_hardware() {
            return Err("`token`: a key in hardware is nobody's token".to_owned());
        }
        if self.joins_until > self.expires {
            return Err("`joins-until` is after `expires`".to_owned());
        }
        if self.uses == 0 {
            return Err("`uses`: nobody may join with it".to_owned());
        }
        match self.tags.is_empty() {
            true => Ok(()),
            false => check_list("tags", &self.tags, TAGS_MAX),
        }
    }
}

impl Standing for Admission {
    fn subject(&self) -> String {
        file_name_of(&self.token)
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
