//! `ticket`: what a plugin tells the people who look after the device, once a problem and not once a run. Tickets are
//! documents in the device's store; the twin in memory is the same over a store in memory, and so is a dry run's overlay.
//!
//! In go drafts of plugins ([`Tickets`] as the interface's backend) and what people do with them ([`Tickets::list`] and what
//! follows it); out come tickets with their whole history. It knows no ticket system but its own, and notifies nobody.

mod documents;
mod kept;
mod life;
mod memory;
mod overlay;
mod people;
mod policy;
mod record;

pub use documents::Tickets;
pub use memory::{Fixture, FixtureTicket, Memory};
pub use overlay::{Look, Overlay};
pub use people::Filter;
pub use policy::{Matrix, Moment, Mute, Pattern, Policy, Priority, Row};
pub use record::{Actor, Attachment, Entry, Note, Ticket};

use contract::ticket::Draft;
use contract::types::Error;

use crate::{attributes, errors};

/// The most bytes of a title: the shortest limit among ticket systems.
const TITLE_BYTES_MAX: usize = 255;
/// The most bytes of a body, a note or a resolution: a page of text; what is longer is a file.
const TEXT_BYTES_MAX: usize = 32 << 10;
/// The most bytes of an attached file: it lives in the device's store, and will travel with the ticket.
const FILE_BYTES_MAX: usize = 1 << 20;
/// The most files of one ticket: 16 MiB of store in all.
const FILES_MAX: usize = 16;
/// The most notes of one ticket: beyond it nobody reads them.
const NOTES_MAX: usize = 500;
/// The most entries of a ticket's history; the oldest mere repetitions make room.
const HISTORY_MAX: usize = 1_000;
/// The longest reopen window: a problem that was gone for a quarter is a new one.
const REOPEN_WINDOW_SECONDS_MAX: u64 = 90 * 86_400;

fn check_draft(draft: &Draft) -> Result<(), Error> {
    check_fingerprint(&draft.fingerprint)?;
    let title = draft.title.len();
    if !(1..=TITLE_BYTES_MAX).contains(&title) || draft.title.contains(['\n', '\r']) {
        let message = format!("a title is one line of 1 to {TITLE_BYTES_MAX} bytes, this one has {title}");
        return Err(errors::invalid("title", message));
    }
    check_text("body", &draft.body)?;
    attributes::check(&draft.attributes)?;
    attributes::number(&draft.attributes, "due-ms")?;
    match attributes::number(&draft.attributes, "reopen-window-seconds")? {
        Some(seconds) if seconds > REOPEN_WINDOW_SECONDS_MAX => {
            let message = format!("`reopen-window-seconds` is at most {REOPEN_WINDOW_SECONDS_MAX}, not {seconds}");
            Err(errors::invalid("attribute", message))
        }
        _ => Ok(()),
    }
}

fn check_fingerprint(fingerprint: &str) -> Result<(), Error> {
    attributes::check_fingerprint("fingerprint", fingerprint)
}

fn check_text(what: &str, text: &str) -> Result<(), Error> {
    match text.len() {
        0..=TEXT_BYTES_MAX => Ok(()),
        length => Err(errors::invalid(what, format!("a {what} has at most {TEXT_BYTES_MAX} bytes, this one {length}"))),
    }
}

fn check_note(body: &str) -> Result<(), Error> {
    if body.trim().is_empty() {
        return Err(errors::invalid("note", "a note says something, this one is empty"));
    }
    check_text("note", body)
}

fn check_file(name: &str, media_type: &str, content: &[u8]) -> Result<(), Error> {
    let is_plain = !name.contains(['/', '\\']) && !name.chars().any(char::is_control) && name != "." && name != "..";
    if !(1..=255).contains(&name.len()) || !is_plain {
        return Err(errors::invalid("name", "a file's name has 1 to 255 bytes, no path and no control characters"));
    }
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    if media_type.len() > 127 || !media_type.split_once('/').is_some_and(|(kind, sub)| is_word(kind) && is_word(sub)) {
        return Err(errors::invalid("media-type", "a media type is `type/subtype`, at most 127 bytes"));
    }
    match content.len() {
        0..=FILE_BYTES_MAX => Ok(()),
        length => {
            Err(errors::invalid("content", format!("a file has at most {FILE_BYTES_MAX} bytes, this one {length}")))
        }
    }
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod people_tests;
