//! A day of a fleet, from the first token to what is taken back.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::remit::Ran;

use super::world::{COMPONENT, DEVICES, World};

/// An agent that was without a network tries again after some seconds, and one that is replaced is looked at for some; and here
/// everything shares few cores.
const PATIENCE: Duration = Duration::from_secs(120);

/// The day, and who is in it.
pub(crate) struct Day<'a> {
    pub(crate) world: &'a mut dyn World,
    /// The devices, as the hub calls them.
    pub(crate) devices: Vec<String>,
}

/// What was seen of tickets, by device: whether it is open, and how often it was raised.
type Tickets = Vec<(bool, u64)>;

/// All of it.
pub(crate) fn play(world: &mut dyn World) -> Day<'_> {
    let mut day = Day { world, devices: Vec::new() };
    day.join();
    day.query();
    day.look_at_all();
    let (broken, rerun) = day.fail_and_mend();
    let order = day.come_back();
    // Each device has one, and where it failed and was done again it was raised twice.
    let raised = |at: usize| (true, if at == broken { 2 } else { 1 });
    day.wait("the tickets are at the hub", |day| day.tickets() == (0..DEVICES).map(raised).collect::<Tickets>());
    day.take_back(&order, &rerun, broken);
    day
}

impl Day<'_> {
    /// Two devices of one client, which a token assigns, and one of another, whose place a technician signs.
    fn join(&mut self) {
        let made = |day: &Self, args: &[&str]| day.json("tess", &[&["token", "make", "--yes"], args].concat());
        let acme =
            made(self, &["--client", "acme", "--site", "berlin", "--tag", "server", "--uses", "2"])["text"].clone();
        let globex = made(self, &["--client", "globex", "--site", "paris", "--accept"])["text"].clone();
        for at in 0..DEVICES {
            let (token, state) = if at < 2 { (&acme, "member") } else { (&globex, "pending") };
            let joined = self.world.join(at, token.as_str().unwrap()).expect(0).json();
            assert_eq!(joined["state"], state);
            let shown = self.json("tess", &["device", "show", joined["device"].as_str().unwrap()]);
            self.devices.push(shown["device"]["device"].as_str().unwrap().to_owned());
        }
        let place = ["--client", "globex", "--site", "paris", "--tag", "server", "--yes"];
        self.ok("tess", &[&["device", "assign", &self.devices[2]], &place[..]].concat());
        self.ok("tess", &["device", "tag", &self.devices[0], "--add", "ring1", "--yes"]);
        self.wait("all are online, and told what they are", |day| {
            let listed =
                day.json("tom", &["device", "list", "--where", "os.family == \"debian\" && \"server\" in tags"]);
            listed.as_array().unwrap().iter().filter(|it| it["presence"] == "online").count() == DEVICES
        });
        let first = self.json("tom", &["device", "list", "--where", "client == \"acme\" && \"ring1\" in tags"]);
        assert_eq!(first.as_array().unwrap().len(), 1);
        assert_eq!(first[0]["device"]["device"], self.devices[0]);
    }

    /// What the devices have is asked in SQL, and whoever is for one client sees the rows of that one.
    fn query(&self) {
        let rows = |who: &str, sql: &str| self.json(who, &["query", sql])["rows"].take();
        let told = "SELECT count(DISTINCT device_id) FROM deb_packages";
        self.wait("all told what is installed", |_| rows("tess", told) == json!([[DEVICES]]));
        let servers = "SELECT p.client, count(*) FROM deb_packages AS p JOIN device_tags AS t USING (device_id)
            WHERE p.name = 'dpkg' AND t.tag = 'server' GROUP BY 1 ORDER BY 1";
        assert_eq!(rows("tess", servers), json!([["acme", 2], ["globex", 1]]));
        assert_eq!(rows("gus", servers), json!([["globex", 1]]));
        let devices = "SELECT device_id, site, presence FROM devices WHERE client = 'acme' OR true";
        assert_eq!(rows("tom", devices).as_array().unwrap().len(), DEVICES);
        assert_eq!(rows("gus", devices), json!([[self.devices[2], "paris", "online"]]));
        for reach in [&["SELECT * FROM main.device"][..], &[devices, "--client", "acme"]] {
            let refused = self.world.technician("gus", &[&["query"], reach].concat());
            assert!(refused.code == Some(1) && !refused.stderr.contains(&self.devices[0]), "{refused}");
        }
    }

    /// A component looks at all of them, first at one.
    fn look_at_all(&mut self) {
        let plugin = format!("{COMPONENT}.wasm");
        let (order, preview) =
            self.run(&[&plugin, "--where", "\"server\" in tags", "--rings", "1,100%", "--soak", "1s"]);
        assert_eq!((&preview["devices"], preview["rings"][1]["devices"].as_u64()), (&3.into(), Some(2)), "{preview}");
        let seen = self.watch(&order).expect(0).lines();
        let stood =
            |of: &Value| [&of["rings"][0]["state"], &of["rings"][1]["state"]].map(|it| it.as_str().unwrap().to_owned());
        let states: Vec<[String; 2]> = seen.iter().map(stood).collect();
        assert!(states.iter().any(|it| it[1] == "waiting"), "the second ring waits for the first: {states:?}");
        assert_eq!(states.last().unwrap(), &["done", "done"]);
        let last = seen.last().unwrap();
        assert_eq!((last["state"].as_str(), &last["rings"][1]["well"]), (Some("done"), &2.into()), "{last}");
        // Another technician, who handed over nothing, knows who was in which ring, and counts as people do.
        let results = self.json("tom", &["fleet", "results", &order]);
        let rings: Vec<u64> =
            results["results"].as_array().unwrap().iter().map(|it| it["ring"].as_u64().unwrap()).collect();
        assert_eq!(rings, [1, 2, 2], "{results}");
    }

    /// One device fails, and so the next ring does not go; it is mended, and done again alone. The order that did that.
    fn fail_and_mend(&mut self) -> (usize, String) {
        let file = "mark.order";
        let how = ["--mode", "enforce", "--rings", "1,100%", "--soak", "1s", "--max-failures", "0%", "--to-file", file];
        let (order, preview) = self.run(&[&["mark.wasm", "--where", "client == \"acme\""], &how[..]].concat());
        // Who goes first is fixed by now.
        let called = preview["rings"][0]["first"][0].as_str().unwrap();
        let broken = self.devices.iter().position(|it| called.contains(&it[..12])).expect("one of them");
        let other = 1 - broken;
        std::fs::write(self.world.work(broken).join("broken"), "").unwrap();
        self.ok("tess", &["fleet", "submit", file]);
        let mut stood = Value::Null;
        // A result is there a moment before the hub looks at its ring.
        self.wait("the first ring failed, and the next one says so", |day| {
            stood = day.status("tess", &order);
            let waits = stood["rings"][1]["waits"].as_str().unwrap();
            stood["rings"][0]["badly"] == 1 && waits.contains("1 of ring 1 failed, at most 0 may")
        });
        assert_eq!((&stood["rings"][1]["state"], &stood["state"]), (&"waiting".into(), &"running".into()), "{stood}");
        let failed = self.world.technician("tom", &["fleet", "results", &order, "--failed", "--output", "json"]);
        let failed = failed.expect(1).json();
        assert_eq!(failed["failures"][0]["which"][0], self.devices[broken]);
        assert_eq!(failed["results"].as_array().unwrap().len(), 1, "{failed}");

        std::fs::remove_file(self.world.work(broken).join("broken")).unwrap();
        let again = ["fleet", "rerun", "--failed", &order, "--yes"];
        // By another technician than the one who has the plugin: the hub has it too.
        let made = self.json("tom", &again);
        assert_eq!(made["preview"]["devices"], 1, "the failed alone: {made}");
        let rerun = made["id"].as_str().unwrap().to_owned();
        let last = self.watch(&rerun).expect(0).lines().pop().unwrap();
        assert_eq!((&last["rings"][0]["well"], last["state"].as_str()), (&1.into(), Some("done")), "{last}");
        assert!(self.is_marked(broken));
        // What waited still waits, until somebody says otherwise.
        assert!(!self.is_marked(other));
        self.ok("tess", &["fleet", "cancel", &order, "--reason", "it is done otherwise", "--yes"]);
        assert_eq!(self.status("tess", &order)["state"], "withdrawn");
        (broken, rerun)
    }

    /// A device has no power while the others do it, and does it when it is back. The order.
    fn come_back(&mut self) -> String {
        self.world.off(2);
        let (order, _) = self.run(&["mark.wasm", "--where", "\"server\" in tags", "--mode", "enforce"]);
        let mut stood = Value::Null;
        self.wait("two did it", |day| {
            stood = day.status("tom", &order);
            stood["rings"][0]["well"] == 2
        });
        assert_eq!((&stood["rings"][0]["state"], &stood["state"]), (&"open".into(), &"running".into()), "{stood}");
        assert!(!self.is_marked(2));
        self.world.on(2);
        let last = self.watch(&order).expect(0).lines().pop().unwrap();
        assert_eq!((&last["rings"][0]["well"], last["state"].as_str()), (&3.into(), Some("done")), "{last}");
        assert!((0..DEVICES).all(|at| self.is_marked(at)));
        order
    }

    /// What an order did is taken back where it did it, and nowhere else.
    fn take_back(&mut self, order: &str, rerun: &str, broken: usize) {
        for (order, devices) in [(order, 3), (rerun, 1)] {
            let made = self.json("tom", &["fleet", "undo", order, "--yes"]);
            assert_eq!(made["preview"]["devices"], devices, "{made}");
            let last = self.watch(made["id"].as_str().unwrap()).expect(0).lines().pop().unwrap();
            assert_eq!(last["state"], "done", "{last}");
            // The device that had failed was marked by the rerun: the order after that found nothing to do there.
            let marked: Vec<bool> = (0..DEVICES).map(|at| self.is_marked(at)).collect();
            let expected: Vec<bool> = (0..DEVICES).map(|at| devices == 3 && at == broken).collect();
            assert_eq!(marked, expected, "{}", self.world.log());
        }
    }

    /// The tickets at the hub, at most one a device, in the order of the devices.
    pub(crate) fn tickets(&self) -> Tickets {
        let all = self.json("tess", &["ticket", "list", "--hub", "--all"]);
        let all = all.as_array().unwrap();
        let of = |device: &String| {
            let mut its = all.iter().filter(|it| it["device"] == **device);
            let one = its.next()?;
            assert!(its.next().is_none(), "{device} has several: {all:?}");
            Some((one["state"] == "open", one["times"].as_u64().unwrap()))
        };
        self.devices.iter().filter_map(of).collect()
    }

    fn is_marked(&self, at: usize) -> bool {
        self.world.work(at).join("mark").exists()
    }

    /// `fleet run` of `tess`: the order's name, and what was shown before it was signed.
    pub(crate) fn run(&self, args: &[&str]) -> (String, Value) {
        let made = self.json("tess", &[&["fleet", "run"], args, &["--yes"]].concat());
        (made["id"].as_str().unwrap().to_owned(), made["preview"].clone())
    }

    /// How it stands. Who asks is told with the exit code whether all went well.
    pub(crate) fn status(&self, who: &str, order: &str) -> Value {
        self.world.technician(who, &["fleet", "status", order, "--output", "json"]).json()
    }

    /// Looks on until it is over.
    pub(crate) fn watch(&self, order: &str) -> Ran {
        self.world.technician("tess", &["fleet", "watch", order, "--output", "json"])
    }

    #[track_caller]
    pub(crate) fn ok(&self, who: &str, args: &[&str]) -> Ran {
        self.world.technician(who, args).expect(0)
    }

    #[track_caller]
    pub(crate) fn json(&self, who: &str, args: &[&str]) -> Value {
        self.ok(who, &[args, &["--output", "json"]].concat()).json()
    }

    #[track_caller]
    pub(crate) fn wait(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}\n{}", self.world.log());
            thread::sleep(Duration::from_millis(300));
        }
    }
}
