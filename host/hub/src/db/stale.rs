//! Devices whose mailbox has to be filled anew. Whatever changes what one should have says so here, in the same transaction: so
//! nothing is forgotten by a hub that dies, and nothing is looked at in vain.

use rusqlite::params;

use super::{Change, View, count, ms};
use crate::Error;

/// Whose mailbox.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose<'a> {
    /// Everybody's.
    All,
    /// Of these clients.
    Clients(&'a [String]),
    /// Of this device.
    Device(&'a str),
    /// Of all devices of a rollout.
    Rollout(&'a str),
    /// Of one ring of it.
    Ring(&'a str, u32),
}

/// A device whose mailbox has to be filled anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) device: String,
    /// Goes up each time that something changes: what changed since it was read is not passed over.
    pub(crate) mark: u64,
}

/// What all of these end with: retired devices have no mailbox, and twice is once.
const MARK: &str = "ON CONFLICT (device) DO UPDATE SET mark = mark + 1";

impl View<'_> {
    /// Some of them.
    pub(crate) fn stale(&self, most: u32) -> Result<Vec<Stale>, Error> {
        let mut query = self.0.prepare_cached("SELECT device, mark FROM stale ORDER BY device LIMIT ?1")?;
        let rows = query.query_map(params![most], |row| Ok(Stale { device: row.get(0)?, mark: count(row.get(1)?) }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Has mailboxes filled anew.
    pub(crate) fn stale(&self, whose: Whose<'_>) -> Result<(), Error> {
        let with = |which: &str| {
            format!(
                "INSERT INTO stale SELECT device, client, 1 FROM device WHERE state <> 'retired' AND {which} {MARK}"
            )
        };
        let of_seats = "device IN (SELECT seat.device FROM seat WHERE seat.digest = ?1";
        match whose {
            Whose::All => self.0.prepare_cached(&with("1"))?.execute([])?,
            Whose::Clients(clients) if clients.iter().any(|it| it == "*") => return self.stale(Whose::All),
            Whose::Clients(clients) => {
                let mut insert = self.0.prepare_cached(&with("client = ?1"))?;
                clients.iter().map(|client| insert.execute(params![client])).sum::<Result<usize, _>>()?
            }
            Whose::Device(device) => self.0.prepare_cached(&with("device = ?1"))?.execute(params![device])?,
            Whose::Rollout(order) => self.0.prepare_cached(&with(&format!("{of_seats})")))?.execute(params![order])?,
            Whose::Ring(order, ring) => {
                let which = with(&format!("{of_seats} AND seat.ring = ?2)"));
                self.0.prepare_cached(&which)?.execute(params![order, ring])?
            }
        };
        Ok(())
    }

    /// That one was filled, unless something changed since.
    pub(crate) fn fresh(&self, it: &Stale) -> Result<(), Error> {
        let text = "DELETE FROM stale WHERE device = ?1 AND mark = ?2";
        self.0.prepare_cached(text)?.execute(params![it.device, ms(it.mark)])?;
        Ok(())
    }
}
