//! How long a ticket is kept. An open one stays; a finished one goes when its time is over, and with it what leads to it and
//! what is attached. All of that has the same time, written together, so the store can let it go by itself.

use contract::types::Error;
use store::{Expected, Value, Write};

use super::documents::{BY_FINGERPRINT, BY_NUMBER, FILES, Key, Tickets, file_key};
use super::record::Ticket;

const DAY_MS: u64 = 86_400_000;
/// The fewest days: as long as the longest reopen window.
const KEEP_DAYS_MIN: u32 = 90;

impl Tickets {
    /// When a ticket goes; never while it is open.
    pub(super) fn expires_ms(&self, ticket: &Ticket) -> Option<u64> {
        let days = u64::from(self.policy.keep_days.max(KEEP_DAYS_MIN));
        (!ticket.is_open()).then(|| ticket.updated_ms + days * DAY_MS)
    }

    /// Has all that belongs to a ticket go when it does. Nothing to write where that is so already.
    pub(super) fn go_along(&self, ticket: &Ticket) -> Result<Vec<Write>, Error> {
        let expires_ms = self.expires_ms(ticket);
        let goes = |collection, key, expected| Write { collection, key, value: Value::Stays, expected, expires_ms };
        let by_number = self.get(BY_NUMBER, &ticket.number)?;
        let Some(by_number) = by_number.filter(|it| it.expires_ms != expires_ms) else { return Ok(Vec::new()) };
        let mut writes = vec![goes(BY_NUMBER, ticket.number.clone(), Expected::Revision(by_number.revision))];
        let key = Key::of(ticket).text();
        // By now it may lead to a newer ticket of the same fingerprint.
        if let Some(latest) = self.get(BY_FINGERPRINT, &key)?.filter(|it| it.value == ticket.id) {
            writes.push(goes(BY_FINGERPRINT, key, Expected::Revision(latest.revision)));
        }
        let files = ticket.attachments.iter().map(|file| goes(FILES, file_key(&ticket.id, file.entry), Expected::Any));
        writes.extend(files);
        Ok(writes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use contract::ticket::{Backend, RaiseOutcome};
    use model::{Clock, ManualClock};
    use store::Store;

    use super::super::conformance::{draft, file, resolve, shared};
    use super::super::documents::TICKETS;
    use super::*;
    use crate::testing::context;

    const ALL: [&str; 4] = [TICKETS, BY_FINGERPRINT, BY_NUMBER, FILES];

    /// How many documents there are of each kind, expired or not.
    fn left(store: &Store) -> [usize; 4] {
        ALL.map(|collection| store.list(collection, "", "", 100, 0).unwrap().len())
    }

    #[tokio::test]
    async fn a_finished_ticket_goes_with_all_that_belongs_to_it() {
        let clock = Arc::new(ManualClock::new(1_000));
        let shared = shared(&clock, "[ticket]\nkeep-days = 100\nreopen-window-seconds = 60");
        let (tickets, cx) = (Tickets::new(&shared), context());
        for fingerprint in ["done", "open", "back"] {
            tickets.raise_ticket(&cx, &draft(fingerprint)).await.unwrap();
            tickets.attach_file(&cx, &file(fingerprint, "log", b"text")).await.unwrap();
        }
        for fingerprint in ["done", "back"] {
            tickets.resolve_if_mine(&cx, &resolve(fingerprint)).await.unwrap();
        }
        // One of the two comes back within its window, and so is open.
        let back = tickets.raise_ticket(&cx, &draft("back")).await.unwrap();
        assert_eq!(back.outcome, RaiseOutcome::Reopened);
        let purge = || shared.store.purge(clock.now_ms()).unwrap();
        clock.advance(100 * DAY_MS - 1);
        assert_eq!((purge(), left(&shared.store)), (0, [3, 3, 3, 3]));
        clock.advance(1);
        assert_eq!((purge(), left(&shared.store)), (4, [2, 2, 2, 2]));
        clock.advance(1_000 * DAY_MS);
        assert_eq!((purge(), left(&shared.store)), (0, [2, 2, 2, 2]), "what is open stays");
        assert_eq!(tickets.attachment("T-000002", 2).unwrap(), b"text");
    }

    #[tokio::test]
    async fn an_older_ticket_does_not_take_the_newer_one_along() {
        let clock = Arc::new(ManualClock::new(1_000));
        let shared = shared(&clock, "[ticket]\nkeep-days = 100\nreopen-window-seconds = 60");
        let (tickets, cx) = (Tickets::new(&shared), context());
        tickets.raise_ticket(&cx, &draft("disk")).await.unwrap();
        tickets.resolve_if_mine(&cx, &resolve("disk")).await.unwrap();
        clock.advance(61_000);
        let newer = tickets.raise_ticket(&cx, &draft("disk")).await.unwrap();
        assert_eq!(newer.outcome, RaiseOutcome::Created);
        // Touched once more, the older one goes later, and alone.
        tickets.reply("T-000001", "ada", "what was it?", contract::ticket::Visibility::Internal).unwrap();
        clock.advance(101 * DAY_MS);
        assert_eq!((shared.store.purge(clock.now_ms()).unwrap(), left(&shared.store)), (2, [1, 1, 1, 0]));
        let again = tickets.raise_ticket(&cx, &draft("disk")).await.unwrap();
        assert_eq!(again.outcome, RaiseOutcome::Appended);
    }
}
