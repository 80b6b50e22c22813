//! Parts of plugins, by their digest: who handed them over, and the bytes once for all of them.

use rusqlite::{OptionalExtension as _, params};

use super::{Change, View, count, ms};
use crate::Error;

/// The most bytes of parts that a client has here: eight of the largest plugins that travel so.
pub(crate) const PARTS_BYTES_MAX: u64 = 512 << 20;

/// So long a part is kept that no order names: whoever hands over an order does so within the hour, and perhaps asks somebody first.
const UNNAMED_MS_MAX: u64 = 86_400_000;

/// So long those of an order are kept that is over: whoever runs it again, or takes it back, has the same bytes.
const OVER_MS_MAX: u64 = 30 * UNNAMED_MS_MAX;

/// So many parts go in one transaction, of 512 KiB each: others wait for it as long as for a few of the largest documents.
const TIDIED_MAX: u32 = 16;

/// A part that somebody handed over.
#[derive(Clone, Debug)]
pub(crate) struct NewPart {
    pub(crate) digest: String,
    /// Whose it is: the clients of whoever handed it over, or `*`.
    pub(crate) clients: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

impl View<'_> {
    /// The bytes of a part that somebody within the scope handed over, or that an order within it is made of.
    pub(crate) fn part(&self, digest: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut query = self.0.prepare_cached("SELECT bytes FROM part_bytes WHERE digest = ?1")?;
        Ok(query.query_row(params![digest], |row| row.get(0)).optional()?)
    }

    /// The bytes of a part of an order that the scope shows.
    pub(crate) fn ordered_part(&self, digest: &str) -> Result<Vec<u8>, Error> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM rollout_part WHERE part = ?1 LIMIT 1")?;
        let is_ordered = query.query_row(params![digest], |_| Ok(())).optional()?.is_some();
        let bytes = if is_ordered { self.part(digest)? } else { None };
        bytes.ok_or(Error::Missing { what: "part" })
    }

    /// Of what an order's plugin is made, and how many bytes each has.
    pub(crate) fn parts(&self, order: &str) -> Result<Vec<(String, u64)>, Error> {
        let text = "SELECT part_bytes.digest, length(part_bytes.bytes) FROM rollout_part
            JOIN part_bytes ON part_bytes.digest = rollout_part.part WHERE rollout_part.digest = ?1";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![order], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether such a part is there.
    pub(crate) fn has_part(&self, digest: &str) -> Result<bool, Error> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM part WHERE digest = ?1 LIMIT 1")?;
        Ok(query.query_row(params![digest], |_| Ok(())).optional()?.is_some())
    }
}

impl Change<'_> {
    /// Keeps a part for these clients. Whoever hands it over again has it kept for another day.
    pub(crate) fn keep_part(&self, new: &NewPart, now_ms: u64) -> Result<(), Error> {
        let size = u64::try_from(new.bytes.len()).unwrap_or(u64::MAX);
        let mut sum =
            self.0.prepare_cached("SELECT coalesce(sum(size), 0) FROM part WHERE client = ?1 AND digest <> ?2")?;
        let full = |client: &String| -> Result<Option<String>, Error> {
            let mut held = sum.query_row(params![client, new.digest], |row| row.get(0)).map(count)?;
            if held + size > PARTS_BYTES_MAX {
                self.make_room(client, now_ms)?;
                held = sum.query_row(params![client, new.digest], |row| row.get(0)).map(count)?;
            }
            let whose = if client == "*" { "those whose seat is for all clients" } else { client };
            let why = format!(
                "{whose} have {held} of {PARTS_BYTES_MAX} bytes of parts here: those that no order on its way names go after a day"
            );
            Ok((held + size > PARTS_BYTES_MAX).then_some(why))
        };
        let full: Vec<Option<String>> = new.clients.iter().map(full).collect::<Result<_, _>>()?;
        let full: Vec<String> = full.into_iter().flatten().collect();
        if !full.is_empty() {
            return Err(Error::Conflict(full.join("; ")));
        }
        let text = "INSERT INTO part_bytes VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.0.prepare_cached(text)?.execute(params![new.digest, new.bytes])?;
        let text = "INSERT INTO part VALUES (?1, ?2, ?3, ?4) ON CONFLICT (digest, client) DO UPDATE SET kept_ms = ?4";
        let mut insert = self.0.prepare_cached(text)?;
        for client in &new.clients {
            insert.execute(params![new.digest, client, ms(size), ms(now_ms)])?;
        }
        Ok(())
    }

    /// What only orders name that are over gives way to what somebody hands over now, the oldest first.
    fn make_room(&self, client: &str, now_ms: u64) -> Result<(), Error> {
        let text = "DELETE FROM part WHERE client = ?1 AND digest IN (SELECT digest FROM part
            WHERE client = ?1 AND kept_ms <= ?2 AND NOT EXISTS (SELECT 1 FROM rollout_part JOIN rollout USING (digest)
                WHERE rollout_part.part = part.digest AND rollout.state = 'running')
            ORDER BY kept_ms LIMIT ?3)";
        let before = ms(now_ms.saturating_sub(UNNAMED_MS_MAX));
        self.0.prepare_cached(text)?.execute(params![client, before, TIDIED_MAX])?;
        self.drop_bytes_of_nobody()
    }

    /// Has a client have so many bytes, for tests that would have to write them.
    #[cfg(test)]
    pub(crate) fn pretend_part(&self, client: &str, size: i64, kept_ms: u64) -> Result<(), Error> {
        self.0.execute("INSERT INTO part VALUES ('pretended', ?1, ?2, ?3)", params![client, size, ms(kept_ms)])?;
        Ok(())
    }

    /// Takes away a bounded part of those that no order names and nobody handed over within the last day; whether there may be more.
    pub(crate) fn tidy_parts(&self, now_ms: u64) -> Result<bool, Error> {
        let over = "DELETE FROM rollout_part WHERE digest IN (SELECT digest FROM rollout WHERE ended_ms <= ?1)";
        self.0.prepare_cached(over)?.execute(params![ms(now_ms.saturating_sub(OVER_MS_MAX))])?;
        let before = now_ms.saturating_sub(UNNAMED_MS_MAX);
        let text = "DELETE FROM part WHERE (digest, client) IN (SELECT digest, client FROM part
            WHERE kept_ms <= ?1 AND NOT EXISTS (SELECT 1 FROM rollout_part WHERE rollout_part.part = part.digest) LIMIT ?2)";
        let gone = self.0.prepare_cached(text)?.execute(params![ms(before), TIDIED_MAX])?;
        self.drop_bytes_of_nobody()?;
        Ok(gone > 0)
    }

    /// Bytes go with the last who handed them over.
    pub(super) fn drop_bytes_of_nobody(&self) -> Result<(), Error> {
        let text = "DELETE FROM part_bytes WHERE NOT EXISTS (SELECT 1 FROM part WHERE part.digest = part_bytes.digest)";
        self.0.prepare_cached(text)?.execute([])?;
        Ok(())
    }
}
