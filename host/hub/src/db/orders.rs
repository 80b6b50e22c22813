//! Orders that were signed, and their rings.

use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Order {
    /// Of the signed statement.
    pub digest: String,
    /// The name that its signer gave it.
    pub id: String,
    /// Whose key signed it.
    pub signer: String,
    /// What runs.
    pub plugin: String,
    /// In which mode.
    pub mode: String,
    /// When it was signed, in milliseconds since 1970, as its signer says.
    pub signed_ms: u64,
    /// From when on it counts.
    pub from_ms: u64,
    /// Until when.
    pub expires_ms: u64,
    /// Its rings, the first one first.
    pub rings: Vec<RingState>,
}

/// A ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RingState {
    /// Its place, from 1 on.
    // In this program from 0 on, as in what is signed.
    #[serde(serialize_with = "super::as_people_count")]
    pub ring: u32,
    /// How many devices it has.
    pub devices: u64,
    /// The root of the tree of their fingerprints.
    pub root: String,
}

/// An order that was just signed.
#[derive(Clone, Debug)]
pub(crate) struct NewOrder {
    pub(crate) digest: String,
    pub(crate) id: String,
    pub(crate) signer: String,
    pub(crate) plugin: String,
    pub(crate) mode: String,
    pub(crate) signed_ms: u64,
    pub(crate) from_ms: u64,
    pub(crate) expires_ms: u64,
    /// How many devices each ring has, and the root of its tree.
    pub(crate) rings: Vec<(u32, String)>,
}

const COLUMNS: &str = "digest, id, signer, plugin, mode, signed_ms, from_ms, expires_ms";

fn read(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        digest: row.get(0)?,
        id: row.get(1)?,
        signer: row.get(2)?,
        plugin: row.get(3)?,
        mode: row.get(4)?,
        signed_ms: count(row.get(5)?),
        from_ms: count(row.get(6)?),
        expires_ms: count(row.get(7)?),
        rings: Vec::new(),
    })
}

impl View<'_> {
    /// The orders of the scope, by their ids, which begin with their time; of one signer where one is named.
    pub(crate) fn orders(&self, signer: Option<&str>, page: &Page) -> Result<Paged<Order>, Error> {
        let text =
            format!("SELECT {COLUMNS} FROM orders WHERE id > ?1 AND (?3 IS NULL OR signer = ?3) ORDER BY id LIMIT ?2");
        let mut query = self.0.prepare_cached(&text)?;
        let rows = query.query_map(params![page.after_text()?, page.rows()?, signer], read)?;
        let mut paged = page.cut(rows.collect::<Result<Vec<_>, _>>()?, |it| it.id.clone())?;
        for order in &mut paged.items {
            order.rings = self.rings(&order.digest)?;
        }
        Ok(paged)
    }

    /// One of them.
    pub(crate) fn order(&self, digest: &str) -> Result<Order, Error> {
        let mut query = self.0.prepare_cached(&format!("SELECT {COLUMNS} FROM orders WHERE digest = ?1"))?;
        let mut order = query.query_row(params![digest], read).optional()?.ok_or(Error::Missing { what: "order" })?;
        order.rings = self.rings(digest)?;
        Ok(order)
    }

    fn rings(&self, digest: &str) -> Result<Vec<RingState>, Error> {
        let text = "SELECT ring, devices, root FROM ring WHERE digest = ?1 ORDER BY ring";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![digest], |row| {
            Ok(RingState { ring: row.get(0)?, devices: count(row.get(1)?), root: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Keeps an order that was signed. One that is there already stays as it is; whether it was not.
    pub(crate) fn put_order(&self, new: &NewOrder, now_ms: u64) -> Result<bool, Error> {
        let text = "INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (digest) DO NOTHING";
        let (signed, from, expires) = (ms(new.signed_ms), ms(new.from_ms), ms(new.expires_ms));
        let row = params![new.digest, new.id, new.signer, new.plugin, new.mode, signed, from, expires, ms(now_ms)];
        let rows = self.0.prepare_cached(text)?.execute(row);
        let rows = rows.map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => {
                Error::Conflict(format!("another order has the id `{}`", new.id))
            }
            _ => error.into(),
        })?;
        let mut insert = self.0.prepare_cached("INSERT INTO ring VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?;
        for (ring, (devices, root)) in (0_u32..).zip(&new.rings) {
            insert.execute(params![new.digest, ring, devices, root])?;
        }
        Ok(rows > 0)
    }

    /// Has an order go by another name, for tests that need one of the form that digests have.
    #[cfg(test)]
    pub(crate) fn rename_order(&self, from: &str, to: &str) -> Result<(), Error> {
        for table in
            ["orders", "ring", "document", "document_client", "rollout", "rollout_ring", "rollout_part", "seat"]
        {
            self.0.execute(&format!("UPDATE {table} SET digest = ?2 WHERE digest = ?1"), params![from, to])?;
        }
        self.0.execute("UPDATE result SET ordered = ?2 WHERE ordered = ?1", params![from, to])?;
        Ok(())
    }
}
