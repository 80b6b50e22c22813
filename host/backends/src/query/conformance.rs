//! What every backend of `query` does alike, that the real one says what this machine's own tools say, and what it makes of
//! recorded and hostile machines.

use std::time::{Duration, Instant};

use contract::Context;
use contract::query::{Backend, Comparison, Condition, DescribeTable, QueryTable, Rows};
use contract::types::ErrorKind;

use super::schema::{self, TABLES};
use super::{Fixture, Memory, ROWS_BYTES_MAX};

/// A call whose scope names these.
fn scoped(tables: &[&str]) -> Context {
    let scope = tables.iter().map(|&table| table.to_owned()).collect();
    Context::new("run_01", "test", "dev_01", scope, Instant::now() + Duration::from_secs(60))
}

fn ask(table: &str, columns: &[&str], conditions: &[(&str, Comparison, &str)], limit: u32) -> QueryTable {
    let condition = |&(column, comparison, value): &(&str, Comparison, &str)| Condition {
        column: column.into(),
        comparison,
        value: value.into(),
    };
    QueryTable {
        table: table.into(),
        columns: columns.iter().map(|&column| column.into()).collect(),
        conditions: conditions.iter().map(condition).collect(),
        limit,
    }
}

/// All rows of a table, NULL as `-`.
async fn rows(query: &dyn Backend, table: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let rows = query.query_table(&scoped(&[table]), &ask(table, columns, &[], 10_000)).await.unwrap();
    assert!(!rows.truncated);
    let text = |row: Vec<Option<String>>| row.into_iter().map(|value| value.unwrap_or_else(|| "-".into())).collect();
    rows.values.into_iter().map(text).collect()
}

fn memory() -> Memory {
    Memory::new(
        toml::from_str(
            r#"
            processes = [
                { pid = 1, name = "init", nice = 0 },
                { pid = 9, name = "nginx", nice = -5 },
                { pid = 10, name = "Nginx", nice = 10 },
                { pid = 11 },
            ]
            users = [{ uid = 0, username = "root" }]
            load_average = [{ period = "1m", average = "0.1" }]
            "#,
        )
        .unwrap(),
    )
}

async fn suite(query: &dyn Backend) {
    let all = scoped(&["*"]);
    for table in TABLES {
        let cx = if table.reveals_people { scoped(&[table.name]) } else { scoped(&["*"]) };
        let described = query.describe_table(&cx, &DescribeTable { table: table.name.into() }).await.unwrap();
        let names: Vec<&str> = described.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, table.columns.iter().map(|column| column.name).collect::<Vec<_>>());
        let rows = query.query_table(&cx, &ask(table.name, &names, &[], 10_000)).await.unwrap();
        assert!(rows.values.iter().all(|row| row.len() == names.len()), "{}", table.name);
        for value in rows.values.iter().flat_map(|row| row.iter().zip(table.columns)) {
            if let (Some(text), schema::Type::Integer | schema::Type::BigInt) = (value.0, value.1.ty) {
                text.parse::<i64>().unwrap();
            }
        }
    }

    let code =
        |result: Result<Rows, contract::types::Error>| result.map_err(|error| (error.kind, error.code)).unwrap_err();
    let refused = [
        (scoped(&["uptime"]), ask("processes", &["pid"], &[], 1), ErrorKind::Denied, "scope"),
        (scoped(&["*"]), ask("users", &["uid"], &[], 1), ErrorKind::Denied, "scope"),
        (scoped(&["*", "no_such"]), ask("no_such", &["x"], &[], 1), ErrorKind::Unsupported, "table"),
        (scoped(&["*"]), ask("processes", &["pid", "cmdline"], &[], 1), ErrorKind::Invalid, "column"),
        (scoped(&["*"]), ask("processes", &["pid"], &[("x", Comparison::Equals, "")], 1), ErrorKind::Invalid, "column"),
        (scoped(&["*"]), ask("processes", &[], &[], 1), ErrorKind::Invalid, "columns"),
        (scoped(&["*"]), ask("processes", &["pid"; 65], &[], 1), ErrorKind::Invalid, "columns"),
        (
            scoped(&["*"]),
            ask("processes", &["pid"], &[("pid", Comparison::Less, "9"); 33], 1),
            ErrorKind::Invalid,
            "conditions",
        ),
        (scoped(&["*"]), ask("processes", &["pid"], &[], 0), ErrorKind::Invalid, "limit"),
        (scoped(&["*"]), ask("processes", &["pid"], &[], 10_001), ErrorKind::Invalid, "limit"),
        (
            scoped(&["*"]),
            ask("processes", &["pid"], &[("pid", Comparison::Less, "x")], 1),
            ErrorKind::Invalid,
            "condition-value",
        ),
        (scoped(&["*"]), ask("processes", &["pid"], &[("name", Comparison::Glob, "[")], 1), ErrorKind::Invalid, "glob"),
        (
            scoped(&["*"]),
            ask("processes", &["pid"], &[("name", Comparison::Like, &"x".repeat(1_025))], 1),
            ErrorKind::Invalid,
            "condition-value",
        ),
    ];
    for (cx, call, kind, word) in refused {
        assert_eq!(code(query.query_table(&cx, &call).await), (kind, word.to_owned()), "{call:?}");
    }
    let controls = [
        (scoped(&["processes"]), ask("processes", &["pid"], &[], 1)),
        (scoped(&["*", "users"]), ask("users", &["uid"], &[], 1)),
        (scoped(&["*"]), ask("processes", &["pid"; 64], &[], 10_000)),
        (scoped(&["*"]), ask("processes", &["pid"], &[("pid", Comparison::Less, "9"); 32], 1)),
        (scoped(&["*"]), ask("processes", &["pid"], &[("name", Comparison::Like, &"x".repeat(1_024))], 1)),
    ];
    for (cx, call) in controls {
        query.query_table(&cx, &call).await.unwrap();
    }
    assert_eq!(
        query.describe_table(&all, &DescribeTable { table: "last".into() }).await.unwrap_err().kind,
        ErrorKind::Denied
    );

    let first = query
        .query_table(&all, &ask("processes", &["name", "pid"], &[("pid", Comparison::Equals, "1")], 5))
        .await
        .unwrap();
    assert_eq!((first.values.len(), first.truncated), (1, false));
    assert_eq!(first.values[0][1].as_deref(), Some("1"), "in the order wanted");
    let cut = query.query_table(&all, &ask("processes", &["pid"], &[], 1)).await.unwrap();
    assert_eq!((cut.values.len(), cut.truncated), (1, true));
}

#[tokio::test]
async fn memory_conforms() {
    suite(&memory()).await;
}

#[tokio::test]
async fn conditions_compare_by_the_columns_type() {
    let memory = memory();
    let check = async |column: &str, comparison, value: &str| -> Vec<String> {
        let call = ask("processes", &["pid"], &[(column, comparison, value)], 100);
        let rows = memory.query_table(&scoped(&["processes"]), &call).await.unwrap();
        rows.values.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
    };
    assert_eq!(check("pid", Comparison::Less, "10").await, ["1", "9"], "9 is less than 10, as text it is not");
    assert_eq!(check("pid", Comparison::LessOrEqual, " 10 ").await, ["1", "9", "10"]);
    assert_eq!(check("pid", Comparison::Greater, "9").await, ["10", "11"]);
    assert_eq!(check("nice", Comparison::GreaterOrEqual, "-5").await, ["1", "9", "10"], "none holds of NULL");
    assert_eq!(check("name", Comparison::Equals, "nginx").await, ["9"]);
    assert_eq!(check("name", Comparison::NotEquals, "nginx").await, ["1", "10"]);
    assert_eq!(check("name", Comparison::Less, "a").await, ["10"], "texts compare by byte");
    assert_eq!(check("name", Comparison::Like, "NGI%").await, ["9", "10"]);
    assert_eq!(check("name", Comparison::Like, "_nit").await, ["1"]);
    assert_eq!(check("name", Comparison::Glob, "ngi*").await, ["9"]);
    assert_eq!(check("pid", Comparison::Like, "1%").await, ["1", "10", "11"]);
    let both =
        [("pid", Comparison::Greater, "1"), ("name", Comparison::Glob, "[nN]*"), ("nice", Comparison::Less, "0")];
    let rows = memory.query_table(&scoped(&["*"]), &ask("processes", &["pid", "name"], &both, 9)).await.unwrap();
    assert_eq!(rows.values, [[Some("9".to_owned()), Some("nginx".to_owned())]]);
}

#[tokio::test]
async fn an_answer_is_cut_at_a_mebibyte() {
    let name = "x".repeat(1 << 10);
    let fixture = |count: usize| -> Fixture {
        let processes: Vec<_> = (0..count).map(|_| serde_json::json!({ "name": name })).collect();
        serde_json::from_value(serde_json::json!({ "processes": processes })).unwrap()
    };
    let ask = ask("processes", &["name"], &[], 10_000);
    let answer = Memory::new(fixture(900)).query_table(&scoped(&["*"]), &ask).await.unwrap();
    assert_eq!((answer.values.len(), answer.truncated), (900, false));
    let answer = Memory::new(fixture(1_100)).query_table(&scoped(&["*"]), &ask).await.unwrap();
    assert!(answer.truncated && answer.values.len() > 900);
    assert!(contract::Footprint::footprint(&answer) <= ROWS_BYTES_MAX + 64);
}

#[test]
fn a_fixture_knows_its_tables() {
    let check = |text: &str| toml::from_str::<Fixture>(text).map(drop).map_err(|error| error.message().to_owned());
    assert_eq!(check("processes = [{ pid = 1 }]"), Ok(()));
    assert_eq!(check("process = []"), Err("there is no table `process`".into()));
    assert_eq!(check("processes = [{ cmdline = 'x' }]"), Err("`processes` has no column `cmdline`".into()));
    assert_eq!(check("processes = [{ pid = '1' }]"), Err("`processes.pid` is BIGINT".into()));
}

#[test]
fn the_schema_is_in_order() {
    assert!(TABLES.is_sorted_by_key(|table| table.name));
    let mut names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    names.dedup();
    assert_eq!(names.len(), TABLES.len());
    let people: Vec<_> = TABLES.iter().filter(|table| table.reveals_people).map(|table| table.name).collect();
    assert_eq!(people, ["groups", "last", "logged_in_users", "user_groups", "users"], "wit/query.wit names them");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;

    use super::super::linux::Linux;
    use super::super::tables::PRODUCERS;
    use super::*;
    use crate::facts::utmp::tests::bytes;
    use crate::testing::{Recorded, shared, shared_masking_people, tool};

    fn real() -> Linux {
        Linux::new(&shared())
    }

    /// The words of each line of a tool's output.
    fn words(command: &[&str]) -> Vec<Vec<String>> {
        tool(command).lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    }

    fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
        rows.sort();
        rows
    }

    #[tokio::test]
    async fn this_machine_conforms() {
        suite(&real()).await;
    }

    #[test]
    fn every_table_has_its_rows() {
        let produced: Vec<_> = PRODUCERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(produced, TABLES.iter().map(|table| table.name).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn rows_have_columns_of_the_schema_only() {
        for (name, _) in PRODUCERS {
            let table = schema::table(name).unwrap();
            let source = super::super::linux::Source::for_tests(crate::facts::Root::new("/"), &shared());
            for row in super::super::tables::rows(name, &source).unwrap() {
                for (column, value) in row.0 {
                    let ty = table.column(column).unwrap_or_else(|| panic!("{name}.{column}")).ty;
                    let fits = match value {
                        super::super::select::Value::Text(_) => ty == schema::Type::Text,
                        super::super::select::Value::Number(_) => ty != schema::Type::Text,
                    };
                    assert!(fits, "{name}.{column}");
                }
            }
        }
    }

    #[tokio::test]
    async fn processes_are_those_of_ps() {
        let child = std::process::id().to_string();
        let found = rows(&real(), "processes", &["pid", "parent", "pgroup", "uid"]).await;
        let known: BTreeSet<Vec<String>> = words(&["ps", "-eo", "pid=,ppid=,pgid=,ruid="]).into_iter().collect();
        let own = found.iter().find(|row| row[0] == child).unwrap();
        assert!(known.contains(own), "{own:?}");
        let shared = found.iter().filter(|row| known.contains(*row)).count();
        assert!(shared * 10 >= found.len() * 8, "{shared} of {}: processes come and go", found.len());
        let started = rows(&real(), "processes", &["pid", "start_time", "resident_size", "path", "name", "nice"]).await;
        let own = started.into_iter().find(|row| row[0] == child).unwrap();
        let elapsed: i64 = tool(&["ps", "-o", "etimes=", "-p", &child]).trim().parse().unwrap();
        let now: i64 = tool(&["date", "+%s"]).trim().parse().unwrap();
        assert!((now - elapsed - own[1].parse::<i64>().unwrap()).abs() <= 2);
        assert!(own[2].parse::<u64>().unwrap() > 1 << 20);
        assert_eq!(own[4..], words(&["ps", "-o", "comm=,nice=", "-p", &child]).remove(0));
        assert_eq!(own[3], std::env::current_exe().unwrap().to_str().unwrap());
    }

    #[tokio::test]
    async fn listening_ports_are_those_of_ss() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (tcp, udp) = (listener.local_addr().unwrap().port(), datagrams.local_addr().unwrap().port());
        let own = std::process::id().to_string();
        let found = rows(&real(), "listening_ports", &["pid", "protocol", "family", "address", "port"]).await;
        for (protocol, port) in [("6", tcp), ("17", udp)] {
            let expected = [own.as_str(), protocol, "2", "127.0.0.1", &port.to_string()];
            assert!(found.iter().any(|row| row == &expected), "{expected:?}");
        }
        let known = tool(&["ss", "-Hltnp"]);
        let line = known.lines().find(|line| line.contains(&format!(":{tcp} "))).unwrap();
        assert!(line.contains(&format!("pid={own},")));
        let ports = |rows: &[Vec<String>]| -> BTreeSet<String> {
            rows.iter().filter(|row| row[1] == "6").map(|row| row[4].clone()).collect()
        };
        let known: BTreeSet<String> = known
            .lines()
            .filter_map(|line| Some(line.split_whitespace().nth(3)?.rsplit_once(':')?.1.to_owned()))
            .collect();
        let found = ports(&found);
        let same = known.intersection(&found).count();
        assert!(same * 10 >= known.len().max(found.len()) * 8, "ss: {known:?}, here: {found:?}");
        drop(listener);
        let after = rows(&real(), "listening_ports", &["pid", "port"]).await;
        assert!(!after.contains(&vec![own, tcp.to_string()]));
    }

    #[tokio::test]
    async fn users_and_groups_are_those_of_getent() {
        let split = |text: String| -> Vec<Vec<String>> {
            text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
        };
        let columns = ["username", "uid", "gid", "description", "directory", "shell"];
        let known = split(tool(&["getent", "-s", "files", "passwd"]));
        let known = known.into_iter().map(|mut row| {
            row.remove(1);
            row
        });
        assert_eq!(rows(&real(), "users", &columns).await, known.collect::<Vec<_>>());
        let known = split(tool(&["getent", "-s", "files", "group"])).into_iter();
        let known: Vec<Vec<String>> = known.map(|row| vec![row[0].clone(), row[2].clone()]).collect();
        assert_eq!(rows(&real(), "groups", &["groupname", "gid"]).await, known);
        let of_root: BTreeSet<String> = words(&["id", "-G", "root"]).remove(0).into_iter().collect();
        let found = rows(&real(), "user_groups", &["uid", "gid"]).await;
        assert_eq!(
            found.into_iter().filter(|row| row[0] == "0").map(|mut row| row.remove(1)).collect::<BTreeSet<_>>(),
            of_root
        );
    }

    #[tokio::test]
    async fn packages_are_those_of_dpkg_query() {
        let format = "${Package}\t${Version}\t${Architecture}\t${Status}\t${Section}\t${Priority}\t${Installed-Size}\n";
        let known = tool(&["dpkg-query", "-W", "-f", format]);
        let known = known.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
        let columns = ["name", "version", "arch", "status", "section", "priority", "size"];
        assert_eq!(sorted(rows(&real(), "deb_packages", &columns).await), sorted(known));
    }

    #[tokio::test]
    async fn mounts_are_those_of_findmnt() {
        let json = tool(&["findmnt", "--json", "--list", "--output", "TARGET,SOURCE,FSTYPE"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let known = json["filesystems"].as_array().unwrap().iter();
        let known = known.map(|it| vec![text(&it["target"]), text(&it["fstype"])]).collect();
        assert_eq!(sorted(rows(&real(), "mounts", &["path", "type"]).await), sorted(known));
        let root = rows(&real(), "mounts", &["path", "blocks_size", "blocks", "inodes"]).await;
        let root = root.into_iter().find(|row| row[0] == "/").unwrap();
        assert_eq!(&root[1..], words(&["stat", "-f", "-c", "%S %b %c", "/"]).remove(0));
    }

    #[tokio::test]
    async fn the_network_is_that_of_ip() {
        let json = |command: &[&str]| serde_json::from_str::<serde_json::Value>(&tool(command)).unwrap();
        let mut known = Vec::new();
        for interface in json(&["ip", "-json", "address"]).as_array().unwrap() {
            for address in interface["addr_info"].as_array().unwrap() {
                known.push(vec![
                    interface["ifname"].as_str().unwrap().into(),
                    address["local"].as_str().unwrap().into(),
                ]);
            }
        }
        assert_eq!(sorted(rows(&real(), "interface_addresses", &["interface", "address"]).await), sorted(known));
        let known: Vec<Vec<String>> = json(&["ip", "-json", "link"])
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                vec![
                    it["ifname"].as_str().unwrap().into(),
                    it["address"].as_str().unwrap().into(),
                    it["mtu"].to_string(),
                ]
            })
            .collect();
        assert_eq!(sorted(rows(&real(), "interface_details", &["interface", "mac", "mtu"]).await), sorted(known));
        let found = rows(&real(), "routes", &["destination", "netmask", "interface"]).await;
        for route in json(&["ip", "-json", "-4", "route"]).as_array().unwrap() {
            let (network, prefix) = match route["dst"].as_str().unwrap() {
                "default" => ("0.0.0.0", "0"),
                other => other.split_once('/').unwrap_or((other, "32")),
            };
            let expected = vec![network.to_owned(), prefix.to_owned(), route["dev"].as_str().unwrap().to_owned()];
            assert!(found.contains(&expected), "{expected:?}");
        }
    }

    #[tokio::test]
    async fn the_machine_is_that_of_uname_uptime_and_lscpu() {
        let system =
            rows(&real(), "system_info", &["hostname", "cpu_logical_cores", "cpu_type", "cpu_brand"]).await.remove(0);
        assert_eq!(system[0], tool(&["uname", "-n"]).trim());
        assert_eq!(system[1], tool(&["nproc", "--all"]).trim());
        assert_eq!(system[2], tool(&["uname", "-m"]).trim());
        assert!(tool(&["lscpu"]).contains(&system[3]));
        let kernel = rows(&real(), "kernel_info", &["version"]).await;
        assert_eq!(kernel[0][0], tool(&["uname", "-r"]).trim());
        let uptime: u64 = rows(&real(), "uptime", &["total_seconds"]).await[0][0].parse().unwrap();
        let known: f64 = tool(&["cat", "/proc/uptime"]).split(' ').next().unwrap().parse().unwrap();
        assert!(uptime.abs_diff(known as u64) <= 1);
        let memory = rows(&real(), "memory_info", &["memory_total", "swap_total"]).await.remove(0);
        let known = words(&["free", "--bytes"]);
        assert_eq!((&memory[0], &memory[1]), (&known[1][1], &known[2][1]));
        let release = tool(&["sh", "-c", ". /etc/os-release; echo $ID $VERSION_ID"]);
        let os = rows(&real(), "os_version", &["platform", "major"]).await.remove(0);
        assert!(release.starts_with(&format!("{} {}", os[0], os[1])));
        assert_eq!(rows(&real(), "load_average", &["period"]).await, [["1m"], ["5m"], ["15m"]]);
    }

    #[tokio::test]
    async fn certificates_are_those_of_openssl() {
        let directory = Recorded::new(&[]);
        let path = directory.root().path("etc/ssl/certs");
        std::fs::create_dir_all(&path).unwrap();
        let (key, bundle) = (directory.root().path("key.pem"), path.join("ca-certificates.crt"));
        let (key, bundle) = (key.to_str().unwrap(), bundle.to_str().unwrap());
        tool(&[
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            key,
            "-out",
            bundle,
            "-days",
            "30",
            "-subj",
            "/O=Example/CN=Example Root",
        ]);
        let columns = [
            "common_name",
            "ca",
            "self_signed",
            "key_strength",
            "serial",
            "not_valid_after",
            "path",
            "signing_algorithm",
        ];
        let query = Linux::at(directory.root(), &shared());
        let found = rows(&query, "certificates", &columns).await.remove(0);
        let serial = tool(&["openssl", "x509", "-in", bundle, "-noout", "-serial"]);
        let end = tool(&["openssl", "x509", "-in", bundle, "-noout", "-enddate"]);
        let end = tool(&["date", "-d", end.trim().strip_prefix("notAfter=").unwrap(), "+%s"]);
        let expected = [
            "Example Root",
            "1",
            "1",
            "2048",
            serial.trim().strip_prefix("serial=").unwrap(),
            end.trim(),
            "/etc/ssl/certs/ca-certificates.crt",
            "sha256WithRSAEncryption",
        ];
        assert_eq!(found, expected);
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n%%\n";
        let whole = std::fs::read_to_string(bundle).unwrap();
        std::fs::write(bundle, format!("\u{0}junk\n{broken}-----END CERTIFICATE-----\n{whole}")).unwrap();
        assert_eq!(rows(&query, "certificates", &columns).await, [expected.map(str::to_owned)]);
    }

    #[tokio::test]
    async fn crontabs_are_read_as_cron_reads_them() {
        let recorded = Recorded::new(&[
            ("etc/crontab", "# c\nSHELL=/bin/sh\nMAILTO = \"\"\n\n17 *  * * *\troot  cd / && run-parts\nshort line\n"),
            ("etc/cron.d/job", "@reboot root /bin/true a=b\n*/5 1,2 * * mon root x=1 y\n"),
            ("etc/cron.d/job.dpkg-old", "* * * * * root never\n"),
            ("var/spool/cron/crontabs/ann", "0 4 1 jan sun backup\n"),
        ]);
        recorded.add("etc/cron.d/bytes", b"1 2 3 4 5 root caf\xe9\n");
        let columns = ["event", "minute", "hour", "day_of_month", "month", "day_of_week", "command", "path"];
        let found = sorted(rows(&Linux::at(recorded.root(), &shared()), "crontab", &columns).await);
        assert_eq!(
            found,
            [
                ["", "*/5", "1,2", "*", "*", "mon", "root x=1 y", "/etc/cron.d/job"],
                ["", "0", "4", "1", "jan", "sun", "backup", "/var/spool/cron/crontabs/ann"],
                ["", "1", "2", "3", "4", "5", "root caf\u{fffd}", "/etc/cron.d/bytes"],
                ["", "17", "*", "*", "*", "*", "root  cd / && run-parts", "/etc/crontab"],
                ["@reboot", "-", "-", "-", "-", "-", "root /bin/true a=b", "/etc/cron.d/job"],
            ]
        );
    }

    #[tokio::test]
    async fn people_are_masked_where_policy_says_so() {
        let recorded = Recorded::new(&[
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann Example:/home/ann:/bin/sh\n"),
            ("etc/group", "root:x:0:\nann:x:1000:\nsudo:x:27:ann\n"),
        ]);
        recorded.add("run/utmp", &bytes(7, 5, b"pts/0", b"ann", b"192.0.2.1", 1_700_000_000));
        recorded.add("var/log/wtmp", &bytes(7, 5, b"pts/0", b"ann", b"192.0.2.1", 1_700_000_000));
        let shown = Linux::at(recorded.root(), &shared());
        let masking = shared_masking_people();
        let masked = Linux::at(recorded.root(), &masking);
        for (table, column) in
            [("users", "username"), ("groups", "groupname"), ("logged_in_users", "user"), ("last", "username")]
        {
            let plain = rows(&shown, table, &[column]).await;
            let hidden = rows(&masked, table, &[column]).await;
            assert!(plain.contains(&vec!["ann".into()]) && plain.len() == hidden.len(), "{table}");
            assert!(!format!("{hidden:?}").contains("ann"), "{table}: {hidden:?}");
            assert_eq!(hidden, rows(&Linux::at(recorded.root(), &masking), table, &[column]).await, "{table}: stable");
        }
        let users = rows(&masked, "users", &["username", "description", "directory"]).await;
        assert_eq!(users[0], ["root", "root", "/root"], "what is the system's is no person's");
        assert_eq!(users[1][1..], ["-", "-"]);
        let sessions = rows(&masked, "logged_in_users", &["user"]).await;
        assert_eq!(sessions[0][0], users[1][0], "the same everywhere on this device");
        let other = Linux::at(recorded.root(), &shared_masking_people());
        assert_ne!(rows(&other, "users", &["username"]).await[1][0], users[1][0], "and another on every other");
    }

    #[tokio::test]
    async fn sessions_of_logind_and_utmp_are_told_once() {
        let recorded = Recorded::new(&[
            (
                "run/systemd/sessions/3",
                "UID=1000\nUSER=ann\nSTATE=active\nREMOTE=1\nREMOTE_HOST=192.0.2.1\nTTY=pts/0\nLEADER=5\nCLASS=user\nREALTIME=1700000000000000\n",
            ),
            (
                "run/systemd/sessions/4",
                "USER=bob\nSTATE=active\nTTY=tty2\nLEADER=6\nCLASS=user\nREALTIME=1700000001000000\n",
            ),
            ("run/systemd/sessions/c1", "USER=gdm\nSTATE=active\nCLASS=greeter\nLEADER=7\n"),
        ]);
        recorded.add("run/utmp", &bytes(7, 5, b"pts/0", b"ann", b"192.0.2.1", 1_700_000_000));
        let found =
            rows(&Linux::at(recorded.root(), &shared()), "logged_in_users", &["user", "tty", "host", "time", "type"])
                .await;
        assert_eq!(
            found,
            [["ann", "pts/0", "192.0.2.1", "1700000000", "user"], ["bob", "tty2", "", "1700000001", "user"]]
        );
    }

    #[tokio::test]
    async fn a_call_whose_time_is_up_ends() {
        let past = Context::new("run_01", "test", "dev_01", vec!["*".to_owned()], Instant::now());
        let error = real().query_table(&past, &ask("processes", &["pid"], &[], 1)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        let cancelled = scoped(&["*"]);
        cancelled.cancel.cancel();
        let error = real().query_table(&cancelled, &ask("processes", &["pid"], &[], 1)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Cancelled);
    }
}
