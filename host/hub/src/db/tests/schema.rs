//! Files of every version there was are opened, and those of a newer one are left as they are.

use rusqlite::Connection;

use super::{OnDisk, scope};
use crate::Error;
use crate::db::schema::{SCHEMA_VERSION, version};
use crate::db::{Db, FILE, Page};

/// As a hub of that version left it, with two clients in it: a text that makes the file, so that a person can read what changed.
const GOLDEN: [(i64, &str); 1] = [(1, include_str!("golden/1.sql"))];

fn dump(connection: &Connection) -> String {
    let mut text = String::new();
    let mut query = connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
        .unwrap();
    let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.for_each(|sql| text += &format!("{};\n", sql.unwrap()));
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let mut query = connection.prepare(names).unwrap();
    let tables: Vec<String> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables {
        let columns =
            format!("SELECT group_concat('quote(' || name || ')', '||'', ''||') FROM pragma_table_info('{table}')");
        let quoted: String = connection.query_row(&columns, [], |row| row.get(0)).unwrap();
        let mut query = connection.prepare(&format!("SELECT {quoted} FROM {table} ORDER BY 1")).unwrap();
        let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.for_each(|row| text += &format!("INSERT INTO {table} VALUES ({});\n", row.unwrap()));
    }
    text
}

#[test]
fn a_file_of_every_version_is_taken_over() {
    assert_eq!(GOLDEN.map(|(version, _)| version), std::array::from_fn(|at| i64::try_from(at + 1).unwrap()));
    assert_eq!(GOLDEN.last().unwrap().0, SCHEMA_VERSION, "this version has no golden file");
    for (version, text) in GOLDEN {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join(FILE)).unwrap();
        connection.execute_batch(text).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        drop(connection);
        for _ in 0..2 {
            let db = Db::open(folder.path()).unwrap();
            let acme = scope(&["acme"]);
            let devices = db.read(&acme, |view| view.devices(None, &Page::default())).unwrap();
            assert_eq!(devices.items[0].tags, ["secret-of-acme"]);
            assert_eq!(db.read(&acme, |view| view.counted("digest-order-acme")).unwrap().outcomes["completed"], 1);
            assert_eq!(db.read(&acme, |view| view.verify_audit(None)).unwrap().broken, None);
        }
    }
}

#[test]
fn the_newest_golden_file_has_the_tables_of_this_version() {
    let made = OnDisk::with_two_clients();
    let made = dump(&Connection::open(made.folder.path().join(FILE)).unwrap());
    let golden = Connection::open_in_memory().unwrap();
    golden.execute_batch(GOLDEN.last().unwrap().1).unwrap();
    let tables = |text: &str| text.lines().filter(|line| !line.starts_with("INSERT")).collect::<Vec<_>>().join("\n");
    if tables(&made) != tables(&dump(&golden)) {
        let path = std::env::temp_dir().join("hub-golden.sql");
        std::fs::write(&path, &made).unwrap();
        panic!("a released version never changes; of one that is not, {} is the new file", path.display());
    }
}

#[test]
fn a_file_of_a_newer_version_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    connection.execute_batch("CREATE TABLE of_tomorrow (a); INSERT INTO of_tomorrow VALUES (1)").unwrap();
    connection.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    drop(connection);
    let refused = Db::open(folder.path()).map(|_| ());
    assert!(matches!(refused, Err(Error::TooNew { found, .. }) if found == SCHEMA_VERSION + 1));
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    assert_eq!(version(&connection).unwrap(), SCHEMA_VERSION + 1);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}
