//! What a device may say of its tickets, and what it may not undo.

use super::{OnDisk, a_ticket, device, held, page, scope};
use crate::db::{Stated, StatedNote, Ticket, TicketState, WhichTickets};

const DAY_MS: u64 = 86_400_000;

struct Bench(OnDisk);

impl Bench {
    fn new() -> Self {
        let it = OnDisk::new();
        it.db.write_now(|change| change.know_client(&held("acme"), None, 1)).unwrap();
        it.db.write_now(|change| change.know_client(&held("globex"), None, 1)).unwrap();
        Self(it)
    }

    fn say(&self, client: &'static str, who: &str, it: Stated<'static>, now_ms: u64) {
        let who = device(who);
        self.0.db.write_now(move |change| change.ticket_stated(&held(client), &who, &it, &[], now_ms)).unwrap();
    }

    fn of(&self, client: &str) -> Vec<Ticket> {
        let which = WhichTickets::default();
        self.0.db.read(&scope(&[client]), |view| view.tickets(&which, &page(500, None))).unwrap().items
    }
}

#[test]
fn a_ticket_follows_what_its_device_says_and_never_goes_back() {
    let bench = Bench::new();
    bench.say("acme", "web", a_ticket(), 10);
    bench.say("acme", "web", Stated { revision: 3, times: 2, title: "disk fuller", ..a_ticket() }, 20);
    // Late, or again.
    bench.say("acme", "web", Stated { revision: 2, title: "older", ..a_ticket() }, 30);
    let all = bench.of("acme");
    assert_eq!((all.len(), all[0].title.as_str(), all[0].times, all[0].changed_ms), (1, "disk fuller", 2, 20));
    let resolved = Stated { revision: 4, times: 2, is_open: false, resolution: Some("emptied"), ..a_ticket() };
    bench.say("acme", "web", resolved, 40);
    let it = &bench.of("acme")[0];
    assert_eq!((it.state, it.resolution.as_deref()), (TicketState::Closed, Some("emptied")));
    // Raised once more within its window, it is the same one, open.
    bench.say("acme", "web", Stated { revision: 5, times: 3, ..a_ticket() }, 50);
    let it = &bench.of("acme")[0];
    assert_eq!((it.number, it.state, it.resolution.as_deref()), (1, TicketState::Open, None));
}

#[test]
fn another_device_s_ticket_of_the_same_key_and_name_is_another() {
    let bench = Bench::new();
    bench.say("acme", "web", a_ticket(), 10);
    bench.say("acme", "db", Stated { revision: 9, is_open: false, resolution: Some("forged"), ..a_ticket() }, 20);
    bench.say("globex", "mail", Stated { revision: 9, title: "forged", ..a_ticket() }, 30);
    let all = bench.of("acme");
    assert_eq!((all.len(), all[0].state, all[0].title.as_str()), (2, TicketState::Open, "disk full"));
    assert_eq!((all[1].device.clone(), all[1].state), (device("db"), TicketState::Closed));
    assert_eq!(bench.of("globex").len(), 1);
}

#[test]
fn of_a_key_there_is_one_open_ticket_also_where_the_device_forgot_its_name() {
    let bench = Bench::new();
    bench.say("acme", "web", Stated { revision: 7, ..a_ticket() }, 10);
    bench.say("acme", "web", Stated { origin: "tkt_2", ..a_ticket() }, 20);
    assert_eq!(bench.of("acme").len(), 1);
    // Of one that is over, a new name is a new ticket: that is how the device has it.
    bench.say("acme", "web", Stated { origin: "tkt_2", revision: 2, is_open: false, ..a_ticket() }, 30);
    bench.say("acme", "web", Stated { origin: "tkt_3", ..a_ticket() }, 40);
    assert_eq!(bench.of("acme").len(), 2);
}

#[test]
fn what_a_technician_said_no_device_takes_back() {
    let bench = Bench::new();
    let db = &bench.0.db;
    bench.say("acme", "web", a_ticket(), 10);
    db.write_now(|change| change.close_ticket(&held("acme"), 1, Some("known"), 20)).unwrap();
    // It has more to say of it, and did not raise it again.
    bench.say("acme", "web", Stated { revision: 2, ..a_ticket() }, 30);
    assert_eq!(bench.of("acme")[0].state, TicketState::Closed);
    bench.say("acme", "web", Stated { revision: 3, times: 2, ..a_ticket() }, 40);
    assert_eq!(bench.of("acme")[0].state, TicketState::Open);
    db.write_now(|change| change.reply_to_ticket(&held("acme"), 1, ("tess", "internal", "on it"), 50)).unwrap();
    bench.say(
        "acme",
        "web",
        Stated { revision: 4, times: 2, is_open: false, resolution: Some("gone"), ..a_ticket() },
        60,
    );
    assert_eq!(bench.of("acme")[0].state, TicketState::Open, "a technician has answered");
    let notes = db.read(&scope(&["acme"]), |view| view.ticket_notes(1)).unwrap();
    assert_eq!(notes.len(), 2);
    assert!(notes[1].body.contains("gone"), "{notes:?}");
    // The control: whoever answered closes it, and raised again nobody has answered.
    db.write_now(|change| change.close_ticket(&held("acme"), 1, None, 70)).unwrap();
    bench.say("acme", "web", Stated { revision: 5, times: 3, ..a_ticket() }, 80);
    bench.say("acme", "web", Stated { revision: 6, times: 3, is_open: false, ..a_ticket() }, 90);
    assert_eq!(bench.of("acme")[0].state, TicketState::Closed);
}

#[test]
fn notes_of_a_device_are_there_once() {
    let bench = Bench::new();
    let who = device("web");
    for revision in 1..4 {
        let who = who.clone();
        bench
            .0
            .db
            .write_now(move |change| {
                let note =
                    |entry| StatedNote { entry, by: "plugin disks", visibility: "internal", body: "x", at_ms: entry };
                let notes: Vec<StatedNote<'_>> = (2..2 + revision).map(note).collect();
                change.ticket_stated(&held("acme"), &who, &Stated { revision, ..a_ticket() }, &notes, 10)
            })
            .unwrap();
    }
    assert_eq!(bench.0.db.read(&scope(&["acme"]), |view| view.ticket_notes(1)).unwrap().len(), 3);
    assert_eq!(bench.0.db.read(&scope(&["globex"]), |view| view.ticket_notes(1)).unwrap().len(), 0);
}

#[test]
fn a_device_that_raises_too_many_uses_up_what_is_its_own() {
    let bench = Bench::new();
    let flood = |who: &'static str, from: usize, count: usize, now_ms: u64| {
        for at in from..from + count {
            let name: &'static str = Box::leak(format!("tkt_{at}").into_boxed_str());
            bench.say("acme", who, Stated { origin: name, key: name, ..a_ticket() }, now_ms);
        }
    };
    flood("web", 0, 210, DAY_MS);
    let all = bench.of("acme");
    let left_out = all.iter().find(|it| it.key == "hub/too-many-tickets").unwrap();
    assert_eq!((all.len(), left_out.times), (201, 10));
    // What is there already is told further, and its neighbour has a budget of its own.
    bench.say("acme", "web", Stated { origin: "tkt_0", key: "tkt_0", revision: 2, times: 2, ..a_ticket() }, DAY_MS);
    assert_eq!(bench.of("acme")[0].times, 2);
    bench.say("acme", "db", a_ticket(), DAY_MS);
    assert_eq!(bench.of("acme").len(), 202);
    // The next day it may again.
    flood("web", 1_000, 1, 3 * DAY_MS);
    assert_eq!(bench.of("acme").len(), 203);
}
