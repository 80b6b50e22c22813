//! Tickets and notifications of plugins on this device, as they are told the hub: each once, also where it is away.

use std::collections::HashMap;

use backends::notify;
use backends::ticket::{Filter, Tickets};
use bus::MESSAGE_BYTES_MAX;
use contract::ticket::Status;
use serde_json::json;
use store::Store;

use super::super::Executor;
use super::{OWN, all, tickets};

/// The rows of what was told: the key says of what, and the value how far.
const SAID: &str = "said/";

/// The most bytes of what a ticket goes by, and of its title; and of its text. Hubs take no more.
pub(super) const LINE_BYTES_MAX: usize = 256;
pub(super) const TEXT_BYTES_MAX: usize = 64 << 10;

/// The most that are told at once: the rest with the next look.
const AT_ONCE: usize = 256;

/// How far each ticket and each alert was told.
#[derive(Debug, Default)]
pub(super) struct Marks(HashMap<String, String>);

/// Something to tell.
struct New {
    /// What it is told by here, and how far.
    mark: (String, String),
    kind: &'static str,
    body: String,
}

impl Marks {
    pub(super) fn open(store: &Store, now_ms: u64) -> anyhow::Result<Self> {
        let rows = all(OWN, store, now_ms)?.into_iter();
        Ok(Self(rows.filter_map(|(key, value)| Some((key.strip_prefix(SAID)?.to_owned(), value))).collect()))
    }

    fn is_new(&self, it: &New) -> bool {
        self.0.get(&it.mark.0) != Some(&it.mark.1)
    }
}

impl Executor {
    /// Tells what plugins raised since the last look.
    pub(in crate::agent::executor) fn look_at_said(&mut self) {
        if self.fleet.is_none() {
            return;
        }
        let found = tokio::task::block_in_place(|| self.found());
        let found = match found {
            Ok(found) => found,
            Err(error) => return tracing::error!(%error, "tickets and notifications cannot be read, and were not told"),
        };
        if let Err(error) = self.hand_over_messages() {
            tracing::error!(%error, "notifications cannot be read, and were not told");
        }
        self.look_at_kept();
        let Some(fleet) = &mut self.fleet else { return };
        // What is gone from the device is told no more, and nothing is kept of it.
        let there: std::collections::HashSet<&str> = found.iter().map(|it| it.mark.0.as_str()).collect();
        let gone: Vec<String> = fleet.marks.0.keys().filter(|it| !there.contains(it.as_str())).cloned().collect();
        for mark in gone {
            fleet.marks.0.remove(&mark);
            self.rows.gone(OWN, format!("{SAID}{mark}"));
        }
        let news: Vec<New> = found.into_iter().filter(|it| fleet.marks.is_new(it)).take(AT_ONCE).collect();
        for New { mark: (key, far), kind, body } in news {
            let Ok(kind) = kind.parse() else { continue };
            fleet.outbox.push(kind, body, true, &mut self.rows);
            self.rows.put(OWN, format!("{SAID}{key}"), far.clone());
            fleet.marks.0.insert(key, far);
        }
    }

    /// What the hub is to tell somebody goes from one outbox into the other, in one piece.
    fn hand_over_messages(&mut self) -> Result<(), contract::types::Error> {
        let outbox = notify::Outbox::new(&self.machine.device.shared);
        let due = tokio::task::block_in_place(|| outbox.for_hub(AT_ONCE))?;
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        // What was taken and is still there is on its way to the disk.
        fleet.taken.retain(|key| due.iter().any(|it| it.1 == *key));
        for (collection, key, audience, message) in due {
            let Ok(kind) = "notification".parse() else { continue };
            if !fleet.taken.insert(key.clone()) {
                continue;
            }
            // Somebody is to be told: it goes before nothing else.
            let body = told(&audience, message, fleet.facts.hostname.as_deref());
            fleet.outbox.push(kind, body, true, &mut self.rows);
            self.rows.gone(collection, key);
        }
        Ok(())
    }

    fn found(&self) -> Result<Vec<New>, contract::types::Error> {
        let shared = &self.machine.device.shared;
        let statuses =
            [Status::New, Status::InProgress, Status::Pending, Status::Resolved, Status::Closed, Status::Cancelled];
        let filter = Filter { statuses: statuses.to_vec(), ..Filter::default() };
        let tickets = Tickets::new(shared).list(&filter)?.into_iter().rev().map(|ticket| New {
            mark: (format!("ticket/{}", ticket.id), tickets::revision(&ticket).to_string()),
            kind: "ticket",
            body: tickets::told(&ticket),
        });
        let outbox = notify::Outbox::new(shared);
        // Of what the hub tells it is told another way.
        let is_told_here =
            |key: &str| key.split_once('/').is_some_and(|(to, _)| matches!(outbox.is_for_hub(to), Ok(false)));
        let alerts = outbox.alerts()?.into_iter().filter(|(key, _)| is_told_here(key)).map(|(key, alert)| New {
            mark: (format!("alert/{key}"), format!("{}/{}", alert.message, alert.times)),
            kind: "notification",
            body: json!({
                "key": cut(&format!("{}/{}", alert.event.plugin, alert.event.stated.dedup_key), LINE_BYTES_MAX),
                "body": cut(&alert.event.stated.summary, TEXT_BYTES_MAX),
            })
            .to_string(),
        });
        let found = tickets.chain(alerts).collect();
        Ok(found)
    }
}

/// A message for the hub to tell: of many events as many of the first as go along.
fn told(audience: &str, mut message: notify::Message, source: Option<&str>) -> String {
    loop {
        let summary = message.events.first().map(|it| it.stated.summary.as_str()).unwrap_or_default();
        let body = json!({
            "key": cut(&format!("{audience}/{}/{}", message.number, message.queued_ms), LINE_BYTES_MAX),
            "body": cut(summary, TEXT_BYTES_MAX),
            "audience": audience,
            "source": source.map(|it| cut(it, LINE_BYTES_MAX)),
            "message": &message,
        });
        let body = body.to_string();
        if body.len() <= MESSAGE_BYTES_MAX || message.events.len() <= 1 {
            return body;
        }
        let half = message.events.len() / 2;
        message.events.truncate(half);
    }
}

/// No more bytes than these, and no half of a character.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(cut("disk", 256), "disk");
        assert_eq!(cut("ähm", 2), "ä");
        assert_eq!(cut("ähm", 1), "");
    }
}
