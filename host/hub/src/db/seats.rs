//! Devices of rollouts, as those ask who fill mailboxes and make certificates.

use rusqlite::{OptionalExtension as _, params};

use super::{View, count};
use crate::Error;

/// An order that a device's mailbox should name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seated {
    pub(crate) order: String,
    /// Of the signed document.
    pub(crate) file: String,
    pub(crate) parcel: Option<String>,
    /// Which ring; none, where the order has none.
    pub(crate) ring: Option<u32>,
    pub(crate) leaf: u32,
    pub(crate) path: Vec<u8>,
    /// The certificate that opened its ring.
    pub(crate) certificate: Option<String>,
    /// Whether the device has answered for good.
    pub(crate) is_done: bool,
}

/// A device that has a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) client: String,
    pub(crate) key: String,
    pub(crate) is_member: bool,
}

/// A device that a rollout is to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meant {
    pub(crate) client: String,
    pub(crate) is_member: bool,
}

/// A device of a ring by which it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judging {
    pub(crate) comes: Option<String>,
    pub(crate) ended_ms: u64,
    pub(crate) result: String,
}

impl View<'_> {
    /// Whose a device is, and whether anything is ordered of it; nothing where the scope shows none.
    pub(crate) fn meant(&self, device: &str) -> Result<Option<Meant>, Error> {
        let mut query = self.0.prepare_cached("SELECT client, state = 'member' FROM device WHERE device = ?1")?;
        let read = |row: &rusqlite::Row<'_>| Ok(Meant { client: row.get(0)?, is_member: row.get(1)? });
        Ok(query.query_row(params![device], read).optional()?)
    }

    /// A device that has a mailbox; nothing where it is retired.
    pub(crate) fn served(&self, device: &str) -> Result<Option<Served>, Error> {
        let text = "SELECT client, key, state = 'member' FROM device WHERE device = ?1 AND state <> 'retired'";
        let mut query = self.0.prepare_cached(text)?;
        let read =
            |row: &rusqlite::Row<'_>| Ok(Served { client: row.get(0)?, key: row.get(1)?, is_member: row.get(2)? });
        Ok(query.query_row(params![device], read).optional()?)
    }

    /// Which orders run and are for a device.
    pub(crate) fn seated_orders(&self, device: &str) -> Result<Vec<String>, Error> {
        let text = "SELECT seat.digest FROM seat JOIN rollout ON rollout.digest = seat.digest
            WHERE seat.device = ?1 AND rollout.state = 'running'";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![device], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The orders that run and are for a device, those first that it has not done, the older before the newer. One that moved to
    /// another client has none of what it was ordered before.
    pub(crate) fn seated(&self, device: &str) -> Result<Vec<Seated>, Error> {
        let text = "SELECT seat.digest, rollout.file, rollout.parcel, seat.ring, seat.leaf, seat.path, rollout_ring.certificate,
                coalesce(seat.comes, 'suspended') <> 'suspended' AS is_done,
                EXISTS (SELECT 1 FROM ring WHERE ring.digest = seat.digest)
            FROM seat JOIN rollout ON rollout.digest = seat.digest
            JOIN rollout_ring ON rollout_ring.digest = seat.digest AND rollout_ring.ring = seat.ring
            JOIN device ON device.device = seat.device AND device.client = +seat.client
            WHERE seat.device = ?1 AND rollout.state = 'running' ORDER BY is_done, rollout.begun_ms, seat.digest";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![device], |row| {
            let is_ringed: bool = row.get(8)?;
            Ok(Seated {
                order: row.get(0)?,
                file: row.get(1)?,
                parcel: row.get(2)?,
                ring: if is_ringed { Some(row.get(3)?) } else { None },
                leaf: row.get(4)?,
                path: row.get(5)?,
                certificate: row.get(6)?,
                is_done: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The devices of a ring, in the order of its tree.
    pub(crate) fn ring_devices(&self, order: &str, ring: u32) -> Result<Vec<String>, Error> {
        let text = "SELECT device FROM seat WHERE digest = ?1 AND ring = ?2 ORDER BY leaf";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![order, ring], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Those of a ring for which it went well.
    pub(crate) fn well_devices(&self, order: &str, ring: u32) -> Result<Vec<String>, Error> {
        let text = "SELECT device FROM seat WHERE digest = ?1 AND ring = ?2 AND comes = 'well'";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![order, ring], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The sample by which a ring is judged: at most as many as a certificate has.
    pub(crate) fn judging(&self, order: &str, ring: u32) -> Result<Vec<Judging>, Error> {
        let text =
            "SELECT comes, ended_ms, result FROM seat WHERE digest = ?1 AND ring = ?2 AND is_drawn ORDER BY leaf";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![order, ring], |row| {
            Ok(Judging { comes: row.get(0)?, ended_ms: count(row.get(1)?), result: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The latest result of a device about an order, as it signed it.
    pub(crate) fn latest_result(&self, order: &str, device: &str) -> Result<Option<Vec<u8>>, Error> {
        let text = "SELECT message.body FROM seat JOIN result ON result.digest = seat.result
            JOIN message ON message.number = result.number WHERE seat.digest = ?1 AND seat.device = ?2";
        let mut query = self.0.prepare_cached(text)?;
        Ok(query.query_row(params![order, device], |row| row.get(0)).optional()?)
    }
}
