//! What people do with tickets, and that the history says so.

use std::sync::Arc;

use contract::ticket::{Backend, RaiseOutcome, Status, Visibility};
use contract::types::ErrorKind;
use model::ManualClock;

use crate::testing::context;

use super::conformance::{all, draft, file, note, resolve, shared};
use super::{Filter, Tickets};

fn history(tickets: &Tickets, name: &str) -> Vec<String> {
    let entries = tickets.show(name).unwrap().history;
    entries.iter().map(|entry| format!("{} {} {}", entry.by, entry.what, entry.detail)).collect()
}

#[tokio::test]
async fn a_ticket_that_a_person_answered_stays_open_with_one_note() {
    let clock = Arc::new(ManualClock::new(1_000));
    let real = Tickets::new(&shared(&clock, ""));
    let cx = context();
    real.raise_ticket(&cx, &draft("disk")).await.unwrap();
    clock.advance(500);
    let replied = real.reply("T-000001", "ada", "Ordered a larger one.", Visibility::Customer).unwrap();
    assert_eq!((replied.status, replied.first_response_ms), (Status::InProgress, Some(1_500)));
    for _ in 0..2 {
        let error = real.resolve_if_mine(&cx, &resolve("disk")).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Conflict, "person-replied"));
    }
    let ticket = real.show("T-000001").unwrap();
    assert_eq!((ticket.status, ticket.notes.len()), (Status::InProgress, 2));
    assert!(ticket.notes[1].body.ends_with("There is room again."));
    let view = real.raise_ticket(&cx, &draft("disk")).await.unwrap().ticket.unwrap();
    assert!(view.attributes.contains(&("person-replied".into(), "true".into())));

    real.resolve_as("T-000001", "ada", "Replaced.").unwrap();
    let again = real.raise_ticket(&cx, &draft("disk")).await.unwrap();
    assert_eq!(again.outcome, RaiseOutcome::Reopened);
    real.resolve_if_mine(&cx, &resolve("disk")).await.unwrap();
    assert_eq!(
        history(&real, "T-000001"),
        [
            "plugin test opened The disk is full",
            "ada noted customer",
            "plugin test noted internal",
            "plugin test kept-open a person has replied",
            "plugin test raised-again ",
            "ada resolved ",
            "plugin test reopened ",
            "plugin test resolved ",
        ]
    );
}

#[tokio::test]
async fn an_assigned_ticket_is_in_progress_and_only_an_open_one_is_assigned() {
    let real = Tickets::new(&shared(&Arc::default(), ""));
    let cx = context();
    real.raise_ticket(&cx, &draft("disk")).await.unwrap();
    real.add_note(&cx, &note("disk", "From the plugin.")).await.unwrap();
    let ticket = real.assign("T-000001", "ada", "bob").unwrap();
    assert_eq!((ticket.status, ticket.assignee.as_deref()), (Status::InProgress, Some("bob")));
    assert_eq!(history(&real, &ticket.id).last().unwrap(), "ada assigned bob");
    real.resolve_if_mine(&cx, &resolve("disk")).await.unwrap();
    assert_eq!(real.assign("T-000001", "ada", "bob").unwrap_err().code, "not-open");
    assert_eq!(real.resolve_as("T-000001", "ada", "x").unwrap_err().code, "not-open");
    assert_eq!(real.show("T-000002").unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(real.reply("T-000001", "", "x", Visibility::Internal).unwrap_err().code, "person");
    assert_eq!(real.reply("T-000001", "ada", " ", Visibility::Internal).unwrap_err().code, "note");
}

#[tokio::test]
async fn a_list_is_filtered_and_the_newest_come_first() {
    let clock = Arc::new(ManualClock::new(1_000));
    let real = Tickets::new(&shared(&clock, ""));
    let cx = context();
    for fingerprint in ["a", "b", "c"] {
        let mut call = draft(fingerprint);
        if fingerprint == "c" {
            call.ticket.attributes.push(("queue".into(), "patching".into()));
            call.ticket.impact = contract::ticket::Level::High;
        }
        real.raise_ticket(&cx, &call).await.unwrap();
        clock.advance(1);
    }
    real.assign("T-000002", "ada", "bob").unwrap();
    real.resolve_as("T-000001", "ada", "x").unwrap();
    let numbers = |filter: Filter| -> Vec<u8> {
        let tickets = real.list(&filter).unwrap();
        tickets.iter().map(|ticket| ticket.number.as_bytes()[7] - b'0').collect()
    };
    assert_eq!(numbers(Filter::default()), [3, 2], "open ones");
    assert_eq!(numbers(all()), [3, 2, 1]);
    assert_eq!(numbers(Filter { limit: 2, ..all() }), [3, 2]);
    assert_eq!(numbers(Filter { statuses: vec![Status::Resolved], ..Filter::default() }), [1]);
    assert_eq!(numbers(Filter { assignee: Some("bob".into()), ..all() }), [2]);
    assert_eq!(numbers(Filter { queue: Some("patching".into()), ..all() }), [3]);
    assert_eq!(numbers(Filter { priority_max: Some(1), ..all() }), [3]);
    assert_eq!(numbers(Filter { plugin: Some("other".into()), ..all() }), [0; 0]);
}

#[tokio::test]
async fn an_attached_file_is_read_back() {
    let real = Tickets::new(&shared(&Arc::default(), ""));
    real.raise_ticket(&context(), &draft("disk")).await.unwrap();
    for content in [&b"\x00\xffdf"[..], b""] {
        real.attach_file(&context(), &file("disk", "df.bin", content)).await.unwrap();
        let entry = real.show("T-000001").unwrap().attachments.last().unwrap().entry;
        assert_eq!(real.attachment("T-000001", entry).unwrap(), content);
    }
    assert_eq!(real.attachment("T-000001", 99).unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_finished_ticket_goes_when_its_time_is_over() {
    let clock = Arc::new(ManualClock::new(1_000));
    let real = Tickets::new(&shared(&clock, "ticket = { keep-days = 100 }"));
    for fingerprint in ["done", "open"] {
        real.raise_ticket(&context(), &draft(fingerprint)).await.unwrap();
    }
    real.resolve_if_mine(&context(), &resolve("done")).await.unwrap();
    clock.advance(100 * 86_400_000 - 1);
    assert_eq!(real.list(&all()).unwrap().len(), 2);
    clock.advance(1);
    assert_eq!(real.list(&all()).unwrap().len(), 1);
    let raised = real.raise_ticket(&context(), &draft("done")).await.unwrap();
    assert_eq!(raised.outcome, RaiseOutcome::Created);
}
