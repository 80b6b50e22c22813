//! Devices that were lately shown what one technician ordered alone (decision 28). Whatever became of those orders since, they were.

use rusqlite::params;

use super::{Change, View, count, ms};
use crate::Error;
use crate::scope::Held;

impl View<'_> {
    /// Who gave an order, and since when it is here.
    pub(crate) fn given(&self, order: &str) -> Result<(String, u64), Error> {
        let mut query = self.0.prepare_cached("SELECT signer, kept_ms FROM orders WHERE digest = ?1")?;
        Ok(query.query_row(params![order], |row| Ok((row.get(0)?, count(row.get(1)?))))?)
    }

    /// Those that were shown orders of this key alone, after this time.
    pub(crate) fn reached(&self, signer: &str, after_ms: u64) -> Result<Vec<String>, Error> {
        let text = "SELECT DISTINCT reached.device FROM reached JOIN orders ON orders.digest = reached.digest
            WHERE orders.signer = ?1 AND reached.at_ms > ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![signer, ms(after_ms)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many devices there are that anything is ordered of.
    pub(crate) fn members(&self) -> Result<u64, Error> {
        let mut query = self.0.prepare_cached("SELECT count(*) FROM device WHERE state = 'member'")?;
        Ok(query.query_row([], |row| row.get(0)).map(count)?)
    }
}

impl Change<'_> {
    /// A device is shown an order of one technician alone: from now on it counts.
    pub(crate) fn reach(&self, held: &Held, order: &str, device: &str, now_ms: u64) -> Result<(), Error> {
        let text = "INSERT INTO reached VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        self.0.prepare_cached(text)?.execute(params![order, device, held.client(), ms(now_ms)])?;
        Ok(())
    }

    /// What was shown before this counts no more.
    pub(crate) fn forget_reached(&self, before_ms: u64) -> Result<(), Error> {
        self.0.prepare_cached("DELETE FROM reached WHERE at_ms <= ?1")?.execute(params![ms(before_ms)])?;
        Ok(())
    }
}
