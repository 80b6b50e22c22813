//! Tokens that devices join with. Of each only the public key is here: whoever reads the database joins nothing.

use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Token {
    /// Its key's SHA-256, in hex.
    pub token: String,
    /// Its public key.
    pub key: String,
    /// Devices that come with it are of this client.
    pub client: String,
    /// At this site.
    pub site: String,
    /// With these tags.
    pub tags: Vec<String>,
    /// So many devices may.
    pub uses_max: u32,
    /// So many did.
    pub used: u32,
    /// Whether a technician signs for each device, or a standing rule signs for all.
    pub needs_accept: bool,
    /// Who made it.
    pub made_by: String,
    /// When, in milliseconds since 1970.
    pub created_ms: u64,
    /// Until when it counts.
    pub expires_ms: u64,
}

/// One that is to be.
#[derive(Clone, Debug)]
pub(crate) struct NewToken {
    pub(crate) token: String,
    pub(crate) key: String,
    pub(crate) site: String,
    pub(crate) tags: Vec<String>,
    pub(crate) uses_max: u32,
    pub(crate) needs_accept: bool,
    pub(crate) made_by: String,
    pub(crate) expires_ms: u64,
}

const COLUMNS: &str = "token, key, client, site, tags, uses_max, used, needs_accept, made_by, created_ms, expires_ms";

fn read(row: &Row<'_>) -> rusqlite::Result<Token> {
    let tags: String = row.get(4)?;
    Ok(Token {
        token: row.get(0)?,
        key: row.get(1)?,
        client: row.get(2)?,
        site: row.get(3)?,
        tags: serde_json::from_str(&tags).unwrap_or_default(),
        uses_max: row.get(5)?,
        used: row.get(6)?,
        needs_accept: row.get(7)?,
        made_by: row.get(8)?,
        created_ms: count(row.get(9)?),
        expires_ms: count(row.get(10)?),
    })
}

impl View<'_> {
    /// The tokens of the scope.
    pub(crate) fn tokens(&self, page: &Page) -> Result<Paged<Token>, Error> {
        let text = format!("SELECT {COLUMNS} FROM token WHERE token > ?1 ORDER BY token LIMIT ?2");
        let mut query = self.0.prepare_cached(&text)?;
        let rows = query.query_map(params![page.after_text()?, page.rows()?], read)?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.token.clone())
    }

    /// One of them.
    pub(crate) fn token(&self, token: &str) -> Result<Token, Error> {
        let mut query = self.0.prepare_cached(&format!("SELECT {COLUMNS} FROM token WHERE token = ?1"))?;
        query.query_row(params![token], read).optional()?.ok_or(Error::Missing { what: "token" })
    }
}

impl Change<'_> {
    /// Makes one.
    pub(crate) fn put_token(&self, held: &Held, new: &NewToken, now_ms: u64) -> Result<Token, Error> {
        self.know_client(held, Some(&new.site), now_ms)?;
        let tags = serde_json::to_string(&new.tags).unwrap_or_default();
        let text = "INSERT INTO token VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING";
        let rows = self.0.prepare_cached(text)?.execute(params![
            new.token,
            held.client(),
            new.site,
            tags,
            new.key,
            new.uses_max,
            new.needs_accept,
            new.made_by,
            ms(now_ms),
            ms(new.expires_ms)
        ])?;
        if rows == 0 {
            return Err(Error::Conflict("a token with this key is there already".to_owned()));
        }
        let mut query = self.0.prepare_cached(&format!("SELECT {COLUMNS} FROM token WHERE token = ?1"))?;
        Ok(query.query_row(params![new.token], read)?)
    }

    /// Takes one away: nobody joins with it any more.
    pub(crate) fn drop_token(&self, held: &Held, token: &str) -> Result<(), Error> {
        match self.0.execute("DELETE FROM token WHERE token = ?1 AND client = ?2", params![token, held.client()])? {
            0 => Err(Error::Missing { what: "token" }),
            _ => Ok(()),
        }
    }

    /// A device joins with a token: counted in the same transaction in which the device comes, so that two that come at once do not
    /// share the last use. A device that is there already uses none.
    pub(crate) fn use_token(&self, token: &str, device: &str, key: &str, now_ms: u64) -> Result<Token, Error> {
        let mut query = self.0.prepare_cached(&format!("SELECT {COLUMNS} FROM token WHERE token = ?1"))?;
        let missing = || Error::Denied("the token is not known, or does not count any more".to_owned());
        let mut found = query.query_row(params![token], read).optional()?.ok_or_else(missing)?;
        let client = found.client.parse().map_err(|error| Error::unreadable("a token")(&error))?;
        let held = crate::Scope::of_hub().hold(&client)?;
        let is_known = self.client_of(device)?;
        if is_known.is_some() {
            return Ok(found);
        }
        if now_ms >= found.expires_ms || found.used >= found.uses_max {
            return Err(missing());
        }
        self.join(&held, device, key, &found.site, now_ms)?;
        self.0.prepare_cached("UPDATE token SET used = used + 1 WHERE token = ?1")?.execute(params![token])?;
        found.used += 1;
        Ok(found)
    }
}
