//! What the machine's owner says of what orders do: policy, windows, budgets; and what orders say of their approvals.

use super::explained::{daily, emitted, told};
use super::*;

/// A script that writes the file `it` in each of these roots, whatever it finds there; what fails is told and left.
pub(super) fn writes(roots: &[&str]) -> String {
    let all = |sep: &str| roots.iter().map(|root| format!("\"{root}\"")).collect::<Vec<_>>().join(sep);
    format!(
        "import {{ writeFile }} from \"msp:automation/files-write\";\n\
         export const manifest = {{ name: \"writes\", description: \"A test\", publisher: \"remit\", version: \"1.0.0\",\n  \
         capabilities: {{ \"files-write\": {{ scope: [{scope}], reason: \"A test\" }} }} }};\n\
         export function detect() {{\n  return {{ verdict: \"non-compliant\", summary: \"\", findings: [{{ fingerprint: \"it\", \
         title: \"it\", severity: \"info\", target: \"it\", evidence: \"\", remediable: true }}] }};\n}}\n\
         export function remediate() {{\n  for (const root of [{scope}]) {{\n    try {{ writeFile(root, \"it\", new \
         TextEncoder().encode(\"written\"), \"replace\"); }} catch (error) {{ console.log(\"not there\"); }}\n  }}\n  \
         return {{ summary: \"done\" }};\n}}\n",
        scope = all(", ")
    )
}

/// A site with `writes`, whose roots are `one` and `two`.
struct Owned {
    site: Site,
    writes: String,
}

impl Owned {
    fn new() -> Self {
        let site = Site::new();
        let it = Self { writes: install(&site.msp, &site.machine, "writes", &writes(&["one", "two"])), site };
        it.decide("");
        it
    }

    fn decide(&self, device: &str) {
        let root = |name: &str| format!("{name} = {:?}\n", self.site.machine.folder(name));
        let roots = format!("[files.roots]\n{}{}", root("one"), root("two"));
        fs::write(self.site.machine.policy(), roots + device).unwrap();
    }

    /// The owner decides otherwise, and the agent is told so.
    fn decide_anew(&self, agent: &Agent, device: &str) {
        self.decide(device);
        let pid = rustix::process::Pid::from_child(&agent.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    fn order(&self, name: &str, mode: &str, more: &str) {
        self.site.order_of(name, ("writes", &self.writes), mode, more);
    }

    fn emit(&self) {
        self.site.ask(&["emit", "go"]).expect(0);
    }

    fn against(&self, order: &str) -> Value {
        self.site.told(&["agent", "explain", order])["against"].clone()
    }

    /// How the latest run of an order ended, once it has.
    fn outcome(&self, order: &str, runs: usize) -> String {
        let ended = || self.site.codes(order).iter().filter(|code| *code == "ended").count();
        assert!(wait_for(|| ended() == runs), "{order}: {:?}", self.site.codes(order));
        self.site.runs_of(order)[0]["ended"]["outcome"].as_str().unwrap().to_owned()
    }
}

#[test]
fn what_the_owner_does_not_let_run_says_so() {
    let owned = Owned::new();
    owned.decide("[device]\nplugins = [\"look\"]\n");
    owned.order("policy", "enforce", &emitted("go", ""));
    owned.site.order("policy-control", &emitted("go", ""));
    let agent = owned.site.start();
    owned.emit();
    told(&owned.site, "policy", &["placed", "queued", "policy"]);
    assert!(wait_for(|| owned.site.runs_of("policy-control").len() == 1));
    // What is refused is evidence, and is counted.
    assert!(wait_for(|| owned.site.runs_of("policy").len() == 1));
    let refused = &owned.site.runs_of("policy")[0]["ended"];
    assert_eq!(refused["outcome"], "refused", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("`plugins` does not have `writes`"), "{refused}");
    assert_eq!(owned.site.told(&["agent", "status"])["not-run"], json!({ "policy": 1 }));
    // The same order runs when the owner lets it.
    owned.decide_anew(&agent, "[device]\nplugins = [\"look\", \"writes\"]\n");
    assert!(wait_for(|| owned.against("policy") == json!([])));
    owned.emit();
    assert_eq!(owned.outcome("policy", 1), "completed");
}

#[test]
fn the_owners_windows_are_waited_for_or_told() {
    let owned = Owned::new();
    let windows =
        |weekly: &str| format!("[[device.windows]]\nzone = \"UTC\"\nallowed = [{{ weekly = \"{weekly}\" }}]\n");
    owned.decide(&windows(&daily(3, 5)));
    owned.order("window-of-owner", "enforce", &emitted("go", ""));
    owned.order("looks", "detect", &emitted("go", ""));
    let agent = owned.site.start();
    owned.emit();
    told(&owned.site, "window-of-owner", &["placed", "window"]);
    assert_eq!(owned.outcome("looks", 1), "completed", "who only looks may always");
    let opens_ms = owned.against("window-of-owner")[0]["until-ms"].as_i64().unwrap();
    let in_ms = opens_ms - i64::try_from(SystemClock.now_ms()).unwrap();
    assert!((2 * 3_600_000..=3 * 3_600_000).contains(&in_ms), "it says when it opens: {in_ms}");
    owned.decide_anew(&agent, &windows(&daily(-1, 5)));
    assert!(wait_for(|| owned.against("window-of-owner") == json!([])));
    owned.emit();
    assert_eq!(owned.outcome("window-of-owner", 1), "completed");
}

#[test]
fn what_the_device_has_used_up_is_told() {
    let owned = Owned::new();
    let erases = writes(&["one"]).replace("files-write", "files-erase").replace("writeFile", "eraseEntries");
    let erases = erases.replace("\"writes\"", "\"erases\"");
    let digest = install(&owned.site.msp, &owned.site.machine, "erases", &erases);
    owned.decide("[device.budgets]\nl4-runs-per-day = 1\n");
    owned.site.order_of("budget-of-device", ("erases", &digest), "enforce", &emitted("go", ""));
    let agent = owned.site.start();
    owned.emit();
    assert_eq!(owned.outcome("budget-of-device", 1), "completed");
    let left = |site: &Site| site.told(&["agent", "status"])["budgets"].clone();
    assert_eq!(left(&owned.site)[0]["left"], 0);
    owned.emit();
    told(&owned.site, "budget-of-device", &["placed", "queued", "started", "ended", "queued", "budget"]);
    assert!(wait_for(|| owned.site.runs_of("budget-of-device").len() == 2));
    let run = owned.site.runs_of("budget-of-device")[0]["run"].as_str().unwrap().to_owned();
    let events = owned.site.machine.events(&run);
    assert!(events.iter().any(|event| event["event"] == "exhausted"), "{events:?}");
    owned.decide_anew(&agent, "[device.budgets]\nl4-runs-per-day = 2\n");
    assert!(wait_for(|| owned.against("budget-of-device") == json!([])));
    owned.emit();
    assert_eq!(owned.outcome("budget-of-device", 2), "completed");
    assert_eq!(left(&owned.site)[0]["left"], 0, "it is counted");
}

#[test]
fn an_order_narrows_what_was_approved() {
    let owned = Owned::new();
    let allow = |lines: &str| format!("allow = [{lines}]\n{}", emitted("go", ""));
    owned.order("narrow", "enforce", &allow("\"files-write [two]\""));
    owned.order("wide", "enforce", &allow("\"files-write [three]\", \"files-erase\""));
    let is_written = |name: &str| owned.site.machine.folder(name).join("it").exists();
    let agent = owned.site.start();
    owned.emit();
    assert_eq!((owned.outcome("narrow", 1), owned.outcome("wide", 1)), ("completed".into(), "refused".into()));
    assert_eq!((is_written("one"), is_written("two")), (false, true));
    let why = owned.site.runs_of("wide")[0]["ended"]["detail"].as_str().unwrap().to_owned();
    for listed in ["`files-write [three]`, which `writes` does not grant", "`files-erase`, which `writes`"] {
        assert!(why.contains(listed), "{why}");
    }
    drop(agent);
    // The same orders, that list nothing and what was approved.
    owned.order("narrow", "enforce", &emitted("go", ""));
    owned.order("wide", "enforce", &allow("\"files-write [one, two]\""));
    let _agent = owned.site.start();
    fs::remove_file(owned.site.machine.folder("two").join("it")).unwrap();
    owned.emit();
    assert_eq!((owned.outcome("narrow", 2), owned.outcome("wide", 2)), ("completed".into(), "completed".into()));
    assert_eq!((is_written("one"), is_written("two")), (true, true));
}
