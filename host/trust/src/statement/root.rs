use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Kind, Standing, Statement, check_list};
use crate::{Key, Name, Time};

/// The most keys of a root.
const KEYS_MAX: usize = 32;

/// Whose keys the MSP's root is, and how many of them it takes. The digest of the first one is what a host pins; each further
/// one is signed by enough of the root before it, and by enough of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Root {
    /// Goes up by one.
    pub serial: u64,
    /// Until when.
    pub expires: Time,
    /// Whose root it is.
    pub msp: Name,
    /// So many keys of so many people it takes.
    pub threshold: u32,
    /// The keys.
    pub keys: Vec<RootKey>,
}

/// One of the root's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RootKey {
    /// Who holds it.
    pub person: Name,
    /// The key.
    pub key: Key,
}

impl Statement for Root {
    const KIND: Kind = Kind::Root;

    fn check(&self) -> Result<(), String> {
        let keys: Vec<&Key> = self.keys.iter().map(|it| &it.key).collect();
        check_list("keys", &keys, KEYS_MAX)?;
        let people: BTreeSet<&Name> = self.keys.iter().map(|it| &it.person).collect();
        match self.threshold >= 1 && self.threshold as usize <= people.len() {
            true => Ok(()),
            false => {
                Err(format!("`threshold` is {}: expected 1 to {}, the number of people", self.threshold, people.len()))
            }
        }
    }
}

impl Standing for Root {
    fn subject(&self) -> String {
        "root".to_owned()
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
