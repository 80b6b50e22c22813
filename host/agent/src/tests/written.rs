//! Triggers and states as they are written.

use contract::Class;

use super::bench::ms;
use crate::{BadSchedule, Device, Schedule, State, Trigger};

const WHOLE: &str = r#"
cron = "0 2 * * mon-fri"
zone = "Europe/Berlin"
jitter = "30m"
start = "2026-11-22T00:00:00Z"
expires = "2027-11-22T00:00:00Z"
misfire = "run-once-if-within(4h)"
overlap = "queue"

[[allowed]]
weekly = "daily 01:00-05:00"
zone = "UTC"

[[blackout]]
name = "year end"
dates = "2026-12-20/2027-01-06"
classes = ["L3", "L4"]
"#;

fn read(trigger: &Trigger) -> Result<Schedule, BadSchedule> {
    Schedule::new(trigger, "order", Class::L2, &Device::default())
}

fn whole() -> Trigger {
    toml::from_str(WHOLE).unwrap()
}

#[test]
fn a_trigger_is_the_same_in_toml_and_json() {
    assert!(read(&whole()).is_ok());
    let json = serde_json::to_string(&whole()).unwrap();
    assert_eq!(serde_json::from_str::<Trigger>(&json).unwrap(), whole());
    assert_eq!(toml::from_str::<Trigger>(&toml::to_string(&whole()).unwrap()).unwrap(), whole());
    let short: Trigger = toml::from_str("cron = \"@daily\"\nzone = \"UTC\"").unwrap();
    assert!(read(&short).is_ok());
    assert_eq!(serde_json::to_string(&short).unwrap(), r#"{"cron":"@daily","zone":"UTC"}"#);
}

#[test]
fn what_is_unknown_is_refused() {
    for bad in ["misfires = \"skip\"", "seconds = 5", "[[blackout]]\nday = \"mon\"", "[[blackout]]\nclasses = [\"L5\"]"]
    {
        let text = format!("cron = \"@daily\"\nzone = \"UTC\"\n{bad}");
        assert!(toml::from_str::<Trigger>(&text).is_err(), "{bad}");
    }
    assert!(toml::from_str::<Trigger>("cron = \"@daily\"").is_err(), "a zone is always named");
    assert!(toml::from_str::<crate::Calendars>("zone = \"UTC\"\nclosed = []").is_err());
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let mut bad = whole();
    bad.cron = "61 25 * * *".to_owned();
    bad.zone = "Europe/Bonn".to_owned();
    bad.jitter = Some("25h".to_owned());
    bad.start = Some("tomorrow".to_owned());
    bad.misfire = Some("run-all(0)".to_owned());
    bad.overlap = Some("both".to_owned());
    bad.allowed[0].zone = Some("Mars".to_owned());
    bad.allowed[0].weekly = Some("noon".to_owned());
    bad.blackout[0].weekly = Some("mon 01:00-02:00".to_owned());
    bad.blackout[0].name = Some(String::new());
    let problems = read(&bad).unwrap_err().0;
    let fields = [
        "cron: minute `61`",
        "cron: hour `25`",
        "zone: this system knows no time zone `Europe/Bonn`",
        "jitter: at most `24h`",
        "start: `tomorrow`",
        "misfire: `run-all(0)`: expected 1 to 100 runs",
        "overlap: `both` is unknown",
        "allowed[0].zone: this system knows no time zone `Mars`",
        "allowed[0].weekly: `noon`",
        "blackout[0].name: expected 1 to 64 bytes",
        "blackout[0]: expected either `weekly` or `dates`",
    ];
    assert_eq!(problems.len(), fields.len(), "{problems:#?}");
    for (problem, field) in problems.iter().zip(fields) {
        assert!(problem.starts_with(field), "{problem} is not {field}");
    }
}

#[test]
fn limits_are_kept() {
    let wrong = |change: fn(&mut Trigger)| {
        let mut trigger = whole();
        change(&mut trigger);
        read(&trigger).map(|_| ()).map_err(|problems| problems.to_string())
    };
    assert_eq!(wrong(|it| it.jitter = Some("24h".to_owned())), Ok(()));
    assert!(wrong(|it| it.expires = it.start.clone()).unwrap_err().contains("end before it starts"));
    assert_eq!(wrong(|it| it.allowed = vec![it.allowed[0].clone(); 32]), Ok(()));
    assert!(wrong(|it| it.allowed = vec![it.allowed[0].clone(); 33]).unwrap_err().contains("33 windows"));
    assert_eq!(wrong(|it| it.misfire = Some("run-all(100)".to_owned())), Ok(()));
    for bad in ["run-all(101)", "run-all", "run-once-if-within(4)", "run-once-if-within", "Skip", "run-all(3) "] {
        let mut trigger = whole();
        trigger.misfire = Some(bad.to_owned());
        assert!(read(&trigger).is_err(), "{bad}");
    }
    let mut device = Device::default();
    device.calendars.push(toml::from_str("zone = \"Nowhere\"\nallowed = [{ name = \"x\" }]").unwrap());
    let problems = Schedule::new(&whole(), "order", Class::L2, &device).unwrap_err().to_string();
    assert!(problems.contains("calendars[0].zone") && problems.contains("calendars[0].allowed[0]: expected either"));
}

/// As the first version wrote it: it is read for ever.
const STATE_1: &str = r#"{"format":1,"looked-ms":1811808000000,"passed-ms":1811804400000,"done":[[1811700000000,1811790000000],[1811804400000,1811804400000]]}"#;

#[test]
fn a_state_of_the_first_version_is_read_and_written() {
    let state: State = serde_json::from_str(STATE_1).unwrap();
    assert_eq!(state.looked_ms(), 1_811_808_000_000);
    assert_eq!(state.done.end_of(1_811_750_000_000), Some(1_811_790_000_000));
    assert_eq!(serde_json::to_string(&state).unwrap(), STATE_1);
    let shorter: State = serde_json::from_str(r#"{"format":1,"looked-ms":5}"#).unwrap();
    assert_eq!(shorter, State::new(5), "what a version leaves out");
    let longer: State = serde_json::from_str(r#"{"format":1,"looked-ms":5,"mood":"good"}"#).unwrap();
    assert_eq!(longer, State::new(5), "what a later version adds");
}

#[test]
fn a_state_that_is_wrong_is_refused_or_mended() {
    let newer = serde_json::from_str::<State>(r#"{"format":2,"looked-ms":5}"#).unwrap_err().to_string();
    assert!(newer.contains("update remit"), "{newer}");
    assert!(serde_json::from_str::<State>("{}").is_err());
    let text = r#"{"format":1,"looked-ms":5,"passed-ms":99999999999999,"done":[[7,3],[1,4],[2,9]]}"#;
    let mended: State = serde_json::from_str(text).unwrap();
    assert_eq!(mended.passed_ms, None, "after the last look it means nothing");
    assert_eq!(mended.done.end_of(1), Some(9));
    assert!(ms("2027-06-01T00:00:00Z") > 0);
}
