//! `remit dev`: a script that is saved again and again, and what is shown each time.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::Remit;
use tests::scripts::{device, plain, write};

/// However busy the machine is.
const TIME_MAX: Duration = Duration::from_secs(50);

/// A `remit dev` under way.
struct Dev {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| tell.send(line).ok())
    });
    told
}

impl Dev {
    fn start(remit: &Remit, script: &Path, args: &[&str]) -> Self {
        let mut child = remit.start(&[&["--output", "json", "dev", script.to_str().unwrap()], args].concat());
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdout, stderr }
    }

    /// What is shown next.
    #[track_caller]
    fn next(&self) -> Value {
        let line = self.stdout.recv_timeout(TIME_MAX).expect("nothing more is shown");
        serde_json::from_str(&line).unwrap()
    }

    /// The runs that are shown until one has this summary; how many there were.
    #[track_caller]
    fn until(&self, summary: &str) -> (Value, usize) {
        for count in 1.. {
            let shown = self.next();
            if shown["run"]["summary"] == summary {
                return (shown, count);
            }
        }
        unreachable!("`next` gives up before")
    }

    /// Ctrl-C.
    #[track_caller]
    fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let code = self.child.wait().unwrap().code();
        assert_eq!(code, Some(0), "{:?}", self.stderr.iter().collect::<Vec<_>>());
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn says(summary: &str) -> String {
    let body = format!(
        "export function detect() {{\n  console.log(\"looked\");\n  return {{ verdict: \"compliant\", summary: \"{summary}\" }};\n}}\n"
    );
    plain("dev", &body)
}

#[test]
fn each_save_is_a_run() {
    let remit = device();
    let script = write(&remit, "dev.js", &says("first"));
    let dev = Dev::start(&remit, &script, &[]);
    let shown = dev.next();
    assert_eq!(
        (&shown["number"], &shown["run"]["summary"], &shown["run"]["verdict"]),
        (&1.into(), &"first".into(), &"compliant".into())
    );
    assert_eq!((&shown["run"]["log"][0]["message"], &shown["error"]), (&"looked".into(), &Value::Null));
    assert!(shown["took-ms"].is_u64());

    fs::write(&script, says("second")).unwrap();
    let (shown, _) = dev.until("second");
    assert_eq!(shown["changes"][0], "summary: first -> second");
    // As editors do it: another file takes its place.
    for summary in ["third", "fourth"] {
        fs::write(script.with_extension("swp"), says(summary)).unwrap();
        fs::rename(script.with_extension("swp"), &script).unwrap();
        dev.until(summary);
    }
    // One that is the same all the same: who saves wants to look again.
    fs::write(&script, says("fourth")).unwrap();
    assert_eq!(dev.next()["changes"], Value::Array(Vec::new()));
    // A burst is no hundred runs, and the last word of it is what counts.
    for at in 0..100 {
        fs::write(&script, says(&format!("burst {at}"))).unwrap();
    }
    let (_, count) = dev.until("burst 99");
    assert!(count <= 10, "{count} runs of one burst");

    fs::write(&script, says("found").replace("\"compliant\"", "\"non-compliant\", findings: [{ fingerprint: \"a\", title: \"T\", severity: \"info\", target: \"x\", evidence: \"\", remediable: false }]")).unwrap();
    let (shown, _) = dev.until("found");
    let changes: Vec<&str> = shown["changes"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(changes, ["verdict: compliant -> non-compliant", "summary: burst 99 -> found", "+ finding T [x]"]);
    dev.stop();
    let runs = remit.runs();
    assert!(
        runs.len() >= 7 && runs.iter().all(|run| run["started"]["mode"] == "detect"),
        "each is recorded: {}",
        runs.len()
    );
}

#[test]
fn what_is_wrong_waits_for_the_next_save() {
    let remit = device();
    let wrong = says("fixed").replace("return {", "return ({");
    let script = write(&remit, "dev.js", &wrong);
    let dev = Dev::start(&remit, &script, &[]);
    let shown = dev.next();
    assert_eq!((&shown["run"], &shown["problems"][0]["line"]), (&Value::Null, &4.into()));
    let error = shown["error"].as_str().unwrap();
    assert!(
        error.contains("dev.js:4:") && error.contains("      4 |   return ({ verdict") && error.contains("      | "),
        "{error}"
    );
    fs::write(&script, says("fixed")).unwrap();
    dev.until("fixed");
    // It is gone for a while, and comes back.
    fs::remove_file(&script).unwrap();
    assert!(dev.next()["error"].as_str().unwrap().contains("dev.js"));
    fs::write(&script, says("back")).unwrap();
    dev.until("back");
    fs::write(&script, plain("dev", "export function detect() {\n  return nothing.at;\n}\n")).unwrap();
    let shown = dev.next();
    assert_eq!(shown["run"]["outcome"], "plugin-error");
    assert!(shown["run"]["detail"].as_str().unwrap().contains("dev.js:3:10: ReferenceError"), "{shown}");
    dev.stop();
    // What a person sees has the line.
    let mut child = remit.start(&["dev", script.to_str().unwrap()]);
    let stdout = lines(child.stdout.take().unwrap());
    let seen: Vec<String> = stdout.iter().take_while(|line| !line.ends_with('^')).collect();
    assert_eq!(seen.last().unwrap(), "    3 |   return nothing.at;", "{seen:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_save_stops_the_run_that_is_under_way() {
    let remit = device();
    let sleeps = format!(
        "import {{ sleep }} from \"msp:automation/run\";\n{}",
        says("late").replacen("console.log", "sleep(600000); console.log", 1)
    );
    let script = write(&remit, "dev.js", &sleeps);
    let dev = Dev::start(&remit, &script, &[]);
    let waiting = std::time::Instant::now();
    while remit.runs().is_empty() {
        assert!(waiting.elapsed() < TIME_MAX, "it never began");
    }
    fs::write(&script, says("soon")).unwrap();
    let shown = dev.next();
    assert_eq!((&shown["number"], &shown["run"]["summary"]), (&1.into(), &"soon".into()));
    // And one that is under way does not keep Ctrl-C waiting.
    fs::write(&script, &sleeps).unwrap();
    while remit.runs().len() < 3 {
        assert!(waiting.elapsed() < TIME_MAX, "it never began");
    }
    dev.stop();
    assert!(remit.runs().iter().all(|run| run["ended"].is_object()), "each has its end");
}

const FIXTURE: &str = "description = \"A service\"\n[[service]]\nname = \"cups\"\nstate = \"running\"\n[run]\nmode = \"enforce\"\n\
                       [expect]\nverdict = \"compliant\"\nsummary = \"running\"\n";

#[test]
fn a_fixture_is_watched_too() {
    let remit = device();
    let text = "import { getService } from \"msp:automation/service\";\nexport const manifest = {\n  description: \"A test\",\n  \
                capabilities: { service: { scope: [\"cups\"], reason: \"To look\" } },\n};\nexport function detect() {\n  \
                return { verdict: \"compliant\", summary: getService(\"cups\").state };\n}\n";
    let script = write(&remit, "dev.js", text);
    let fixture = remit.folder("elsewhere").join("one.toml");
    fs::write(&fixture, FIXTURE.replace("[expect]", "[expcet]")).unwrap();
    let dev = Dev::start(&remit, &script, &["--fixture", fixture.to_str().unwrap()]);
    let shown = dev.next();
    assert!(shown["error"].as_str().unwrap().contains("one.toml:7: "), "{shown}");
    fs::write(&fixture, FIXTURE).unwrap();
    let (shown, _) = dev.until("running");
    assert_eq!((&shown["run"]["mode"], &shown["differences"]), (&"enforce".into(), &Value::Array(Vec::new())));
    fs::write(&fixture, FIXTURE.replacen("running", "stopped", 1)).unwrap();
    let (shown, _) = dev.until("stopped");
    assert_eq!(shown["differences"][0], "the summary is `stopped`, without `running`");
    assert_eq!(shown["changes"][0], "summary: running -> stopped");
    fs::write(&script, text.replace("getService(\"cups\").state", "\"said\"")).unwrap();
    dev.until("said");
    dev.stop();
    assert_eq!(remit.runs().len(), 0, "nothing is recorded");
}

#[test]
fn nothing_is_enforced_at_each_save() {
    let remit = device();
    let script = write(&remit, "dev.js", &says("never"));
    let refused = remit.run(&["dev", script.to_str().unwrap(), "--mode", "enforce"]).expect(20);
    assert!(
        refused.stderr.contains("each save would change this machine")
            && refused.stderr.contains("remit run --mode enforce"),
        "{refused}"
    );
    assert_eq!(remit.runs().len(), 0);
    // The control: the same, planning.
    let dev = Dev::start(&remit, &script, &["--mode", "dry-run"]);
    assert_eq!(dev.until("never").0["run"]["mode"], "dry-run");
    dev.stop();
}
