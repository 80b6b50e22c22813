//! What devices hold, row by row. The devices of a client have much the same packages: each row is there once a client, and beside
//! it who holds it, as two numbers.

use fleet::tables::Table;
use fleet::{Changed, Checked, Rows};
use model::Digest;
use rusqlite::{OptionalExtension, params};

use super::{Change, ms};
use crate::Error;
use crate::scope::Held;

/// So many changes of a device are looked at in one span: the first of all its tables, and what comes in a day of upgrades. Each may
/// cost the one thread that writes some milliseconds. What is beyond it is found by the next check.
const CHANGES_MAX: i64 = 64;

/// How long a span is.
const SPAN_MS: u64 = 600_000;

/// The bytes of a digest by which a row is found.
const DIGEST_BYTES: usize = 16;

/// A device, as rows name it, and how much of it was looked at lately.
struct Holder {
    number: i64,
    is_heard: bool,
}

impl Change<'_> {
    /// A device said how it is.
    pub(crate) fn saw(&self, held: &Held, device: &str, now_ms: u64) -> Result<(), Error> {
        self.holder(held, device, 0, now_ms).map(drop)
    }

    /// Takes what changed of a table of a device. Not so where the device and the hub do not mean the same: what was here stays. A
    /// table that is not known here is passed over.
    pub(crate) fn take_rows(&self, held: &Held, device: &str, it: &Changed, now_ms: u64) -> Result<bool, Error> {
        let holder = self.holder(held, device, 1, now_ms)?;
        if !holder.is_heard || !Table::named(&it.table).is_some_and(Table::is_told) {
            return Ok(true);
        }
        let mut rows = self.rows(holder.number, &it.table)?;
        let did = match rows.take(it) {
            Ok(did) => did,
            Err(error) => return Ok(!(error.wants_whole() && it.before.is_some())),
        };
        // Of all of it each row is written again: what somebody wrote into the file is mended, for whoever else has it too.
        let is_whole = it.before.is_none();
        if is_whole {
            let all = "DELETE FROM held WHERE number = ?1
                AND EXISTS (SELECT 1 FROM item WHERE item.item = held.item AND item.name = ?2)";
            self.0.prepare_cached(all)?.execute(params![holder.number, it.table])?;
        }
        let let_go =
            "DELETE FROM held WHERE number = ?1 AND item = (SELECT item FROM item WHERE client = ?3 AND digest = ?2)";
        let nobody_s = "DELETE FROM item WHERE client = ?2 AND digest = ?1
            AND NOT EXISTS (SELECT 1 FROM held WHERE held.item = item.item)";
        let (mut let_go, mut nobody_s) = (self.0.prepare_cached(let_go)?, self.0.prepare_cached(nobody_s)?);
        for row in &did.gone {
            let digest = digest(&it.table, row);
            let_go.execute(params![holder.number, digest, held.client()])?;
            nobody_s.execute(params![digest, held.client()])?;
        }
        let know = "INSERT INTO item (client, name, digest, cells) VALUES (?4, ?1, ?2, ?3)
            ON CONFLICT (client, digest) DO UPDATE SET cells = ?3 WHERE cells <> ?3";
        let hold =
            "INSERT INTO held SELECT ?1, item FROM item WHERE client = ?3 AND digest = ?2 ON CONFLICT DO NOTHING";
        let (mut know, mut hold) = (self.0.prepare_cached(know)?, self.0.prepare_cached(hold)?);
        let new: Vec<&str> =
            if is_whole { rows.iter().collect() } else { did.new.iter().map(String::as_str).collect() };
        for row in new {
            let digest = digest(&it.table, row);
            know.execute(params![it.table, digest, row, held.client()])?;
            hold.execute(params![holder.number, digest, held.client()])?;
        }
        Ok(true)
    }

    /// Whether what is here of a device's tables is what it has.
    pub(crate) fn has_rows(&self, held: &Held, device: &str, it: &Checked, now_ms: u64) -> Result<bool, Error> {
        let holder = self.holder(held, device, 1, now_ms)?;
        if !holder.is_heard {
            return Ok(true);
        }
        let nothing = Rows::default().digest();
        for table in fleet::tables::TABLES.iter().filter(|table| table.is_told()) {
            let said = it.tables.get(table.name).copied().unwrap_or(nothing);
            if self.rows(holder.number, table.name)?.digest() != said {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What a device told as rows goes: it will be asked for all of it, where it still may say something.
    pub(super) fn drop_rows(&self, device: &str) -> Result<(), Error> {
        let holder = "SELECT number, client FROM holder WHERE device = ?1";
        let found = self.0.query_row(holder, params![device], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((number, client)): Option<(i64, String)> = found.optional()? else { return Ok(()) };
        self.0.execute("DELETE FROM held WHERE number = ?1", params![number])?;
        let nobody_s =
            "DELETE FROM item WHERE client = ?1 AND NOT EXISTS (SELECT 1 FROM held WHERE held.item = item.item)";
        self.0.execute(nobody_s, params![client])?;
        Ok(())
    }

    /// Its number. That it said something is kept with it, and so many changes are counted.
    fn holder(&self, held: &Held, device: &str, changes: i64, now_ms: u64) -> Result<Holder, Error> {
        let text = "INSERT INTO holder (device, client, seen_ms, since_ms, changes) VALUES (?1, ?2, ?3, ?3, ?4)
            ON CONFLICT (device) DO UPDATE SET seen_ms = ?3,
                changes = iif(abs(?3 - since_ms) > ?5, 0, changes) + ?4,
                since_ms = iif(abs(?3 - since_ms) > ?5, ?3, since_ms)
            RETURNING number, changes";
        let row = params![device, held.client(), ms(now_ms), changes, ms(SPAN_MS)];
        Ok(self
            .0
            .prepare_cached(text)?
            .query_row(row, |row| Ok(Holder { number: row.get(0)?, is_heard: row.get::<_, i64>(1)? <= CHANGES_MAX }))?)
    }

    fn rows(&self, number: i64, table: &str) -> Result<Rows, Error> {
        let text = "SELECT item.cells FROM held JOIN item USING (item) WHERE held.number = ?1 AND item.name = ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![number, table], |row| row.get(0))?;
        Ok(Rows::kept(rows.collect::<Result<Vec<String>, _>>()?))
    }
}

/// What a row is found by: no two tables share one.
fn digest(table: &str, row: &str) -> Vec<u8> {
    let digest = Digest::of(format!("{table}\n{row}").as_bytes());
    digest.as_bytes().get(..DIGEST_BYTES).unwrap_or_default().to_vec()
}
