//! What plugins keep for themselves on devices, as these told it last. Nothing of it goes back to any device.

use rusqlite::{Row, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// The most keys of a device: what some plugins may keep, and a device that was taken over fills no more.
const KEYS_MAX: u64 = 5_000;

/// The most bytes of their values.
const BYTES_MAX: u64 = 8 << 20;

/// A key of a plugin on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    /// Whose it is.
    pub plugin: String,
    /// What it is called.
    pub key: String,
    /// How long its value is.
    pub bytes: u64,
    /// The value; left out where it is too long to go along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it was written on the device, in milliseconds since 1970.
    pub written_ms: u64,
    /// When it goes there; left out for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

/// What a device says of a key.
#[derive(Clone, Debug)]
pub(crate) struct StatedKey<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) key: &'a str,
    /// None where it is gone.
    pub(crate) bytes: Option<u64>,
    pub(crate) value: Option<&'a str>,
    pub(crate) written_ms: u64,
    pub(crate) expires_ms: Option<u64>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<(u64, Kept)> {
    let kept = Kept {
        plugin: row.get(1)?,
        key: row.get(2)?,
        bytes: count(row.get(3)?),
        value: row.get(4)?,
        written_ms: count(row.get(5)?),
        expires_ms: row.get::<_, Option<i64>>(6)?.map(count),
    };
    Ok((count(row.get(0)?), kept))
}

impl View<'_> {
    /// What plugins keep on a device, in the order in which it was first told.
    pub(crate) fn kept(&self, device: &str, page: &Page) -> Result<Paged<Kept>, Error> {
        let text = "SELECT number, plugin, key, bytes, value, written_ms, expires_ms FROM kv
            WHERE device = ?3 AND number > ?1 ORDER BY number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![page.after_number()?, page.rows()?, device], read)?;
        let paged = page.cut(rows.collect::<Result<Vec<_>, _>>()?, |(number, _)| number.to_string())?;
        Ok(Paged { items: paged.items.into_iter().map(|(_, it)| it).collect(), next: paged.next })
    }
}

impl Change<'_> {
    /// A device says what one of its plugins keeps. What is beyond what a device may have is left out.
    pub(crate) fn keep_key(&self, held: &Held, device: &str, it: &StatedKey<'_>) -> Result<(), Error> {
        let gone = "DELETE FROM kv WHERE device = ?1 AND client = ?2 AND plugin = ?3 AND key = ?4";
        self.0.prepare_cached(gone)?.execute(params![device, held.client(), it.plugin, it.key])?;
        let Some(bytes) = it.bytes else { return Ok(()) };
        // Out of an index alone: a device that writes the same keys all day has nobody wait while all of its values are read.
        let text = "SELECT count(*), coalesce(sum(here_bytes), 0) FROM kv WHERE device = ?1";
        let (keys, all): (i64, i64) =
            self.0.prepare_cached(text)?.query_row(params![device], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let more = it.value.map_or(0, |value| u64::try_from(value.len()).unwrap_or(u64::MAX));
        if count(keys) >= KEYS_MAX || count(all).saturating_add(more) > BYTES_MAX {
            return Ok(());
        }
        let text = "INSERT INTO kv (client, device, plugin, key, bytes, value, here_bytes, written_ms, expires_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let expires_ms = it.expires_ms.map(ms);
        self.0.prepare_cached(text)?.execute(params![
            held.client(),
            device,
            it.plugin,
            it.key,
            ms(bytes),
            it.value,
            ms(more),
            ms(it.written_ms),
            expires_ms
        ])?;
        Ok(())
    }
}
