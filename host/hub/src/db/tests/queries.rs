//! SQL of technicians: the rows of their clients, whatever they ask, and no more of anything than is meant.

use std::time::Instant;

use fleet::tables::{TABLES, Table, Told};
use fleet::{Cells, Changed, Checked, Rows};
use serde_json::{Value, json};

use super::{OnDisk, device, held, scope};
use crate::Error;
use crate::db::query::{AT_ONCE_MAX, Answer, QUERY_MS_MAX, ROWS_MAX, SQL_BYTES_MAX};

fn ask(it: &OnDisk, clients: &[&str], sql: &str) -> Result<Answer, Error> {
    it.db.queries.ask(&scope(clients), sql, |_| "online".to_owned())
}

#[track_caller]
fn refused(it: &OnDisk, sql: &str) -> String {
    match ask(it, &["acme"], sql) {
        Err(Error::Invalid(why)) => why.join("; "),
        other => panic!("{sql}: {other:?}"),
    }
}

fn package(name: &str, version: &str) -> Cells {
    [("name", name), ("version", version)].map(|(column, value)| (column.to_owned(), json!(value))).into()
}

/// A device says that it has these rows, and nothing else of that table.
fn tell(it: &OnDisk, client: &'static str, table: &'static str, rows: Vec<Cells>) {
    tell_of(it, client, &device(client), table, rows);
}

fn tell_of(it: &OnDisk, client: &'static str, device: &str, table: &'static str, rows: Vec<Cells>) {
    for part in Rows::of(rows).unwrap().since(table, None) {
        let device = device.to_owned();
        let taken = it.db.write_now(move |change| change.take_rows(&held(client), &device, &part, 4_000));
        assert!(taken.unwrap());
    }
}

/// Two clients, each with a device that says all that there is to say, and has its client's name in it.
fn fleet() -> OnDisk {
    let it = OnDisk::with_two_clients();
    for client in ["acme", "globex"] {
        for table in TABLES.iter().filter(|table| table.is_told()) {
            let cell = |column: &fleet::tables::Column| {
                let value =
                    if column.ty == fleet::tables::Type::Text { json!(format!("{client}'s")) } else { json!(7) };
                (column.name.to_owned(), value)
            };
            tell(
                &it,
                client,
                table.name,
                vec![table.columns.iter().map(cell).chain([("booted_at".to_owned(), json!(1))]).collect()],
            );
        }
        let said = format!("{client}'s");
        let interface = json!({ "name": said, "mac": "02:00", "addresses": ["192.0.2.7/24", "fe80::1"], "up": true });
        let facts: Vec<(String, Option<Value>)> = [
            ("hostname", json!(said)),
            ("os", json!({ "name": said, "version": "12", "family": "debian", "arch": "x86_64", "kernel": "6" })),
            ("agent", json!({ "version": "1" })),
            ("hardware", json!({ "vendor": said, "model": "m", "cpu_brand": "c", "cpu_logical_cores": 2, "is_virtual": true })),
            ("memory", json!({ "total_bytes": 8, "swap_bytes": 1 })),
            ("volumes", json!([{ "mount": "/", "filesystem": said, "size_bytes": 10, "free_bytes": 5, "free_pct": 50.0, "read_only": false }])),
            ("interfaces", json!([interface])),
            ("packages", json!({ "count": 3, "updates": 2, "security_updates": 1 })),
            ("reboot", json!({ "pending": true, "reasons": ["kernel", "libc"] })),
        ]
        .map(|(name, value)| (name.to_owned(), Some(value)))
        .into();
        it.db.write_now(move |change| change.put_facts(&held(client), &device(client), &facts, 4_000)).unwrap();
    }
    it
}

#[test]
fn each_table_has_its_columns_and_shows_a_client_s_rows_to_those_who_are_for_it() {
    let it = fleet();
    for table in TABLES {
        let all = format!("SELECT * FROM {}", table.name);
        let text = |clients: &[&str]| {
            let answer = ask(&it, clients, &all).unwrap();
            assert!(answer.columns.iter().eq(table.all_columns().map(|it| it.name)), "{}", table.name);
            (answer.rows.len(), json!(answer.rows).to_string())
        };
        let ((own, acme), (both, everything)) = (text(&["acme"]), text(&["*"]));
        assert!(acme.contains("acme") && !acme.contains("globex"), "{}: {acme}", table.name);
        assert!(own > 0 && both == 2 * own && everything.contains("globex"), "{}", table.name);
        assert_eq!(text(&[]), (0, "[]".to_owned()), "{}", table.name);
        assert_eq!(text(&["acme", "globex"]).0, both, "{}", table.name);
        for column in table.all_columns() {
            let sql =
                format!("SELECT count({0}), max(typeof({0})) FROM {1} WHERE {0} IS NOT NULL", column.name, table.name);
            let row = ask(&it, &["acme"], &sql).unwrap().rows.remove(0);
            assert!(row[0].as_i64() > Some(0), "{}.{} is nowhere", table.name, column.name);
            assert_eq!(row[1], column.ty.word().to_lowercase(), "{}.{}", table.name, column.name);
        }
    }
    let one =
        ask(&it, &["acme"], "SELECT hostname, address, prefix, seen FROM interface_addresses ORDER BY 2").unwrap();
    assert_eq!(
        json!(one.rows),
        json!([
            ["acme's", "192.0.2.7", 24, "1970-01-01T00:00:04Z"],
            ["acme's", "fe80::1", null, "1970-01-01T00:00:04Z"]
        ])
    );
    let device = ask(
        &it,
        &["acme"],
        "SELECT presence, reboot_reasons, updates, total_seconds FROM devices JOIN uptime USING (device_id)",
    );
    assert_eq!(json!(device.unwrap().rows), json!([["online", "kernel libc", 2, 3]]));
}

#[test]
fn no_text_reaches_past_the_scope() {
    let it = fleet();
    // The control: each way shows what is one's own, and all to those who are for all.
    for way in [
        "SELECT * FROM devices UNION ALL SELECT * FROM devices",
        "SELECT (SELECT group_concat(client) FROM devices)",
        "WITH d AS (SELECT * FROM devices) SELECT d.*, p.* FROM d JOIN deb_packages AS p ON true, json_each('[1, 2]')",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9) SELECT * FROM n JOIN users ON true",
        "SELECT client, count(*) OVER () FROM mounts WHERE client = 'globex' OR true",
        "SELECT e.value FROM deb_packages, json_each(json_array(client, name, (SELECT max(client) FROM users))) AS e",
        "SELECT * FROM temp.devices",
        "WITH d AS (SELECT client FROM devices LIMIT 5) SELECT (SELECT max(client) FROM devices), count(*) FROM d",
        "WITH item AS (SELECT client FROM devices) SELECT * FROM item",
    ] {
        let acme = json!(ask(&it, &["acme"], way).unwrap().rows).to_string();
        assert!(acme.contains("acme") && !acme.contains("globex"), "{way}: {acme}");
        assert!(json!(ask(&it, &["*"], way).unwrap().rows).to_string().contains("globex"), "{way}");
    }
    for reach in [
        "SELECT * FROM main.device",
        "SELECT * FROM device",
        "SELECT * FROM item",
        "SELECT cells FROM main.item",
        "SELECT count(*) FROM main.held",
        "SELECT * FROM holder",
        "SELECT * FROM setting",
        "SELECT * FROM main.audit",
        "SELECT * FROM in_scope",
        "SELECT count(*) FROM device",
        "SELECT count(*) FROM \"DEVICE\" AS d",
        "SELECT count(*) FROM [Item] NOT INDEXED",
        "SELECT 1 FROM held AS deb_packages",
        "SELECT count(*) FROM (SELECT 1 FROM holder)",
        "SELECT count(*) FROM dbstat",
        "SELECT count(*) FROM sqlite_schema",
        "SELECT * FROM devices UNION SELECT device, client, site, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 FROM main.device",
        "SELECT (SELECT client FROM main.client WHERE client = 'globex')",
        "WITH devices AS (SELECT * FROM main.device) SELECT * FROM devices",
        "WITH deb_packages AS (SELECT cells FROM main.item) SELECT * FROM deb_packages",
        "SELECT * FROM (SELECT * FROM main.item) AS deb_packages",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM main.client WHERE client = 'globex')",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM sqlite_temp_master",
        "SELECT * FROM temp.sqlite_schema",
        "SELECT * FROM pragma_table_info('device')",
        "SELECT * FROM pragma_table_list",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM dbstat",
        "SELECT * FROM sqlite_dbpage",
        "SELECT * FROM bytecode('SELECT * FROM devices')",
        "SELECT * FROM tables_used('SELECT * FROM devices')",
        "SELECT presence_of('globex')",
        "SELECT load_extension('/tmp/x')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT readfile('/etc/passwd')",
        "SELECT sqlite_compileoption_get(1)",
        "SELECT randomblob(10)",
        "SELECT zeroblob(10)",
        "PRAGMA database_list",
        "PRAGMA temp_store_directory = '/'",
        "PRAGMA hard_heap_limit = 1",
        "ATTACH 'hub.db' AS other",
        "ATTACH ':memory:' AS other",
        "DETACH temp",
        "INSERT INTO temp.in_scope VALUES ('globex')",
        "DELETE FROM temp.in_scope",
        "UPDATE main.client SET retention_days = 1",
        "CREATE TEMP VIEW mine AS SELECT * FROM main.device",
        "CREATE TEMP TABLE mine (a)",
        "DROP VIEW temp.devices",
        "VACUUM INTO '/tmp/x'",
        "ANALYZE",
        "REINDEX",
        "BEGIN",
        "EXPLAIN SELECT * FROM devices",
        "EXPLAIN QUERY PLAN SELECT * FROM devices",
        "SELECT 1; SELECT 2",
        "SELECT ?1",
        "VALUES",
        "",
        "-- nothing",
    ] {
        let said = refused(&it, reach);
        assert!(!said.contains("scoped_") && !said.contains("globex'"), "{reach}: {said}");
    }
    assert_eq!(ask(&it, &["acme"], "SELECT count(*) FROM devices").unwrap().rows, [[json!(1)]], "all is as before");
}

/// A query that fails for some values and not for others tells of the rows that it was asked of, though it shows none of them.
#[test]
fn what_a_query_asks_of_rows_is_asked_of_those_of_its_clients_alone() {
    let it = fleet();
    let asked = |clients: &[&str], sql: &str| match ask(&it, clients, sql) {
        Ok(_) => false,
        Err(Error::Invalid(why)) if why.join(" ").contains("integer overflow") => true,
        other => panic!("{sql}: {other:?}"),
    };
    for table in TABLES {
        let is_told = |column: &&fleet::tables::Column| {
            let sql = format!("SELECT 1 FROM {} WHERE {} LIKE 'globex%'", table.name, column.name);
            !ask(&it, &["*"], &sql).unwrap().rows.is_empty()
        };
        let columns: Vec<_> = table.all_columns().filter(is_told).collect();
        assert!(columns.iter().any(|column| column.name == "client"), "{}", table.name);
        for column in columns {
            let fails = format!("iif(T.{} LIKE 'globex%', abs(-9223372036854775808), 0)", column.name);
            for form in [
                "SELECT 1 FROM TABLE AS T WHERE FAILS",
                "SELECT 1 FROM TABLE AS T WHERE T.client = 'globex' AND FAILS OR FAILS",
                "SELECT count(*) FROM TABLE AS T WHERE likelihood(FAILS, 0.0001) AND T.device_id > ''",
                "SELECT sum(FAILS) FROM TABLE AS T",
                "SELECT client, count(*) FILTER (WHERE FAILS) OVER (PARTITION BY FAILS) FROM TABLE AS T",
                "SELECT client FROM TABLE AS T GROUP BY client, FAILS HAVING max(FAILS) ORDER BY max(FAILS)",
                "SELECT 1 FROM devices AS a JOIN TABLE AS T ON FAILS",
                "SELECT 1 FROM TABLE AS T JOIN deb_packages AS a ON a.device_id = T.device_id AND FAILS",
                "SELECT 1 FROM users AS a LEFT JOIN TABLE AS T ON a.client = T.client AND FAILS",
                "SELECT 1 FROM TABLE AS T FULL JOIN users AS a ON FAILS AND a.device_id = T.device_id",
                "SELECT 1 FROM devices AS a WHERE EXISTS (SELECT 1 FROM TABLE AS T WHERE FAILS)",
                "SELECT (SELECT max(FAILS) FROM TABLE AS T WHERE T.device_id >= a.device_id) FROM devices AS a",
                "SELECT 1 FROM (SELECT * FROM TABLE UNION ALL SELECT * FROM TABLE) AS T WHERE FAILS LIMIT 1000",
                "WITH T AS NOT MATERIALIZED (SELECT * FROM TABLE) SELECT 1 FROM T WHERE FAILS AND T.client IN ('globex', 'acme')",
            ] {
                let sql = form.replace("FAILS", &fails).replace("TABLE", table.name);
                assert!(!asked(&["acme"], &sql), "it was asked of another client's row: {sql}");
                assert!(asked(&["*"], &sql), "it asks nothing: {sql}");
            }
        }
    }
}

#[test]
fn what_the_views_begin_with_serves_nobody_who_would_know_it() {
    let it = fleet();
    let found = it.db.queries.guards();
    assert!(found.len() == AT_ONCE_MAX && found.iter().all(|guard| guard.len() > 32));
    for guard in found {
        for sql in [
            format!("WITH {guard}_x AS (SELECT * FROM main.device) SELECT * FROM {guard}_x"),
            format!("WITH {0}_x AS (SELECT * FROM main.device) SELECT * FROM {0}_x", guard.to_uppercase()),
            format!("SELECT * FROM temp.{guard}_item"),
        ] {
            refused(&it, &sql);
        }
    }
}

#[test]
fn each_limit_has_what_is_within_it() {
    let it = fleet();
    let rows = |sql: &str| ask(&it, &["acme"], sql).map(|answer| (answer.rows.len(), answer.truncated));
    let series = |count: usize, what: &str| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT {what} FROM n"
        )
    };
    assert_eq!(rows(&series(ROWS_MAX, "i")).unwrap(), (ROWS_MAX, None));
    let (count, why) = rows(&series(ROWS_MAX + 1, "i")).unwrap();
    assert!(count == ROWS_MAX && why.unwrap().contains("10000 rows"));
    let (count, why) = rows(&series(100, "printf('%.*c', 100000, 'x')")).unwrap();
    assert!(count < 90 && why.unwrap().contains("bytes"), "{count}");
    assert_eq!(rows(&series(10, "printf('%.*c', 100000, 'x')")).unwrap(), (10, None));

    let columns = |count: usize| format!("SELECT {}", vec!["1"; count].join(", "));
    let deep = |depth: usize| format!("SELECT {}1{}", "(1 + ".repeat(depth), ")".repeat(depth));
    let many = |count: usize| vec!["SELECT 1"; count].join(" UNION ALL ");
    let long = |bytes: usize| format!("SELECT 1 /*{}*/", "x".repeat(bytes - 13));
    let arguments = |count: usize| format!("SELECT concat({})", vec!["1"; count].join(", "));
    let like = |bytes: usize| format!("SELECT 'x' LIKE '{}'", "%".repeat(bytes));
    let text = |bytes: usize| format!("SELECT length(printf('%.*c', {bytes}, 'x'))");
    for (good, bad) in [
        (columns(200), columns(201)),
        (deep(90), deep(110)),
        (many(20), many(21)),
        (long(SQL_BYTES_MAX), long(SQL_BYTES_MAX + 1)),
        (arguments(32), arguments(33)),
        (format!("SELECT 1{}", ";".repeat(10_000)), format!("SELECT 1{} SELECT 2", ";".repeat(10_000))),
        (format!("SELECT '{}'", ";".repeat(64)), format!("SELECT '{}'", ";".repeat(65))),
        (like(256), like(257)),
        (text(299_000), text(300_001)),
        (text(1_000), text(1_000_000_000)),
        (
            "SELECT length(hex(printf('%.*c', 100000, 'x')))".to_owned(),
            "SELECT length(hex(printf('%.*c', 200000, 'x')))".to_owned(),
        ),
        (series(1_000, "length(group_concat(i))"), series(100_000, "length(group_concat(i))")),
    ] {
        assert!(!ask(&it, &["acme"], &good).unwrap().rows.is_empty(), "{good:.80}");
        refused(&it, &bad);
    }
}

#[test]
fn what_never_ends_ends_also_before_it_begins() {
    let it = fleet();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let doubling = |count: usize| {
        let step = |at: usize| format!(", t{} AS (SELECT 1 FROM t{at} AS a, t{at} AS b)", at + 1);
        format!("WITH t0 AS (SELECT 1){} SELECT count(*) FROM t{count}", (0..count).map(step).collect::<String>())
    };
    // What is in one row is worked out without a look at the clock, but for the functions that take long.
    let in_one_row = |count: usize, text: usize, pattern: usize, what: &str| {
        format!(
            "WITH t AS MATERIALIZED (SELECT printf('%.*c', {text}, 'a') AS a, '%' || printf('%.*c', {pattern}, 'a') || 'b' AS p)
             SELECT {} FROM t",
            vec![what; count].join(", ")
        )
    };
    let like = |count: usize, text: usize| in_one_row(count, text, 250, "a LIKE p");
    ask(&it, &["acme"], &doubling(3)).unwrap();
    ask(&it, &["acme"], &like(190, 300)).unwrap();
    for bomb in [endless.to_owned(), doubling(40), like(190, 299_000)] {
        let began = Instant::now();
        refused(&it, &bomb);
        assert!(began.elapsed().as_millis() < 10 * u128::from(QUERY_MS_MAX), "{bomb:.80}");
    }
    // SQLite's own would take the product of both lengths, each time.
    for search in ["instr(a, p)", "length(replace(a, p, ''))", "length(rtrim(a, replace(p, 'a', 'c') || 'a'))"] {
        let began = Instant::now();
        ask(&it, &["acme"], &in_one_row(6, 199_000, 99_000, search)).unwrap();
        assert!(began.elapsed().as_millis() < 10 * u128::from(QUERY_MS_MAX), "{search}");
    }
    assert_eq!(ask(&it, &["acme"], "SELECT 1").unwrap().rows, [[json!(1)]], "the connection works on");
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_would_be_right() {
    let it = fleet();
    let said = refused(&it, "SELECT name\nFROM deb_package");
    assert!(said.contains("no such table: deb_package") && said.contains("deb_packages, device_tags"), "{said}");
    let said = refused(&it, "SELECT name,\n  versoin FROM deb_packages");
    assert!(said.contains("line 2, column 3: no such column: versoin"), "{said}");
    assert!(
        said.contains("`deb_packages` has hostname") && said.contains("version") && !said.contains("`users`"),
        "{said}"
    );
    let said = refused(&it, "SELEC 1");
    assert!(said.contains("line 1, column 1") && said.contains("syntax error"), "{said}");
    let said = refused(&it, "SELECT nonsense(1)");
    assert!(said.contains("function: nonsense"), "{said}");
    assert!(refused(&it, "SELECT * FROM main.device").contains("these tables"));
}

#[test]
fn rows_that_several_of_a_client_have_are_there_once_and_go_with_the_last() {
    let it = OnDisk::with_two_clients();
    let items = || -> i64 {
        let text = "SELECT count(*) FROM item WHERE cells LIKE '%bash%'";
        it.db.read(&scope(&["*"]), |view| Ok(view.0.query_row(text, [], |row| row.get(0))?)).unwrap()
    };
    let (bash, other) = (|| package("bash", "5.2"), "ab".repeat(32));
    tell(&it, "acme", "deb_packages", vec![bash(), package("vim", "9")]);
    tell_of(&it, "acme", &other, "deb_packages", vec![bash()]);
    assert_eq!(items(), 1);
    tell(&it, "globex", "deb_packages", vec![bash()]);
    assert_eq!(items(), 2, "what one client's devices do changes no row of another's");
    tell(&it, "acme", "deb_packages", vec![package("vim", "9")]);
    assert_eq!(items(), 2);
    assert_eq!(ask(&it, &["acme"], "SELECT 1 FROM deb_packages WHERE name = 'bash'").unwrap().rows.len(), 0);
    tell_of(&it, "acme", &other, "deb_packages", Vec::new());
    assert_eq!(items(), 1);
    tell(&it, "globex", "deb_packages", Vec::new());
    assert_eq!(items(), 0);
}

#[test]
fn rows_of_a_device_that_goes_to_another_client_or_is_retired_go() {
    let it = fleet();
    let count = |clients: &[&str], from: &str| {
        ask(&it, clients, &format!("SELECT count(*) FROM {from}")).unwrap().rows[0][0].as_i64().unwrap()
    };
    let tables = ["deb_packages", "users", "mounts"];
    assert_eq!(tables.map(|table| (count(&["acme"], table), count(&["globex"], table))), [(1, 1); 3]);
    // What its last client let it tell of people is not for the next one. Facts come along.
    let moved = |change: &crate::db::Change<'_>| {
        change.assign(&held("globex"), (&device("acme"), "key"), ("paris", &[]), "digest", 9_000)
    };
    it.db.write_now(moved).unwrap();
    assert_eq!(tables.map(|table| (count(&["acme"], table), count(&["globex"], table))), [(0, 1), (0, 1), (0, 2)]);
    assert_eq!(count(&["globex"], "devices"), 2);
    tell_of(&it, "globex", &device("acme"), "deb_packages", vec![package("bash", "5.2")]);
    assert_eq!((count(&["acme"], "deb_packages"), count(&["globex"], "deb_packages")), (0, 2));
    it.db.write_now(|change| change.retire(&held("globex"), &device("acme"))).unwrap();
    assert_eq!(tables.map(|table| count(&["*"], table)), [1; 3]);
    assert_eq!((count(&["globex"], "devices"), count(&["globex"], "devices WHERE state = 'retired'")), (2, 1));
}

#[test]
fn a_hub_that_lost_or_made_up_something_asks_for_all_of_it() {
    let it = OnDisk::with_two_clients();
    let before = Rows::of([package("bash", "5.2"), package("vim", "9")]).unwrap();
    let now = Rows::of([package("bash", "5.3"), package("vim", "9")]).unwrap();
    let take = |part: Changed| {
        it.db.write_now(move |change| change.take_rows(&held("acme"), &device("acme"), &part, 5_000)).unwrap()
    };
    let check = |rows: &Rows| {
        let tables = [("deb_packages".to_owned(), rows.digest())].into();
        let it_has = Checked { tables };
        it.db.write_now(move |change| change.has_rows(&held("acme"), &device("acme"), &it_has, 5_000)).unwrap()
    };
    let change = now.since("deb_packages", Some(&before)).remove(0);
    assert!(!take(change.clone()), "it has nothing of before");
    assert!(!check(&before));
    assert!(take(before.since("deb_packages", None).remove(0)));
    assert!(check(&before) && !check(&now));
    // Somebody writes into the file.
    let write = |sql: &'static str| it.db.write_now(move |change| Ok(change.0.execute(sql, [])?)).unwrap();
    assert_eq!(write("UPDATE item SET cells = replace(cells, '\"9\"', '\"1\"') WHERE cells LIKE '%vim%'"), 1);
    assert!(!check(&before) && !take(change.clone()));
    assert!(take(before.since("deb_packages", None).remove(0)) && check(&before));
    assert!(take(change) && check(&now));
    assert!(write("DELETE FROM held") > 0);
    assert!(!check(&now));
    // What no table is, is passed over; a part that lies is not taken, and what was there stays.
    assert!(take(Changed { table: "secrets".to_owned(), ..now.since("x", None).remove(0) }));
    assert!(take(now.since("deb_packages", None).remove(0)));
    let mut lie = before.since("deb_packages", None).remove(0);
    lie.new.pop();
    assert!(take(lie) && check(&now), "and it is not asked for again at once: the next check finds it");
}

#[test]
fn a_device_that_changes_all_the_time_is_not_followed() {
    let it = OnDisk::with_two_clients();
    let at = |version: usize, now_ms: u64| {
        let part = Rows::of([package("bash", &version.to_string())]).unwrap().since("deb_packages", None).remove(0);
        it.db.write_now(move |change| change.take_rows(&held("acme"), &device("acme"), &part, now_ms)).unwrap();
        ask(&it, &["acme"], "SELECT version FROM deb_packages").unwrap().rows[0][0].clone()
    };
    let begin = 10_000_000;
    let seen: Vec<Value> = (0..100).map(|version| at(version, begin)).collect();
    assert!(seen[50] == "50" && seen[99] != "99", "{seen:?}");
    assert_eq!(at(100, begin + 700_000), "100", "and then it is");
}

#[test]
fn facts_of_no_known_form_spoil_no_query() {
    let it = fleet();
    for value in [
        json!("text"),
        json!([1, "x", [2]]),
        json!({ "a": { "b": [1] } }),
        json!(null),
        json!([{ "addresses": "x", "name": [1] }]),
    ] {
        let sections = ["os", "agent", "hardware", "memory", "volumes", "interfaces", "packages", "reboot", "hostname"];
        let facts: Vec<(String, Option<Value>)> = sections.map(|name| (name.to_owned(), Some(value.clone()))).into();
        it.db.write_now(move |change| change.put_facts(&held("globex"), &device("globex"), &facts, 5_000)).unwrap();
        for table in TABLES.iter().filter(|table| matches!(table.told, Told::Facts | Told::Hub)) {
            let Table { name, columns, .. } = table;
            for column in columns.iter() {
                let sql =
                    format!("SELECT {0} FROM {name} WHERE {0} = 'acme''s' OR {0} > 0 OR client = 'acme'", column.name);
                assert!(!ask(&it, &["*"], &sql).unwrap().rows.is_empty(), "{sql}");
            }
        }
    }
}

#[test]
fn a_device_has_so_many_rows_however_long_its_lists_are() {
    let it = fleet();
    let count = |volumes: usize| {
        let facts = [("volumes".to_owned(), Some(json!(vec![json!({ "mount": "/" }); volumes])))];
        it.db.write_now(move |change| change.put_facts(&held("globex"), &device("globex"), &facts, 5_000)).unwrap();
        ask(&it, &["globex"], "SELECT count(*) FROM mounts").unwrap().rows[0][0].clone()
    };
    assert_eq!([255, 256, 257, 10_000].map(count), [255, 256, 256, 256]);
}
