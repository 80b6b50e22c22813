//! `notify`: tells somebody. A call makes an event durable in the [`Outbox`] and returns; [`flush`] sends what waits, by mail or
//! webhook, at least once, and records how it went. Who hears what, how and when is host policy: [`Route`].
//!
//! In go events of plugins, out go messages. It knows no tickets, and whatever it sends to is at the end of a route.

mod deliver;
mod flush;
mod format;
mod memory;
mod outbox;
mod overlay;
mod policy;
mod quiet;
mod record;
mod send;

pub use flush::{Outcome, Report, flush};
pub use memory::{Fixture, FixtureAlert, Memory};
pub use outbox::{Outbox, TO_HUB};
pub use overlay::{Look, Overlay};
pub use policy::{Format, Policy, Route, Security, Target, Way};
pub use quiet::QuietHours;
pub use record::{Action, Alert, Event, Message};
pub use send::{Sent, send};

use contract::notify::Notification;
use contract::types::Error;

use crate::{attributes, errors};

/// The most bytes of a summary: PagerDuty's limit.
const SUMMARY_BYTES_MAX: usize = 1_024;
/// The most bytes of the three names beside it: a unit or a mount, no text.
const NAME_BYTES_MAX: usize = 255;
/// The most links.
const LINKS_MAX: usize = 16;
/// The most bytes of a link's address or text.
const LINK_BYTES_MAX: usize = 2_048;
/// The most events of one message: more are no longer read one by one.
const EVENTS_MAX: usize = 50;
/// The most messages that wait in one route; a receiver that was away for days needs no more to know.
const WAITING_MAX: usize = 1_000;

fn check(event: &Notification) -> Result<(), Error> {
    attributes::check_fingerprint("dedup-key", &event.dedup_key)?;
    attributes::check(&event.attributes)?;
    attributes::number(&event.attributes, "expires-ms")?;
    if event.summary.trim().is_empty() {
        return Err(errors::invalid("summary", "a summary says something, this one is empty"));
    }
    check_line("summary", &event.summary, SUMMARY_BYTES_MAX)?;
    check_line("component", &event.component, NAME_BYTES_MAX)?;
    check_line("group", &event.group, NAME_BYTES_MAX)?;
    check_line("event-class", &event.event_class, NAME_BYTES_MAX)?;
    if event.links.len() > LINKS_MAX {
        return Err(errors::invalid("links", format!("there are at most {LINKS_MAX} links")));
    }
    for link in &event.links {
        check_line("link", &link.href, LINK_BYTES_MAX)?;
        check_line("link", &link.text, LINK_BYTES_MAX)?;
        if !url::Url::parse(&link.href).is_ok_and(|url| url.scheme() == "https") {
            return Err(errors::invalid("link", "a link is an https URL"));
        }
    }
    Ok(())
}

/// Nothing that a plugin says begins a header or a line of its own.
fn check_line(what: &str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() > bytes_max || text.chars().any(char::is_control) {
        return Err(errors::invalid(what, format!("a {what} is one line of at most {bytes_max} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod delivery_tests;
