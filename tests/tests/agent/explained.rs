//! `remit agent explain`: each of its reasons, brought about by a real agent, and kept as a technician reads it and as a program
//! does. Each has its control: the same order without that one flaw runs.

use std::collections::BTreeSet;
use std::process::Command;

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use tests::built;

use super::*;

/// Where what is kept lies: `REMIT_BLESS=1` writes it anew.
fn folder() -> PathBuf {
    built::repository().join("tests/explained")
}

/// Every reason that there is, as the agent has them.
fn reasons() -> BTreeSet<String> {
    let source = include_str!("../../../host/agent/src/reason.rs");
    let codes = source.split("pub fn code").nth(1).unwrap().split("pub fn").next().unwrap();
    let code = |line: &str| Some(line.trim().strip_prefix("Self::")?.split('"').nth(1)?.to_owned());
    codes.lines().filter_map(code).collect()
}

#[test]
fn every_reason_is_kept() {
    let reasons = reasons();
    assert!(reasons.len() >= 17 && reasons.contains("misfire"), "{reasons:?}");
    for reason in &reasons {
        let path = folder().join(format!("{reason}.json"));
        let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{reason} is not kept: {error}"));
        let kept: Value = serde_json::from_str(&kept).unwrap();
        let rows = kept["decided"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["code"] == *reason), "{reason} is not what is told: {kept:#}");
        assert!(folder().join(format!("{reason}.txt")).exists(), "{reason}");
    }
    // And nothing that no test brings about.
    let sources = [include_str!("explained.rs"), include_str!("owner.rs")];
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let named = format!("\"{}\"", path.file_stem().unwrap().to_str().unwrap());
        assert!(sources.iter().any(|source| source.contains(&named)), "{}", path.display());
    }
}

/// Waits until exactly this was decided of an order, and holds what is told of it against what is kept.
#[track_caller]
pub(super) fn told(site: &Site, order: &str, codes: &[&str]) {
    assert!(wait_for(|| site.codes(order) == codes), "{order}: {:?}", site.codes(order));
    let ask = ["agent", "explain", order];
    let text = plain(site, &site.msp.run_on(&site.machine, &ask).expect(0).stdout);
    let mut json = site.told(&ask);
    simplify(site, &mut json);
    for (ending, now) in [("txt", text + "\n"), ("json", format!("{json:#}\n"))] {
        let path = folder().join(format!("{order}.{ending}"));
        if std::env::var_os("REMIT_BLESS").is_some() {
            fs::write(&path, &now).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == now, "{order}.{ending} is kept as\n{kept}\nand is\n{now}");
    }
}

/// The control: an order without the flaw has run so often.
#[track_caller]
fn ran(site: &Site, order: &str, times: usize) {
    assert!(wait_for(|| site.runs_of(order).len() >= times), "{order}: {:?}", site.codes(order));
    let has_ended = || site.runs_of(order).iter().all(|run| run["ended"]["outcome"] == "completed");
    assert!(wait_for(has_ended), "{order}: {:?}", site.runs_of(order));
}

/// A text whose times, runs and folders are those of any time, run and folder. What a test writes is of 2020 or 2090, and stays.
fn plain(site: &Site, text: &str) -> String {
    let home = site.machine.policy().parent().unwrap().display().to_string();
    let mut rest = text.replace(&home, "/home");
    // What is due each day was so two hours ago, by whatever clock.
    if let Some(at) = rest.find(" * * * UTC") {
        let from = rest[..at].rfind('`').map_or(0, |tick| tick + 1);
        rest.replace_range(from..at, "0 2");
    }
    let mut plain = String::new();
    while let Some(first) = rest.chars().next() {
        let is_time = |text: &str| {
            let form = "0000-00-00T00:00:00Z";
            let fits = |(is, want): (char, char)| if want == '0' { is.is_ascii_digit() } else { is == want };
            text.len() >= form.len()
                && text.chars().zip(form.chars()).all(fits)
                && !["2020", "2090"].iter().any(|year| text.starts_with(year))
        };
        let (now, length) = match &rest {
            it if is_time(it) => ("2026-MM-DDThh:mm:ssZ".to_owned(), 20),
            // A certificate, told apart from others of its file.
            it if it.starts_with(".pem#") => (".pem#xxxxxxxxxxxxxxxx".to_owned(), 21),
            it if it.starts_with("run_") && it.len() >= 30 => ("run_".to_owned() + &"x".repeat(26), 30),
            _ => (first.to_string(), first.len_utf8()),
        };
        plain.push_str(&now);
        rest = rest.split_off(length);
    }
    // A table is as wide as the folder's name is long.
    let mut lines: Vec<String> = plain.lines().map(|line| line.trim_end().to_owned()).collect();
    while lines.iter().any(|line| line.contains("    ")) {
        lines.iter_mut().for_each(|line| *line = line.replace("    ", "   "));
    }
    lines.join("\n")
}

/// The same of a value.
fn simplify(site: &Site, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Number(_) if name.ends_with("-ms") => *field = json!("ms"),
                    other => simplify(site, other),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|it| simplify(site, it)),
        Value::String(text) => *text = plain(site, text),
        _ => {}
    }
}

/// An order on `remit emit NAME`.
pub(super) fn emitted(name: &str, lines: &str) -> String {
    format!("[event]\nwatch = {{ type = \"emitted\", name = \"{name}\" }}\n{lines}\n")
}

#[test]
fn what_is_noticed_and_does_not_run() {
    let site = Site::new();
    let of_budget = |runs: u32| format!("budget = {{ runs-per-day = {runs} }}\n{}", emitted("go", ""));
    let on = |lines: &str| emitted("go", lines);
    for (order, flawed, control) in [
        ("not-started", on("start = \"2090-01-01T00:00:00Z\""), on("start = \"2020-01-01T00:00:00Z\"")),
        ("expired", on("expires = \"2020-01-02T00:00:00Z\""), on("expires = \"2090-01-02T00:00:00Z\"")),
        ("filter", on("filter = \"event.data.ring == 1\""), on("filter = \"event.data.ring == 2\"")),
        ("cooldown", on("cooldown = \"1h\""), on("cooldown = \"0s\"")),
        ("max-per-hour", on("max-per-hour = 1"), on("max-per-hour = 2")),
        ("breaker", on("breaker = \"1/1h\""), on("breaker = \"2/1h\"")),
        ("budget", of_budget(1), of_budget(2)),
    ] {
        site.order(order, &flawed);
        site.order(&format!("{order}-control"), &control);
    }
    let _agent = site.start();
    let emit = || site.ask(&["emit", "go", "--data", "{\"ring\": 2}"]).expect(0);
    let controls = |times: usize| {
        ["not-started", "expired", "filter", "cooldown", "max-per-hour", "breaker", "budget"]
            .iter()
            .for_each(|order| ran(&site, &format!("{order}-control"), times));
    };
    emit();
    controls(1);
    for order in ["not-started", "expired", "filter"] {
        told(&site, order, &["placed", order]);
    }
    emit();
    controls(2);
    let once = ["placed", "queued", "started", "ended"];
    for order in ["cooldown", "max-per-hour"] {
        told(&site, order, &[&once[..], &[order]].concat());
    }
    told(&site, "breaker", &[&once[..], &["tripped", "breaker"]].concat());
    told(&site, "budget", &[&once[..], &["queued", "budget"]].concat());
    // Whoever lets it go on has looked, and then it runs.
    site.ask(&["agent", "resume", "breaker"]).expect(0);
    emit();
    ran(&site, "breaker", 2);
}

/// `daily 10:00-11:00`, from so many hours after now to so many, in UTC.
pub(super) fn daily(from: i64, to: i64) -> String {
    let minutes = i64::try_from(SystemClock.now_ms()).unwrap() / 60_000;
    let time = |hours: i64| {
        let minutes = (minutes + hours * 60).rem_euclid(1_440);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    };
    format!("daily {}-{}", time(from), time(to))
}

#[test]
fn what_was_due_and_did_not_run() {
    let site = Site::new();
    let minutes = SystemClock.now_ms() / 60_000 + 22 * 60;
    let cron = format!("{} {} * * *", minutes % 60, minutes / 60 % 24);
    let on = |lines: &str| format!("[schedule]\ncron = \"{cron}\"\nzone = \"UTC\"\n{lines}\n");
    let allowed = |weekly: &str| on(&format!("allowed = [{{ weekly = \"{weekly}\" }}]"));
    let blackout = |weekly: &str| on(&format!("blackout = [{{ name = \"fair\", weekly = \"{weekly}\" }}]"));
    for (order, flawed, control) in [
        ("window", allowed(&daily(3, 5)), allowed(&daily(-3, 3))),
        ("blackout", blackout(&daily(-3, 1)), blackout(&daily(3, 5))),
        ("misfire", on("misfire = \"skip\""), on("misfire = \"run-once\"")),
        ("paused", on(""), on("")),
    ] {
        site.order(order, &flawed);
        site.order(&format!("{order}-control"), &control);
    }
    let agent = site.start();
    site.ask(&["agent", "pause", "paused"]).expect(0);
    drop(agent);
    // It was due two hours ago, and nobody was there for five.
    let orders = ["window", "blackout", "misfire", "paused"];
    orders.iter().for_each(|order| site.was_off_for(order, 5 * 3_600_000));
    orders.iter().for_each(|order| site.was_off_for(&format!("{order}-control"), 5 * 3_600_000));
    let _agent = site.start();
    for order in orders {
        ran(&site, &format!("{order}-control"), 1);
        assert_eq!(site.runs_of(order).len(), 0);
    }
    told(&site, "window", &["placed", "window"]);
    told(&site, "blackout", &["placed", "blackout"]);
    told(&site, "misfire", &["placed", "misfire"]);
    told(&site, "paused", &["placed", "paused", "paused"]);
    told(&site, "misfire-control", &["placed", "queued", "started", "ended"]);
}

/// A script that is at work for so long.
fn slow(ms: u32) -> String {
    format!(
        "export const manifest = {{ name: \"slow\", description: \"Takes its time\", publisher: \"remit\", version: \"1.0.0\" }};\n\
         export function detect() {{\n  const end = Date.now() + {ms};\n  while (Date.now() < end) {{}}\n  \
         return {{ verdict: \"compliant\", summary: \"\" }};\n}}\n"
    )
}

#[test]
fn what_comes_often_or_too_soon() {
    let site = Site::new();
    let slow = install(&site.msp, &site.machine, "slow", &slow(4_000));
    let on = |name: &str, lines: &str| emitted(name, lines);
    site.order_of("overlap", ("slow", &slow), "detect", &on("twice", "overlap = \"skip\""));
    site.order_of("overlap-control", ("slow", &slow), "detect", &on("twice", "overlap = \"queue\""));
    site.order("debounce", &on("burst", "debounce = \"5s\""));
    site.order("debounce-control", &on("burst", "overlap = \"queue\""));
    // They hold, and not for long enough.
    let probe = site.machine.folder("bin").join("remit-probe");
    fs::copy("/bin/sleep", &probe).unwrap();
    let process = |lines: &str| {
        format!("[event]\nwatch = {{ type = \"process\", name = \"remit-probe\", is-present = true }}\n{lines}")
    };
    site.order("for", &process("for = \"1h\""));
    site.order("for-control", &process(""));
    // One more than a rule remembers, and as many.
    for (order, count) in [("crowded", 129), ("crowded-control", 128)] {
        let certificates = site.machine.folder(order);
        certify(&certificates.join("all.pem"), count);
        let watch = format!("watch = {{ type = \"certificate-expiring\", path = {certificates:?}, within = \"30d\" }}");
        site.order(order, &format!("[event]\n{watch}\nfor = \"1h\"\n"));
    }
    let _agent = site.start();
    let mut child = Command::new(&probe).arg("60").spawn().unwrap();
    let emit = |name: &str| site.ask(&["emit", name]).expect(0);
    (0..3).for_each(|_| drop(emit("burst")));
    emit("twice");
    assert!(wait_for(|| site.codes("overlap").contains(&"started".to_owned())));
    emit("twice");
    ran(&site, "for-control", 1);
    child.kill().unwrap();
    child.wait().unwrap();
    ran(&site, "debounce-control", 2);
    ran(&site, "overlap-control", 2);
    told(&site, "overlap", &["placed", "queued", "started", "overlap", "ended"]);
    told(&site, "debounce", &["placed", "queued", "debounce", "started", "ended"]);
    told(&site, "for", &["placed", "for"]);
    told(&site, "crowded", &["placed", "crowded"]);
    assert_eq!(site.codes("crowded-control"), ["placed"]);
}

/// So many certificates that have expired.
fn certify(path: &PathBuf, count: u32) {
    let key = KeyPair::generate().unwrap();
    let one = |number: u32| {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("host {number:03}"));
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        params.self_signed(&key).unwrap().pem()
    };
    fs::write(path, (0..count).map(one).collect::<String>()).unwrap();
}

#[test]
fn what_our_own_runs_brought_about() {
    let site = Site::new();
    let scratch = site.machine.folder("scratch");
    fs::write(site.machine.policy(), format!("[files.roots]\nscratch = {scratch:?}\n")).unwrap();
    // It stays until what it wrote was noticed: which of the two comes first is not left to how busy this machine is.
    let done = "return { summary: \"done\" };";
    let writes = owner::writes(&["scratch"]).replace(done, &format!("sleep(4000);\n  {done}"));
    assert!(writes.contains("sleep("), "{writes}");
    let writes = format!("import {{ sleep }} from \"msp:automation/run\";\n{writes}");
    let writes = install(&site.msp, &site.machine, "writes", &writes);
    let rounds = tests::msp::look("1.0.0", NOTHING).replace("\"look\"", "\"rounds\"");
    let rounds = install(&site.msp, &site.machine, "rounds", &rounds);
    let file = |name: &str| {
        format!("[event]\nwatch = {{ type = \"file-change\", path = {:?} }}\ndebounce = \"1s\"\n", scratch.join(name))
    };
    // What it writes is `it`.
    site.order_of("cause", ("writes", &writes), "enforce", &file("it"));
    site.order_of("cause-control", ("writes", &writes), "enforce", &file("other"));
    let after = |what: &str| format!("[event]\nwatch = {{ type = \"run-finished\", {what} }}\n");
    site.order_of("circle", ("rounds", &rounds), "detect", &after("plugin = \"rounds\""));
    site.order_of("circle-back", ("rounds", &rounds), "detect", &after("order = \"circle\""));
    let _agent = site.start();
    fs::write(scratch.join("it"), "by somebody").unwrap();
    told(&site, "cause", &["placed", "queued", "started", "cause", "ended"]);
    assert_eq!(fs::read_to_string(scratch.join("it")).unwrap(), "written");
    // Another file is nobody's doing, each time.
    for times in 1..=2 {
        fs::write(scratch.join("other"), format!("by somebody, {times}")).unwrap();
        assert!(wait_for(|| site.codes("cause-control").iter().filter(|code| *code == "ended").count() == times));
    }
    assert!(!site.codes("cause-control").contains(&"cause".to_owned()));
    site.ask(&["run", "rounds"]).expect(0);
    told(&site, "circle", &["placed", "queued", "started", "ended", "cause", "tripped"]);
    ran(&site, "circle-back", 1);
}
