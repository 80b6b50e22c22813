//! Secrets that technicians sealed to devices: who has which, and never what they are. What is sealed lies among the documents, as
//! long as it counts.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::stale::Whose;
use super::{Change, Document, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// The most that a device has, those that are gone and not forgotten among them: half of what its mailbox names.
const OF_DEVICE_MAX: u64 = 128;

/// A secret of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Secret {
    /// The device.
    pub device: String,
    /// Whose.
    pub client: String,
    /// What plugins call it.
    pub name: String,
    /// Its version: it goes up each time that it is set or removed.
    pub serial: u64,
    /// Where it may be used.
    pub places: Vec<String>,
    /// The key that signed it.
    pub by: String,
    /// When the hub got it, in milliseconds since 1970.
    pub set_ms: u64,
    /// Nobody uses it from then on.
    pub expires_ms: u64,
    /// Whether it was removed: the device is told so until it would have expired.
    pub is_gone: bool,
    /// The version that the device says it has; left out where it says that it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_serial: Option<u64>,
}

/// A secret that comes.
#[derive(Clone, Debug)]
pub(crate) struct NewSecret {
    pub(crate) device: String,
    pub(crate) name: String,
    pub(crate) serial: u64,
    pub(crate) places: Vec<String>,
    pub(crate) by: String,
    pub(crate) expires_ms: u64,
    pub(crate) is_gone: bool,
    pub(crate) document: Document,
}

/// Which secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhichSecrets {
    pub(crate) client: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) name: Option<String>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<(u64, Secret)> {
    let places: String = row.get(5)?;
    let secret = Secret {
        device: row.get(1)?,
        client: row.get(2)?,
        name: row.get(3)?,
        serial: count(row.get(4)?),
        places: serde_json::from_str(&places).unwrap_or_default(),
        by: row.get(6)?,
        set_ms: count(row.get(7)?),
        expires_ms: count(row.get(8)?),
        is_gone: row.get(9)?,
        held_serial: row.get::<_, Option<i64>>(10)?.map(count),
    };
    Ok((count(row.get(0)?), secret))
}

impl View<'_> {
    /// The secrets of the scope's devices, in the order in which they were first set.
    pub(crate) fn secrets(&self, which: &WhichSecrets, page: &Page) -> Result<Paged<Secret>, Error> {
        let text = "SELECT number, device, client, name, serial, places, by, set_ms, expires_ms, is_gone, held_serial FROM secret
            WHERE number > ?1 AND (?3 IS NULL OR client = ?3) AND (?4 IS NULL OR device = ?4) AND (?5 IS NULL OR name = ?5)
            ORDER BY number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let params = params![page.after_number()?, page.rows()?, which.client, which.device, which.name];
        let rows = query.query_map(params, read)?.collect::<Result<Vec<_>, _>>()?;
        let paged = page.cut(rows, |(number, _)| number.to_string())?;
        Ok(Paged { items: paged.items.into_iter().map(|(_, it)| it).collect(), next: paged.next })
    }

    /// The files of a device's secrets, by the digests of all their bytes.
    pub(crate) fn secret_files(&self, device: &str) -> Result<Vec<String>, Error> {
        let text = "SELECT document.file FROM secret JOIN document USING (digest) WHERE secret.device = ?1 ORDER BY secret.number";
        let mut query = self.0.prepare_cached(text)?;
        Ok(query.query_map(params![device], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Keeps a secret in the place of the last one of its name; whether that is news. What was sealed before is deleted.
    pub(crate) fn put_secret(&self, held: &Held, it: &NewSecret, now_ms: u64) -> Result<bool, Error> {
        let text = "SELECT 1 FROM device WHERE device = ?1 AND client = ?2 AND state = 'member'";
        let mut query = self.0.prepare_cached(text)?;
        let there = query.query_row(params![it.device, held.client()], |_| Ok(())).optional()?;
        there.ok_or(Error::Missing { what: "device" })?;
        let text = "SELECT serial, digest FROM secret WHERE device = ?1 AND name = ?2";
        let mut query = self.0.prepare_cached(text)?;
        let found =
            query.query_row(params![it.device, it.name], |row| Ok((count(row.get(0)?), row.get::<_, String>(1)?)));
        match found.optional()? {
            Some((_, digest)) if digest == it.document.digest => return Ok(false),
            Some((serial, _)) if serial >= it.serial => {
                let name = &it.name;
                return Err(Error::Conflict(format!(
                    "`{name}` was set with a later number: set it again, with a right clock"
                )));
            }
            Some((_, digest)) => self.drop_sealed(&digest)?,
            None => {
                let text = "SELECT count(*) FROM secret WHERE device = ?1";
                let all: i64 = self.0.prepare_cached(text)?.query_row(params![it.device], |row| row.get(0))?;
                if count(all) >= OF_DEVICE_MAX {
                    return Err(Error::Conflict(format!("a device has {OF_DEVICE_MAX} secrets, which is the most")));
                }
            }
        }
        self.keep(&it.document, now_ms)?;
        let text = "INSERT INTO secret (client, device, name, serial, digest, places, by, set_ms, expires_ms, is_gone)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            ON CONFLICT (device, name) DO UPDATE SET client = ?1, serial = ?4, digest = ?5, places = ?6, by = ?7, set_ms = ?8,
                expires_ms = ?9, is_gone = ?10";
        let places = serde_json::to_string(&it.places).unwrap_or_default();
        self.0.prepare_cached(text)?.execute(params![
            held.client(),
            it.device,
            it.name,
            ms(it.serial),
            it.document.digest,
            places,
            it.by,
            ms(now_ms),
            ms(it.expires_ms),
            it.is_gone
        ])?;
        self.stale(Whose::Device(&it.device))?;
        Ok(true)
    }

    /// A device says which it has, by name and version.
    pub(crate) fn secrets_held(&self, held: &Held, device: &str, has: &BTreeMap<String, u64>) -> Result<(), Error> {
        let text = "UPDATE secret SET held_serial = NULL WHERE device = ?1 AND client = ?2";
        self.0.prepare_cached(text)?.execute(params![device, held.client()])?;
        let text = "UPDATE secret SET held_serial = ?4 WHERE device = ?1 AND client = ?2 AND name = ?3";
        let mut update = self.0.prepare_cached(text)?;
        for (name, serial) in has {
            update.execute(params![device, held.client(), name, ms(*serial)])?;
        }
        Ok(())
    }

    /// What was sealed to a device that gets nothing any more, or is another client's now, goes.
    pub(crate) fn drop_secrets(&self, device: &str) -> Result<(), Error> {
        let mut query = self.0.prepare_cached("SELECT digest FROM secret WHERE device = ?1")?;
        let sealed: Vec<String> = query.query_map(params![device], |row| row.get(0))?.collect::<Result<_, _>>()?;
        sealed.iter().try_for_each(|digest| self.drop_sealed(digest))?;
        self.0.prepare_cached("DELETE FROM secret WHERE device = ?1")?.execute(params![device])?;
        Ok(())
    }

    /// Deletes some of what nobody may use any more; how many.
    pub(crate) fn drop_expired_secrets(&self, now_ms: u64, most: u32) -> Result<u32, Error> {
        let text = "SELECT number, digest, device FROM secret WHERE expires_ms <= ?1 LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![ms(now_ms), most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let expired: Vec<(i64, String, String)> = rows.collect::<Result<_, _>>()?;
        for (number, digest, device) in &expired {
            self.drop_sealed(digest)?;
            self.0.prepare_cached("DELETE FROM secret WHERE number = ?1")?.execute(params![number])?;
            self.stale(Whose::Device(device))?;
        }
        Ok(u32::try_from(expired.len()).unwrap_or(u32::MAX))
    }

    fn drop_sealed(&self, digest: &str) -> Result<(), Error> {
        self.0
            .prepare_cached("DELETE FROM document WHERE digest = ?1 AND kind = 'secret'")?
            .execute(params![digest])?;
        self.0.prepare_cached("DELETE FROM document_client WHERE digest = ?1")?.execute(params![digest])?;
        Ok(())
    }
}
