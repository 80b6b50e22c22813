//! Rows about what our own runs bring about.

use model::RunId;
use serde_json::json;

use super::bench::{Bench, DISK, FILE, NOON_MS};
use crate::{Change, Content, Found, RecentRun, Touched, attribute};

const NONE: [&str; 0] = [];

fn touched(interface: &str, function: &str, target: &str) -> Touched {
    Touched { interface: interface.to_owned(), function: function.to_owned(), target: target.to_owned(), at: None }
}

fn wrote(path: &str) -> Touched {
    touched("files-write", "write-file", path)
}

/// A run that began a second ago and is under way.
fn run(order: Option<&str>, chain: &[&str], effects: Vec<Touched>) -> RecentRun {
    RecentRun {
        run: RunId::new(),
        order: order.map(str::to_owned),
        start_ms: NOON_MS - 1_000,
        end_ms: None,
        chain: chain.iter().map(|&order| order.to_owned()).collect(),
        effects,
    }
}

fn with(trigger: &str, runs: Vec<RecentRun>) -> Bench {
    let mut bench = Bench::new(trigger);
    bench.runs = runs;
    bench
}

#[test]
fn what_its_own_run_changed_starts_nothing() {
    let mut bench = with(FILE, vec![run(Some("order"), &[], vec![wrote("/etc/hosts")])]);
    assert_eq!(bench.happen("/etc/hosts"), ["cause"]);
    assert!(bench.state.tripped().is_none(), "that is no circle");
    assert_eq!(
        with(FILE, vec![run(Some("order"), &[], vec![wrote("/var/x")])]).happen("/etc/hosts"),
        ["fire /etc/hosts"]
    );
    assert_eq!(with(FILE, vec![run(Some("order"), &[], vec![])]).happen("/etc/hosts"), ["fire /etc/hosts"]);
    let mut before = run(Some("order"), &[], vec![wrote("/etc/hosts")]);
    before.end_ms = Some(NOON_MS - 500);
    before.start_ms = NOON_MS - 600;
    assert_eq!(with(FILE, vec![before.clone()]).happen("/etc/hosts"), ["cause"], "a source takes its time");
    before.end_ms = Some(NOON_MS - 15_001);
    before.start_ms = NOON_MS - 20_000;
    assert_eq!(with(FILE, vec![before]).happen("/etc/hosts"), ["fire /etc/hosts"], "and no more than that");
}

#[test]
fn what_another_run_changed_has_its_chain() {
    let mut bench = with(FILE, vec![run(Some("second"), &["first"], vec![wrote("/etc/hosts")])]);
    assert_eq!(bench.happen("/etc/hosts"), ["fire /etc/hosts <first <second"]);
    assert_eq!(bench.fired[0].event.cause, Some(bench.runs[0].run));
    let mut by_hand = with(FILE, vec![run(None, &[], vec![wrote("/etc/hosts")])]);
    assert_eq!(by_hand.happen("/etc/hosts"), ["fire /etc/hosts"], "a person's run leads back to no order");
    assert_eq!(by_hand.fired[0].event.cause, Some(by_hand.runs[0].run));
}

#[test]
fn a_circle_is_broken_with_one_ticket() {
    let mut bench = with(FILE, vec![run(Some("second"), &["order"], vec![wrote("/etc/hosts")])]);
    assert_eq!(bench.happen("/etc/hosts"), ["trip 1: order > second > order", "cause"]);
    assert_eq!(bench.happen("/etc/hosts"), NONE, "told together");
    bench.runs.clear();
    assert_eq!(bench.happen("/etc/hosts"), ["breaker"], "it is off until somebody looks");
    bench.state.reset();
    assert_eq!(bench.happen("/etc/hosts"), ["fire /etc/hosts"]);
}

#[test]
fn what_may_have_been_a_circle_trips_nothing() {
    let mut bench =
        with(FILE, vec![run(Some("second"), &["order"], vec![touched("command-change", "run-command", "trim")])]);
    assert_eq!(bench.happen("/etc/hosts"), ["cause"]);
    assert!(bench.state.tripped().is_none(), "nobody knows what a command changed");
}

#[test]
fn the_source_knows_best() {
    let finished = "watch = { type = \"run-finished\" }\n";
    let own = run(Some("order"), &[], vec![]);
    let other = run(Some("other"), &[], vec![]);
    let (own_id, other_id) = (own.run, other.run);
    let mut bench = with(finished, vec![own, other]);
    assert_eq!(bench.caused(Change::Happened, own_id), ["cause"]);
    assert_eq!(bench.caused(Change::Happened, other_id), ["fire  <other"]);
    assert_eq!(bench.caused(Change::Happened, RunId::new()), ["fire "], "a run that nobody remembers leads to nothing");
    let mut files = with(FILE, vec![run(Some("order"), &[], vec![wrote("/etc/hosts")])]);
    assert_eq!(files.caused(Change::Happened, other_id), ["fire "], "effects are not asked then");
}

#[test]
fn any_of_several_runs_may_have_been_it() {
    let mut others =
        vec![run(Some("other"), &[], vec![wrote("/etc/hosts")]), run(Some("order"), &[], vec![wrote("/etc/x")])];
    others[0].start_ms = NOON_MS - 10;
    let mut bench = with("watch = { type = \"file-change\", path = \"/etc/hosts\" }", others.clone());
    assert_eq!(bench.happen("/etc/hosts"), ["fire /etc/hosts <other"]);
    others[1].effects = vec![touched("command-change", "run-command", "trim")];
    assert_eq!(
        with(FILE, others).happen("/etc/hosts"),
        ["cause"],
        "where the rule's own is among them, it starts nothing"
    );
}

#[test]
fn chains_end() {
    let orders: Vec<String> = (0..8).map(|number| format!("o{number}")).collect();
    let chain: Vec<&str> = orders.iter().map(String::as_str).collect();
    let effects = || vec![wrote("/etc/hosts")];
    let mut eight = with(FILE, vec![run(Some("o7"), &chain[..7], effects())]);
    assert!(eight.happen("/etc/hosts")[0].starts_with("fire"));
    assert_eq!(with(FILE, vec![run(Some("o8"), &chain, effects())]).happen("/etc/hosts"), ["cause"]);
}

#[test]
fn a_level_that_we_raised_is_done_until_it_is_cleared() {
    let mut bench = with(DISK, vec![run(Some("order"), &[], vec![wrote("/var/log/x")])]);
    assert_eq!(bench.raise("/"), ["cause"]);
    bench.runs.clear();
    assert_eq!(bench.pass("1d"), NONE);
    bench.clear("/");
    assert_eq!(bench.raise("/"), ["fire /"]);
}

#[test]
fn what_outside_did_meanwhile_is_taken_for_ours() {
    let mut bench = with(FILE, vec![run(Some("order"), &[], vec![wrote("/etc/hosts")])]);
    assert_eq!(bench.happen("/etc/hosts"), ["cause"], "nobody looked what is there");
    assert_eq!(bench.happen("/etc"), NONE, "told together: all of the folder may have changed");
    bench.runs[0].end_ms = Some(NOON_MS);
    bench.pass("15s");
    bench.pass("1s");
    assert_eq!(bench.happen("/etc/hosts"), ["fire /etc/hosts"], "the next one is not");
}

#[test]
fn another_file_of_the_folder_is_somebody_elses() {
    let mut bench = with(FILE, vec![run(Some("order"), &[], vec![wrote("/etc/hosts")])]);
    assert_eq!(bench.happen("/etc/passwd"), ["fire /etc/passwd"]);
    let mut more = with(FILE, vec![run(Some("order"), &[], vec![wrote("/etc/hosts"), wrote("")])]);
    assert_eq!(more.happen("/etc/passwd"), ["cause"], "it changed more than anybody keeps");
    let mut removed = with(FILE, vec![run(Some("order"), &[], vec![wrote("/etc")])]);
    assert_eq!(removed.happen("/etc/passwd"), ["cause"], "the folder with all that was in it");
    let mut kept = with(FILE, vec![run(Some("order"), &[], vec![wrote("/etc/hosts")])]);
    assert_eq!(kept.happen("/etc/.remit-quarantine"), ["cause"], "what it replaced is kept there");
    assert_eq!(
        with(FILE, vec![run(Some("order"), &[], vec![wrote("/var/x")])]).happen("/etc/.remit-quarantine"),
        ["fire /etc/.remit-quarantine"]
    );
}

/// A file that has this in it.
fn holds(path: &str, number: u64, content: &str) -> Found {
    Found { path: path.into(), file: Some((1, number)), content: Content::Is(content.to_owned()) }
}

fn left(found: Found) -> Touched {
    Touched { at: Some(found), ..touched("files-write", "write-file", "scratch/hosts") }
}

fn changed(bench: &mut Bench, subject: &str, found: Found) -> Vec<String> {
    bench.found(subject, Change::Happened, json!({}), Some(found))
}

#[test]
fn what_is_not_as_we_left_it_is_somebody_elses() {
    let ours = || holds("/etc/hosts", 7, "ours");
    let with_left = |effects: Vec<Touched>| with(FILE, vec![run(Some("order"), &[], effects)]);
    assert_eq!(changed(&mut with_left(vec![left(ours())]), "/etc/hosts", ours()), ["cause"]);
    let theirs = || holds("/etc/hosts", 8, "theirs");
    let fired = ["fire /etc/hosts"];
    assert_eq!(changed(&mut with_left(vec![left(ours())]), "/etc/hosts", theirs()), fired);
    let gone = Found { content: Content::Nothing, file: None, ..ours() };
    assert_eq!(changed(&mut with_left(vec![left(ours())]), "/etc/hosts", gone.clone()), fired, "somebody removed it");
    assert_eq!(changed(&mut with_left(vec![left(gone)]), "/etc/hosts", theirs()), fired, "we did, and it came back");
    let wrote_twice = vec![left(holds("/etc/hosts", 6, "theirs")), left(ours())];
    assert_eq!(changed(&mut with_left(wrote_twice), "/etc/hosts", theirs()), ["cause"], "it was noticed between two");
    for (what, more) in [
        ("what is announced may be done", left(Found { content: Content::Unknown, file: None, ..ours() })),
        ("nobody knows what a command does", touched("command-change", "run-command", "trim")),
        ("nor a service that is started again", touched("service-control", "restart-service", "nginx")),
    ] {
        assert_eq!(changed(&mut with_left(vec![left(ours()), more]), "/etc/hosts", theirs()), ["cause"], "{what}");
    }
    let unread = Found { content: Content::Unknown, ..theirs() };
    assert_eq!(changed(&mut with_left(vec![left(ours())]), "/etc/hosts", unread), ["cause"], "nobody could look");
}

#[test]
fn a_file_has_many_names() {
    let ours = holds("/srv/real/hosts", 7, "ours");
    let with_left = || with(FILE, vec![run(Some("second"), &["order"], vec![left(ours.clone())])]);
    let found = |path: &str, number| holds(path, number, "ours");
    let tripped = ["trip 1: order > second > order", "cause"];
    assert_eq!(changed(&mut with_left(), "/etc/hosts", found("/srv/real/hosts", 7)), tripped, "over a link");
    assert_eq!(changed(&mut with_left(), "/etc/hosts", found("/etc/hosts", 7)), tripped, "by a second name");
    assert_eq!(changed(&mut with_left(), "/etc/hosts", found("/etc/hosts", 8)), ["fire /etc/hosts"], "another file");
    let disk = with(DISK, vec![run(Some("order"), &[], vec![left(holds("/srv/real/x", 7, "ours"))])]);
    for (path, expected) in [("/srv/real", "cause"), ("/srv/other", "fire /")] {
        let found = Found { path: path.into(), file: None, content: Content::Unknown };
        let mut disk = Bench { runs: disk.runs.clone(), ..Bench::new(DISK) };
        assert_eq!(disk.found("/", Change::Raised, json!({}), Some(found)), [expected], "{path}");
    }
}

#[test]
fn what_is_noticed_late_is_ours_where_it_is_as_we_left_it() {
    let ours = || holds("/etc/hosts", 7, "ours");
    let mut before = run(Some("order"), &[], vec![left(ours())]);
    (before.start_ms, before.end_ms) = (NOON_MS - 3_600_000, Some(NOON_MS - 3_590_000));
    let late = |found, data| with(FILE, vec![before.clone()]).found("/etc/hosts", Change::Happened, data, Some(found));
    assert_eq!(late(ours(), json!({ "while-away": true })), ["cause"]);
    assert_eq!(late(holds("/etc/hosts", 7, "theirs"), json!({ "while-away": true })), ["fire /etc/hosts"]);
    assert_eq!(late(ours(), json!({})), ["fire /etc/hosts"], "it was looked all the time: somebody wrote the same");
}

#[test]
fn a_burst_has_all_that_led_to_it() {
    let mut bench =
        with(&format!("{FILE}debounce = \"10s\""), vec![run(Some("second"), &["first"], vec![wrote("/etc/hosts")])]);
    bench.happen("/etc/hosts");
    bench.runs.clear();
    bench.happen("/etc/passwd");
    assert_eq!(bench.pass("10s"), ["fire /etc/passwd x2 <first <second", "debounce"]);
}

#[test]
fn a_clock_set_back_does_not_hide_what_is_under_way() {
    let mut bench = with(FILE, vec![run(Some("order"), &[], vec![wrote("/etc/hosts")])]);
    bench.set_by(-3_600_000);
    assert_eq!(bench.happen("/etc/hosts"), ["cause"]);
    bench.runs[0].end_ms = Some(NOON_MS);
    assert_eq!(bench.happen("/etc/hosts"), ["fire /etc/hosts"], "what ended later than now is another time");
}

/// Which effects lead to which events: all of the page's second table.
#[test]
fn each_event_has_its_effects() {
    const SAME: Option<bool> = Some(true);
    const POSSIBLE: Option<bool> = Some(false);
    let command = ("command-change", "run-command", "trim");
    let patch = ("patch-install", "install-updates", "apt:vim");
    let reboot = ("patch-install", "request-reboot", "system");
    let stop = ("service-control", "stop-service", "nginx");
    let kill = ("process-control", "terminate-process", "nginx");
    let write = |path| ("files-write", "write-file", path);
    let service = "{ type = \"service-state\", service = \"nginx.service\", state = \"failed\" }";
    let journal = "{ type = \"log-match\", log = { journal = \"nginx.service\" }, pattern = \"x\" }";
    let log = "{ type = \"log-match\", log = { file = \"/var/log/x\" }, pattern = \"x\" }";
    let disk = "{ type = \"disk-free\", path = \"/var\", below = \"10%\" }";
    let accounts = "{ type = \"account-change\" }";
    let certificates = "{ type = \"certificate-expiring\", path = \"/etc/ssl\", within = \"30d\" }";
    let process = "{ type = \"process\", name = \"nginx\", is-present = false }";
    let port = "{ type = \"listening-port\" }";
    for (watch, (interface, function, target), expected) in [
        (disk, write("/var/x"), SAME),
        (disk, write("/home/x"), None),
        (disk, write("scratch:x"), POSSIBLE),
        (disk, patch, POSSIBLE),
        (disk, ("files-erase", "erase-entries", "/var/x"), None),
        (disk, ("notify", "send", "x"), None),
        (service, stop, SAME),
        (service, ("service-control", "stop-service", "postgresql"), None),
        (service, kill, POSSIBLE),
        (service, write("/etc/nginx.conf"), None),
        (process, kill, SAME),
        (process, ("process-control", "terminate-process", "123"), POSSIBLE),
        (process, stop, POSSIBLE),
        (journal, stop, SAME),
        (journal, ("service-control", "stop-service", "postgresql"), None),
        (log, stop, POSSIBLE),
        (log, write("/var/log/x"), SAME),
        (accounts, write("/etc/passwd"), SAME),
        (accounts, command, POSSIBLE),
        (certificates, write("/etc/ssl/a.pem"), SAME),
        ("{ type = \"boot\" }", reboot, SAME),
        ("{ type = \"boot\" }", patch, None),
        ("{ type = \"resume\" }", command, None),
        ("{ type = \"login\" }", command, None),
        ("{ type = \"network-change\" }", stop, POSSIBLE),
        (port, stop, POSSIBLE),
        (port, kill, POSSIBLE),
        ("{ type = \"updates-available\" }", patch, SAME),
        ("{ type = \"reboot-pending\" }", patch, SAME),
        ("{ type = \"load\", above = \"2\" }", stop, POSSIBLE),
        ("{ type = \"memory-free\", below = \"5%\" }", write("/x"), POSSIBLE),
        ("{ type = \"run-finished\" }", patch, None),
        ("{ type = \"emitted\", name = \"x\" }", command, None),
    ] {
        let trigger: crate::EventTrigger = toml::from_str(&format!("watch = {watch}")).unwrap();
        let runs = [run(Some("order"), &[], vec![touched(interface, function, target)])];
        let notice = crate::Notice {
            at_ms: NOON_MS,
            subject: "x".to_owned(),
            change: Change::Happened,
            data: serde_json::Map::default(),
            cause: None,
            found: None,
        };
        let found = attribute(&notice, &trigger.watch, &runs).map(|it| it.is_certain);
        assert_eq!(found, expected, "{watch} {interface} {target}");
    }
    let mut load = with("watch = { type = \"load\", above = \"2\" }", vec![run(Some("order"), &[], vec![])]);
    assert_eq!(load.notice("", Change::Raised, json!({})), ["cause"], "a run that changes nothing is a load too");
}
