//! Tickets of plugins, as devices tell of them and technicians look after them: once each, however often a device says so.
//!
//! A ticket is its device's. What the device states of it (title, how often, resolved) comes with a revision that only goes up;
//! what technicians say of it here (notes, who looks after it, closed) no device overwrites.

use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// The most open tickets of a device: nobody works through more, and a device that was taken over fills no more.
const OPEN_MAX: u64 = 500;

/// The most new ones that a device makes in a day, for the same reason.
const NEW_A_DAY_MAX: u64 = 200;

const DAY_MS: u64 = 86_400_000;

/// What a device goes by that makes too many: one ticket of its own, in the place of all beyond that.
const TOO_MANY: &str = "hub/too-many-tickets";

/// The most notes of a ticket: beyond it nobody reads them.
const NOTES_MAX: u64 = 1_000;

/// Whether somebody still has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TicketState {
    /// Yes.
    Open,
    /// No.
    Closed,
}

impl TicketState {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
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
    /// What it is about, `PLUGIN/FINGERPRINT`: of one device there is one open ticket about it.
    pub key: String,
    /// Whether it is open.
    pub state: TicketState,
    /// How bad, as the plugin said; empty where it did not.
    pub severity: String,
    /// 1, the highest, to 4; 0 where the device did not say.
    pub priority: u64,
    /// One line.
    pub title: String,
    /// All of it.
    pub body: String,
    /// How often it was raised.
    pub times: u64,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// How it was resolved, while it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Whether a technician has answered since it was last opened: the device no longer closes it by itself.
    pub is_replied: bool,
    /// Since when, in milliseconds since 1970.
    pub opened_ms: u64,
    /// When it last changed.
    pub changed_ms: u64,
}

/// What somebody said about a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TicketNote {
    /// Who: a technician, or `plugin NAME` on the device.
    pub by: String,
    /// Who may read it: `internal` or `customer`.
    pub visibility: String,
    /// What, in CommonMark.
    pub body: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Which tickets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    pub(crate) state: Option<TicketState>,
    pub(crate) client: Option<String>,
    pub(crate) device: Option<String>,
}

/// What a device says of one of its tickets.
#[derive(Clone, Debug)]
pub(crate) struct Stated<'a> {
    /// What the device itself calls it.
    pub(crate) origin: &'a str,
    pub(crate) key: &'a str,
    /// Goes up with everything that happens to it there.
    pub(crate) revision: u64,
    pub(crate) is_open: bool,
    pub(crate) severity: &'a str,
    pub(crate) priority: u64,
    pub(crate) title: &'a str,
    pub(crate) body: &'a str,
    pub(crate) times: u64,
    pub(crate) resolution: Option<&'a str>,
}

/// What a device says that somebody said.
#[derive(Clone, Debug)]
pub(crate) struct StatedNote<'a> {
    /// Its number in the ticket's history on the device: there is one of each.
    pub(crate) entry: u64,
    pub(crate) by: &'a str,
    pub(crate) visibility: &'a str,
    pub(crate) body: &'a str,
    pub(crate) at_ms: u64,
}

/// What is known of a ticket that a device says something of.
struct Known {
    number: u64,
    revision: u64,
    is_open: bool,
    times: u64,
    is_replied: bool,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let state: String = row.get(4)?;
    Ok(Ticket {
        number: count(row.get(0)?),
        client: row.get(1)?,
        device: row.get(2)?,
        key: row.get(3)?,
        state: if state == "open" { TicketState::Open } else { TicketState::Closed },
        severity: row.get(5)?,
        priority: count(row.get(6)?),
        title: row.get(7)?,
        body: row.get(8)?,
        times: count(row.get(9)?),
        assignee: row.get(10)?,
        resolution: row.get(11)?,
        is_replied: row.get(12)?,
        opened_ms: count(row.get(13)?),
        changed_ms: count(row.get(14)?),
    })
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        number: count(row.get(0)?),
        revision: count(row.get(1)?),
        is_open: row.get::<_, String>(2)? == "open",
        times: count(row.get(3)?),
        is_replied: row.get(4)?,
    })
}

const COLUMNS: &str =
    "number, client, device, key, state, severity, priority, title, body, times, assignee, resolution,
    is_replied, opened_ms, changed_ms";

const KNOWN: &str = "SELECT number, revision, state, times, is_replied FROM ticket WHERE client = ?1 AND device = ?2";

impl View<'_> {
    /// The tickets of the scope, the oldest first.
    pub(crate) fn tickets(&self, which: &Which, page: &Page) -> Result<Paged<Ticket>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM ticket WHERE number > ?1 AND (?3 IS NULL OR state = ?3)
             AND (?4 IS NULL OR client = ?4) AND (?5 IS NULL OR device = ?5) ORDER BY number LIMIT ?2"
        );
        let mut query = self.0.prepare_cached(&text)?;
        let state = which.state.map(TicketState::word);
        let params = params![page.after_number()?, page.rows()?, state, which.client, which.device];
        let rows = query.query_map(params, read)?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.number.to_string())
    }

    /// One of them.
    pub(crate) fn ticket(&self, number: u64) -> Result<Ticket, Error> {
        let mut query = self.0.prepare_cached(&format!("SELECT {COLUMNS} FROM ticket WHERE number = ?1"))?;
        query.query_row(params![ms(number)], read).optional()?.ok_or(Error::Missing { what: "ticket" })
    }

    /// What was said about it, in order: on the device and here.
    pub(crate) fn ticket_notes(&self, number: u64) -> Result<Vec<TicketNote>, Error> {
        let text = "SELECT by, visibility, body, at_ms FROM ticket_note WHERE ticket = ?1 ORDER BY at_ms, number";
        let mut query = self.0.prepare_cached(text)?;
        let note = |row: &Row<'_>| {
            let (by, visibility, body) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(TicketNote { by, visibility, body, at_ms: count(row.get(3)?) })
        };
        Ok(query.query_map(params![ms(number)], note)?.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// A device says how one of its tickets stands. What it said before says nothing new, whatever way it comes again; of one key
    /// there is one open ticket, also where the device forgot what it called it.
    pub(crate) fn ticket_stated(
        &self,
        held: &Held,
        device: &str,
        it: &Stated<'_>,
        notes: &[StatedNote<'_>],
        now_ms: u64,
    ) -> Result<(), Error> {
        let mut query = self.0.prepare_cached(&format!("{KNOWN} AND origin = ?3"))?;
        let mut found = query.query_row(params![held.client(), device, it.origin], known).optional()?;
        if found.as_ref().is_some_and(|found| it.revision <= found.revision) {
            return Ok(());
        }
        if found.is_none() {
            let mut query = self.0.prepare_cached(&format!("{KNOWN} AND key = ?3 AND state = 'open'"))?;
            found = query.query_row(params![held.client(), device, it.key], known).optional()?;
        }
        let number = match found {
            Some(found) => self.restate(held, &found, it, now_ms)?,
            None if self.is_flooding(device, now_ms)? => return self.count_flood(held, device, now_ms),
            None => self.new_ticket(held, device, it, now_ms)?,
        };
        let text = "INSERT INTO ticket_note (client, ticket, entry, by, visibility, body, at_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        let mut insert = self.0.prepare_cached(text)?;
        let room = NOTES_MAX.saturating_sub(self.notes_of(number)?);
        for note in notes.iter().take(usize::try_from(room).unwrap_or(usize::MAX)) {
            let entry = Some(ms(note.entry));
            insert.execute(params![
                held.client(),
                ms(number),
                entry,
                note.by,
                note.visibility,
                note.body,
                ms(note.at_ms)
            ])?;
        }
        Ok(())
    }

    fn new_ticket(&self, held: &Held, device: &str, it: &Stated<'_>, now_ms: u64) -> Result<u64, Error> {
        // A device that moved to another client has a new ticket there; the last client's stays theirs.
        self.0
            .prepare_cached("UPDATE ticket SET origin = number || ' of ' || client WHERE device = ?1 AND origin = ?2")?
            .execute(params![device, it.origin])?;
        let text =
            "INSERT INTO ticket (client, device, key, origin, revision, state, severity, priority, title, body, times,
                assignee, resolution, is_replied, opened_ms, changed_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, ?12, 0, ?13, ?13) RETURNING number";
        let state = if it.is_open { TicketState::Open } else { TicketState::Closed };
        let mut insert = self.0.prepare_cached(text)?;
        let params = params![
            held.client(),
            device,
            it.key,
            it.origin,
            ms(it.revision),
            state.word(),
            it.severity,
            ms(it.priority),
            it.title,
            it.body,
            ms(it.times),
            it.resolution,
            ms(now_ms)
        ];
        let number: i64 = insert.query_row(params, |row| row.get(0))?;
        Ok(count(number))
    }

    /// A technician who closed it is right until it is raised again; one who answered has the last word about closing it.
    fn restate(&self, held: &Held, found: &Known, it: &Stated<'_>, now_ms: u64) -> Result<u64, Error> {
        let is_again = it.is_open && !found.is_open && it.times > found.times;
        let is_open = if it.is_open { found.is_open || is_again } else { found.is_open && found.is_replied };
        let is_replied = found.is_replied && !is_again;
        if found.is_open && !it.is_open && is_open {
            let how = it.resolution.unwrap_or("it does not say how");
            let body =
                format!("The device finds this resolved, and it stays open because a technician has answered: {how}");
            // Said once, however often it tries.
            if self.notes_of(found.number)? < NOTES_MAX && !self.is_noted(found.number, &body)? {
                self.add_note(held, found.number, ("hub", "internal", &body), now_ms)?;
            }
        }
        let text = "UPDATE ticket SET origin = ?3, revision = ?4, state = ?5, severity = ?6, priority = ?7, title = ?8,
                body = ?9, times = ?10, resolution = iif(?5 = 'open', NULL, coalesce(?11, resolution)), is_replied = ?12,
                changed_ms = ?13
            WHERE number = ?1 AND client = ?2";
        let state = if is_open { TicketState::Open } else { TicketState::Closed };
        self.0.prepare_cached(text)?.execute(params![
            ms(found.number),
            held.client(),
            it.origin,
            ms(it.revision),
            state.word(),
            it.severity,
            ms(it.priority),
            it.title,
            it.body,
            ms(it.times.max(found.times)),
            it.resolution,
            is_replied,
            ms(now_ms)
        ])?;
        Ok(found.number)
    }

    fn is_flooding(&self, device: &str, now_ms: u64) -> Result<bool, Error> {
        let text = "SELECT (SELECT count(*) FROM ticket WHERE device = ?1 AND state = 'open'),
            (SELECT count(*) FROM ticket WHERE device = ?1 AND opened_ms > ?2)";
        let mut query = self.0.prepare_cached(text)?;
        let since = ms(now_ms.saturating_sub(DAY_MS));
        let (open, new): (i64, i64) = query.query_row(params![device, since], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(count(open) >= OPEN_MAX || count(new) >= NEW_A_DAY_MAX)
    }

    fn count_flood(&self, held: &Held, device: &str, now_ms: u64) -> Result<(), Error> {
        let text = "INSERT INTO ticket (client, device, key, origin, revision, state, severity, priority, title, body, times,
                is_replied, opened_ms, changed_ms)
            VALUES (?1, ?2, ?3, ?3, 0, 'open', 'warning', 2, ?4, ?5, 1, 0, ?6, ?6)
            ON CONFLICT (device, origin) DO UPDATE SET times = times + 1, state = 'open', resolution = NULL, changed_ms = ?6
            WHERE client = ?1";
        let body = format!(
            "A device has at most {OPEN_MAX} open tickets, and makes at most {NEW_A_DAY_MAX} a day. How often this one was \
             raised is how many were left out; `remit ticket list` on the device has them."
        );
        let title = "This device raises too many tickets";
        self.0.prepare_cached(text)?.execute(params![held.client(), device, TOO_MANY, title, body, ms(now_ms)])?;
        Ok(())
    }

    /// Nobody has to do anything any more; how that came about, where somebody says.
    pub(crate) fn close_ticket(
        &self,
        held: &Held,
        number: u64,
        resolution: Option<&str>,
        now_ms: u64,
    ) -> Result<(), Error> {
        let text = "UPDATE ticket SET state = 'closed', resolution = coalesce(?3, resolution), changed_ms = ?4
            WHERE number = ?1 AND client = ?2";
        is_there(self.0.execute(text, params![ms(number), held.client(), resolution, ms(now_ms)])?)
    }

    /// Somebody looks after it.
    pub(crate) fn assign_ticket(&self, held: &Held, number: u64, to: &str, now_ms: u64) -> Result<(), Error> {
        let text = "UPDATE ticket SET assignee = ?3, changed_ms = ?4 WHERE number = ?1 AND client = ?2";
        is_there(self.0.execute(text, params![ms(number), held.client(), to, ms(now_ms)])?)
    }

    /// A technician answers: from then on the device does not close it by itself.
    pub(crate) fn reply_to_ticket(
        &self,
        held: &Held,
        number: u64,
        (by, visibility, body): (&str, &str, &str),
        now_ms: u64,
    ) -> Result<(), Error> {
        let text = "UPDATE ticket SET is_replied = 1, changed_ms = ?3 WHERE number = ?1 AND client = ?2";
        is_there(self.0.execute(text, params![ms(number), held.client(), ms(now_ms)])?)?;
        self.add_note(held, number, (by, visibility, body), now_ms)
    }

    fn add_note(
        &self,
        held: &Held,
        number: u64,
        (by, visibility, body): (&str, &str, &str),
        now_ms: u64,
    ) -> Result<(), Error> {
        if self.notes_of(number)? >= NOTES_MAX {
            return Err(Error::Conflict(format!("it has {NOTES_MAX} notes, which is the most")));
        }
        let text =
            "INSERT INTO ticket_note (client, ticket, by, visibility, body, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.0.prepare_cached(text)?.execute(params![held.client(), ms(number), by, visibility, body, ms(now_ms)])?;
        Ok(())
    }

    fn notes_of(&self, number: u64) -> Result<u64, Error> {
        let text = "SELECT count(*) FROM ticket_note WHERE ticket = ?1";
        Ok(count(self.0.prepare_cached(text)?.query_row(params![ms(number)], |row| row.get(0))?))
    }

    fn is_noted(&self, number: u64, body: &str) -> Result<bool, Error> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM ticket_note WHERE ticket = ?1 AND body = ?2")?;
        Ok(query.query_row(params![ms(number), body], |_| Ok(())).optional()?.is_some())
    }
}

fn is_there(rows: usize) -> Result<(), Error> {
    match rows {
        0 => Err(Error::Missing { what: "ticket" }),
        _ => Ok(()),
    }
}
