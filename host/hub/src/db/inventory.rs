//! What devices say of themselves, kept by difference.

use rusqlite::{OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// The most facts of a device: osquery's tables of a large host have fewer groups.
pub(crate) const FACTS_MAX: usize = 512;

/// The most bytes of all facts of a device.
pub(crate) const FACTS_BYTES_MAX: usize = 256 << 10;

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Fact {
    /// Its name, such as `os`.
    pub name: String,
    /// What the device says of it.
    pub value: Value,
    /// Since when, in milliseconds since 1970.
    pub changed_ms: u64,
}

/// How one fact became another.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FactChange {
    /// Its place among all changes.
    pub number: u64,
    /// The fact's name.
    pub name: String,
    /// What it was; left out where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is; left out where it is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// When the hub heard of it.
    pub at_ms: u64,
}

fn value(text: Option<String>) -> Option<Value> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

impl View<'_> {
    /// What a device says of itself. They are bounded, and come at once.
    pub(crate) fn facts(&self, device: &str) -> Result<Vec<Fact>, Error> {
        let mut query =
            self.0.prepare_cached("SELECT name, value, changed_ms FROM fact WHERE device = ?1 ORDER BY name")?;
        let rows = query.query_map(params![device], |row| {
            let fact = value(row.get(1)?).unwrap_or_default();
            Ok(Fact { name: row.get(0)?, value: fact, changed_ms: count(row.get(2)?) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When a device last said how it is, in milliseconds since 1970.
    pub(crate) fn seen_ms(&self, device: &str) -> Result<Option<u64>, Error> {
        let mut query = self.0.prepare_cached("SELECT seen_ms FROM holder WHERE device = ?1")?;
        Ok(query.query_row(params![device], |row| row.get(0)).optional()?.map(count))
    }

    /// What changed on a device, the oldest first.
    pub(crate) fn fact_changes(&self, device: &str, page: &Page) -> Result<Paged<FactChange>, Error> {
        let text = "SELECT number, name, before, after, at_ms FROM fact_change
            WHERE device = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![device, page.after_number()?, page.rows()?], |row| {
            Ok(FactChange {
                number: count(row.get(0)?),
                name: row.get(1)?,
                before: value(row.get(2)?),
                after: value(row.get(3)?),
                at_ms: count(row.get(4)?),
            })
        })?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.number.to_string())
    }
}

impl Change<'_> {
    /// What a device says of itself, as one object.
    pub(crate) fn facts(&self, device: &str) -> Result<Map<String, Value>, Error> {
        let mut query = self.0.prepare_cached("SELECT name, value FROM fact WHERE device = ?1")?;
        let rows = query.query_map(params![device], |row| Ok((row.get(0)?, value(row.get(1)?).unwrap_or_default())))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes what changed since a device last said something; nothing in the place of a value means that it is no more. Gives how
    /// much of it was news.
    pub(crate) fn put_facts(
        &self,
        held: &Held,
        device: &str,
        facts: &[(String, Option<Value>)],
        now_ms: u64,
    ) -> Result<u64, Error> {
        let mut before = self.0.prepare_cached("SELECT value FROM fact WHERE device = ?1 AND name = ?2")?;
        let mut put = self.0.prepare_cached(
            "INSERT INTO fact VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (device, name) DO UPDATE SET value = ?4, changed_ms = ?5",
        )?;
        let mut log = self.0.prepare_cached(
            "INSERT INTO fact_change (client, device, name, before, after, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut news = 0;
        for (name, after) in facts {
            let before: Option<String> = before.query_row(params![device, name], |row| row.get(0)).optional()?;
            let after = after.as_ref().map(Value::to_string);
            if before == after {
                continue;
            }
            news += 1;
            match &after {
                Some(after) => put.execute(params![device, name, held.client(), after, ms(now_ms)])?,
                None => self.0.execute("DELETE FROM fact WHERE device = ?1 AND name = ?2", params![device, name])?,
            };
            log.execute(params![held.client(), device, name, before, after, ms(now_ms)])?;
        }
        let mut all = self.0.prepare_cached("SELECT count(*) FROM fact WHERE device = ?1")?;
        let found: i64 = all.query_row(params![device], |row| row.get(0))?;
        match found <= i64::try_from(FACTS_MAX).unwrap_or(i64::MAX) {
            true => Ok(news),
            false => Err(Error::Invalid(vec![format!("a device has at most {FACTS_MAX} facts")])),
        }
    }
}
