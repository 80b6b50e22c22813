//! What leaves with a client, and what leaves with time.

use std::path::Path;

use serde_json::json;

use super::{OnDisk, held, scope};
use crate::Error;
use crate::db::schema::{Seen, TABLES};
use crate::db::{Actor, Document, NewEntry, Page, RolloutState, TicketState, WhichTickets};

fn entry() -> NewEntry {
    NewEntry { at_ms: 9_000, actor: Actor::Hub, client: None, action: "client-erased", body: json!({}) }
}

/// Whether some bytes are in the file, or in anything that belongs to it.
fn holds(folder: &Path, text: &str) -> bool {
    let all = std::fs::read_dir(folder).unwrap().map(|it| std::fs::read(it.unwrap().path()).unwrap());
    all.into_iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[test]
fn an_erased_client_leaves_nothing_in_the_file() {
    let it = OnDisk::with_two_clients();
    assert!(holds(it.folder.path(), "secret-of-globex") && holds(it.folder.path(), "globex"));
    it.db.erase(held("globex"), entry()).unwrap();
    assert!(!holds(it.folder.path(), "secret-of-globex"));
    assert!(!holds(it.folder.path(), "globex"), "nor its name");
    assert!(!holds(it.folder.path(), &super::device("globex")), "nor its devices");
    // The neighbour has all that it had, and the chain is whole.
    for (table, seen) in TABLES {
        if !matches!(seen, Seen::ByNobody | Seen::ByAll) {
            let count = it.db.read(&scope(&["acme"]), |view| {
                Ok(view.0.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))?)
            });
            assert!(count.unwrap() > 0, "{table}");
        }
    }
    let verified = it.db.read(&scope(&["*"]), |view| view.verify_audit(None)).unwrap();
    assert_eq!((verified.entries, verified.broken), (3, None));
    let again = it.db.erase(held("globex"), entry());
    assert!(matches!(again, Err(Error::Missing { .. })));
}

#[test]
fn a_client_that_others_documents_name_is_not_half_erased() {
    let it = OnDisk::with_two_clients();
    let roster = |digest: &str, text: &str| Document {
        digest: digest.to_owned(),
        kind: "roster".to_owned(),
        subject: "roster".to_owned(),
        clients: Vec::new(),
        bytes: text.as_bytes().to_vec(),
    };
    let with = roster("one", r#"{"clients":["acme","globex"]}"#);
    it.db.write_now(move |change| change.keep(&with, 5)).unwrap();
    let refused = it.db.erase(held("globex"), entry()).unwrap_err();
    assert!(refused.to_string().contains("roster roster"), "{refused}");
    assert!(holds(it.folder.path(), "secret-of-globex"));
    let without = roster("two", r#"{"clients":["acme"]}"#);
    it.db.write_now(move |change| change.keep(&without, 6)).unwrap();
    it.db.erase(held("globex"), entry()).unwrap();
    assert!(!holds(it.folder.path(), "globex"), "nor in what was replaced");
}

#[test]
fn an_export_has_all_of_a_client_and_nothing_of_another() {
    let it = OnDisk::with_two_clients();
    let mut lines = Vec::new();
    it.db
        .read(&scope(&["acme"]), |view| {
            view.export(|line| {
                lines.push(line.clone());
                Ok(())
            })
        })
        .unwrap();
    for (table, seen) in TABLES {
        if !matches!(seen, Seen::ByNobody | Seen::ByAll) {
            assert!(lines.iter().any(|line| line["table"] == table), "{table}");
        }
    }
    let text = json!(lines).to_string();
    assert!(text.contains("secret-of-acme") && !text.contains("globex"), "{text}");
}

#[test]
fn what_is_older_than_its_client_wants_goes_and_what_is_open_stays() {
    let it = OnDisk::with_two_clients();
    it.db.write_now(|change| change.set_retention(&held("acme"), 10)).unwrap();
    let count = |client: &str, table: &str| -> i64 {
        let text = format!("SELECT count(*) FROM {table}");
        it.db.read(&scope(&[client]), |view| Ok(view.0.query_row(&text, [], |row| row.get(0))?)).unwrap()
    };
    let ageing = ["result", "message", "fact_change", "notification"];
    let purge = |now_ms: u64| it.db.write_now(move |change| change.purge(now_ms)).unwrap();
    const DAY_MS: u64 = 86_400_000;
    purge(10 * DAY_MS);
    assert!(ageing.iter().all(|table| count("acme", table) > 0));
    assert!(!purge(11 * DAY_MS));
    for table in ageing {
        assert_eq!(count("acme", table), 0, "{table}");
        assert!(count("globex", table) > 0, "{table}");
    }
    assert!(["ticket", "fact", "device", "orders"].iter().all(|table| count("acme", table) == 1));
    // A ticket that is closed is history too.
    let open = WhichTickets { state: Some(TicketState::Open), ..WhichTickets::default() };
    let number = it.db.read(&scope(&["acme"]), |view| view.tickets(&open, &Page::default())).unwrap().items[0].number;
    it.db.write_now(move |change| change.close_ticket(&held("acme"), number, None, 11 * DAY_MS)).unwrap();
    purge(20 * DAY_MS);
    assert_eq!(count("acme", "ticket"), 1);
    purge(22 * DAY_MS);
    assert_eq!((count("acme", "ticket"), count("acme", "ticket_note")), (0, 0));
    assert_eq!((count("globex", "ticket"), count("globex", "ticket_note")), (1, 1));
}

#[test]
fn an_order_goes_with_its_rollout_when_it_is_over_and_its_clients_keep_it_no_longer() {
    let it = OnDisk::with_two_clients();
    let of_orders = ["orders", "ring", "rollout", "rollout_ring", "rollout_part"];
    let count = |client: &str, table: &str| -> i64 {
        let text = format!("SELECT count(*) FROM {table}");
        it.db.read(&scope(&[client]), |view| Ok(view.0.query_row(&text, [], |row| row.get(0))?)).unwrap()
    };
    let all = |client: &str| of_orders.iter().all(|table| count(client, table) > 0);
    let none = |client: &str| of_orders.iter().all(|table| count(client, table) == 0);
    let purge = |now_ms: u64| while it.db.write_now(move |change| change.purge(now_ms)).unwrap() {};
    const DAY_MS: u64 = 86_400_000;
    it.db.write_now(|change| change.set_retention(&held("acme"), 10)).unwrap();
    // It expired long ago, and goes on.
    purge(100 * DAY_MS);
    assert!(all("acme"));
    let end = |client: &'static str| {
        let end = move |change: &crate::db::Change<'_>| {
            change.end_rollout(&format!("digest-order-{client}"), RolloutState::Expired, 100 * DAY_MS)
        };
        assert!(it.db.write_now(end).unwrap());
    };
    end("acme");
    purge(110 * DAY_MS);
    assert!(all("acme"));
    purge(110 * DAY_MS + 1);
    assert!(none("acme") && all("globex"), "that one goes on");
    end("globex");
    purge(110 * DAY_MS + 1);
    assert!(all("globex"), "globex keeps it for a year");
    let documents = |client: &str| {
        let listed = it.db.read(&scope(&[client]), |view| view.documents(Some("order"), &Page::default()));
        listed.unwrap().items.len()
    };
    assert_eq!((documents("acme"), documents("globex")), (0, 1));
    // Its parts go as what no rollout names.
    it.db.write_now(|change| change.tidy_parts(111 * DAY_MS)).unwrap();
    assert_eq!((count("acme", "part"), count("globex", "part")), (0, 1));
    let verified = it.db.read(&scope(&["*"]), |view| view.verify_audit(None)).unwrap();
    assert_eq!(verified.broken, None, "the chain stays");
}
