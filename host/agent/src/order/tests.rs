//! Orders as people write them.

use super::*;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn short() -> String {
    format!(
        r#"format = 1
plugin = "disk-cleanup"
digest = "{DIGEST}"
mode = "detect"

[schedule]
cron = "0 2 * * mon-fri"
zone = "Europe/Berlin"
"#
    )
}

fn long() -> String {
    format!(
        r#"format = 1
plugin = "disk-cleanup"
digest = "{DIGEST}"
mode = "enforce"
priority = "high"
allow = ["files-write [scratch]", "http [10.0.0.0/8]"]
client = "acme"
tags = ["server", "ring-1"]
expires = "2027-11-22T00:00:00Z"
comment = "keeps /tmp small"

[parameters]
root = "scratch"
days = 3

[schedule]
cron = "0 2 * * mon-fri"
zone = "Europe/Berlin"
jitter = "30m"
allowed = [{{ weekly = "daily 01:00-05:00" }}]

[retry]
attempts = 3
backoff = "5m"
at-most = "20m"
on = ["timeout", "limit"]

[budget]
runs-per-day = 4
"#
    )
}

fn read(text: &str) -> Result<Order, Vec<String>> {
    Order::from_toml("cleanup.toml", text).map_err(|bad| bad.0)
}

#[test]
fn an_order_says_what_it_means() {
    let order = read(&long()).unwrap();
    assert!(order.changes());
    assert_eq!(order.priority, Priority::High);
    assert_eq!(order.runs_per_day, Some(4));
    assert_eq!(order.parameters["days"], 3);
    assert_eq!(order.expires_ms, Some(1_826_841_600_000));
    assert_eq!(order.allow[1].to_string(), "http [10.0.0.0/8]");
    let order = read(&short()).unwrap();
    assert!(!order.changes());
    assert_eq!((order.priority, order.retry, order.runs_per_day), (Priority::Normal, None, None));
}

#[test]
fn an_order_is_the_same_in_json() {
    for text in [short(), long()] {
        let order = read(&text).unwrap();
        let json = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), order);
        assert!(serde_json::from_str::<Order>(&json.replacen("\"mode\"", "\"mood\"", 1)).is_err());
        assert!(serde_json::from_str::<Order>(&json.replacen("mon-fri", "man-fri", 1)).is_err(), "it is checked too");
    }
}

/// What is wrong is told with its place; the same order without that flaw is read.
#[test]
fn each_flaw_is_told_at_its_place() {
    let flaws: &[(&str, &str, &str)] = &[
        ("format = 1", "", "1:1: format: it is missing"),
        ("format = 1", "format = 2", "1:1: format: this remit reads 1, and not 2"),
        ("format = 1", "format = \"1\"", "1:10: format: invalid type"),
        ("plugin = \"disk-cleanup\"", "", "plugin: it is missing"),
        ("\"disk-cleanup\"", "\"Disk Cleanup\"", "2:1: plugin: `Disk Cleanup`: expected 1 to 64"),
        ("sha256:9f", "sha256:9F", "3:10: digest: `sha256:9F"),
        (&format!("digest = \"{DIGEST}\""), "digest = \"latest\"", "is not a digest: expected `sha256:`"),
        ("mode = \"enforce\"", "mode = \"force\"", "4:8: mode: unknown variant `force`, expected one of `detect`"),
        (
            "priority = \"high\"",
            "priority = \"urgent\"",
            "5:12: priority: unknown variant `urgent`, expected one of `low`",
        ),
        ("files-write [scratch]", "flies-write [scratch]", "6:9: allow: `flies-write` is not an interface"),
        ("\"acme\"", "\"Acme & Sons\"", "7:1: client: `Acme & Sons`: expected"),
        ("\"server\"", "\"\"", "8:1: tags: ``: expected"),
        ("\"2027-11-22T00:00:00Z\"", "\"next year\"", "9:1: expires: `next year` is not a time"),
        ("comment = ", "remark = ", "10:1: remark: unknown field `remark`, expected one of `format`"),
        ("cron = \"0 2 * * mon-fri\"", "cron = \"0 2 * * man\"", "17:1: schedule.cron: "),
        ("cron = \"0 2 * * mon-fri\"", "", "schedule: missing field `cron`"),
        ("Europe/Berlin", "Europe/Bern", "18:1: schedule.zone: this system knows no time zone `Europe/Bern`"),
        ("daily 01:00-05:00", "daily 01:00", "20:14: schedule.allowed[0].weekly: "),
        ("jitter = \"30m\"", "jitters = \"30m\"", "19:1: schedule.jitters: unknown field `jitters`"),
        (
            "jitter = \"30m\"",
            "expires = \"2027-11-22T00:00:00Z\"",
            "19:1: schedule.expires: the order has `expires` too",
        ),
        ("attempts = 3", "attempts = 1", "23:1: retry.attempts: expected 2 to 10 runs"),
        ("attempts = 3", "attempts = 11", "23:1: retry.attempts: expected 2 to 10 runs"),
        ("backoff = \"5m\"", "backoff = \"5\"", "24:1: retry.backoff: `5` is not a duration"),
        ("backoff = \"5m\"", "backoff = \"0s\"", "24:1: retry.backoff: `0s`: expected `1s` to `24h`"),
        ("\"limit\"", "\"refused\"", "26:18: retry.on: unknown variant `refused`, expected one of `timeout`"),
        ("on = [\"timeout\", \"limit\"]", "on = []", "26:1: retry.on: it is empty"),
        ("runs-per-day = 4", "runs-per-day = 0", "29:1: budget.runs-per-day: expected 1 to 1440"),
        ("runs-per-day = 4", "runs-per-week = 4", "29:1: budget.runs-per-week: unknown field"),
        ("[budget]", "[[budget]", "28:"),
        (
            "[schedule]",
            "[event]\nwatch = { type = \"boot\" }\n\n[schedule]",
            "16:2: event: the order has `[schedule]` too",
        ),
    ];
    assert!(read(&long()).is_ok());
    for (right, wrong, told) in flaws {
        let text = long();
        assert!(text.contains(right), "{right}");
        let problems = read(&text.replacen(right, wrong, 1)).unwrap_err();
        assert!(problems.iter().any(|line| line.contains(told)), "{wrong}: {problems:#?}");
        assert!(problems.iter().all(|line| line.starts_with("cleanup.toml:")), "{problems:#?}");
    }
}

#[test]
fn an_order_waits_for_an_event() {
    let text = short().replace(
        "[schedule]\ncron = \"0 2 * * mon-fri\"\nzone = \"Europe/Berlin\"",
        "[event]\nwatch = { type = \"disk-free\", path = \"/\", below = \"10%\" }\nfor = \"5m\"",
    );
    let Occasion::Event(trigger) = read(&text).unwrap().occasion else { panic!("a schedule") };
    assert_eq!(trigger.watch.event_type(), "disk-free");
    let problems = read(&text.replace("disk-free", "disc-free")).unwrap_err();
    assert!(problems[0].starts_with("cleanup.toml:7:"), "{problems:?}");
    assert!(problems[0].contains("event.watch.type: unknown variant `disc-free`"), "{problems:?}");
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = r#"format = 3
plugin = 5
digest = "sha256:0"
mood = "detect"
priority = "soon"

[schedule]
cron = "61 2 * * *"
zoen = "Europe/Berlin"
allowed = [{ weekly = "daily", date = "2027-01-01" }]

[retry]
attempts = "3"
backoff = "5 minutes"
"#;
    let problems = read(text).unwrap_err();
    let places: Vec<&str> = problems.iter().map(|line| line.split(':').nth(1).unwrap()).collect();
    for line in ["1", "2", "3", "4", "5", "7", "9", "10", "13"] {
        assert!(places.contains(&line), "nothing of line {line} in {problems:#?}");
    }
    assert!(problems.iter().any(|line| line.contains("mode: it is missing")), "{problems:#?}");
    assert!(!problems.iter().any(|line| line.contains("plugin: it is missing")), "{problems:#?}");
}

#[test]
fn an_order_is_no_larger_than_it_may_be() {
    let with = |bytes: usize| format!("{}\n# {}", short(), "x".repeat(bytes - short().len() - 3));
    assert!(read(&with(ORDER_BYTES_MAX)).is_ok());
    assert_eq!(
        read(&with(ORDER_BYTES_MAX + 1)).unwrap_err(),
        ["cleanup.toml: it has 131073 bytes: at most 131072 are read"]
    );
}

#[test]
fn a_file_is_named_as_its_order() {
    assert_eq!(order_name("clean.up-2_x.toml"), Some(Ok("clean.up-2_x".to_owned())));
    for none in ["README", "a.toml~", ".a.toml.swp"] {
        assert_eq!(order_name(none), None, "{none}");
    }
    for bad in [".toml", "Clean.toml", "-a.toml", "a b.toml", "ä.toml", &format!("{}.toml", "a".repeat(65))] {
        assert!(order_name(bad).unwrap().is_err(), "{bad}");
    }
}
