use super::field::{FIELDS, TABLES};
use super::file::{parse, sample};
use super::{Config, Format, Level, Listen, private_file};

/// The sample with everything in it said.
fn uncommented() -> String {
    let says = |line: &&str| !line.starts_with("# ") && !line.is_empty();
    sample().lines().filter(says).map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line))).collect()
}

fn wrong(text: &str) -> Vec<String> {
    parse(text).unwrap_err().into_iter().map(|(line, why)| format!("{line}: {why}")).collect()
}

#[test]
fn the_sample_as_it_is_changes_nothing() {
    assert_eq!(parse(&sample()).unwrap(), Config::default());
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn the_sample_says_every_field_and_can_be_taken_whole() {
    let config = parse(&uncommented()).unwrap();
    // By name: a field of the configuration that the table does not have does not get past this.
    let Config {
        orders,
        detect_runs_max,
        queue_max,
        client,
        site,
        tags,
        ca,
        run_dir,
        user,
        spool,
        log,
        metrics,
        traces,
        proxy,
    } = config.clone();
    let by_default = Config::default();
    assert_eq!(
        (orders, detect_runs_max, queue_max),
        (by_default.orders, by_default.detect_runs_max, by_default.queue_max)
    );
    assert_eq!(
        (run_dir, user, spool, log, metrics),
        (by_default.run_dir, by_default.user, by_default.spool, by_default.log, by_default.metrics)
    );
    assert!(client.is_some() && site.is_some() && !tags.is_empty() && !ca.is_empty());
    assert!(traces.is_some_and(|it| it.headers.is_some()));
    assert!(proxy.is_some_and(|it| it.credentials.is_some() && it.no_proxy.len() == 3));
    // Without its own line, a field falls back: so each line of the sample is what sets its field.
    for field in FIELDS.iter().filter(|field| !field.is_default && field.key != "endpoint" && field.key != "address") {
        let line = format!("{} = {}", field.key, field.sample);
        let without: String =
            uncommented().lines().filter(|it| !it.starts_with(&line)).map(|it| format!("{it}\n")).collect();
        assert_ne!(parse(&without).unwrap(), config, "{}", field.key);
    }
}

#[test]
fn no_field_goes_without_a_comment_or_twice() {
    let mut names: Vec<_> = FIELDS.iter().map(|field| (field.table, field.key)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FIELDS.len());
    for field in FIELDS {
        assert!(field.comment.ends_with('.') && field.comment.len() > 10, "{} has no comment", field.key);
        assert!(field.table.is_empty() || TABLES.iter().any(|(table, _)| *table == field.table), "{}", field.table);
        assert!(field.comment.lines().all(|line| line.len() <= 118), "{}", field.key);
    }
    assert!(TABLES.iter().all(|(_, about)| about.ends_with('.')));
}

#[test]
fn everything_wrong_is_said_at_once_with_its_line() {
    let text = "orders = \"orders.d\"\nqueue-max = 0\nlisten = \"off\"\nspool = 3\n\n[log]\nlevel = \"loud\"\ncolour = true\n\n[metrics]\nlisten = \"0.0.0.0:9464\"\n\n[traces]\nheaders = \"/etc/h\"\n";
    assert_eq!(
        wrong(text),
        [
            "1: `orders`: `orders.d` is no absolute path without `..`",
            "2: `queue-max`: a number from 1 to 10000 belongs here",
            "3: `listen` is not known; `listen` belongs to `[metrics]`",
            "4: `spool` is a table: `[spool]`",
            "7: `log.level`: `loud` is none of `error`, `warning`, `info`, `debug`",
            "8: `log.colour` is not known; here belong `format`, `level`",
            "11: `metrics.listen`: other machines could reach `0.0.0.0:9464`; `127.0.0.1:9464` or `[::1]:9464` is this one alone",
            "13: `traces.headers` without `traces.endpoint`: there is nobody to send them to",
        ]
    );
    let right = "orders = \"/orders.d\"\nqueue-max = 1\n\n[spool]\n[log]\nlevel = \"debug\"\nformat = \"stderr\"\n\n[metrics]\nlisten = \"[::1]:9464\"\n\n[traces]\nheaders = \"/etc/h\"\nendpoint = \"http://127.0.0.1:4318/v1/traces\"\n";
    let config = parse(right).unwrap();
    assert_eq!((config.log.level, config.log.format), (Level::Debug, Format::Stderr));
    assert_eq!(config.metrics, Some(Listen::Loopback("[::1]:9464".parse().unwrap())));
}

/// One flaw each, beside the same without it.
#[test]
fn each_flaw_is_refused_and_nothing_else() {
    for (bad, good) in [
        ("metrics.listen = \"10.0.0.1:1\"", "metrics.listen = \"127.0.0.1:1\""),
        ("metrics.listen = \"[::]:1\"", "metrics.listen = \"unix:/run/x\""),
        ("metrics.listen = \"unix:x\"", "metrics.listen = \"off\""),
        (
            "traces.endpoint = \"http://collector.example/v1/traces\"",
            "traces.endpoint = \"https://collector.example/v1/traces\"",
        ),
        ("traces.endpoint = \"https://me:secret@c.example/\"", "traces.endpoint = \"https://c.example/\""),
        ("proxy.address = \"socks5://p.example:1\"", "proxy.address = \"http://p.example:1\""),
        ("proxy.address = \"http://me:secret@p.example:1\"", "proxy.address = \"https://p.example:1\""),
        (
            "proxy = { address = \"http://p:1\", no-proxy = [\"a b\"] }",
            "proxy = { address = \"http://p:1\", no-proxy = [\"a\"] }",
        ),
        ("proxy.credentials = \"/etc/c\"", "proxy = { address = \"http://p:1\", credentials = \"/etc/c\" }"),
        ("user = \"root\"", "user = \"remit-agent\""),
        ("user = \"Remit\"", "user = \"_remit\""),
        ("tags = [\"a\", \"b c\"]", "tags = [\"a\", \"b-c\"]"),
        ("orders = \"/etc/../orders\"", "orders = \"/etc/orders\""),
        ("queue-max = -1", "queue-max = 0x10"),
        ("queue-max = \"1\"", "queue-max = 1"),
        ("queue-max = 1\nqueue-max = 2", "queue-max = 2"),
        ("spool.bytes-max = 1", "spool.bytes-max = 16777216"),
        ("ca = \"/etc/ca.pem\"", "ca = [\"/etc/ca.pem\"]"),
        ("site = ", "site = \"berlin\""),
    ] {
        assert!(parse(bad).is_err(), "{bad}");
        assert!(parse(good).is_ok(), "{good}: {:?}", parse(good));
    }
}

#[test]
fn a_secret_that_others_can_read_is_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(&file, "me:secret").unwrap();
    let set = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o640, 0o604, 0o620] {
        set(mode);
        let error = private_file(&file).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && !error.contains("secret@"), "{error}");
    }
    set(0o600);
    assert_eq!(private_file(&file).unwrap().as_str(), "me:secret");
}
