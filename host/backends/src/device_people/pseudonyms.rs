#![cfg(target_os = "linux")]

use std::collections::BTreeSet;

use contract::types::Error;
use model::RunId;
use sha2::{Digest, Sha256};
use store::Expected;

use crate::facts::{Root, accounts};
use crate::{Shared, errors};

/// Bytes of a pseudonym's digest: 64 bits tell the people of a machine apart.
const DIGEST_BYTES: usize = 8;

/// Where names come from that stand for people.
pub(crate) struct Pseudonyms {
    shared: Shared,
}

/// What people are called, while one call lasts.
pub(crate) struct People {
    /// None where names are shown.
    key: Option<String>,
    /// Whoever is not here is a person: also a name that somebody only tried.
    system: BTreeSet<String>,
    persons: BTreeSet<String>,
}

impl Pseudonyms {
    /// With the key that this device keeps, where policy masks people.
    pub(crate) fn new(shared: &Shared) -> Self {
        Self { shared: shared.clone() }
    }

    /// Reads who is a person here.
    pub(crate) fn open(&self, root: &Root) -> Result<People, Error> {
        if !self.shared.policy.device_people.mask_people {
            return Ok(People { key: None, system: BTreeSet::new(), persons: BTreeSet::new() });
        }
        let (system, persons) = accounts::accounts(root).into_iter().partition::<Vec<_>, _>(|it| it.is_system());
        let names = |accounts: Vec<accounts::Account>| accounts.into_iter().map(|it| it.name).collect();
        Ok(People { key: Some(self.key()?), system: names(system), persons: names(persons) })
    }

    /// Made once a device, so that nobody can tell which person of one is which of another, or try names against it.
    fn key(&self) -> Result<String, Error> {
        // Each id has 80 random bits of its own.
        let fresh = [RunId::new(), RunId::new(), RunId::new()].map(|id| id.to_string()).join(" ");
        let now_ms = self.shared.clock.now_ms();
        let written = self.shared.store.put("device-people", "pseudonym-key", &fresh, Expected::Absent, None, now_ms);
        match written.map_err(|error| errors::store(&error))? {
            Ok(document) => Ok(document.value),
            Err(not_written) => not_written
                .found
                .map(|document| document.value)
                .ok_or_else(|| errors::failed("store", "the key of the pseudonyms is gone")),
        }
    }
}

impl People {
    /// Whether what is known of this account may be shown.
    pub(crate) fn shows(&self, name: &str) -> bool {
        self.key.is_none() || self.system.contains(name)
    }

    /// The account's name, or what stands for it.
    pub(crate) fn user(&self, name: &str) -> String {
        match &self.key {
            Some(key) if !name.is_empty() && !self.system.contains(name) => pseudonym(key, name),
            _ => name.to_owned(),
        }
    }

    /// A group's name: that of a person's own group is the person's.
    pub(crate) fn group(&self, name: &str) -> String {
        match self.persons.contains(name) {
            true => self.user(name),
            false => name.to_owned(),
        }
    }
}

/// The key's length is always the same, so no other pair of key and name gives these bytes.
fn pseudonym(key: &str, name: &str) -> String {
    let digest = Sha256::new().chain_update(key).chain_update([0]).chain_update(name).finalize();
    let bytes = digest.get(..DIGEST_BYTES).unwrap_or_default();
    format!("person-{}", hex::encode(bytes))
}
