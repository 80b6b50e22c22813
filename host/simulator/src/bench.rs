//! What a fleet costs: a hub in a process of its own, and devices that dial it over TLS.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context as _, bail};
use contract::Class;
use fleet::{Mailbox, Posted};
use hub::{Config, Hub};
use model::{Clock as _, Digest, Mode, SystemClock};
use rusqlite::{Connection, params};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};
use trust::{Device as Name, Kind, Signed, Time};
use url::Url;

use crate::crew::{Crew, Plan};
use crate::device::Born;
use crate::hub_process::{Answered, Said};
use crate::msp::{self, Msp};
use crate::nature::Nature;
use crate::technician::Technician;

/// Every result of a fleet-wide look is on the hub's disk within this.
const DURABLE: Duration = Duration::from_secs(10);

/// All devices are back within this after the hub was started anew.
const BACK: Duration = Duration::from_secs(60);

/// What a device costs among ten times as many.
const GROWTH_MAX: f64 = 1.2;

/// How long is looked.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before who does nothing is looked at: connections that nobody uses end by then.
    pub settle: Duration,
    /// So long it is looked at who does nothing.
    pub rest: Duration,
    /// So long it is looked, after a restart, whether anybody is shown as away.
    pub watch: Duration,
}

impl Patience {
    /// One beat of every device at rest; and after a restart longer than the three minutes after which who is missed is away.
    pub const LONG: Self =
        Self { settle: Duration::from_secs(20), rest: Duration::from_secs(60), watch: Duration::from_secs(200) };
}

/// What was measured of one fleet.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// So many devices.
    pub devices: u32,
    /// Until all of them had joined and had their line.
    pub joined_s: f64,
    /// What the hub's process had then for each, in KiB.
    pub hub_rss_kib_each: f64,
    /// What a device takes in the simulator's process, in KiB.
    pub device_rss_kib: f64,
    /// What the hub's process has at rest.
    pub hub_rss_mib: f64,
    /// How much of a core it takes at rest, in percent.
    pub hub_rest_cpu_percent: f64,
    /// From the order to the last result on the hub's disk, where each device fetches the plugin first.
    pub first_durable_s: f64,
    /// The same where they have it.
    pub durable_s: f64,
    /// What of the hub's processor time a device's order, result and details took.
    pub hub_cpu_ms_each: f64,
    /// Until all were back after the hub was started anew.
    pub back_s: f64,
    /// The most devices that were shown as away meanwhile.
    pub shown_away: usize,
}

/// A bar, and what was found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judged {
    /// What.
    pub name: String,
    /// What was found.
    pub found: f64,
    /// What it may be at most.
    pub most: f64,
    /// Whether it is.
    pub is_met: bool,
}

/// Holds what was measured against the bars.
pub fn judge(all: &[Measured]) -> Vec<Judged> {
    let bar = |name: String, found: f64, most: f64| Judged { name, found, most, is_met: found <= most };
    let mut judged = Vec::new();
    for it in all {
        let n = it.devices;
        judged.push(bar(format!("{n} devices: every result durable, s"), it.durable_s, DURABLE.as_secs_f64()));
        judged.push(bar(format!("{n} devices: back after a restart, s"), it.back_s, BACK.as_secs_f64()));
        judged.push(bar(format!("{n} devices: shown as away wrongly"), it.shown_away as f64, 0.0));
    }
    if let [few, .., many] = all {
        let cpu = many.hub_cpu_ms_each / few.hub_cpu_ms_each.max(f64::MIN_POSITIVE);
        let rss = many.hub_rss_kib_each / few.hub_rss_kib_each.max(f64::MIN_POSITIVE);
        let growth = format!("from {} to {} devices", few.devices, many.devices);
        judged.push(bar(format!("{growth}: processor time a device, times"), cpu, GROWTH_MAX));
        judged.push(bar(format!("{growth}: memory a device, times"), rss, GROWTH_MAX));
    }
    judged
}

/// A hub's process.
struct HubProcess {
    child: Child,
    says: ChildStdin,
    hears: BufReader<ChildStdout>,
    address: String,
}

impl HubProcess {
    #[expect(clippy::disallowed_methods, reason = "a bench: what the hub takes is measured of a process of its own")]
    fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let mut command = std::process::Command::new(program);
        command.arg("hub").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let (says, hears) = (child.stdin.take(), child.stdout.take());
        let (Some(says), Some(hears)) = (says, hears) else { bail!("the hub's process cannot be spoken to") };
        let mut hub = Self { child, says, hears: BufReader::new(hears), address: String::new() };
        match hub.hear()? {
            Answered::Listens(address) => hub.address = address,
            other => bail!("the hub begins with {other:?}"),
        }
        Ok(hub)
    }

    fn hear(&mut self) -> anyhow::Result<Answered> {
        let mut line = String::new();
        self.hears.read_line(&mut line)?;
        serde_json::from_str(&line).context("the hub's process ended")
    }

    fn ask(&mut self, said: &Said) -> anyhow::Result<Answered> {
        let mut line = serde_json::to_vec(said)?;
        line.push(b'\n');
        self.says.write_all(&line)?;
        self.says.flush()?;
        self.hear()
    }

    fn rss_kib(&self) -> anyhow::Result<f64> {
        rss_kib(&self.child.id().to_string())
    }

    /// Processor time so far, in milliseconds.
    fn cpu_ms(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name, which may have anything in it: the 12th and 13th field, in hundredths.
        let behind = stat.rsplit_once(')').map(|(_, behind)| behind).unwrap_or_default();
        let ticks: f64 = behind.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum();
        Ok(ticks * 10.0)
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rss_kib(process: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).context("no memory is told")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// What the hub is told about these devices.
struct Fleet {
    msp: Msp,
    names: Vec<String>,
    believed: Vec<Signed>,
}

impl Fleet {
    fn new(devices: u32, nature: &Nature) -> anyhow::Result<Self> {
        let msp = Msp::new(Time::from_ms(SystemClock.now_ms()));
        let born = (0..devices).map(|number| Ok(Name::of(Born::new(nature, number)?.key()).hex()));
        let names = born.collect::<anyhow::Result<Vec<String>>>()?;
        Ok(Self { msp, names, believed: Vec::new() })
    }

    /// A folder with a hub that knows the roster, as `remit hub init` and a first document leave it.
    fn make_hub(&self, folder: &Path) -> anyhow::Result<()> {
        let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = Config { listen, names: vec!["127.0.0.1".to_owned()], certificate: None };
        Hub::init(folder, &config, &self.msp.root, &SystemClock)?;
        let roster = self.msp.roster(1, self.msp.now.plus_days(200));
        let (digest, text) = (Digest::of(roster.statement()).to_string(), roster.to_text());
        let file = Connection::open(folder.join("hub.db"))?;
        file.execute(
            "INSERT INTO document (digest, kind, subject, file, is_current, kept_ms, bytes) VALUES (?1, ?2, '', ?3, 1, 1, ?4)",
            params![digest, Kind::Roster.word(), Digest::of(&text).to_string(), text],
        )?;
        Ok(())
    }

    fn fill(&self, orders: Vec<Posted>, more: Vec<Vec<u8>>) -> anyhow::Result<Said> {
        let documents: Vec<Vec<u8>> = self.believed.iter().map(Signed::to_text).collect();
        let trust = documents.iter().map(|it| Digest::of(it)).collect();
        let mailbox = String::from_utf8(Mailbox { trust, orders, pauses: Vec::new() }.write()?)?;
        Ok(Said::Fill { devices: self.names.clone(), mailbox, documents: documents.into_iter().chain(more).collect() })
    }
}

/// Measures one fleet.
pub async fn measure(
    program: &Path,
    devices: u32,
    patience: Patience,
    told: impl Fn(&str),
) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().join("hub");
    let nature = Nature::default();
    let (of, at) = (nature.clone(), folder.clone());
    // The hub's own functions wait for its disk.
    let made = tokio::task::spawn_blocking(move || {
        let fleet = Fleet::new(devices, &of)?;
        fleet.make_hub(&at)?;
        let authority = Hub::open(&at, Arc::new(SystemClock))?.ca().digest();
        anyhow::Ok((fleet, authority))
    });
    let (mut fleet, authority) = made.await??;
    let mut hub = HubProcess::start(program, &folder)?;
    let url: Url = format!("https://{}", hub.address).parse()?;
    let tess = Technician::enter(&url, authority, "tess").await?;
    let (token, admission) = tess.token(fleet.msp.pin(), authority, devices.max(1)).await?;
    let plugin = fleet.msp.ship("look", "1.0.0", &["device"], "remit");
    fleet.believed = vec![
        fleet.msp.roster(1, fleet.msp.now.plus_days(200)),
        fleet.msp.policy("acme", 1, Class::L4),
        fleet.msp.approval(&[&plugin]),
        admission,
    ];

    // The join storm.
    let (hub_before, own_before, began) = (hub.rss_kib()?, rss_kib("self")?, Instant::now());
    let plan = Plan {
        hub: url,
        token,
        root: Some(fleet.msp.root.clone()),
        devices,
        first: 0,
        nature,
        over: Duration::from_secs(1),
    };
    let crew = Crew::start(plan);
    let counts = crew.counts();
    until(Duration::from_secs(900), || counts.connected.load(Relaxed) == u64::from(devices), "to join")
        .await
        .with_context(|| counts.why().unwrap_or_default())?;
    let joined_s = began.elapsed().as_secs_f64();
    told(&format!("{devices} devices joined in {joined_s:.1} s"));

    // Whom to believe, before anything is ordered.
    let delivered = counts.delivered.load(Relaxed);
    hub.ask(&fleet.fill(Vec::new(), Vec::new())?)?;
    until(Duration::from_secs(120), || counts.believing.load(Relaxed) == u64::from(devices), "to know whose they are")
        .await?;

    // At rest, with every one of them connected.
    sleep(patience.settle).await;
    let (cpu, at) = (hub.cpu_ms()?, Instant::now());
    sleep(patience.rest).await;
    let hub_rest_cpu_percent = (hub.cpu_ms()? - cpu) / at.elapsed().as_secs_f64() / 10.0;
    let (hub_rss, own_rss) = (hub.rss_kib()?, rss_kib("self")?);
    let each = f64::from(devices.max(1));
    told(&format!(
        "at rest: hub {:.0} MiB, {hub_rest_cpu_percent:.2} % of a core; {delivered} messages so far",
        hub_rss / 1024.0
    ));

    // Everybody looks, and then once more: the first time they fetch the plugin.
    let mut durable_s = [0.0; 2];
    let mut hub_cpu_ms_each = 0.0;
    for durable_s in &mut durable_s {
        let mut order = fleet.msp.order("tess", "acme", &plugin, Class::L1);
        order.mode = Mode::Detect;
        let order = msp::signed(Time::from_ms(SystemClock.now_ms()), &order, &["tess"]).to_text();
        let posted = Posted { order: Digest::of(&order), ring: None, gate: None, parcel: Some(plugin.list) };
        let more: Vec<Vec<u8>> = plugin.documents.iter().cloned().chain([order]).collect();
        let said = fleet.fill(vec![posted], more)?;
        let (cpu, results, began) = (hub.cpu_ms()?, counts.told.load(Relaxed), Instant::now());
        hub.ask(&said)?;
        let is_told = || counts.told.load(Relaxed) - results >= u64::from(devices);
        until(Duration::from_secs(180), is_told, "to have told").await?;
        *durable_s = began.elapsed().as_secs_f64();
        hub_cpu_ms_each = (hub.cpu_ms()? - cpu) / each;
        told(&format!(
            "every result durable in {durable_s:.1} s, {hub_cpu_ms_each:.2} ms of the hub's processor time each"
        ));
        // As long after the last one as it takes connections to end: each order meets devices at rest.
        sleep(patience.settle).await;
    }
    let [first_durable_s, durable_s] = durable_s;

    // The hub is killed and started anew.
    let address = hub.address.clone();
    drop(hub);
    until(Duration::from_secs(60), || counts.connected.load(Relaxed) < u64::from(devices), "to notice").await?;
    let mut hub = HubProcess::start(program, &folder)?;
    anyhow::ensure!(hub.address == address, "the hub came back elsewhere");
    let (began, mut shown_away) = (Instant::now(), 0);
    let presence = Said::Presence { devices: fleet.names.clone() };
    let mut back_s = None;
    while began.elapsed() < patience.watch || back_s.is_none() && began.elapsed() < BACK * 3 {
        sleep(Duration::from_millis(500)).await;
        if let Answered::Presence { offline, .. } = hub.ask(&presence)? {
            shown_away = shown_away.max(offline);
        }
        if back_s.is_none() && counts.connected.load(Relaxed) == u64::from(devices) {
            back_s = Some(began.elapsed().as_secs_f64());
            told(&format!("all were back after {:.1} s", began.elapsed().as_secs_f64()));
        }
    }
    Ok(Measured {
        devices,
        joined_s,
        hub_rss_kib_each: (hub_rss - hub_before) / each,
        device_rss_kib: (own_rss - own_before) / each,
        hub_rss_mib: hub_rss / 1024.0,
        hub_rest_cpu_percent,
        first_durable_s,
        durable_s,
        hub_cpu_ms_each,
        back_s: back_s.unwrap_or(f64::INFINITY),
        shown_away,
    })
}

async fn until(most: Duration, is: impl Fn() -> bool, what: &str) -> anyhow::Result<()> {
    let waited = timeout(most, async {
        while !is() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.with_context(|| format!("it took devices more than {} s {what}", most.as_secs()))
}
