//! A device in a fleet: it joins, gets orders over its line, does each once, and tells what became of it in results that it signs.

mod asked;
mod desk;
mod hostile;
mod moved;
mod real;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use contract::Class;
use desk::Hub;
use fleet::{Mailbox, Parcel, Posted};
use model::{Clock as _, Digest, Mode, Outcome, SystemClock, Verdict};
use serde_json::Value;
use tests::msp::NOTHING;
use tests::remit::Ran;
use tests::{Msp, Remit};
use trust::statement::{self, Assignment, Order, OrderedPlugin, Pause};
use trust::{Chain, Key, Names, Reported, Signed, Signer, Statement, Time, Token, Trust};

/// A half of the agent. It is killed with this value.
struct Half(Child);

impl Drop for Half {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An MSP with a technician, a machine that knows nobody, and a hub that is no more than a desk.
struct Site {
    msp: Msp,
    machine: Remit,
    hub: Hub,
    token: Token,
    /// Who signed what devices believe: root, roster.
    trust: Trust,
    documents: Vec<Signed>,
    tess: Signer,
    counter: u64,
    /// The system that its agent manages, where that is not the machine itself.
    root: Option<std::path::PathBuf>,
}

impl Site {
    fn new() -> Self {
        let msp = Msp::new();
        msp.make_key("tess");
        let seat = format!(
            "[[technicians]]\nholder = \"tess\"\nkey = \"{}\"\nfrom = \"2020-01-01T00:00:00Z\"\nuntil = \"2050-01-01T00:00:00Z\"\n\
             clients = [\"*\"]\nclass-max = \"L3\"\n",
            msp.public("tess")
        );
        msp.write("seats.toml", &(msp.roster().replace("serial = 1", "serial = 2") + &seat));
        msp.ok(&["roster", "make", "seats.toml", "--key", "ann"]);
        msp.ok(&["sign", "seats.statement", "--key", "ben"]);
        let read = |name: &str| trust::file::read(&msp.folder.join(name)).unwrap();
        let (root, roster) = (read("root.statement"), read("seats.statement"));
        let mut trust = Trust::pinned(Digest::of(root.statement()), &root).unwrap();
        trust.take(&roster, now()).unwrap();
        let tess = Signer::from_file(&msp.folder.join("tess"), || panic!("it has no passphrase")).unwrap();
        let hub = Hub::start(&root);
        let token = Token::new(trust.pin(), hub.authority, &[7; 32]);
        let machine = tests::msp::compiled();
        Self { msp, machine, hub, token, trust, documents: vec![roster], tess, counter: 0, root: None }
    }

    fn join(&self, token: &Token) -> Ran {
        let address = format!("https://{}", self.hub.address);
        self.machine.run(&["agent", "join", &address, &token.to_text(), "--output", "json"])
    }

    /// The device's own key, as it lies on its disk.
    fn device(&self) -> Key {
        let path = self.machine.state().join("device.key");
        Signer::from_file(&path, || panic!("it has no passphrase")).unwrap().key().unwrap()
    }

    fn signed<T: Statement>(&mut self, body: &T) -> Signed {
        let mut signed = Signed::new(statement::write(now(), body).unwrap(), Vec::new());
        signed.sign(&mut self.tess).unwrap();
        signed
    }

    /// The technician says whose the device is.
    fn assign(&mut self) {
        let assignment = Assignment {
            serial: 1,
            expires: now().plus_days(30),
            device: self.device(),
            client: "acme".parse().unwrap(),
            site: "berlin".parse().unwrap(),
            tags: vec!["server".parse().unwrap()],
        };
        let signed = self.signed(&assignment);
        self.documents.push(signed);
    }

    /// Starts both halves, and waits until the executor answers.
    fn start(&self) -> [Half; 2] {
        let config = self.machine.folder("config").join("agent.toml");
        let (orders, state) = (self.machine.folder("orders"), self.machine.state());
        let text = format!(
            "orders = {orders:?}\nrun-dir = {state:?}\n[metrics]\nlisten = \"unix:{}/metrics.sock\"\n[log]\nformat = \"stderr\"\nlevel = \"debug\"\n",
            state.display()
        );
        fs::write(&config, text).unwrap();
        let start = |half: &str| {
            let mut command = self.machine.command(&["agent", "run", "--half", half, "--config"]);
            command.arg(&config);
            if let Some(root) = &self.root {
                command.arg("--root").arg(root);
            }
            let log =
                fs::File::options().create(true).append(true).open(self.machine.folder("config").join(half)).unwrap();
            Half(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
        };
        let halves = [start("executor"), start("network")];
        assert!(wait_for(|| self.status().is_some()), "{}", self.log());
        halves
    }

    fn log(&self) -> String {
        let read = |half: &str| fs::read_to_string(self.machine.folder("config").join(half)).unwrap_or_default();
        format!("{:?}\nexecutor:\n{}\nnetwork:\n{}", self.status(), read("executor"), read("network"))
    }

    fn status(&self) -> Option<Value> {
        let ran = self.machine.run(&["agent", "status", "--output", "json"]);
        (ran.code == Some(0)).then(|| ran.json())
    }

    /// An order of a script that finds nothing, for all devices of acme.
    fn order(&mut self, plugin: &OrderedPlugin, change: impl FnOnce(&mut Order)) -> (Digest, Signed) {
        self.counter += 1;
        let mut order = Order {
            tenant: self.trust.pin(),
            id: model::OrderId::new(),
            by: self.tess.key().unwrap(),
            counter: self.counter,
            // It is signed a moment later, and begins no sooner.
            from: now().plus_seconds(2),
            expires: now().plus_days(7),
            clients: Names::try_from(vec!["acme".to_owned()]).unwrap(),
            r#where: String::new(),
            rings: Vec::new(),
            gate: None,
            plugin: plugin.clone(),
            parameters: "{}".to_owned(),
            mode: Mode::Detect,
            plan: None,
            allow: Vec::new(),
            class_max: Class::L2,
            windows: None,
            standing: None,
            undoes: None,
            upgrade: None,
            comment: String::new(),
        };
        change(&mut order);
        let signed = self.signed(&order);
        (Digest::of(signed.statement()), signed)
    }

    /// Posts these orders, with their parcel, and all that devices are to believe.
    fn post(&self, orders: &[&Signed], parcel: &Travels, pauses: &[&Signed]) {
        let text = |signed: &&Signed| signed.to_text();
        let documents: Vec<Vec<u8>> =
            self.documents.iter().collect::<Vec<_>>().iter().chain(orders).chain(pauses).map(text).collect();
        let posted = |order: &&Signed| Posted {
            order: Digest::of(&order.to_text()),
            ring: None,
            gate: None,
            parcel: Some(parcel.list),
        };
        let mailbox = Mailbox {
            trust: self.documents.iter().map(|it| Digest::of(&it.to_text())).collect(),
            orders: orders.iter().map(posted).collect(),
            pauses: pauses.iter().map(|it| Digest::of(&it.to_text())).collect(),
            restored: None,
        };
        let all: Vec<Vec<u8>> = documents.into_iter().chain(parcel.documents.iter().cloned()).collect();
        self.hub.post(&self.device(), &mailbox, &all);
    }

    /// What the device told, verified as a technician does.
    fn results(&self, count: usize) -> Vec<Reported> {
        let said = self.hub.wait_for("result", count);
        let read = |body: &[u8]| self.trust.report(&Signed::from_text(body).unwrap(), now()).unwrap();
        said.iter().map(|it| read(&it.body)).collect()
    }

    fn runs(&self) -> usize {
        self.machine.runs().len()
    }
}

/// A plugin on its way.
struct Travels {
    about: OrderedPlugin,
    list: Digest,
    documents: Vec<Vec<u8>>,
}

/// A script, built, signed, approved, and taken apart.
fn travels(site: &mut Site) -> Travels {
    travels_of(site, &tests::msp::look("1.0.0", NOTHING))
}

/// Any script that is called `look` and is of version 1.0.0.
fn travels_of(site: &mut Site, source: &str) -> Travels {
    site.msp.write("look.js", source);
    site.msp.ok(&["build", "look.js"]);
    site.msp.ok(&["sign", "look.wasm", "--key", "remit"]);
    site.msp.approve("look.wasm", &[]);
    let approval = trust::file::read(&site.msp.folder.join("look.approval.statement")).unwrap();
    site.documents.push(approval);
    let component = fs::read(site.msp.folder.join("look.wasm")).unwrap();
    let signed = trust::file::read(&site.msp.folder.join("look.wasm.statement")).unwrap();
    let (parcel, parts) = Parcel::of(&component, vec![Digest::of(&signed.to_text())]).unwrap();
    let mut documents: Vec<Vec<u8>> = parts.into_iter().map(<[u8]>::to_vec).collect();
    documents.extend([signed.to_text(), parcel.write()]);
    let about = OrderedPlugin {
        name: "look".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(&component),
    };
    Travels { about, list: Digest::of(&parcel.write()), documents }
}

fn now() -> Time {
    Time::from_ms(SystemClock.now_ms())
}

fn wait_for(is: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if is() {
            return true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    false
}

#[test]
fn a_device_joins_with_the_token_of_its_msp_and_no_other() {
    let site = Site::new();
    let other = Token::new(Digest::of(b"another root"), site.hub.authority, &[7; 32]);
    let refused = site.join(&other);
    assert!(refused.code == Some(20) && refused.stderr.contains("root"), "{refused}");
    let stranger = Token::new(site.trust.pin(), Digest::of(b"another authority"), &[7; 32]);
    let refused = site.join(&stranger);
    assert!(refused.code == Some(1) && refused.stderr.contains("is not the hub"), "{refused}");
    assert!(!site.machine.state().join("hub.json").exists());
    let slipped = site.token.to_text().replace("remit1_", "remit2_");
    let wrong = site.machine.run(&["agent", "join", "https://127.0.0.1:1", &slipped]);
    assert!(wrong.code == Some(1) && wrong.stderr.contains("not a token"), "{wrong}");

    let joined = site.join(&site.token).expect(0).json();
    assert_eq!((&joined["state"], &joined["agent"]), (&"member".into(), &false.into()));
    let key = site.machine.state().join("device.key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // Once more is the same device; another MSP's root is refused without asking anybody.
    let asked = site.hub.joined().len();
    let again = site.join(&site.token).expect(0).json();
    assert_eq!(again["device"], joined["device"]);
    let refused = site.join(&other);
    assert!(refused.code == Some(20) && refused.stderr.contains("pins the root"), "{refused}");
    assert_eq!(site.hub.joined().len(), asked + 1);
    let halves = site.start();
    assert!(wait_for(|| site.status().is_some_and(|it| it["hub"]["trouble"].is_null())), "{}", site.log());
    site.machine.run(&["agent", "leave"]).expect(0);
    assert!(site.status().unwrap()["hub"].is_null());
    drop(halves);
}

#[test]
fn an_order_runs_once_with_a_plugin_that_travels_and_its_result_is_the_device_s() {
    let mut site = Site::new();
    let parcel = travels(&mut site);
    site.join(&site.token).expect(0);
    let halves = site.start();
    // Nobody has said yet whose the device is.
    let (early, signed) = site.order(&parcel.about, |_| ());
    site.post(&[&signed], &parcel, &[]);
    let results = site.results(1);
    assert_eq!(results[0].report().refused.as_ref().unwrap().as_str(), "no-assignment", "{}", site.log());
    site.assign();
    let (order, signed) = site.order(&parcel.about, |_| ());
    let (other, not_meant) = site.order(&parcel.about, |it| it.r#where = "client == \"globex\"".to_owned());
    site.post(&[&signed, &not_meant], &parcel, &[]);
    let results = site.results(3);
    let of = |order: Digest| results.iter().find(|it| it.report().order == order).unwrap().report().clone();
    assert_eq!(of(early).order, early);
    let ran = of(order);
    assert_eq!((ran.outcome, ran.verdict, ran.attempt), (Outcome::Completed, Verdict::Compliant, 1), "{}", site.log());
    assert_eq!(of(other).refused.unwrap().as_str(), "not-meant");
    // What a technician reads first came beside it, and is what was signed.
    let details = site.hub.wait_for("record", 3);
    assert!(details.iter().any(|it| Digest::of(&it.body) == ran.record));
    assert_eq!(site.runs(), 1);
    drop(halves);

    // Killed and started anew, with the same mailbox and then without it: nothing runs again, and nothing is told again.
    let _halves = site.start();
    assert!(wait_for(|| site.status().is_some_and(|it| it["hub"]["trouble"].is_null())), "{}", site.log());
    site.post(&[&signed, &not_meant], &parcel, &[]);
    let (third, last) = site.order(&parcel.about, |it| it.r#where = "os.family != \"\"".to_owned());
    site.post(&[&signed, &not_meant, &last], &parcel, &[]);
    let results = site.results(4);
    assert_eq!((results.len(), site.runs()), (4, 2), "{}", site.log());
    assert_eq!(results[3].report().order, third);
    let mut chain = Chain::default();
    results.iter().for_each(|it| assert_eq!(chain.follow(it), Ok(true)));
    assert!(!site.hub.wait_for("facts", 1).is_empty());
    assert!(wait_for(|| site.status().unwrap()["hub"]["to-say"] == 0), "{}", site.log());
}

#[test]
fn whoever_asks_all_the_time_holds_nothing_up() {
    let mut site = Site::new();
    let parcel = travels(&mut site);
    site.join(&site.token).expect(0);
    site.assign();
    let _halves = site.start();
    // It begins in two seconds, and nothing else has the agent look by then.
    let (order, signed) = site.order(&parcel.about, |_| ());
    site.post(&[&signed], &parcel, &[]);
    let began = Instant::now();
    while site.hub.said("result").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", site.log());
        assert!(site.status().is_some());
    }
    assert_eq!(site.results(1)[0].report().order, order);
}

#[test]
fn what_stands_goes_on_while_the_hub_is_away_and_ends_when_it_is_taken_back() {
    let mut site = Site::new();
    let parcel = travels(&mut site);
    site.join(&site.token).expect(0);
    site.assign();
    let halves = site.start();
    let standing = r#"{"schedule":{"cron":"* * * * *","zone":"UTC"}}"#.to_owned();
    let (order, signed) = site.order(&parcel.about, |it| it.standing = Some(standing));
    site.post(&[&signed], &parcel, &[]);
    let stands = |site: &Site| site.status().is_some_and(|it| it["hub"]["standing"] == 1 && it["orders"] == 1);
    assert!(wait_for(|| stands(&site)), "{}", site.log());
    drop(halves);
    // Without its half that speaks, and after a start.
    let [_executor, network] = site.start();
    drop(network);
    assert!(stands(&site), "{}", site.log());
    let began = Instant::now();
    while site.runs() == 0 {
        assert!(began.elapsed() < Duration::from_secs(80), "{}", site.log());
        thread::sleep(Duration::from_millis(500));
    }
    drop(_executor);
    let _halves = site.start();
    let results = site.results(1);
    assert_eq!((results[0].report().order, results[0].report().outcome), (order, Outcome::Completed));
    site.post(&[], &parcel, &[]);
    assert!(wait_for(|| !stands(&site)), "{}", site.log());
}

#[test]
fn whoever_stops_it_is_heard_before_it_begins() {
    let mut site = Site::new();
    let parcel = travels(&mut site);
    site.join(&site.token).expect(0);
    site.assign();
    let pause = site.signed(&pause());
    let (_, signed) = site.order(&parcel.about, |_| ());
    site.post(&[&signed], &parcel, &[&pause]);
    let _halves = site.start();
    assert!(wait_for(|| site.status().is_some_and(|it| it["hub"]["waiting"] == 1)), "{}", site.log());
    assert_eq!((site.runs(), site.hub.said("result").len()), (0, 0));
}

/// Everything of acme stops.
fn pause() -> Pause {
    Pause {
        serial: 1,
        expires: now().plus_days(1),
        is_paused: true,
        clients: Names::try_from(vec!["acme".to_owned()]).unwrap(),
        orders: Vec::new(),
        reason: "something is wrong".to_owned(),
    }
}
