//! A hub's folder, the process that serves it, a technician, and devices.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use bus::Trouble;
use bus::dial::{Request, Way};
use bus::proof::Prover;
use contract::Class;
use fleet::Tree;
use hub::{Config, Hub};
use model::{Clock as _, Digest, Mode, SystemClock};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use simulator::crew::{Crew, Plan, Stands};
use simulator::device::Born;
use simulator::msp::{self, Msp, Shipped};
use simulator::nature::Nature;
use tempfile::TempDir;
use tests::built;
use tokio::runtime::Runtime;
use trust::{Device, SessionKey, Signed, Time, Token, statement};
use url::Url;

use super::technician::Technician;

/// Devices that lost their hub ask again after so long, and not after 20 s: else a test would wait for them.
const AGAIN: Duration = Duration::from_millis(300);

/// So long anything may take, on a machine that others use.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const KILL: i32 = 9;

/// An MSP with a hub in a folder, and a plugin that changes something.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) msp: Msp,
    pub(crate) authority: Digest,
    pub(crate) listen: SocketAddr,
    pub(crate) plugin: Shipped,
    pub(crate) runtime: Runtime,
}

/// A device's session, for whoever asks what no device would.
pub(crate) struct DeviceLine {
    way: Way,
    prover: Prover,
}

impl DeviceLine {
    /// Which status came, and whether with `Retry-After`.
    pub(crate) async fn ask(&self, method: Method, target: &str, body: bytes::Bytes) -> (u16, bool) {
        let request = Request { method, target, body, answer_bytes_max: 8 << 20, patience: Duration::from_secs(5) };
        match self.way.ask(request, Some(&self.prover)).await {
            Ok(reply) => (reply.status, reply.retry_after.is_some()),
            // It was told so while it was still sending.
            Err(Trouble::Unreachable { .. }) => (413, false),
            Err(other) => panic!("{target}: {other}"),
        }
    }

    /// Where the bell is waited for until there is another mailbox than now.
    pub(crate) async fn bell(&self, ms: u64) -> String {
        let request = Request {
            method: Method::GET,
            target: "/v1/line/mailbox",
            body: bytes::Bytes::new(),
            answer_bytes_max: 1 << 20,
            patience: Duration::ZERO,
        };
        let mailbox = self.way.ask(request, Some(&self.prover)).await.unwrap().body;
        format!("/v1/line/bell?wait={ms}&has={}", Digest::of(&mailbox))
    }

    /// The headers of a request that somebody else sends.
    pub(crate) fn prove(&self, method: &str, target: &str, body: &[u8]) -> [(&'static str, String); 3] {
        self.prover.prove(method, target, body)
    }
}

/// `remit hub run`. It is killed with this value.
pub(crate) struct Serving {
    child: Child,
}

/// An order on its way, and to whom.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) digest: Digest,
    pub(crate) signed: Signed,
    pub(crate) rings: Vec<Vec<Device>>,
}

pub(crate) fn address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Site {
    pub(crate) fn new() -> Self {
        simulator::files::raise();
        let folder = tempfile::tempdir().unwrap();
        let msp = Msp::new(Time::from_ms(SystemClock.now_ms()));
        let listen = address();
        let config =
            Config { listen, names: vec!["127.0.0.1".to_owned()], certificate: None, limits: hub::Limits::default() };
        let path = folder.path().join("hub");
        Hub::init(&path, &config, &msp.root, &SystemClock).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let hub = Hub::open(&path, Arc::new(SystemClock)).unwrap();
        runtime.block_on(hub.put_own(msp.roster(1, msp.now.plus_days(200)))).unwrap();
        let authority = hub.ca().digest();
        let plugin = msp.ship("tidy", "1.0.0", &["files-write [scratch]"], "remit");
        Self { folder, msp, authority, listen, plugin, runtime }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    pub(crate) fn url(&self) -> Url {
        format!("https://{}", self.listen).parse().unwrap()
    }

    /// A technician's session; asked for again while the hub is on its way up.
    pub(crate) async fn technician(&self, holder: &str) -> Technician {
        let began = Instant::now();
        loop {
            match Technician::enter(&self.url(), self.authority, holder).await {
                Ok(technician) => return technician,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error:#}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What devices believe beside root and roster, and a token for so many.
    pub(crate) async fn token(&self, devices: u32) -> Token {
        let boss = self.technician("boss").await;
        for document in [self.msp.policy("acme", 1, Class::L4), self.msp.approval(&[&self.plugin])] {
            boss.put(&document).await.unwrap();
        }
        let tess = self.technician("tess").await;
        tess.token(self.msp.pin(), self.authority, devices).await.unwrap().0
    }

    /// Devices that dial it from now on.
    pub(crate) fn crew(&self, token: Token, devices: u32) -> Crew {
        let _inside = self.runtime.enter();
        Crew::start(Plan {
            hub: self.url(),
            token,
            root: Some(self.msp.root.clone()),
            devices,
            first: 0,
            nature: Nature::default(),
            over: Duration::from_millis(500),
            again: Some(AGAIN),
        })
    }

    /// The same, once all of them are there.
    pub(crate) fn crew_there(&self, token: Token, devices: u32) -> Crew {
        let crew = self.crew(token, devices);
        until(|| crew.counts().stands().len() == devices as usize, "all devices join");
        crew
    }

    /// An order of two technicians, so that it goes to everybody at once: to one device, to some, to the rest.
    pub(crate) fn order(&mut self, devices: u32) -> Given {
        let nature = Nature::default();
        let all: Vec<Device> = (0..devices).map(|it| Device::of(Born::new(&nature, it).unwrap().key())).collect();
        let (first, rest) = all.split_at(1);
        let (second, third) = rest.split_at(all.len() / 4);
        let rings: Vec<Vec<Device>> = [first, second, third].map(<[Device]>::to_vec).to_vec();
        let trees: Vec<Tree> = rings.iter().map(|ring| Tree::new(ring)).collect();
        let mut order = self.msp.order("tess", "acme", &self.plugin, Class::L2);
        msp::in_rings(&mut order, &trees.iter().collect::<Vec<_>>(), 0);
        order.from = Time::from_ms(SystemClock.now_ms());
        let signed = msp::signed(order.from, &order, &["tess", "tom"]);
        Given { digest: Digest::of(signed.statement()), signed, rings }
    }

    /// One of a technician alone that looks, to these devices at once.
    pub(crate) fn look(&mut self, devices: std::ops::Range<u32>) -> Given {
        let nature = Nature::default();
        let ring: Vec<Device> = devices.map(|it| Device::of(Born::new(&nature, it).unwrap().key())).collect();
        let mut order = self.msp.order("tess", "acme", &self.plugin, Class::L2);
        (order.mode, order.from) = (Mode::Detect, Time::from_ms(SystemClock.now_ms()));
        let signed = msp::signed(order.from, &order, &["tess", "tom"]);
        Given { digest: Digest::of(signed.statement()), signed, rings: vec![ring] }
    }

    /// A session of a device that joined.
    pub(crate) async fn line(&self, number: u32) -> DeviceLine {
        let way = Way::new(&self.url(), &[self.authority], None).unwrap();
        let born = Born::new(&Nature::default(), number).unwrap();
        let (key, now) = (SessionKey::from_seed(&rand::random()), Time::from_ms(SystemClock.now_ms()));
        let session = statement::Session {
            hub: self.authority,
            key: key.key(),
            from: now,
            until: now.plus_seconds(3_600),
            machine: None,
            process: None,
        };
        let mut signed = Signed::new(statement::write(now, &session).unwrap(), Vec::new());
        signed.sign(&mut born.signer()).unwrap();
        let request = Request {
            method: Method::POST,
            target: "/v1/line/sessions",
            body: signed.to_text().into(),
            answer_bytes_max: 1 << 10,
            patience: Duration::ZERO,
        };
        let reply = way.ask(request, None).await.unwrap();
        let begun: Value = serde_json::from_slice(&reply.body).unwrap();
        let id = begun["session"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
        DeviceLine { prover: Prover::new(key, self.authority, id), way }
    }

    /// How far an order is, as the hub says.
    pub(crate) async fn state(&self, technician: &Technician, given: &Given) -> anyhow::Result<String> {
        let shown = technician.ask(Method::GET, &format!("/v1/orders/{}", given.digest), &Value::Null).await?;
        Ok(shown["rollout"]["state"].as_str().unwrap_or_default().to_owned())
    }

    /// All that the hub says of an order.
    pub(crate) async fn shown(&self, given: &Given) -> anyhow::Result<Value> {
        let tess = self.technician("tess").await;
        tess.ask(Method::GET, &format!("/v1/orders/{}", given.digest), &Value::Null).await
    }

    /// Hands it over, and waits until all of its devices are done.
    pub(crate) async fn carry_out(&self, given: &Given) -> anyhow::Result<()> {
        let tess = self.technician("tess").await;
        // One that is over is not given again: that would be another order.
        if self.state(&tess, given).await.is_ok_and(|it| it == "done") {
            return Ok(());
        }
        tess.give(&given.signed, &given.rings, &self.plugin).await?;
        while self.state(&tess, given).await? != "done" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Serving {
    /// It answers by now; or how it ended before it did.
    pub(crate) fn start(folder: &Path, point: Option<&str>) -> Result<Self, i32> {
        let mut command = Command::new(built::remit());
        command.args(["hub", "run", "--folder"]).arg(folder).stdin(Stdio::null()).stderr(Stdio::piped());
        if let Some(point) = point {
            command.env("REMIT_FAIL_POINT", point);
        }
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        if !line.starts_with("the hub listens at ") {
            let status = child.wait().unwrap();
            return Err(status.signal().unwrap_or_else(|| panic!("the hub does not listen: {line}")));
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(Self { child })
    }

    /// As the power goes.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(KILL), "it was alive until then");
    }

    /// Which signal ended it by itself, if one did by now.
    pub(crate) fn died(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap().map(|status| status.signal().unwrap_or_default())
    }

    /// What it has in memory.
    pub(crate) fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// As a supervisor ends it.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "it ends well");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `remit hub doctor` finds wrong, whether the hub runs or not.
pub(crate) fn doctor(folder: &Path) -> Vec<String> {
    let mut command = Command::new(built::remit());
    let ran = command.args(["hub", "doctor", "--output", "json", "--folder"]).arg(folder).output().unwrap();
    let looked: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let wrong = |it: &Value| Some(format!("{}: {}", it["what"].as_str()?, it["wrong"].as_str()?));
    looked.as_array().unwrap().iter().filter_map(wrong).collect()
}

/// The numbers of the results of each device that a hub counts, in order.
pub(crate) fn counted(folder: &Path) -> BTreeMap<String, Vec<u64>> {
    let base = Connection::open_with_flags(folder.join("hub.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut query = base.prepare("SELECT device, sequence FROM result ORDER BY device, sequence").unwrap();
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?))).unwrap();
    let mut all: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    rows.map(Result::unwrap).for_each(|(device, sequence)| all.entry(device).or_default().push(sequence.into()));
    all
}

/// Everything that devices say and the hub does not, and what was done to one more or less than once: nothing, where all is well.
pub(crate) fn wrong(
    stands: &BTreeMap<u32, Stands>,
    given: &[Given],
    counted: &BTreeMap<String, Vec<u64>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, it) in stands {
        for order in given {
            let times = it.runs.get(&order.digest).copied().unwrap_or(0);
            if times != 1 {
                wrong.push(format!("device {number} ran {} {times} times", order.digest));
            }
        }
        let all: Vec<u64> = (1..=it.signed).collect();
        let there = counted.get(&it.name).cloned().unwrap_or_default();
        if there != all {
            wrong.push(format!("device {number} signed {} results, and the hub counts {there:?}", it.signed));
        }
    }
    wrong
}

/// Waits until something is so.
pub(crate) fn until(is: impl Fn() -> bool, what: &str) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "it took too long: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
