//! What devices tell somebody: once each, however often a device says so; and how far the hub has come with telling it.

use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;
use crate::notify::Budgets;
use crate::scope::Held;

const HOUR_MS: u64 = 3_600_000;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationState {
    /// The device tells it itself.
    OfDevice,
    /// It is not sent yet.
    Waiting,
    /// The receiver took it.
    Sent,
    /// It is not sent any more.
    Failed,
    /// The device or its client had told as much as they may within an hour.
    LeftOut,
}

impl NotificationState {
    fn of(word: &str) -> Self {
        let all = [Self::OfDevice, Self::Waiting, Self::Sent, Self::LeftOut];
        all.into_iter().find(|it| it.word() == word).unwrap_or(Self::Failed)
    }

    fn word(self) -> &'static str {
        match self {
            Self::OfDevice => "of-device",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::LeftOut => "left-out",
        }
    }
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
    /// Whom the hub tells; empty where the device does.
    pub audience: String,
    /// How far it has come.
    pub state: NotificationState,
    /// How often it was tried.
    pub tries: u64,
    /// Why it was not sent; empty where nothing is wrong.
    pub problem: String,
}

/// What a device says.
#[derive(Clone, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) key: &'a str,
    pub(crate) body: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) source: &'a str,
    /// What the hub is to tell; none where the device does.
    pub(crate) to_tell: Option<String>,
}

/// One that is to be sent now.
#[derive(Clone, Debug)]
pub struct Telling {
    /// Its number here.
    pub number: u64,
    /// Whose.
    pub client: String,
    /// The device that says it.
    pub device: String,
    /// Whom.
    pub audience: String,
    /// What people know the device by; by its own word.
    pub source: String,
    /// What, in JSON, as the device wrote it.
    pub message: String,
    /// How often it was tried.
    pub tries: u64,
    /// When the hub heard of it, in milliseconds since 1970.
    pub at_ms: u64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Notification> {
    let state: String = row.get(7)?;
    Ok(Notification {
        number: count(row.get(0)?),
        client: row.get(1)?,
        device: row.get(2)?,
        key: row.get(3)?,
        body: row.get(4)?,
        at_ms: count(row.get(5)?),
        audience: row.get(6)?,
        state: NotificationState::of(&state),
        tries: count(row.get(8)?),
        problem: row.get(9)?,
    })
}

impl View<'_> {
    /// What devices told, the oldest first.
    pub(crate) fn notifications(&self, page: &Page) -> Result<Paged<Notification>, Error> {
        let text = "SELECT number, client, device, key, body, at_ms, audience, state, tries, problem FROM notification
            WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![page.after_number()?, page.rows()?], read)?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.number.to_string())
    }

    /// Some that are to be sent now: of each device and audience only the first that waits, so that nobody hears of an end before its
    /// beginning.
    pub(crate) fn due_notifications(&self, now_ms: u64, most: u32) -> Result<Vec<Telling>, Error> {
        let text = "SELECT number, client, device, audience, source, message, tries, at_ms FROM notification AS it
            WHERE state = 'waiting' AND due_ms <= ?1 AND NOT EXISTS (SELECT 1 FROM notification AS other
                WHERE other.state = 'waiting' AND other.device = it.device AND other.audience = it.audience
                AND other.number < it.number)
            ORDER BY number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let due = |row: &Row<'_>| {
            Ok(Telling {
                number: count(row.get(0)?),
                client: row.get(1)?,
                device: row.get(2)?,
                audience: row.get(3)?,
                source: row.get(4)?,
                message: row.get(5)?,
                tries: count(row.get(6)?),
                at_ms: count(row.get(7)?),
            })
        };
        Ok(query.query_map(params![ms(now_ms), most], due)?.collect::<Result<_, _>>()?)
    }

    /// When the next one is to be sent.
    pub(crate) fn next_notification_ms(&self) -> Result<Option<u64>, Error> {
        let text = "SELECT min(due_ms) FROM notification AS it
            WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM notification AS other
                WHERE other.state = 'waiting' AND other.device = it.device AND other.audience = it.audience
                AND other.number < it.number)";
        let found: Option<Option<i64>> = self.0.prepare_cached(text)?.query_row([], |row| row.get(0)).optional()?;
        Ok(found.flatten().map(count))
    }
}

impl Change<'_> {
    /// A device tells something; whether it was not told before.
    pub(crate) fn notify(&self, held: &Held, device: &str, it: &Told<'_>, now_ms: u64) -> Result<bool, Error> {
        let text = "INSERT INTO notification
                (client, device, key, body, at_ms, audience, source, message, state, tries, due_ms, problem)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?5, '') ON CONFLICT DO NOTHING";
        let state = if it.to_tell.is_some() { NotificationState::Waiting } else { NotificationState::OfDevice };
        let message = it.to_tell.as_deref().unwrap_or_default();
        let rows = self.0.prepare_cached(text)?.execute(params![
            held.client(),
            device,
            it.key,
            it.body,
            ms(now_ms),
            it.audience,
            it.source,
            message,
            state.word()
        ])?;
        Ok(rows > 0)
    }

    /// Takes one, to send it: whoever dies doing so has it sent again after `until_ms`. Not one whose device or client had as much sent
    /// within an hour as they may.
    pub(crate) fn claim_notification(
        &self,
        due: &Telling,
        budgets: Budgets,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<bool, Error> {
        let lately = "tries > 0 AND state <> 'left-out' AND at_ms > ?2 AND number <> ?3";
        let count_of = |column: &str, value: &str| -> Result<u64, Error> {
            let text = format!("SELECT count(*) FROM notification WHERE {column} = ?1 AND {lately}");
            let since = ms(now_ms.saturating_sub(HOUR_MS));
            let mut query = self.0.prepare_cached(&text)?;
            Ok(count(query.query_row(params![value, since, ms(due.number)], |row| row.get(0))?))
        };
        let (of_device, of_client) = (budgets.device_per_hour_max, budgets.client_per_hour_max);
        let is_new = due.tries == 0;
        let is_over = is_new
            && (count_of("device", &due.device)? >= u64::from(of_device)
                || count_of("client", &due.client)? >= u64::from(of_client));
        if is_over {
            let problem = format!("{of_device} of a device and {of_client} of a client are sent in an hour");
            self.end_notification(due.number, NotificationState::LeftOut, &problem)?;
            return Ok(false);
        }
        let text = "UPDATE notification SET tries = tries + 1, due_ms = ?2 WHERE number = ?1 AND state = 'waiting' AND tries = ?3";
        let rows = self.0.prepare_cached(text)?.execute(params![ms(due.number), ms(until_ms), ms(due.tries)])?;
        Ok(rows > 0)
    }

    /// It is sent, or never will be; what it said at length is needed no more.
    pub(crate) fn end_notification(&self, number: u64, state: NotificationState, problem: &str) -> Result<(), Error> {
        let text =
            "UPDATE notification SET state = ?2, problem = ?3, message = '' WHERE number = ?1 AND state = 'waiting'";
        self.0.prepare_cached(text)?.execute(params![ms(number), state.word(), problem])?;
        Ok(())
    }

    /// It failed, and is tried again then; what else waits for the same people is not tried before, so that nobody else waits for them.
    pub(crate) fn delay_notifications(&self, due: &Telling, until_ms: u64, problem: &str) -> Result<(), Error> {
        let text = "UPDATE notification SET due_ms = max(due_ms, ?3) WHERE client = ?1 AND audience = ?2 AND state = 'waiting'";
        self.0.prepare_cached(text)?.execute(params![due.client, due.audience, ms(until_ms)])?;
        let text = "UPDATE notification SET due_ms = ?2, problem = ?3 WHERE number = ?1 AND state = 'waiting'";
        self.0.prepare_cached(text)?.execute(params![ms(due.number), ms(until_ms), problem])?;
        Ok(())
    }
}
