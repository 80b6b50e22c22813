//! What is kept: once, in order, all or nothing.

use rusqlite::StatementStatus;
use serde_json::json;

use super::{NewMessage, NewToken, OnDisk, device, held, page, scope};
use crate::Error;
use crate::db::{Db, Kept, Page, State};

fn message(sequence: u64, body: &str) -> NewMessage {
    let (spool, kind) = ("00000000000000bb".to_owned(), "note".to_owned());
    NewMessage { spool, sequence, kind, body: body.as_bytes().to_vec(), result: None }
}

#[test]
fn a_message_is_kept_once_however_often_it_comes() {
    let it = OnDisk::with_two_clients();
    let append = |sequence: u64, body: &'static str| {
        it.db
            .write_now(move |change| change.append(&held("acme"), &device("acme"), &message(sequence, body), 5))
            .unwrap()
    };
    assert_eq!(
        [append(1, "a"), append(1, "a"), append(1, "b"), append(2, "b")],
        [Kept::New, Kept::Known, Kept::Differs, Kept::New]
    );
    let log = it.db.read(&scope(&["*"]), |view| view.log(0, 100)).unwrap();
    let said: Vec<&[u8]> = log.iter().filter(|it| it.kind == "note").map(|it| it.body.as_slice()).collect();
    assert_eq!(said, [b"a", b"b"]);
    let last = log.last().unwrap().number;
    assert!(it.db.read(&scope(&["*"]), |view| view.log(last, 100)).unwrap().is_empty());
}

#[test]
fn a_mailbox_is_replaced_by_who_knows_what_is_in_it() {
    let it = OnDisk::with_two_clients();
    let name = device("acme");
    let replace = |expected: u64, bytes: &'static [u8], name: &'static str| {
        let device = device("acme");
        it.db
            .write_now(move |change| {
                change.replace_mailbox(&held("acme"), &device, expected, (bytes, &[name.to_owned()]), 5)
            })
            .unwrap()
    };
    assert_eq!(replace(0, b"lost", "other"), Err(1));
    assert_eq!(replace(1, b"second", "file"), Ok(2));
    assert_eq!(replace(1, b"late", "other"), Err(2));
    let mailbox = it.db.read(&scope(&["acme"]), |view| view.mailbox(&name)).unwrap().unwrap();
    assert_eq!((mailbox.revision, mailbox.bytes.as_slice()), (2, &b"second"[..]));
    // Of another client it gets what is of that client now, and the number still goes up.
    it.db
        .write_now(|change| change.assign(&held("globex"), (&device("acme"), "key"), ("here", &[]), "two", 9))
        .unwrap();
    let moved = it.db.read(&scope(&["globex"]), |view| view.mailbox(&name)).unwrap().unwrap();
    assert_eq!((moved.revision, moved.bytes.as_slice()), (3, &b""[..]));
    assert_eq!(it.db.read(&scope(&["acme"]), |view| view.mailbox(&name)).unwrap(), None);
}

#[test]
fn a_token_lets_in_as_many_as_it_says_and_nobody_twice() {
    let it = OnDisk::new();
    let token = NewToken {
        token: "t".into(),
        key: "k".into(),
        site: "berlin".into(),
        tags: vec!["server".into()],
        uses_max: 2,
        needs_accept: true,
        made_by: "tess".into(),
        expires_ms: 100,
    };
    it.db.write_now(move |change| change.put_token(&held("acme"), &token, 1)).unwrap();
    let join = |who: &'static str, now_ms: u64| {
        it.db.write_now(move |change| change.use_token("t", &device(who), who, now_ms)).map(|token| token.used)
    };
    assert_eq!(join("a", 2).unwrap(), 1);
    assert_eq!(join("a", 2).unwrap(), 1, "it is there already");
    assert!(join("late", 100).is_err());
    assert_eq!(join("b", 99).unwrap(), 2);
    assert!(join("c", 99).is_err());
    assert!(it.db.write_now(|change| change.use_token("other", &device("d"), "d", 2)).is_err());
    let there = it.db.read(&scope(&["acme"]), |view| view.devices(Some("acme"), &Page::default())).unwrap().items;
    assert!(there.len() == 2 && there.iter().all(|it| it.state == State::Pending && it.site == "berlin"));
}

#[test]
fn pages_have_everything_once() {
    let it = OnDisk::new();
    it.db
        .write_now(|change| {
            (0..25)
                .try_for_each(|at| change.join(&held("acme"), &device(&at.to_string()), "key", "site", 1).map(|_| ()))
        })
        .unwrap();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let paged = it.db.read(&scope(&["acme"]), |view| view.devices(None, &page(10, after.clone()))).unwrap();
        all.extend(paged.items.into_iter().map(|it| it.device));
        after = paged.next;
        if after.is_none() {
            break;
        }
    }
    let mut sorted = all.clone();
    sorted.dedup();
    assert!(all.len() == 25 && all.is_sorted() && sorted == all);
    for bad in [page(0, None), page(501, None)] {
        assert!(matches!(it.db.read(&scope(&["acme"]), |view| view.devices(None, &bad)), Err(Error::Invalid(_))));
    }
    let not_a_number = page(1, Some("x".to_owned()));
    assert!(
        it.db.read(&scope(&["acme"]), |view| view.tickets(&crate::db::WhichTickets::default(), &not_a_number)).is_err()
    );
}

#[test]
fn facts_are_kept_by_difference() {
    let it = OnDisk::with_two_clients();
    let put = |facts: Vec<(&'static str, Option<serde_json::Value>)>| {
        it.db.write_now(move |change| {
            let facts: Vec<_> = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            change.put_facts(&held("acme"), &device("acme"), &facts, 7)
        })
    };
    assert_eq!(put(vec![("cpu", Some(json!(4))), ("os", None)]).unwrap(), 2);
    assert_eq!(put(vec![("cpu", Some(json!(4))), ("os", None)]).unwrap(), 0, "the same is no news");
    let facts = it.db.read(&scope(&["acme"]), |view| view.facts(&device("acme"))).unwrap();
    assert_eq!(facts.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["cpu"]);
    let changes = it.db.read(&scope(&["acme"]), |view| view.fact_changes(&device("acme"), &Page::default())).unwrap();
    assert_eq!(changes.items.len(), 4);
    let too_many: Vec<_> =
        (0..600).map(|at| (&*Box::leak(format!("f{at}").into_boxed_str()), Some(json!(at)))).collect();
    assert!(matches!(put(too_many), Err(Error::Invalid(_))));
    assert_eq!(it.db.read(&scope(&["acme"]), |view| view.facts(&device("acme"))).unwrap().len(), 1);
}

#[test]
fn of_what_is_refused_no_part_is_written_and_nobody_is_taken_along() {
    let it = OnDisk::new();
    let refused = |change: &crate::db::Change<'_>| {
        change.know_client(&held("refused"), None, 1)?;
        Err::<(), _>(Error::Denied("no".to_owned()))
    };
    let asked: Vec<_> = (0..50)
        .map(|at| match at % 2 {
            0 => it.db.ask(refused).unwrap(),
            _ => it.db.ask(move |change| change.know_client(&held(&format!("c{at}")), None, 1)).unwrap(),
        })
        .collect();
    let done: Vec<bool> = asked.into_iter().map(|it| it.blocking_recv().unwrap().is_ok()).collect();
    assert!(done.iter().enumerate().all(|(at, ok)| *ok == (at % 2 == 1)));
    let clients = it.db.read(&scope(&["*"]), |view| view.clients(&page(100, None))).unwrap().items;
    assert_eq!(clients.len(), 25);
    assert!(clients.iter().all(|it| it.client != "refused"));
}

#[test]
fn a_statement_is_compiled_once_whatever_is_bound() {
    let it = OnDisk::with_two_clients();
    // An index has those that run alone: whether it serves depends on what is bound.
    let asked = |connection: &rusqlite::Connection| {
        let mut query = connection.prepare_cached("SELECT digest FROM rollout WHERE state = ?1").unwrap();
        for state in ["running", "done", "running"] {
            assert_eq!(query.exists([state]).unwrap(), state == "running");
        }
        query.get_status(StatementStatus::RePrepare)
    };
    assert_eq!(it.db.read(&scope(&["*"]), |view| Ok(asked(view.0))).unwrap(), 0);
    assert_eq!(it.db.write_now(move |change| Ok(asked(change.0))).unwrap(), 0);
    // By itself SQLite does so.
    let other = rusqlite::Connection::open(it.folder.path().join("hub.db")).unwrap();
    assert!(asked(&other) > 0);
}

#[test]
fn what_was_acknowledged_is_there_when_the_file_is_opened_again() {
    let it = OnDisk::with_two_clients();
    let copy = it.folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    // As it is on the disk while it is open: what a power cut would leave.
    for name in ["hub.db", "hub.db-wal"] {
        std::fs::copy(it.folder.path().join(name), copy.join(name)).unwrap();
    }
    let db = Db::open(&copy).unwrap();
    assert_eq!(db.read(&scope(&["*"]), |view| view.clients(&page(9, None))).unwrap().items.len(), 2);
}
