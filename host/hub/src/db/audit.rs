//! Who did what: a chain in which nothing can be altered, inserted or left out without its end being another.
//!
//! The chain is over digests of details, and the details lie beside it: they leave with their client, and the chain stays whole. A
//! salt keeps a digest from being tried against what somebody guesses.

use model::Digest;
use rusqlite::{OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// Before the first entry.
const FIRST: &str = "none";

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The holder of a seat, and the key.
    Technician(String, String),
    Device(String),
    Hub,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Technician(holder, key) => write!(f, "technician {holder} {key}"),
            Self::Device(device) => write!(f, "device {device}"),
            Self::Hub => f.write_str("hub"),
        }
    }
}

/// What is written down.
#[derive(Clone, Debug)]
pub(crate) struct NewEntry {
    pub(crate) at_ms: u64,
    pub(crate) actor: Actor,
    /// Whose it is; none where it is about no client, or about several.
    pub(crate) client: Option<Held>,
    /// A word for what was done, which tells nothing of a client.
    pub(crate) action: &'static str,
    pub(crate) body: Value,
}

/// An entry of the chain, with its details where the scope shows them and they are still there.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// Its place, from 1 on.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was done.
    pub action: String,
    /// Of the details.
    pub detail: String,
    /// Of the entry before.
    pub previous: String,
    /// Of this entry: SHA-256 of its canonical JSON without this field and what follows.
    pub digest: String,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What is hashed with both, so that nobody guesses them: whoever sees them sees that too, and holds them against `detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// Whether the chain is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Verified {
    /// How many entries it has.
    pub entries: u64,
    /// The digest of the last one: whoever keeps it finds out when another chain is put in the place of this one.
    pub head: String,
    /// Where it is not whole, and how; left out where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

fn digest_of(number: u64, at_ms: u64, action: &str, detail: &str, previous: &str) -> String {
    let value = json!({ "number": number, "at-ms": at_ms, "action": action, "detail": detail, "previous": previous });
    Digest::of_json(&value).to_string()
}

fn detail_of(actor: &str, salt: &str, body: &str) -> String {
    Digest::of_json(&json!({ "actor": actor, "salt": salt, "body": body })).to_string()
}

impl View<'_> {
    /// The chain, the oldest entry first.
    pub(crate) fn audit(&self, page: &Page) -> Result<Paged<Entry>, Error> {
        let text = "SELECT number, at_ms, action, detail, previous, digest, actor, body, salt FROM audit
            LEFT JOIN audit_detail USING (number) WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![page.after_number()?, page.rows()?], |row| {
            Ok(Entry {
                number: count(row.get(0)?),
                at_ms: count(row.get(1)?),
                action: row.get(2)?,
                detail: row.get(3)?,
                previous: row.get(4)?,
                digest: row.get(5)?,
                actor: row.get(6)?,
                body: row.get::<_, Option<String>>(7)?.and_then(|text| serde_json::from_str(&text).ok()),
                salt: row.get(8)?,
            })
        })?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.number.to_string())
    }

    /// Walks the chain. Whoever saw an entry before says which, and that it must still be there.
    pub(crate) fn verify_audit(&self, seen: Option<(u64, &str)>) -> Result<Verified, Error> {
        let text = "SELECT number, at_ms, action, detail, previous, digest, actor, salt, body FROM audit
            LEFT JOIN audit_detail USING (number) ORDER BY number";
        let mut query = self.0.prepare(text)?;
        let mut rows = query.query([])?;
        let (mut entries, mut head, mut found_seen) = (0, FIRST.to_owned(), seen.is_none());
        let mut broken = None;
        while let Some(row) = rows.next()? {
            let (number, at_ms) = (count(row.get(0)?), count(row.get(1)?));
            let [action, detail, previous, digest]: [String; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            let wrong = match () {
                () if number != entries + 1 => format!("entry {} is missing", entries + 1),
                () if previous != head => format!("entry {number} does not follow the one before it"),
                () if digest != digest_of(number, at_ms, &action, &detail, &previous) => {
                    format!("entry {number} was altered")
                }
                () => {
                    let has_detail: Option<String> = row.get(6)?;
                    let is_its = has_detail.is_none_or(|actor| {
                        let text = |at: usize| row.get::<_, String>(at).unwrap_or_default();
                        detail == detail_of(&actor, &text(7), &text(8))
                    });
                    match seen {
                        _ if !is_its => format!("the details of entry {number} were altered"),
                        Some((at, of)) if at == number && of != digest => {
                            format!("entry {number} is not the one that was seen before")
                        }
                        _ => String::new(),
                    }
                }
            };
            if !wrong.is_empty() {
                broken = Some(wrong);
                break;
            }
            found_seen |= seen.is_some_and(|(at, _)| at == number);
            (entries, head) = (number, digest);
        }
        if broken.is_none() && !found_seen {
            broken = Some(format!("it ends with entry {entries}, and one that was seen before came later"));
        }
        Ok(Verified { entries, head, broken })
    }
}

impl Change<'_> {
    /// Writes down what is done, in the transaction in which it is done.
    pub(crate) fn audit(&self, new: &NewEntry) -> Result<(), Error> {
        let text = "SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1";
        let last =
            self.0.prepare_cached(text)?.query_row([], |row| Ok((count(row.get(0)?), row.get(1)?))).optional()?;
        let (before, previous) = last.unwrap_or_else(|| (0, FIRST.to_owned()));
        let (number, actor) = (before + 1, new.actor.to_string());
        let (salt, body) = (hex::encode(rand::random::<[u8; 16]>()), new.body.to_string());
        let detail = detail_of(&actor, &salt, &body);
        let digest = digest_of(number, new.at_ms, new.action, &detail, &previous);
        let text = "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let row = params![ms(number), ms(new.at_ms), new.action, detail, previous, digest];
        self.0.prepare_cached(text)?.execute(row)?;
        let text = "INSERT INTO audit_detail VALUES (?1, ?2, ?3, ?4, ?5)";
        let client = new.client.as_ref().map(Held::client);
        self.0.prepare_cached(text)?.execute(params![ms(number), client, actor, salt, body])?;
        Ok(())
    }
}
