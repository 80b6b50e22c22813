use serde_json::{Map, Value, json};

use super::Filter;
use crate::{Change, Notice, Reason};

fn notice(data: Value) -> Notice {
    let Value::Object(data) = data else { panic!("an object") };
    Notice {
        at_ms: 1_795_000_000_000,
        subject: "/var".to_owned(),
        change: Change::Raised,
        data,
        cause: None,
        found: None,
    }
}

fn facts() -> Map<String, Value> {
    let Value::Object(facts) = json!({ "client": "acme", "os": "linux", "tags": ["server", "db"] }) else { panic!() };
    facts
}

fn ask(text: &str, data: Value) -> Result<(), Option<String>> {
    let filter = Filter::read(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    filter.check("disk-free", &notice(data), &facts()).map_err(|reason| match reason {
        Reason::Filter { failed } => failed,
        other => panic!("{other}"),
    })
}

#[test]
fn filters_see_the_event_and_the_device() {
    let data = || json!({ "free": 5_000_000_000_u64, "percent": 9.5, "packages": [{ "name": "linux-image" }, { "name": "vim" }] });
    for text in [
        "event.type == 'disk-free' && event.subject == '/var' && event.change == 'raised'",
        "event.at > 1700000000000",
        "event.data.free < 6000000000 && event.data.free + 1 == 5000000001",
        "event.data.percent < 10 && event.data.percent > 9.0",
        "event.data.packages.exists(it, it.name.startsWith('linux-'))",
        "event.data['packages'][1].name.matches('^v.m$') && matches(event.subject, 'var')",
        "'db' in device.tags && device.client == \"acme\"",
        "!has(event.data.line) || event.data.line.contains('error')",
        "size(event.data.packages.filter(it, it.name != 'vim')) == 1",
        "event.data.packages.map(it, it.name) == ['linux-image', 'vim']",
        "event.data.packages.all(one, event.data.packages.exists(other, one.name == other.name))",
    ] {
        assert_eq!(ask(text, data()), Ok(()), "{text}");
        assert_eq!(ask(&format!("!({text})"), data()), Err(None), "{text}");
    }
}

#[test]
fn what_has_no_answer_says_why() {
    for (text, why) in [
        ("event.data.user == 'root'", "No such key: user"),
        ("event.data.free", "a int, not a bool"),
        ("event.data.list.all(a, event.data.list.all(b, a + b >= 0))", "steps, at most"),
    ] {
        let list: Vec<u32> = (0..20_000).collect();
        let told = ask(text, json!({ "free": 1, "list": list })).unwrap_err().unwrap();
        assert!(told.contains(why), "{text}: {told}");
    }
    let problems = Filter::read("evnt.a == 1 &&\n devce.b == 2 && f(1)").unwrap_err();
    let told =
        ["line 1 column 1: `evnt` is unknown: expected `event` or `device`", "line 2 column 2: `devce`", "line 2"];
    assert!(problems.iter().zip(told).all(|(problem, told)| problem.starts_with(told)), "{problems:?}");
    assert_eq!(problems.len(), 3, "{problems:?}");
}
