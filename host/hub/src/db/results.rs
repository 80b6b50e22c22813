//! What devices signed about runs: a log that only grows, and what is counted of it. No counter is kept anywhere.

use std::collections::BTreeMap;

use model::Digest;
use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::rollouts::Tallied;
use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// A result, as its device signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ResultRow {
    /// Its place in the log.
    pub number: u64,
    /// Of the signed statement.
    pub digest: String,
    /// Whose device.
    pub client: String,
    /// Which device.
    pub device: String,
    /// The digest of the order that it answers.
    pub order: String,
    /// The run on the device; left out where it was refused before there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// How often the device had tried by then.
    pub attempt: u32,
    /// How the machinery ended.
    pub outcome: String,
    /// What was found.
    pub verdict: String,
    /// Why the device refused, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// In which mode.
    pub mode: String,
    /// When it ended, in milliseconds since 1970, by the device's clock.
    pub ended_ms: u64,
    /// When it came.
    pub received_ms: u64,
    /// The statement and its signature: whoever reads this verifies it.
    pub signed: String,
}

/// What of messages is state and no history: rows of tables are kept as rows, and the log says that they came.
const STATE: [&str; 2] = ["inventory", "inventory-check"];

/// A message that came.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    pub(crate) spool: String,
    pub(crate) sequence: u64,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
    /// What it says, where it is a result that its device signed.
    pub(crate) result: Option<NewResult>,
}

/// A result that its device signed.
#[derive(Clone, Debug)]
pub(crate) struct NewResult {
    pub(crate) digest: String,
    pub(crate) order: String,
    pub(crate) run: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) outcome: String,
    pub(crate) verdict: String,
    pub(crate) refused: Option<String>,
    pub(crate) mode: String,
    pub(crate) sequence: u64,
    pub(crate) record: String,
    pub(crate) ended_ms: u64,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is in the log.
    New,
    /// It was there before.
    Known,
    /// Another one is there under its number.
    Differs,
}

/// A message of the log.
#[derive(Clone, Debug)]
pub(crate) struct LoggedRow {
    pub(crate) number: u64,
    pub(crate) device: String,
    pub(crate) spool: String,
    pub(crate) sequence: u64,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

/// What became of an order, counted from the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Counted {
    /// How many devices its rings have; 0 where it has none, and means whatever device there is.
    pub devices: u64,
    /// How many of them answered.
    pub answered: u64,
    /// By how the machinery ended, the last answer of each device.
    pub outcomes: BTreeMap<String, u64>,
    /// By what was found.
    pub verdicts: BTreeMap<String, u64>,
    /// By why it was refused.
    pub refused: BTreeMap<String, u64>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<ResultRow> {
    Ok(ResultRow {
        number: count(row.get(0)?),
        digest: row.get(1)?,
        client: row.get(2)?,
        device: row.get(3)?,
        order: row.get(4)?,
        run: row.get(5)?,
        attempt: row.get(6)?,
        outcome: row.get(7)?,
        verdict: row.get(8)?,
        refused: row.get(9)?,
        mode: row.get(10)?,
        ended_ms: count(row.get(11)?),
        received_ms: count(row.get(12)?),
        signed: row
            .get::<_, Option<Vec<u8>>>(13)?
            .map(|it| String::from_utf8_lossy(&it).into_owned())
            .unwrap_or_default(),
    })
}

const COLUMNS: &str =
    "number, digest, client, device, ordered, run, attempt, outcome, verdict, refused, mode, ended_ms,
    received_ms, (SELECT body FROM message WHERE message.number = result.number)";

/// As [`fleet::Comes`] has it, of the latest answer of a device.
const WENT_BADLY: &str = "(outcome NOT IN ('completed', 'suspended') OR outcome = 'completed' AND verdict IN ('failed', 'recurred', 'unknown'))
    AND coalesce(refused, '') <> 'not-meant'
    AND NOT EXISTS (SELECT 1 FROM result AS later WHERE later.ordered = ?1 AND later.device = result.device
        AND (later.sequence, later.digest) > (result.sequence, result.digest))";

/// The last answer of each device to an order: of its results the one with the highest number, which the device gave it.
const LAST: &str = "SELECT number, outcome, verdict, refused FROM (
    SELECT *, row_number() OVER (PARTITION BY device ORDER BY sequence DESC, digest DESC) AS place
    FROM result WHERE ordered = ?1) WHERE place = 1";

impl View<'_> {
    /// The answers to an order, in the order they came; where that is asked, only the latest of each device, where it went badly.
    pub(crate) fn results(&self, order: &str, only_failed: bool, page: &Page) -> Result<Paged<ResultRow>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM result WHERE ordered = ?1 AND number > ?2
             AND (NOT ?4 OR ({WENT_BADLY})) ORDER BY number LIMIT ?3"
        );
        let mut query = self.0.prepare_cached(&text)?;
        let rows = query.query_map(params![order, page.after_number()?, page.rows()?, only_failed], read)?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.number.to_string())
    }

    /// What became of an order.
    pub(crate) fn counted(&self, order: &str) -> Result<Counted, Error> {
        let mut counted = Counted::default();
        let devices = "SELECT coalesce(sum(devices), 0) FROM ring WHERE digest = ?1";
        counted.devices = self.0.prepare_cached(devices)?.query_row(params![order], |row| row.get(0)).map(count)?;
        let mut query = self.0.prepare_cached(LAST)?;
        let mut rows = query.query(params![order])?;
        while let Some(row) = rows.next()? {
            counted.answered += 1;
            let words = [(1, &mut counted.outcomes), (2, &mut counted.verdicts), (3, &mut counted.refused)];
            for (column, counts) in words {
                if let Some(word) = row.get::<_, Option<String>>(column)? {
                    *counts.entry(word).or_default() += 1;
                }
            }
        }
        Ok(counted)
    }

    /// The details beside a result: what its device sent of that digest.
    pub(crate) fn record(&self, device: &str, digest: &str) -> Result<Vec<u8>, Error> {
        let text = "SELECT body FROM message WHERE device = ?1 AND digest = ?2 AND kind = 'record' LIMIT 1";
        let mut query = self.0.prepare_cached(text)?;
        let found = query.query_row(params![device, digest], |row| row.get(0)).optional()?;
        found.ok_or(Error::Missing { what: "record" })
    }

    /// The log after a place, as long as it goes and at most so much.
    pub(crate) fn log(&self, after: u64, most: usize) -> Result<Vec<LoggedRow>, Error> {
        let text = "SELECT number, device, spool, sequence, kind, body FROM message WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = query.query_map(params![ms(after), most], |row| {
            Ok(LoggedRow {
                number: count(row.get(0)?),
                device: row.get(1)?,
                spool: row.get(2)?,
                sequence: count(row.get(3)?),
                kind: row.get(4)?,
                body: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Appends a message of a device. One that came before is not appended again: devices send until they hear that it is here. What
    /// is counted of it is appended with it, in one transaction.
    pub(crate) fn append(&self, held: &Held, device: &str, new: &NewMessage, now_ms: u64) -> Result<Kept, Error> {
        let digest = Digest::of(&new.body).to_string();
        let text = "INSERT INTO message (client, device, spool, sequence, kind, digest, received_ms, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (device, spool, sequence) DO NOTHING";
        let mut insert = self.0.prepare_cached(text)?;
        let (sequence, now) = (ms(new.sequence), ms(now_ms));
        let body = if STATE.contains(&new.kind.as_str()) { &[] } else { new.body.as_slice() };
        let row = params![held.client(), device, new.spool, sequence, new.kind, digest, now, body];
        if insert.execute(row)? == 0 {
            let text =
                "SELECT kind = ?4 AND digest = ?5 FROM message WHERE device = ?1 AND spool = ?2 AND sequence = ?3";
            let mut query = self.0.prepare_cached(text)?;
            let is_same: bool =
                query.query_row(params![device, new.spool, sequence, new.kind, digest], |row| row.get(0))?;
            return Ok(if is_same { Kept::Known } else { Kept::Differs });
        }
        if let Some(result) = &new.result {
            self.count_result(held, device, result, self.0.last_insert_rowid(), now_ms)?;
        }
        Ok(Kept::New)
    }

    /// A result that came once more, under another number of the log, is counted once.
    fn count_result(&self, held: &Held, device: &str, it: &NewResult, number: i64, now_ms: u64) -> Result<(), Error> {
        let text = "INSERT INTO result VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            ON CONFLICT (digest) DO NOTHING";
        let rows = self.0.prepare_cached(text)?.execute(params![
            number,
            it.digest,
            held.client(),
            device,
            it.order,
            it.run,
            it.attempt,
            it.outcome,
            it.verdict,
            it.refused,
            it.mode,
            ms(it.sequence),
            it.record,
            ms(it.ended_ms),
            ms(now_ms)
        ])?;
        let tallied = Tallied {
            order: &it.order,
            digest: &it.digest,
            sequence: it.sequence,
            ended_ms: it.ended_ms,
            outcome: &it.outcome,
            verdict: &it.verdict,
            refused: it.refused.as_deref(),
        };
        if rows > 0 { self.tally(device, &tallied) } else { Ok(()) }
    }
}
