//! `device-people`: who uses this machine. Read from /etc/passwd and its like, from logind's files and from the logs of
//! logins; nothing is run. Where policy masks people, a name never leaves this folder but as a pseudonym.

#[cfg(target_os = "linux")]
mod linux;
mod memory;
mod pseudonyms;

use std::sync::Arc;

use contract::device_people::{Backend, ListLogins};
use contract::types::Error;
use serde::Deserialize;

use crate::{Shared, errors};

pub use memory::{Fixture, Memory};
#[cfg(target_os = "linux")]
pub(crate) use pseudonyms::Pseudonyms;

/// The most sessions in one answer, by the contract.
const SESSIONS_MAX: usize = 1_000;
/// The most accounts in one answer, by the contract.
const USERS_MAX: usize = 5_000;
/// The most logins in one answer, by the contract.
const LOGINS_MAX: usize = 5_000;

/// `[device-people]` of host policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// Whether names of people come as pseudonyms, here and in the tables of `query`.
    pub mask_people: bool,
}

/// The people of this machine.
pub fn real(shared: &Shared) -> Arc<dyn Backend> {
    #[cfg(target_os = "linux")]
    return Arc::new(linux::Linux::new(shared));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = shared;
        Arc::new(contract::device_people::Unsupported)
    }
}

/// How many logins are wanted.
fn check_limit(call: &ListLogins) -> Result<usize, Error> {
    match usize::try_from(call.limit) {
        Ok(limit @ 1..=LOGINS_MAX) => Ok(limit),
        _ => Err(errors::invalid("limit", format!("`limit` may be 1 to {LOGINS_MAX}, this is {}", call.limit))),
    }
}

#[cfg(test)]
mod conformance;
