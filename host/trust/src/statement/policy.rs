use contract::Class;
use model::Mode;
use serde::{Deserialize, Serialize};

use super::{Kind, Standing, Statement, check_list};
use crate::{Name, Names, Time};

/// What a client allows on its devices, whatever the MSP approves. The client signs it, or the root in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// Goes up.
    pub serial: u64,
    /// Until when.
    pub expires: Time,
    /// Whose.
    pub client: Name,
    /// Nothing above this class.
    pub class_max: Class,
    /// In these modes.
    pub modes: Vec<Mode>,
    /// By these publishers.
    pub publishers: Names,
    /// Interfaces that nobody gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<String>,
    /// What its devices tell the hub of people.
    #[serde(default, skip_serializing_if = "People::is_masked")]
    pub people: People,
}

/// What devices tell the hub of people: of accounts, and of who is logged in. Where nobody says otherwise, that there are some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum People {
    /// Nothing.
    Never,
    /// How many there are and since when, with pseudonyms that each device makes for itself.
    #[default]
    Masked,
    /// Who they are.
    Shown,
}

impl People {
    fn is_masked(&self) -> bool {
        *self == Self::Masked
    }
}

impl Statement for Policy {
    const KIND: Kind = Kind::Policy;

    fn check(&self) -> Result<(), String> {
        check_list("modes", &self.modes, 3)
    }
}

impl Standing for Policy {
    fn subject(&self) -> String {
        self.client.to_string()
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
