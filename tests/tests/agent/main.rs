//! The agent, as a technician leaves it on a machine: what it runs, what it does not, and what it says of both.

mod causes;
mod explained;
mod owner;

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use model::{Clock as _, SystemClock};
use serde_json::{Value, json};
use store::{Expected, Store};
use tests::msp::NOTHING;
use tests::remit::Ran;
use tests::{Msp, Remit};

/// An agent at work. It is killed with this value.
struct Agent {
    child: Child,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A machine with a plugin `look` that is installed and approved, and a folder of orders.
struct Site {
    msp: Msp,
    machine: Remit,
    orders: PathBuf,
    config: PathBuf,
    digest: String,
}

impl Site {
    fn new() -> Self {
        let msp = Msp::new();
        let machine = msp.machine();
        let digest = install(&msp, &machine, "look", &tests::msp::look("1.0.0", NOTHING));
        let orders = machine.folder("orders");
        let config = machine.folder("config").join("agent.toml");
        fs::write(&config, format!("orders = {orders:?}\nsite = \"berlin\"\n[log]\nformat = \"stderr\"\n")).unwrap();
        Self { msp, machine, orders, config, digest }
    }

    fn order(&self, name: &str, more: &str) {
        self.order_of(name, ("look", &self.digest), "detect", more);
    }

    fn order_of(&self, name: &str, (plugin, digest): (&str, &str), mode: &str, more: &str) {
        let head = format!("format = 1\nplugin = \"{plugin}\"\ndigest = \"{digest}\"\nmode = \"{mode}\"\n");
        fs::write(self.orders.join(format!("{name}.toml")), head + more).unwrap();
    }

    /// Starts the agent, and waits until it answers.
    fn start(&self) -> Agent {
        let mut command = self.machine.command(&["agent", "run", "--config", self.config.to_str().unwrap()]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut agent = Agent { child: command.spawn().unwrap() };
        let up = wait_for(|| self.ask(&["agent", "status"]).code == Some(0));
        if !up {
            let _ = agent.child.kill();
            let mut said = String::new();
            agent.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the agent does not answer:\n{said}");
        }
        agent
    }

    fn ask(&self, args: &[&str]) -> Ran {
        self.msp.run_on(&self.machine, &[args, &["--output", "json"]].concat())
    }

    #[track_caller]
    fn told(&self, args: &[&str]) -> Value {
        self.ask(args).expect(0).json()
    }

    /// What was decided of an order, the oldest first.
    fn codes(&self, order: &str) -> Vec<String> {
        let told = self.told(&["agent", "explain", order]);
        let codes = told["decided"].as_array().unwrap().iter().rev();
        codes.map(|row| row["code"].as_str().unwrap().to_owned()).collect()
    }

    /// As if the agent had been off for so long: what it remembers of when it looked last is put back.
    fn was_off_for(&self, order: &str, ms: i64) {
        let store = Store::open(&self.machine.state()).unwrap();
        let key = format!("order/{order}");
        let now_ms = SystemClock.now_ms();
        let kept = store.get("agent", &key, now_ms).unwrap().unwrap();
        let mut kept: Value = serde_json::from_str(&kept.value).unwrap();
        let looked = kept["schedule"]["looked-ms"].as_i64().unwrap() - ms;
        kept["schedule"]["looked-ms"] = json!(looked);
        kept["schedule"]["passed-ms"] = Value::Null;
        store.put("agent", &key, &kept.to_string(), Expected::Any, None, now_ms).unwrap().unwrap();
    }

    fn runs_of(&self, order: &str) -> Vec<Value> {
        let runs = self.machine.runs();
        runs.into_iter().filter(|run| run["started"]["trigger"]["name"] == order).collect()
    }
}

/// Has a script built, signed, approved and installed; gives its digest.
fn install(msp: &Msp, machine: &Remit, name: &str, source: &str) -> String {
    msp.write(&format!("{name}.js"), source);
    let file = format!("{name}.wasm");
    msp.ok(&["build", &format!("{name}.js")]);
    msp.ok(&["sign", &file, "--key", "remit"]);
    msp.ok(&["approve", &file, "--name", name, "--client", "*", "--key", "rob"]);
    let installed = msp.run_on(machine, &["plugin", "install", &file, "--output", "json"]).expect(0).json();
    msp.run_on(machine, &["take", &format!("{name}.approval.statement")]).expect(0);
    installed["installed"][0]["digest"].as_str().unwrap().to_owned()
}

fn wait_for(is: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(40) {
        if is() {
            return true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    false
}

#[test]
fn what_was_missed_is_run_once_and_told() {
    let site = Site::new();
    site.order("hourly", "schedule = { cron = \"0 * * * *\", zone = \"UTC\" }\n");
    site.order("strict", "schedule = { cron = \"0 * * * *\", zone = \"UTC\", misfire = \"skip\" }\n");
    drop(site.start());
    assert_eq!(site.runs_of("hourly").len(), 0, "nothing before its first look is missed");
    for order in ["hourly", "strict"] {
        site.was_off_for(order, 5 * 3_600_000);
    }
    let agent = site.start();
    assert!(wait_for(|| site.codes("hourly").ends_with(&["ended".to_owned()])), "{:?}", site.codes("hourly"));
    assert_eq!(site.codes("hourly"), ["placed", "misfire", "queued", "started", "ended"]);
    assert_eq!(site.codes("strict"), ["placed", "misfire"]);
    assert_eq!(site.runs_of("strict").len(), 0);
    let runs = site.runs_of("hourly");
    assert_eq!(runs.len(), 1);
    let (run, trust) = (&runs[0], runs[0]["started"]["trust"].as_str().unwrap());
    assert_eq!(
        (&run["ended"]["outcome"], &run["started"]["trigger"]["kind"]),
        (&json!("completed"), &json!("schedule"))
    );
    assert!(trust.contains("approved by rob"), "{trust}");
    let explained = site.told(&["agent", "explain", "hourly"]);
    assert_eq!(explained["coming"].as_array().unwrap().len(), 10);
    drop(agent);
    // Killed: what it did, it does not do again.
    let _again = site.start();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(site.runs_of("hourly").len(), 1);
}

#[test]
fn a_hand_run_goes_to_the_agent_and_without_one_runs_by_itself() {
    let site = Site::new();
    let by_itself = site.told(&["run", "look"]);
    let agent = site.start();
    let by_agent = site.told(&["run", "look"]);
    for it in [&by_itself, &by_agent] {
        assert_eq!((&it["outcome"], &it["verdict"]), (&json!("completed"), &json!("compliant")), "{it}");
    }
    // The agent tells of it; of the other it knows nothing.
    let log = || -> Vec<String> {
        let log = Store::open(&site.machine.state()).unwrap().decisions("by hand", None, 10);
        log.unwrap().into_iter().map(|it| it.body).collect()
    };
    assert!(wait_for(|| log().len() == 3), "{:?}", log());
    let run = by_agent["run"].as_str().unwrap();
    assert!(log().iter().all(|told| told.contains(run)), "{:?}", log());
    // A file of whoever asks is run unsigned, as without an agent.
    site.msp.write("mine.js", &tests::msp::look("9.0.0", NOTHING));
    let mine = site.told(&["run", "mine.js"]);
    assert_eq!(mine["outcome"], "completed");
    assert_eq!(tests::msp::trust_of_latest(&site.machine), "unsigned");
    // What is refused is refused as without one, with the next step.
    let refused = site.ask(&["run", "look@7.0.0"]);
    let alone = {
        drop(agent);
        site.ask(&["run", "look@7.0.0"])
    };
    assert_eq!((refused.code, refused.stderr), (alone.code, alone.stderr));
}

#[test]
fn an_order_that_is_wrong_is_named_and_the_others_stand() {
    let site = Site::new();
    site.order("good", "schedule = { cron = \"0 3 * * *\", zone = \"Europe/Berlin\" }\n");
    site.order("typo", "schedule = { cron = \"0 25 * * *\", zone = \"Europe/Berlin\" }\ncolour = 1\n");
    let _agent = site.start();
    let orders = site.told(&["agent", "orders"]);
    assert_eq!((orders.as_array().unwrap().len(), &orders[0]["order"]), (1, &json!("good")));
    // Whoever asks does not change when it looks again.
    let wakes: Vec<Value> = (0..3).map(|_| site.told(&["agent", "status"])["wake-ms"].clone()).collect();
    let due = orders[0]["next-ms"].as_i64().unwrap();
    assert!(wakes.iter().all(|it| it.as_i64().is_some_and(|at_ms| at_ms <= due)), "{wakes:?}");
    let status = site.told(&["agent", "status"]);
    let problems = &status["problems"]["order typo.toml"];
    assert_eq!(problems.as_array().unwrap().len(), 2, "{status}");
    let why = site.ask(&["agent", "explain", "typo"]);
    assert!(why.code == Some(1) && why.stderr.contains("colour"), "{why}");
    // Mended, it stands: nobody has to say so.
    site.order("typo", "schedule = { cron = \"0 23 * * *\", zone = \"Europe/Berlin\" }\n");
    assert!(wait_for(|| site.told(&["agent", "orders"]).as_array().unwrap().len() == 2));
    assert_eq!(site.told(&["agent", "status"])["problems"], json!({}));
    fs::remove_file(site.orders.join("good.toml")).unwrap();
    assert!(wait_for(|| site.codes("good").last().unwrap() == "removed"));
}

#[test]
fn a_pause_outlives_the_agent() {
    let site = Site::new();
    site.order("hourly", "schedule = { cron = \"0 * * * *\", zone = \"UTC\" }\n");
    let agent = site.start();
    site.ask(&["agent", "pause", "hourly"]).expect(0);
    assert_eq!(site.ask(&["agent", "pause", "nothing"]).code, Some(1));
    drop(agent);
    site.was_off_for("hourly", 5 * 3_600_000);
    let agent = site.start();
    assert!(wait_for(|| site.codes("hourly").len() > 2));
    assert_eq!(site.runs_of("hourly").len(), 0, "{:?}", site.codes("hourly"));
    assert!(site.codes("hourly").contains(&"paused".to_owned()));
    site.ask(&["agent", "resume", "hourly"]).expect(0);
    drop(agent);
    site.was_off_for("hourly", 5 * 3_600_000);
    let _agent = site.start();
    assert!(wait_for(|| site.runs_of("hourly").len() == 1), "{:?}", site.codes("hourly"));
}

#[test]
fn what_is_not_approved_is_refused_and_recorded() {
    let site = Site::new();
    let unknown = site.digest.replace(&site.digest[10..14], "0000");
    site.order("good", "schedule = { cron = \"0 * * * *\", zone = \"UTC\" }\n");
    let text = fs::read_to_string(site.orders.join("good.toml")).unwrap();
    fs::write(site.orders.join("absent.toml"), text.replace(&site.digest, &unknown)).unwrap();
    drop(site.start());
    for order in ["good", "absent"] {
        site.was_off_for(order, 5 * 3_600_000);
    }
    let _agent = site.start();
    assert!(wait_for(|| ["good", "absent"].iter().all(|order| site.codes(order).ends_with(&["ended".to_owned()]))));
    let outcome = |order: &str| site.runs_of(order)[0]["ended"]["outcome"].clone();
    assert_eq!((outcome("good"), outcome("absent")), (json!("completed"), json!("refused")));
    assert_eq!(site.runs_of("absent")[0]["started"]["digest"], unknown);
}

#[test]
fn what_is_taken_back_does_not_run_again_though_it_ran_a_moment_ago() {
    let site = Site::new();
    let _agent = site.start();
    let run = || site.ask(&["run", "look"]);
    // What an agent has read it reads again when that has changed; what changed only just now it keeps for no run.
    let has_it_kept = || {
        thread::sleep(Duration::from_secs(3));
        (0..2).for_each(|_| drop(run().expect(0)));
    };
    has_it_kept();
    let (entries, away) = (site.machine.state().join("plugins/entries"), site.machine.state().join("away"));
    fs::rename(&entries, &away).unwrap();
    fs::create_dir(&entries).unwrap();
    let gone = run();
    assert!(gone.code == Some(1) && gone.stderr.contains("not installed"), "{gone}");
    fs::remove_dir(&entries).unwrap();
    fs::rename(&away, &entries).unwrap();
    has_it_kept();
    let revoke =
        ["revoke", "--end", "compromised", "--reason", "it does harm", "--plugin", "look.wasm", "--key", "rob"];
    site.msp.ok(&revoke);
    run().expect(0);
    let names = fs::read_dir(&site.msp.folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let revocation =
        names.into_iter().find(|name| name.contains("revocation") && name.ends_with(".statement")).unwrap();
    site.msp.run_on(&site.machine, &["take", &revocation]).expect(0);
    assert_eq!(run().expect(20).codes(), ["revoked"]);
}

#[test]
fn one_state_has_one_agent() {
    let site = Site::new();
    let _agent = site.start();
    let second = site.machine.command(&["agent", "run", "--config", site.config.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("an agent runs already"), "{said}");
}

#[test]
fn an_event_runs_its_order_and_the_plugin_sees_it() {
    let site = Site::new();
    let watched = site.machine.folder("watched");
    let on = |event: &str| format!("[event]\n{event}\n");
    site.order("told", &on("watch = { type = \"emitted\", name = \"deploy\" }\nfilter = \"event.data.ring == 1 && device.site == 'berlin'\""));
    site.order("then", &on("watch = { type = \"run-finished\", order = \"told\" }"));
    let change = format!("watch = {{ type = \"file-change\", path = {:?} }}\ndebounce = \"3s\"", watched.join("it"));
    site.order("file", &on(&change));
    let _agent = site.start();
    site.ask(&["emit", "deploy", "--data", "{\"ring\": 2}"]).expect(0);
    assert!(wait_for(|| site.codes("told").contains(&"filter".to_owned())), "{:?}", site.codes("told"));
    assert_eq!(site.runs_of("told").len(), 0);
    site.ask(&["emit", "deploy", "--data", "{\"ring\": 1}"]).expect(0);
    assert!(wait_for(|| site.runs_of("then").len() == 1), "{:?} {:?}", site.codes("told"), site.codes("then"));
    let trigger = site.runs_of("told")[0]["started"]["trigger"].clone();
    assert_eq!((&trigger["kind"], &trigger["event"]["event-type"]), (&json!("event"), &json!("emitted")), "{trigger}");
    let data: Value = serde_json::from_str(trigger["event"]["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["ring"], 1);
    // What follows from a run says so.
    let told = site.runs_of("told")[0]["run"].clone();
    assert_eq!(site.runs_of("then")[0]["started"]["trigger"]["event"]["cause"], told);
    // A burst is one run.
    for line in 0..50 {
        fs::write(watched.join("it"), line.to_string()).unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    assert!(wait_for(|| site.runs_of("file").len() == 1), "{:?}", site.codes("file"));
    thread::sleep(Duration::from_secs(4));
    assert_eq!(site.runs_of("file").len(), 1);
}

#[test]
fn a_circle_is_broken_with_one_ticket() {
    let site = Site::new();
    let after = |what: &str| format!("[event]\nwatch = {{ type = \"run-finished\", {what} }}\n");
    // Any run of the plugin sets off the first, and so does what it set off itself.
    for (order, what) in [("one", "plugin = \"look\""), ("two", "order = \"one\""), ("three", "order = \"two\"")] {
        site.order(order, &after(what));
    }
    let _agent = site.start();
    site.ask(&["run", "look"]).expect(0);
    assert!(wait_for(|| site.codes("one").contains(&"tripped".to_owned())), "{:?}", site.codes("one"));
    assert!(wait_for(|| site.runs_of("three").len() == 1), "{:?}", site.codes("three"));
    thread::sleep(Duration::from_secs(2));
    let runs = ["one", "two", "three"].map(|order| site.runs_of(order).len());
    assert_eq!(runs, [1, 1, 1], "{:?}", site.codes("one"));
    let tickets = || site.msp.run_on(&site.machine, &["ticket", "list", "--output", "json"]).expect(0).json();
    assert!(wait_for(|| tickets().as_array().is_some_and(|all| all.len() == 1)), "{}", tickets());
    assert!(tickets()[0].to_string().contains("`one` was switched off"), "{}", tickets());
    // It is off until somebody looks.
    site.ask(&["run", "look"]).expect(0);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(site.runs_of("one").len(), 1);
    site.ask(&["agent", "resume", "one"]).expect(0);
    site.ask(&["run", "look"]).expect(0);
    assert!(wait_for(|| site.runs_of("one").len() == 2), "{:?}", site.codes("one"));
}
