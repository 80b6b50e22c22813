//! Whose rows somebody may see.

use trust::{Name, Names};

use crate::Error;

/// The clients that whoever asks may see. Reads go through one, and see the rows of these clients alone; writes take a [`Held`],
/// which nothing else makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Names);

impl Scope {
    /// What a seat of the roster is for.
    pub(crate) fn of_seat(clients: &Names) -> Self {
        Self(clients.clone())
    }

    /// One client: what a device of it may see, and what is exported of it.
    pub(crate) fn of_client(client: &Name) -> Self {
        Self(Names::These(vec![client.clone()]))
    }

    /// All there is: for the hub's own work, and never for what somebody asked.
    pub(crate) fn of_hub() -> Self {
        Self(Names::All)
    }

    /// Of a scope these clients alone, if all of them are within it.
    pub(crate) fn of_these(whole: &Self, clients: &[String]) -> Result<Self, Error> {
        let wrong = |error: trust::NotAName| Error::Invalid(vec![error.to_string()]);
        let names = clients.iter().map(|client| client.parse().map_err(wrong)).collect::<Result<Vec<Name>, _>>()?;
        names.iter().try_for_each(|name| whole.hold(name).map(drop))?;
        Ok(Self(Names::These(names)))
    }

    /// As the names of clients, with `*` for all.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.clone().into()
    }

    /// Whether all of these are within it.
    pub(crate) fn covers(&self, clients: &Names) -> bool {
        self.0.cover(clients)
    }

    /// A client, if it is within the scope. One that is not looks like one that is not there.
    pub(crate) fn hold(&self, client: &Name) -> Result<Held, Error> {
        match self.0.has(Some(client)) {
            true => Ok(Held(client.clone())),
            false => Err(Error::Missing { what: "client" }),
        }
    }
}

/// A client whose rows may be written by whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held(Name);

impl Held {
    pub(crate) fn client(&self) -> &str {
        self.0.as_str()
    }
}

/// What a device is called here: the hash that its key's fingerprint shows, in hex.
pub fn device_id(key: &trust::Key) -> String {
    key.digest().hex()
}
