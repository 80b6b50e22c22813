//! One document a device, replaced whole, by whoever knows which one it replaces.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, params};

use super::{Change, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// A mailbox as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// Goes up with each change; 0 where there was none yet.
    pub(crate) revision: u64,
    pub(crate) bytes: Vec<u8>,
}

impl View<'_> {
    /// A device's mailbox, where it has one that the scope shows.
    pub(crate) fn mailbox(&self, device: &str) -> Result<Option<Mailbox>, Error> {
        let mut query = self.0.prepare_cached("SELECT revision, bytes FROM mailbox WHERE device = ?1")?;
        let read = |row: &rusqlite::Row<'_>| Ok(Mailbox { revision: count(row.get(0)?), bytes: row.get(1)? });
        Ok(query.query_row(params![device], read).optional()?)
    }

    /// Of the orders that a device has not answered for good, and what lists the parts of its plugin.
    pub(crate) fn lists(&self, device: &str) -> Result<Vec<(String, String)>, Error> {
        let text = "SELECT rollout.digest, rollout.parcel FROM seat
            JOIN rollout ON rollout.digest = seat.digest AND rollout.state = 'running' AND rollout.parcel IS NOT NULL
            JOIN device ON device.device = seat.device AND device.client = +seat.client AND device.state = 'member'
            WHERE seat.device = ?1 AND coalesce(seat.comes, 'suspended') = 'suspended'";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![device], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Puts a document in the place of the one with this revision (0: of none), and the files that the device may therefore read.
    /// Gives the new revision, or the one that is there
    /// instead.
    pub(crate) fn replace_mailbox(
        &self,
        held: &Held,
        device: &str,
        expected: u64,
        (bytes, names): (&[u8], &[String]),
        now_ms: u64,
    ) -> Result<Result<u64, u64>, Error> {
        let mut query = self.0.prepare_cached("SELECT revision FROM mailbox WHERE device = ?1")?;
        let found = query.query_row(params![device], |row| row.get(0)).optional()?.map_or(0, count);
        if found != expected {
            return Ok(Err(found));
        }
        let text = "INSERT INTO mailbox VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (device) DO UPDATE SET client = ?2, revision = ?3, changed_ms = ?4, bytes = ?5";
        let revision = expected + 1;
        self.0.prepare_cached(text)?.execute(params![device, held.client(), ms(revision), ms(now_ms), bytes])?;
        // Most of what it names it named before.
        let mut query = self.0.prepare_cached("SELECT file FROM named WHERE device = ?1")?;
        let before = query.query_map(params![device], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?;
        let after: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let mut delete = self.0.prepare_cached("DELETE FROM named WHERE device = ?1 AND file = ?2")?;
        for gone in before.iter().filter(|it| !after.contains(it.as_str())) {
            delete.execute(params![device, gone])?;
        }
        let mut insert = self.0.prepare_cached("INSERT INTO named VALUES (?1, ?2, ?3)")?;
        for name in after.into_iter().filter(|it| !before.contains(*it)) {
            insert.execute(params![device, name, held.client()])?;
        }
        Ok(Ok(revision))
    }
}
