use serde::{Deserialize, Serialize};

use super::{Kind, Standing, Statement};
use crate::{Key, Name, Time};

/// Whose a device is. A technician of the client signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Assignment {
    /// Goes up.
    pub serial: u64,
    /// Until when.
    pub expires: Time,
    /// The device's own key; nothing else is it.
    pub device: Key,
    /// Its client.
    pub client: Name,
    /// The place.
    pub site: Name,
    /// What it is counted among.
    pub tags: Vec<Name>,
}

impl Statement for Assignment {
    const KIND: Kind = Kind::Assignment;
}

impl Standing for Assignment {
    fn subject(&self) -> String {
        file_name_of(&self.device)
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}

/// A key as the name of a file: a fingerprint has a slash in it.
pub(crate) fn file_name_of(key: &Key) -> String {
    model::Digest::of(key.to_string().as_bytes()).hex()
}
