use contract::Class;
use serde::{Deserialize, Serialize};

use super::{Kind, Standing, Statement};
use crate::{Key, Name, Names, Time};

/// Who may sign what. The MSP's root signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Roster {
    /// Goes up.
    pub serial: u64,
    /// Until when.
    pub expires: Time,
    /// Who orders runs, and says whose a device is.
    pub technicians: Vec<Seat>,
    /// Who approves plugins.
    pub reviewers: Vec<Seat>,
    /// Who makes them; the holder is the namespace.
    pub publishers: Vec<Seat>,
    /// Who signs policies for a client.
    pub clients: Vec<Seat>,
    /// Who releases the agent. No key of theirs orders anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<Seat>,
}

/// A key and what it counts for. Whoever has two keys has two seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seat {
    /// A person, or a publisher's namespace.
    pub holder: Name,
    /// The key.
    pub key: Key,
    /// What it signs before does not count.
    pub from: Time,
    /// What it signs from then on does not count.
    pub until: Time,
    /// For these clients.
    pub clients: Names,
    /// Up to this class.
    pub class_max: Class,
}

impl Statement for Roster {
    const KIND: Kind = Kind::Roster;

    fn check(&self) -> Result<(), String> {
        let seats = [&self.technicians, &self.reviewers, &self.publishers, &self.clients, &self.releases];
        let orders = |seat: &&Seat| self.technicians.iter().any(|it| it.key == seat.key);
        if let Some(both) = self.releases.iter().find(orders) {
            // Else one stolen key would be enough to have every device run anything.
            return Err(format!("the key of `{}` releases the agent, and orders too: these are two keys", both.holder));
        }
        match seats.into_iter().flatten().find(|seat| seat.from >= seat.until) {
            Some(seat) => Err(format!("the seat of `{}` ends before it begins", seat.holder)),
            None => Ok(()),
        }
    }
}

impl Standing for Roster {
    fn subject(&self) -> String {
        "roster".to_owned()
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
