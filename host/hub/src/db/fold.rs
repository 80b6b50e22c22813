//! What is counted, beside the log that it is counted of.

use rusqlite::params;

use super::clients::DAY_MS;
use super::{View, count, ms};
use crate::Error;

/// A message that says to be a result.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Its place in the log.
    pub(crate) number: u64,
    pub(crate) device: String,
    pub(crate) body: Vec<u8>,
    /// The digest under which it is counted; none where it is counted nowhere.
    pub(crate) counted: Option<String>,
}

/// Results of a device of which some numbers are not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) device: String,
    /// How many numbers are missing below the highest that is here.
    pub(crate) missing: u64,
    /// The highest that is here.
    pub(crate) highest: u64,
}

impl View<'_> {
    /// Messages that say to be results, from a place in the log on.
    pub(crate) fn said_results(&self, after: u64, most: u32) -> Result<Vec<Said>, Error> {
        let text = "SELECT message.number, message.device, message.body, result.digest
            FROM message LEFT JOIN result USING (number) WHERE message.kind = 'result' AND message.number > ?1
            ORDER BY message.number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![ms(after), most], |row| {
            Ok(Said { number: count(row.get(0)?), device: row.get(1)?, body: row.get(2)?, counted: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a result is counted, under whichever number of the log.
    pub(crate) fn counts_result(&self, digest: &str) -> Result<bool, Error> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM result WHERE digest = ?1")?;
        Ok(query.exists(params![digest])?)
    }

    /// How many results are counted of which the log has nothing.
    pub(crate) fn results_without_message(&self) -> Result<u64, Error> {
        let text = "SELECT count(*) FROM result WHERE number NOT IN (SELECT number FROM message)";
        Ok(count(self.0.query_row(text, [], |row| row.get(0))?))
    }

    /// Orders on their way, or over, of which nothing was deleted yet for its age.
    pub(crate) fn whole_rollouts(&self, now_ms: u64) -> Result<Vec<String>, Error> {
        let text = "SELECT rollout.digest FROM rollout JOIN orders USING (digest)
            WHERE orders.signed_ms > ?1 - (SELECT coalesce(min(retention_days), 0) FROM client) * ?2 ORDER BY rollout.digest";
        let mut query = self.0.prepare(text)?;
        let rows = query.query_map(params![ms(now_ms), ms(DAY_MS)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Devices of whose results some are not here: each device numbers its own, from 1 on. Those that joined longer ago than
    /// results are kept are looked at from the first that is here.
    pub(crate) fn gaps(&self, now_ms: u64) -> Result<Vec<Gap>, Error> {
        let text = "SELECT result.device, max(sequence), count(DISTINCT sequence),
                iif(device.joined_ms > ?1 - client.retention_days * ?2, 1, min(sequence))
            FROM result JOIN device USING (device) JOIN client ON client.client = device.client GROUP BY result.device";
        let mut query = self.0.prepare(text)?;
        let rows = query.query_map(params![ms(now_ms), ms(DAY_MS)], |row| {
            let (highest, here, first) = (count(row.get(1)?), count(row.get(2)?), count(row.get(3)?));
            let missing = (highest + 1).saturating_sub(first).saturating_sub(here);
            Ok(Gap { device: row.get(0)?, missing, highest })
        })?;
        let all: Vec<Gap> = rows.collect::<Result<_, _>>()?;
        Ok(all.into_iter().filter(|it| it.missing > 0).collect())
    }
}
