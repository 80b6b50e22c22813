use contract::ticket::{Status, Visibility};
use contract::types::Error;

use crate::errors;

use super::documents::{Found, Tickets};
use super::life::By;
use super::record::{Actor, Ticket};
use super::{check_note, check_text};

/// The most bytes of a person's name.
const PERSON_BYTES_MAX: usize = 255;
/// How many documents are read at once.
const PAGE: u32 = 200;

/// Which tickets to list; all that is left out holds for any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Where they stand; open ones if empty.
    pub statuses: Vec<Status>,
    /// Raised by this plugin.
    pub plugin: Option<String>,
    /// Looked after by this person.
    pub assignee: Option<String>,
    /// Raised into this queue.
    pub queue: Option<String>,
    /// Of at least this priority, 1 being the highest.
    pub priority_max: Option<u8>,
    /// At most so many, the newest first; 0 for all.
    pub limit: usize,
}

impl Filter {
    fn takes(&self, ticket: &Ticket) -> bool {
        let is_status = match self.statuses.is_empty() {
            true => ticket.is_open(),
            false => self.statuses.contains(&ticket.status),
        };
        is_status
            && self.plugin.as_ref().is_none_or(|plugin| ticket.plugin == *plugin)
            && self.assignee.as_ref().is_none_or(|assignee| ticket.assignee.as_ref() == Some(assignee))
            && self.queue.as_deref().is_none_or(|queue| ticket.queue() == Some(queue))
            && self.priority_max.is_none_or(|most| u8::from(ticket.priority) <= most)
    }
}

/// What people do. Each change is an entry in the ticket's history, with the person's name.
impl Tickets {
    /// Tickets, the newest first.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Ticket>, Error> {
        let mut tickets = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.page(&after, PAGE)?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.key);
            for document in &page {
                let ticket = self.read(document)?.ticket;
                if filter.takes(&ticket) {
                    tickets.push(ticket);
                }
            }
        }
        tickets.sort_by(|a, b| (b.opened_ms, &b.number).cmp(&(a.opened_ms, &a.number)));
        if filter.limit > 0 {
            tickets.truncate(filter.limit);
        }
        Ok(tickets)
    }

    /// A ticket with its notes, files and history, by number or id.
    pub fn show(&self, name: &str) -> Result<Ticket, Error> {
        self.named(name).map(|found| found.ticket)
    }

    /// What is in an attached file, by the number of its entry.
    pub fn attachment(&self, name: &str, entry: u64) -> Result<Vec<u8>, Error> {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let ticket = self.show(name)?;
        let missing = || errors::not_found(format!("{} has no file at entry {entry}", ticket.number));
        let content = self.content(&ticket.id, entry)?.ok_or_else(missing)?;
        BASE64_STANDARD.decode(content).map_err(|error| errors::failed("attachment", error.to_string()))
    }

    /// Says something, as a person: from now on the plugin may not close the ticket by itself.
    pub fn reply(&self, name: &str, person: &str, body: &str, visibility: Visibility) -> Result<Ticket, Error> {
        check_note(body)?;
        self.as_person(name, person, |ticket, by| ticket.reply(body, visibility, by))
    }

    /// Gives a ticket to somebody.
    pub fn assign(&self, name: &str, person: &str, to: &str) -> Result<Ticket, Error> {
        check_person(to)?;
        self.as_person(name, person, |ticket, by| {
            must_be_open(ticket)?;
            ticket.assign(to, by);
            Ok(())
        })
    }

    /// Resolves a ticket, and says how.
    pub fn resolve_as(&self, name: &str, person: &str, resolution: &str) -> Result<Ticket, Error> {
        if resolution.trim().is_empty() {
            return Err(errors::invalid("resolution", "say what was done: whoever meets the problem again reads it"));
        }
        check_text("resolution", resolution)?;
        self.as_person(name, person, |ticket, by| {
            must_be_open(ticket)?;
            ticket.resolve(resolution, &self.policy, by);
            Ok(())
        })
    }

    fn as_person(
        &self,
        name: &str,
        person: &str,
        change: impl Fn(&mut Ticket, &By) -> Result<(), Error>,
    ) -> Result<Ticket, Error> {
        check_person(person)?;
        self.until_written(|| {
            let mut found = self.named(name)?;
            let by = By { actor: Actor::Person(person.to_owned()), run: None, at_ms: self.clock.now_ms() };
            change(&mut found.ticket, &by)?;
            Ok(self.save(&found, None)?.then_some(found.ticket))
        })
    }

    fn named(&self, name: &str) -> Result<Found, Error> {
        let found = match name.starts_with("tkt_") {
            true => self.by_id(name)?,
            false => self.by_number(name)?,
        };
        found.ok_or_else(|| errors::not_found(format!("there is no ticket `{name}`: `remit ticket list` shows them")))
    }
}

fn check_person(person: &str) -> Result<(), Error> {
    match person.len() {
        1..=PERSON_BYTES_MAX if !person.chars().any(char::is_control) => Ok(()),
        _ => Err(errors::invalid("person", format!("a person's name is one line of 1 to {PERSON_BYTES_MAX} bytes"))),
    }
}

fn must_be_open(ticket: &Ticket) -> Result<(), Error> {
    match ticket.is_open() {
        true => Ok(()),
        false => Err(errors::conflict("not-open", format!("{} is {}, not open", ticket.number, ticket.status.word()))),
    }
}
