//! What can happen to a ticket. Nothing here reads or writes: a change is made to a copy, and whoever made it stores it.

use contract::ticket::{Draft, Status, Visibility};
use contract::types::Error;
use serde::{Deserialize, Serialize};

use crate::errors;

use super::documents::Key;
use super::policy::{Policy, Priority};
use super::record::{Actor, Attachment, Entry, Note, Resolution, Ticket};
use super::{FILES_MAX, HISTORY_MAX, NOTES_MAX};

/// Who does something, and when.
#[derive(Clone, Debug)]
pub(super) struct By {
    pub(super) actor: Actor,
    pub(super) run: Option<String>,
    pub(super) at_ms: u64,
}

/// What undoing needs to know: which entry of the history is taken back, and how it was before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Token {
    pub(super) ticket: String,
    pub(super) run: String,
    entry: u64,
    was: Option<Before>,
}

/// The parts of a ticket that undoing puts back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Before {
    status: Status,
    priority: Priority,
    occurrences: u32,
    person_replied: bool,
    resolution: Option<Resolution>,
    stated: Draft,
}

impl Ticket {
    pub(super) fn open(id: &str, number: String, key: &Key, draft: &Draft, policy: &Policy, by: &By) -> Self {
        let mut ticket = Self {
            id: id.to_owned(),
            number,
            device: key.device.clone(),
            plugin: key.plugin.clone(),
            status: Status::New,
            priority: policy.priority.priority(draft.impact, draft.urgency),
            occurrences: 1,
            opened_ms: by.at_ms,
            updated_ms: by.at_ms,
            first_response_ms: None,
            person_replied: false,
            assignee: None,
            resolution: None,
            stated: draft.clone(),
            notes: Vec::new(),
            attachments: Vec::new(),
            history: Vec::new(),
        };
        ticket.enter(by, "opened", draft.title.clone());
        ticket
    }

    /// Raised once more. What the plugin states now holds, and with it the priority.
    pub(super) fn raise_again(&mut self, draft: &Draft, policy: &Policy, by: &By) {
        let before = self.priority;
        self.occurrences = self.occurrences.saturating_add(1);
        self.stated = draft.clone();
        self.priority = policy.priority.priority(draft.impact, draft.urgency);
        let what = if self.is_open() { "raised-again" } else { "reopened" };
        if !self.is_open() {
            self.status = if self.assignee.is_some() { Status::InProgress } else { Status::New };
            self.resolution = None;
            // What a person answered was about the time before.
            self.person_replied = false;
        }
        let (from, to) = (u8::from(before), u8::from(self.priority));
        let detail = if from == to { String::new() } else { format!("priority {from} is now {to}") };
        self.enter(by, what, detail);
    }

    pub(super) fn note(&mut self, body: &str, visibility: Visibility, by: &By) -> Result<(), Error> {
        if self.notes.len() >= NOTES_MAX {
            return Err(errors::limit("notes", format!("{} has {NOTES_MAX} notes, which is the most", self.number)));
        }
        let entry = self.enter(by, "noted", visibility.word().to_owned());
        let (at_ms, by) = (by.at_ms, by.actor.clone());
        self.notes.push(Note { entry, at_ms, by, visibility, body: body.to_owned(), withdrawn: false });
        Ok(())
    }

    pub(super) fn attach(
        &mut self,
        name: &str,
        media_type: &str,
        content: &[u8],
        by: &By,
    ) -> Result<&Attachment, Error> {
        if self.attachments.len() >= FILES_MAX {
            return Err(errors::limit("files", format!("{} has {FILES_MAX} files, which is the most", self.number)));
        }
        let entry = self.enter(by, "attached", name.to_owned());
        let index = self.attachments.len();
        self.attachments.push(Attachment {
            entry,
            at_ms: by.at_ms,
            by: by.actor.clone(),
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
            sha256: model::Digest::of(content),
            withdrawn: false,
        });
        self.attachments.get(index).ok_or_else(|| errors::failed("attachment", "the file was not attached"))
    }

    pub(super) fn assign(&mut self, to: &str, by: &By) {
        self.assignee = Some(to.to_owned());
        self.answered(by);
        self.enter(by, "assigned", to.to_owned());
    }

    /// A person has answered: the plugin may no longer close it by itself.
    pub(super) fn reply(&mut self, body: &str, visibility: Visibility, by: &By) -> Result<(), Error> {
        self.note(body, visibility, by)?;
        self.person_replied = true;
        self.answered(by);
        Ok(())
    }

    fn answered(&mut self, by: &By) {
        self.first_response_ms.get_or_insert(by.at_ms);
        if self.status == Status::New {
            self.status = Status::InProgress;
        }
    }

    pub(super) fn resolve(&mut self, text: &str, policy: &Policy, by: &By) {
        let stated = crate::attributes::number(&self.stated.attributes, "reopen-window-seconds");
        let window_seconds = stated.ok().flatten().unwrap_or(policy.reopen_window_seconds);
        self.status = Status::Resolved;
        self.resolution = Some(Resolution {
            text: text.to_owned(),
            at_ms: by.at_ms,
            reopens_until_ms: by.at_ms.saturating_add(window_seconds.saturating_mul(1_000)),
        });
        self.enter(by, "resolved", String::new());
    }

    /// The plugin would resolve it and may not; said once, however often it tries.
    pub(super) fn keep_open(&mut self, resolution: &str, by: &By) -> Result<bool, Error> {
        let body =
            format!("The plugin finds this resolved, and leaves it open because a person has replied: {resolution}");
        if self.notes.iter().any(|note| note.by == by.actor && note.body == body) {
            return Ok(false);
        }
        self.note(&body, Visibility::Internal, by)?;
        self.enter(by, "kept-open", "a person has replied".to_owned());
        Ok(true)
    }

    /// What undoing the last entry needs, from how the ticket was before it; none where there was no ticket.
    pub(super) fn token(&self, was: Option<&Self>, run: &str) -> Token {
        let was = was.map(|was| Before {
            status: was.status,
            priority: was.priority,
            occurrences: was.occurrences,
            person_replied: was.person_replied,
            resolution: was.resolution.clone(),
            stated: was.stated.clone(),
        });
        let entry = self.history.last().map_or(0, |entry| entry.number);
        Token { ticket: self.id.clone(), run: run.to_owned(), entry, was }
    }

    /// Takes one entry back, as far as that can be done honestly: a note or a file is withdrawn, a ticket that only this run
    /// touched is cancelled, everything else is put back. What another run or a person did since is never overwritten.
    pub(super) fn undo(&mut self, token: &Token, by: &By) -> Result<(), Error> {
        let newer = self
            .history
            .iter()
            .find(|entry| entry.number > token.entry && entry.run.as_deref() != Some(token.run.as_str()));
        if let Some(newer) = newer {
            let message = format!("{}: {} has since {} it", self.number, newer.by, newer.what.replace('-', " "));
            return Err(errors::conflict("newer-work", message));
        }
        let entry = token.entry;
        for note in self.notes.iter_mut().filter(|note| note.entry == entry) {
            note.withdrawn = true;
        }
        for attachment in self.attachments.iter_mut().filter(|attachment| attachment.entry == entry) {
            attachment.withdrawn = true;
        }
        match &token.was {
            Some(was) => {
                self.status = was.status;
                self.priority = was.priority;
                self.occurrences = was.occurrences;
                self.person_replied = was.person_replied;
                self.resolution = was.resolution.clone();
                self.stated = was.stated.clone();
            }
            None => self.status = Status::Cancelled,
        }
        // Undoing the entries before this one must not trip over this: it belongs to the run that is undone.
        let by = By { run: Some(token.run.clone()), ..by.clone() };
        self.enter(&by, "undone", format!("entry {entry}"));
        Ok(())
    }

    /// Adds to the history, and gives the entry's number.
    fn enter(&mut self, by: &By, what: &str, detail: String) -> u64 {
        let number = self.history.last().map_or(0, |entry| entry.number) + 1;
        self.updated_ms = by.at_ms;
        let (by, at_ms, run) = (by.actor.clone(), by.at_ms, by.run.clone());
        self.history.push(Entry { number, at_ms, by, run, what: what.to_owned(), detail });
        if self.history.len() > HISTORY_MAX {
            let oldest = self.history.iter().position(|entry| entry.what == "raised-again").unwrap_or(1);
            self.history.remove(oldest);
        }
        number
    }
}
