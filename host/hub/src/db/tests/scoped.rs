//! Whoever asks sees the rows of their clients, whatever the query says.

use rusqlite::Connection;

use super::{OnDisk, device, page, scope};
use crate::db::schema::{Seen, TABLES};
use crate::db::{Page, View};
use crate::{Error, Scope};

/// All that a scope shows of a table, as text.
fn seen(it: &OnDisk, scope: &Scope, sql: &str) -> Result<String, Error> {
    it.db.read(scope, |view| text_of(view, sql))
}

fn text_of(view: &View<'_>, sql: &str) -> Result<String, Error> {
    let mut query = view.0.prepare(sql)?;
    let columns = query.column_count();
    let mut rows = query.query([])?;
    let mut text = String::new();
    while let Some(row) = rows.next()? {
        for at in 0..columns {
            text += &match row.get_ref(at)? {
                rusqlite::types::ValueRef::Text(it) | rusqlite::types::ValueRef::Blob(it) => {
                    String::from_utf8_lossy(it).into_owned()
                }
                other => format!("{other:?}"),
            };
            text.push(' ');
        }
    }
    Ok(text)
}

#[test]
fn what_is_read_at_once_is_read_within_its_scope_or_given_back() {
    let it = OnDisk::with_two_clients();
    let clients = |view: &View<'_>| text_of(view, "SELECT client FROM client");
    for client in ["acme", "globex"] {
        let scope = scope(&[client]);
        assert!(it.db.try_read(&scope, clients).is_err(), "no reader had this scope yet");
        assert_eq!(it.db.read(&scope, clients).unwrap(), format!("{client} "));
    }
    // Neither took the other's reader; and one that is lent is nobody else's.
    for client in ["acme", "globex"] {
        let scope = scope(&[client]);
        let at_once = it.db.try_read(&scope, clients).unwrap_or_else(|_| panic!("{client}: it has to wait"));
        assert_eq!(at_once.unwrap(), format!("{client} "));
        assert!(it.db.read(&scope, |_| Ok(it.db.try_read(&scope, clients).is_err())).unwrap());
    }
}

#[test]
fn every_table_says_who_sees_it() {
    let it = OnDisk::new();
    let file = Connection::open(it.folder.path().join(super::super::FILE)).unwrap();
    let text = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut query = file.prepare(text).unwrap();
    let there: Vec<String> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut listed: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
    listed.sort_unstable();
    assert_eq!(there, listed);
    for (table, seen) in TABLES {
        let columns = format!("SELECT count(*) FROM pragma_table_info('{table}') WHERE name = 'client'");
        let has_client: bool = file.query_row(&columns, [], |row| row.get(0)).unwrap();
        assert_eq!(has_client, matches!(seen, Seen::OfClient | Seen::OfClientOrHub), "{table}");
    }
}

#[test]
fn each_table_shows_a_client_s_rows_to_those_who_are_for_it() {
    let it = OnDisk::with_two_clients();
    for (table, kind) in TABLES {
        if matches!(kind, Seen::ByNobody | Seen::ByAll) {
            continue;
        }
        let rows = |clients: &[&str]| seen(&it, &scope(clients), &format!("SELECT * FROM {table}")).unwrap();
        let (acme, all, nobody) = (rows(&["acme"]), rows(&["*"]), rows(&[]));
        // Who holds what is numbers.
        let is_named = kind != Seen::OfHolders;
        assert!(!acme.is_empty() && acme.contains("acme") == is_named && !acme.contains("globex"), "{table}: {acme}");
        assert!(!is_named || (all.contains("acme") && all.contains("globex")), "{table}");
        assert!(nobody.is_empty(), "{table}: {nobody}");
        let both = rows(&["acme", "globex"]);
        assert_eq!(both, all, "{table}");
        let counted = seen(&it, &scope(&["acme"]), &format!("SELECT count(*) FROM {table}")).unwrap();
        let of_all = seen(&it, &scope(&["*"]), &format!("SELECT count(*) FROM {table}")).unwrap();
        assert_ne!(counted, of_all, "{table}: a count tells of others");
    }
}

#[test]
fn no_text_of_a_query_reaches_past_the_scope() {
    let it = OnDisk::with_two_clients();
    let acme = scope(&["acme"]);
    // The control: it is there for those who are for it.
    assert!(seen(&it, &scope(&["*"]), "SELECT * FROM device").unwrap().contains("globex"));
    for reach in [
        "SELECT * FROM main.device",
        "SELECT count(*) FROM main.device",
        "SELECT 1 FROM main.device",
        "WITH device AS (SELECT * FROM main.device) SELECT * FROM device",
        "SELECT * FROM (SELECT * FROM main.device) AS device",
        "SELECT (SELECT client FROM main.client WHERE client = 'globex')",
        "SELECT * FROM device UNION ALL SELECT * FROM main.device",
        "SELECT * FROM main.setting",
        "SELECT * FROM setting",
        "SELECT * FROM sqlite_temp_schema",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM pragma_table_info('device')",
        "INSERT INTO temp.in_scope VALUES ('globex')",
        "DELETE FROM temp.in_scope",
        "CREATE TEMP VIEW mine AS SELECT * FROM main.device",
        "DROP VIEW temp.device",
        "ATTACH 'hub.db' AS other",
        "PRAGMA query_only",
        "UPDATE main.client SET retention_days = 1",
    ] {
        assert!(seen(&it, &acme, reach).is_err(), "{reach}");
    }
    // And where one of these views is read twice, or through functions that make rows.
    let twice = "SELECT a.client, b.value FROM device AS a JOIN fact AS b ON true, json_each('[1]')";
    let twice = seen(&it, &acme, twice).unwrap();
    assert!(twice.contains("acme") && !twice.contains("globex"), "{twice}");
}

#[test]
fn a_connection_that_goes_from_hand_to_hand_shows_each_their_own() {
    let it = OnDisk::with_two_clients();
    for _ in 0..20 {
        for client in ["acme", "globex"] {
            let devices = it.db.read(&scope(&[client]), |view| view.devices(None, &Page::default())).unwrap().items;
            assert_eq!(devices.iter().map(|it| it.client.as_str()).collect::<Vec<_>>(), [client]);
        }
    }
    let other = it.db.read(&scope(&["acme"]), |view| view.device(&device("globex")));
    let none = it.db.read(&scope(&["acme"]), |view| view.device("nobody's"));
    assert_eq!(other.unwrap_err().to_string(), none.unwrap_err().to_string(), "what is not theirs is not there");
}

#[test]
fn what_is_about_several_clients_takes_a_seat_for_all_of_them() {
    let it = OnDisk::with_two_clients();
    it.db
        .write_now(|change| {
            let clients = vec!["acme".to_owned(), "globex".to_owned()];
            change.keep(
                &super::Document {
                    digest: "both".into(),
                    kind: "order".into(),
                    subject: String::new(),
                    clients,
                    bytes: b"both".to_vec(),
                },
                5,
            )
        })
        .unwrap();
    let read = |clients: &[&str]| it.db.read(&scope(clients), |view| view.document("both")).is_ok();
    assert!(read(&["acme", "globex"]) && read(&["*"]));
    assert!(!read(&["acme"]) && !read(&["globex"]) && !read(&[]));
}

#[test]
fn a_query_that_takes_too_long_ends() {
    let it = OnDisk::new();
    let long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let began = std::time::Instant::now();
    let ended = seen(&it, &scope(&["*"]), long);
    assert!(matches!(ended, Err(Error::TooSlow { .. })), "{ended:?}");
    assert!(began.elapsed().as_millis() < 20 * u128::from(crate::db::READ_MS_MAX));
    // The connection works on.
    it.db.read(&scope(&["*"]), |view| view.clients(&page(1, None))).unwrap();
}
