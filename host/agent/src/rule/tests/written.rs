//! How a rule is written, and that the page has a test a row.

use contract::Class;

use super::bench::{Bench, DISK, FILE};
use crate::{Device, EventTrigger, Rule, RuleState, rows};

fn read(text: &str) -> Result<(), Vec<String>> {
    let trigger: EventTrigger = toml::from_str(text).unwrap();
    Rule::new(&trigger, "order", Class::L2, &Device::default()).map(|_| ()).map_err(|problems| problems.0)
}

#[test]
fn every_row_has_its_test_and_every_test_its_row() {
    let files = [
        include_str!("bursts.rs"),
        include_str!("causes.rs"),
        include_str!("clocks.rs"),
        include_str!("levels.rs"),
        include_str!("permits.rs"),
    ];
    rows::check(include_str!("../../../EVENTS.md"), &files, 40);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let wrong = "watch = { type = \"file-change\", path = \"etc\" }\nfilter = \"evnt.x\"\nfor = \"5m\"\ndebounce = \"2h\"\n\
        cooldown = \"soon\"\nmax-per-hour = 0\nbreaker = \"10\"\noverlap = \"both\"\nstart = \"tomorrow\"\n\
        allowed = [{ weekly = \"noon\" }]\n";
    let problems = read(wrong).unwrap_err();
    let fields = [
        "watch.path",
        "filter",
        "for",
        "debounce",
        "cooldown",
        "max-per-hour",
        "breaker",
        "overlap",
        "zone",
        "start",
        "allowed[0].weekly",
    ];
    assert_eq!(problems.len(), fields.len(), "{problems:#?}");
    for (problem, field) in problems.iter().zip(fields) {
        assert!(problem.starts_with(&format!("{field}: ")), "{problem} is not {field}");
    }
}

#[test]
fn limits_are_kept() {
    for (fine, wrong) in [
        ("for = \"7d\"", "for = \"7d1s\""),
        ("debounce = \"1h\"", "debounce = \"1h1s\""),
        ("cooldown = \"31d\"", "cooldown = \"31d1s\""),
        ("max-per-hour = 100", "max-per-hour = 101"),
        ("breaker = \"100/31d\"", "breaker = \"101/31d\""),
        ("breaker = \"1/1s\"", "breaker = \"1/0s\""),
        ("breaker = \"1/1h\"", "breaker = \"0/1h\""),
        (
            "zone = \"UTC\"\nallowed = [{ weekly = \"mon 01:00-02:00\" }]",
            "allowed = [{ weekly = \"mon 01:00-02:00\" }]",
        ),
        ("allowed = [{ weekly = \"mon 01:00-02:00\", zone = \"UTC\" }]", "zone = \"Mars\""),
        ("filter = \"true\"", "filter = \"tru\""),
    ] {
        assert_eq!(read(&format!("{DISK}{fine}")), Ok(()), "{fine}");
        assert_eq!(read(&format!("{DISK}{wrong}")).unwrap_err().len(), 1, "{wrong}");
    }
    assert_eq!(read(FILE), Ok(()));
    assert!(read(&format!("{FILE}for = \"5m\"")).unwrap_err()[0].contains("moments"));
}

#[test]
fn states_of_later_formats_are_refused() {
    let mut bench = Bench::new(DISK);
    bench.raise("/");
    let text = serde_json::to_string(&bench.state).unwrap();
    assert_eq!(serde_json::from_str::<RuleState>(&text).unwrap(), bench.state);
    let more = text.replacen('{', "{\"later\":1,", 1);
    assert_eq!(serde_json::from_str::<RuleState>(&more).unwrap(), bench.state, "fields of later versions are skipped");
    let later = serde_json::from_str::<RuleState>(&text.replacen("\"format\":1", "\"format\":2", 1)).unwrap_err();
    assert!(later.to_string().contains("update remit"), "{later}");
}
