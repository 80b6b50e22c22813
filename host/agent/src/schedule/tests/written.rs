//! Triggers and states as they are written.

use contract::Class;

use crate::{BadSchedule, Decision, Device, Look, Occupancy, Schedule, State, Trigger};

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
        "misfire: `run-all(0)`: expected 1 to 100 runs",
        "overlap: `both` is unknown",
        "start: `tomorrow`",
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

#[test]
fn the_largest_schedule_costs_little() {
    let time = |minute: i64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    // Windows that meet all round the day, so that an opening never ends, and each end must be looked at.
    let allowed: Vec<String> =
        (0..32).map(|at| format!("{{ weekly = \"daily {}-{}\" }}", time(at * 45), time(at * 45 + 50))).collect();
    let blackout: Vec<String> = (30..62)
        .map(|year| format!("{{ dates = \"20{year}-01-01/20{year}-01-02\", zone = \"Asia/Tokyo\" }}"))
        .collect();
    let text = format!(
        "cron = \"* * * * *\"\nzone = \"Europe/Berlin\"\njitter = \"24h\"\nmisfire = \"run-all(100)\"\nallowed = [{}]\nblackout = [{}]",
        allowed.join(", "),
        blackout.join(", ")
    );
    let schedule = read(&toml::from_str(&text).unwrap()).unwrap();
    let (mut state, now_ms) = (State::new(1_800_000_000_000), 1_900_000_000_000);
    let begun = std::time::Instant::now();
    assert_eq!(schedule.next(&state, state.looked_ms(), 1_000).len(), 1_000);
    let look = Look { now_ms, elapsed: None, occupancy: Occupancy::Idle, is_paused: false };
    assert_eq!(schedule.due(&mut state, &look).decisions.len(), 102);
    assert!(schedule.wake_ms(&state, now_ms).is_some());
    // In a tenth of that, unoptimised; it was minutes when each firing looked ahead by itself.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
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

/// As the first version wrote them: records are read for ever.
const DECISIONS_1: &str = r#"[{"fire":{"nominal-ms":1,"due-ms":2,"start-ms":3,"is-late":true,"manner":"queue"}},{"not-fired":{"reason":{"misfire":{"cause":"clock-set"}},"count":3,"first-ms":4,"last-ms":5}},{"not-fired":{"reason":{"blackout":{"name":"freeze"}},"count":1,"first-ms":6,"last-ms":6}},{"not-fired":{"reason":"window","count":1,"first-ms":7,"last-ms":7}}]"#;

#[test]
fn decisions_of_the_first_version_are_read_and_written() {
    let decisions: Vec<Decision> = serde_json::from_str(DECISIONS_1).unwrap();
    assert_eq!(serde_json::to_string(&decisions).unwrap(), DECISIONS_1);
    let longer = DECISIONS_1.replace("\"count\":3", "\"count\":3,\"mood\":\"good\"");
    assert_eq!(serde_json::from_str::<Vec<Decision>>(&longer).unwrap(), decisions, "what a later version adds");
    let words: Vec<String> = decisions
        .iter()
        .filter_map(|it| if let Decision::NotFired(not) = it { Some(not.reason.to_string()) } else { None })
        .collect();
    let said =
        ["it was missed: the clock was set forward over it", "the blackout `freeze` forbids it", "no window allows it"];
    assert_eq!(words, said);
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
}
