//! Tickets and notifications of plugins: once each, however often a device says so.

use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// Whether somebody still has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TicketState {
    /// Yes.
    Open,
    /// No.
    Closed,
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Ticket {
    /// Its number here.
    pub number: u64,
    /// Whose.
    pub client: String,
    /// On which device.
    pub device: String,
    /// What it is about: the same thing on the same device is the same ticket.
    pub key: String,
    /// Whether it is open.
    pub state: TicketState,
    /// One line.
    pub title: String,
    /// All of it.
    pub body: String,
    /// How often it was said.
    pub times: u64,
    /// Since when, in milliseconds since 1970.
    pub opened_ms: u64,
    /// When it last changed.
    pub changed_ms: u64,
}

/// Something that somebody was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Notification {
    /// Its number here.
    pub number: u64,
    /// Whose.
    pub client: String,
    /// By which device.
    pub device: String,
    /// The same key of the same device is told once.
    pub key: String,
    /// What was said.
    pub body: String,
    /// When the hub heard of it.
    pub at_ms: u64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let state: String = row.get(4)?;
    Ok(Ticket {
        number: count(row.get(0)?),
        client: row.get(1)?,
        device: row.get(2)?,
        key: row.get(3)?,
        state: if state == "open" { TicketState::Open } else { TicketState::Closed },
        title: row.get(5)?,
        body: row.get(6)?,
        times: count(row.get(7)?),
        opened_ms: count(row.get(8)?),
        changed_ms: count(row.get(9)?),
    })
}

const COLUMNS: &str = "number, client, device, key, state, title, body, times, opened_ms, changed_ms";

impl View<'_> {
    /// The tickets of the scope, the oldest first; only those that are open where that is asked.
    pub(crate) fn tickets(&self, only_open: bool, page: &Page) -> Result<Paged<Ticket>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM ticket WHERE number > ?1 AND (NOT ?3 OR state = 'open') ORDER BY number LIMIT ?2"
        );
        let mut query = self.0.prepare_cached(&text)?;
        let rows = query.query_map(params![page.after_number()?, page.rows()?, only_open], read)?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.number.to_string())
    }

    /// One of them.
    pub(crate) fn ticket(&self, number: u64) -> Result<Ticket, Error> {
        let mut query = self.0.prepare_cached(&format!("SELECT {COLUMNS} FROM ticket WHERE number = ?1"))?;
        query.query_row(params![ms(number)], read).optional()?.ok_or(Error::Missing { what: "ticket" })
    }

    /// What devices told, the oldest first.
    pub(crate) fn notifications(&self, page: &Page) -> Result<Paged<Notification>, Error> {
        let text = "SELECT number, client, device, key, body, at_ms FROM notification
            WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![page.after_number()?, page.rows()?], |row| {
            Ok(Notification {
                number: count(row.get(0)?),
                client: row.get(1)?,
                device: row.get(2)?,
                key: row.get(3)?,
                body: row.get(4)?,
                at_ms: count(row.get(5)?),
            })
        })?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.number.to_string())
    }
}

impl Change<'_> {
    /// A device says that something is to be done; one that was closed is open again. Gives its number.
    pub(crate) fn open_ticket(
        &self,
        held: &Held,
        (device, key): (&str, &str),
        (title, body): (&str, &str),
        now_ms: u64,
    ) -> Result<u64, Error> {
        let text = "INSERT INTO ticket (client, device, key, state, title, body, times, opened_ms, changed_ms)
            VALUES (?1, ?2, ?3, 'open', ?4, ?5, 1, ?6, ?6)
            ON CONFLICT (device, key) DO UPDATE SET state = 'open', title = ?4, body = ?5, times = times + 1, changed_ms = ?6
            RETURNING number";
        let mut insert = self.0.prepare_cached(text)?;
        let number: i64 =
            insert.query_row(params![held.client(), device, key, title, body, ms(now_ms)], |row| row.get(0))?;
        Ok(count(number))
    }

    /// Nobody has to do anything any more.
    pub(crate) fn close_ticket(&self, held: &Held, number: u64, now_ms: u64) -> Result<(), Error> {
        let text = "UPDATE ticket SET state = 'closed', changed_ms = ?3 WHERE number = ?1 AND client = ?2";
        match self.0.execute(text, params![ms(number), held.client(), ms(now_ms)])? {
            0 => Err(Error::Missing { what: "ticket" }),
            _ => Ok(()),
        }
    }

    /// A device tells something; whether it was not told before.
    pub(crate) fn notify(&self, held: &Held, device: &str, key: &str, body: &str, now_ms: u64) -> Result<bool, Error> {
        let text = "INSERT INTO notification (client, device, key, body, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT DO NOTHING";
        let rows = self.0.prepare_cached(text)?.execute(params![held.client(), device, key, body, ms(now_ms)])?;
        Ok(rows > 0)
    }
}
