//! Devices, and the tags that their signed assignments gave them.

use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stale::Whose;
use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// Where a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It asked to join, and no technician has signed whose it is.
    Pending,
    /// An assignment says whose it is.
    Member,
    /// It gets nothing any more.
    Retired,
}

impl State {
    fn of(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "member" => Self::Member,
            _ => Self::Retired,
        }
    }
}

/// A managed host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Device {
    /// Its key's SHA-256, in hex.
    pub device: String,
    /// Its public key.
    pub key: String,
    /// Whose it is; of one that is pending, whose token it came with.
    pub client: String,
    /// Where.
    pub site: String,
    /// What it is counted among.
    pub tags: Vec<String>,
    /// Where it stands.
    pub state: State,
    /// The digest of the assignment that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment: Option<String>,
    /// When it joined, in milliseconds since 1970.
    pub joined_ms: u64,
    /// Since when it is known that two machines have its key: a disk was copied. It joins again, and the copy as a new device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloned_ms: Option<u64>,
}

const COLUMNS: &str = "device, key, client, site, state, assignment, joined_ms,
    (SELECT json_group_array(tag) FROM (SELECT tag FROM tag WHERE tag.device = device.device ORDER BY tag)),
    (SELECT cloned_ms FROM identity WHERE identity.device = device.device)";

fn read(row: &Row<'_>) -> rusqlite::Result<Device> {
    let (state, tags): (String, String) = (row.get(4)?, row.get(7)?);
    Ok(Device {
        device: row.get(0)?,
        key: row.get(1)?,
        client: row.get(2)?,
        site: row.get(3)?,
        tags: serde_json::from_str(&tags).unwrap_or_default(),
        state: State::of(&state),
        assignment: row.get(5)?,
        joined_ms: count(row.get(6)?),
        cloned_ms: row.get::<_, Option<i64>>(8)?.map(count),
    })
}

impl View<'_> {
    /// The devices of the scope, of one client where one is named, by their keys.
    pub(crate) fn devices(&self, client: Option<&str>, page: &Page) -> Result<Paged<Device>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM device WHERE device > ?1 AND (?3 IS NULL OR client = ?3) ORDER BY device LIMIT ?2"
        );
        let mut query = self.0.prepare_cached(&text)?;
        let rows = query.query_map(params![page.after_text()?, page.rows()?, client], read)?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.device.clone())
    }

    /// One device, if the scope shows it.
    pub(crate) fn device(&self, device: &str) -> Result<Device, Error> {
        let mut query = self.0.prepare_cached(&format!("SELECT {COLUMNS} FROM device WHERE device = ?1"))?;
        query.query_row(params![device], read).optional()?.ok_or(Error::Missing { what: "device" })
    }
}

impl Change<'_> {
    /// A device asks to join. One that is there already stays as it is.
    pub(crate) fn join(&self, held: &Held, device: &str, key: &str, site: &str, now_ms: u64) -> Result<bool, Error> {
        self.know_client(held, Some(site), now_ms)?;
        let text = "INSERT INTO device VALUES (?1, ?2, ?3, ?4, 'pending', NULL, ?5) ON CONFLICT DO NOTHING";
        let rows = self.0.prepare_cached(text)?.execute(params![device, held.client(), site, key, ms(now_ms)])?;
        self.stale(Whose::Device(device))?;
        Ok(rows > 0)
    }

    /// A signed assignment says whose a device is. It takes what there is of the device along to its new client.
    pub(crate) fn assign(
        &self,
        held: &Held,
        (device, key): (&str, &str),
        (site, tags): (&str, &[String]),
        assignment: &str,
        now_ms: u64,
    ) -> Result<(), Error> {
        self.know_client(held, Some(site), now_ms)?;
        let before = self.client_of(device)?;
        let text = "INSERT INTO device VALUES (?1, ?2, ?3, ?4, 'member', ?5, ?6)
            ON CONFLICT (device) DO UPDATE SET client = ?2, site = ?3, assignment = ?5,
                state = iif(state = 'retired', 'retired', 'member')";
        self.0.prepare_cached(text)?.execute(params![device, held.client(), site, key, assignment, ms(now_ms)])?;
        if before.is_some_and(|before| before != held.client()) {
            // What its last client's runs left is that client's, and stays with it. What it is and does now comes along.
            // Revisions only go up, or a device could take an old mailbox for a new one.
            let empty = "UPDATE mailbox SET client = ?2, revision = revision + 1, bytes = x'' WHERE device = ?1";
            self.0.execute(empty, params![device, held.client()])?;
            self.0.execute("DELETE FROM named WHERE device = ?1", params![device])?;
            self.drop_secrets(device)?;
            // Its rows may tell what the next client lets nobody tell. It is asked for them anew.
            self.drop_rows(device)?;
            for table in ["fact", "holder", "identity"] {
                let text = format!("UPDATE {table} SET client = ?2 WHERE device = ?1");
                self.0.execute(&text, params![device, held.client()])?;
            }
        }
        self.0.execute("DELETE FROM tag WHERE device = ?1", params![device])?;
        let mut insert = self.0.prepare_cached("INSERT INTO tag VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
        for tag in tags {
            insert.execute(params![device, tag, held.client()])?;
        }
        self.stale(Whose::Device(device))
    }

    /// From now on it gets nothing: its mailbox goes, and it asks for nothing any more.
    pub(crate) fn retire(&self, held: &Held, device: &str) -> Result<(), Error> {
        let text = "UPDATE device SET state = 'retired' WHERE device = ?1 AND client = ?2";
        if self.0.execute(text, params![device, held.client()])? == 0 {
            return Err(Error::Missing { what: "device" });
        }
        self.drop_secrets(device)?;
        for table in ["mailbox", "named", "stale"] {
            self.0.execute(&format!("DELETE FROM {table} WHERE device = ?1"), params![device])?;
        }
        self.drop_rows(device)
    }

    /// Whose a device is, unless it is retired.
    pub(crate) fn client_served(&self, device: &str) -> Result<Option<String>, Error> {
        let mut query = self.0.prepare_cached("SELECT client FROM device WHERE device = ?1 AND state <> 'retired'")?;
        Ok(query.query_row(params![device], |row| row.get(0)).optional()?)
    }

    pub(super) fn client_of(&self, device: &str) -> Result<Option<String>, Error> {
        let mut query = self.0.prepare_cached("SELECT client FROM device WHERE device = ?1")?;
        Ok(query.query_row(params![device], |row| row.get(0)).optional()?)
    }
}
