//! What a fleet costs: a hub in a process of its own, devices that dial it over TLS, and technicians who ask it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context as _, bail};
use contract::Class;
use desk::Client;
use hub::{Config, Hub, Limits};
use model::{Clock as _, Digest, Mode, SystemClock};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};
use trust::{Device as Name, Time};
use url::Url;

use crate::crew::{Crew, Plan};
use crate::device::Born;
use crate::msp::Msp;
use crate::nature::Nature;
use crate::technician;

/// Every result of a fleet-wide look is on the hub's disk within this.
const DURABLE: Duration = Duration::from_secs(10);

/// All devices are back within this after the hub was started anew.
const BACK: Duration = Duration::from_secs(60);

/// What a device costs among ten times as many.
const GROWTH_MAX: f64 = 1.2;

/// All of the devices come from one address, which has half of what is let in: `limits.joins-per-second` of the hub's configuration.
const JOINS_PER_SECOND: u32 = 2_000;

/// How often a technician lists the fleet, after the hub was started anew.
const LISTED_EVERY: Duration = Duration::from_secs(10);

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
    /// What of the hub's processor time a device's order, result and details took, the plugin aside.
    pub hub_cpu_ms_each: f64,
    /// What of the simulator's a device took for the same.
    pub device_cpu_ms: f64,
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
        let durable = |which: &str| format!("{n} devices: every result durable, {which}, s");
        judged.push(bar(durable("the plugin fetched first"), it.first_durable_s, DURABLE.as_secs_f64()));
        judged.push(bar(durable("the plugin there"), it.durable_s, DURABLE.as_secs_f64()));
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
    /// It ends with this.
    _says: ChildStdin,
    address: String,
}

impl HubProcess {
    #[expect(clippy::disallowed_methods, reason = "a bench: what the hub takes is measured of a process of its own")]
    fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let mut command = std::process::Command::new(program);
        command.arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let (Some(says), Some(hears)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the hub's process cannot be spoken to")
        };
        let mut address = String::new();
        BufReader::new(hears).read_line(&mut address)?;
        anyhow::ensure!(!address.is_empty(), "the hub's process ended");
        Ok(Self { child, _says: says, address: address.trim().to_owned() })
    }

    fn url(&self) -> anyhow::Result<Url> {
        Ok(format!("https://{}", self.address).parse()?)
    }

    fn rss_kib(&self) -> anyhow::Result<f64> {
        rss_kib(&self.child.id().to_string())
    }

    fn cpu_ms(&self) -> anyhow::Result<f64> {
        cpu_ms(&self.child.id().to_string())
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

/// Processor time of a process so far, in milliseconds.
fn cpu_ms(process: &str) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name, which may have anything in it: the 12th and 13th field, in hundredths.
    let behind = stat.rsplit_once(')').map(|(_, behind)| behind).unwrap_or_default();
    let ticks: f64 = behind.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum();
    Ok(ticks * 10.0)
}

/// A folder with a hub that knows the roster, as `remit hub init` and `remit hub take` leave it; its authority.
fn make_hub(folder: &Path, msp: &Msp) -> anyhow::Result<Digest> {
    let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let limits = Limits { joins_per_second: JOINS_PER_SECOND };
    let config = Config { listen, names: vec!["127.0.0.1".to_owned()], certificate: None, limits };
    Hub::init(folder, &config, &msp.root, &SystemClock)?;
    let hub = Hub::open(folder, Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(hub.put_own(msp.roster(1, msp.now.plus_days(200))))?;
    Ok(hub.ca().digest())
}

/// Measures one fleet, at the hub of this program.
pub async fn measure(
    program: &Path,
    devices: u32,
    patience: Patience,
    told: impl Fn(&str),
) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().join("hub");
    let nature = Nature::default();
    let msp = Msp::new(Time::from_ms(SystemClock.now_ms()));
    let born = (0..devices).map(|number| Ok(Name::of(Born::new(&nature, number)?.key())));
    let names = born.collect::<anyhow::Result<Vec<Name>>>()?;
    // The hub's own functions wait for its disk.
    let at = folder.clone();
    let made = tokio::task::spawn_blocking(move || {
        let authority = make_hub(&at, &msp)?;
        anyhow::Ok((msp, authority))
    });
    let (mut msp, authority) = made.await??;
    let hub = HubProcess::start(program, &folder)?;
    let url = hub.url()?;
    let (boss, tess) = (technician::client(&url, authority, "boss")?, technician::client(&url, authority, "tess")?);
    let plugin = msp.ship("look", "1.0.0", &["device"], "remit");
    for signed in [msp.policy("acme", 1, Class::L4), msp.approval(&[&plugin])] {
        boss.hand_over(&signed).await?;
    }
    let (token, trust) = (technician::token(&tess, &msp, devices.max(1)).await?, technician::trust(&msp)?);

    // The join storm.
    let (hub_before, own_before, began) = (hub.rss_kib()?, rss_kib("self")?, Instant::now());
    let plan = Plan {
        hub: url,
        token,
        root: Some(msp.root.clone()),
        devices,
        first: 0,
        nature,
        over: Duration::from_secs(1),
        again: None,
    };
    let crew = Crew::start(plan);
    let counts = crew.counts();
    until(Duration::from_secs(900), || counts.connected.load(Relaxed) == u64::from(devices), "to join")
        .await
        .with_context(|| counts.why().unwrap_or_default())?;
    let joined_s = began.elapsed().as_secs_f64();
    told(&format!("{devices} devices joined in {joined_s:.1} s"));

    // By its mailbox each hears whom to believe.
    until(Duration::from_secs(300), || counts.believing.load(Relaxed) == u64::from(devices), "to know whose they are")
        .await?;
    let delivered = counts.delivered.load(Relaxed);

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

    let troubles = || counts.troubles().iter().for_each(|(why, times)| told(&format!("{times} times so far: {why}")));
    troubles();

    // Everybody looks, and then once more: the first time they fetch the plugin.
    let mut durable_s = [0.0; 2];
    let (mut hub_cpu_ms_each, mut device_cpu_ms) = (0.0, 0.0);
    for durable_s in &mut durable_s {
        let mut order = msp.order("tess", "acme", &plugin, Class::L1);
        order.mode = Mode::Detect;
        order.from = Time::from_ms(SystemClock.now_ms());
        let (hub_cpu, own_cpu) = (hub.cpu_ms()?, cpu_ms("self")?);
        let (results, began) = (counts.told.load(Relaxed), Instant::now());
        let digest = technician::send(&tess, &trust, (&order, &plugin), &names).await?;
        let sent_s = began.elapsed().as_secs_f64();
        let is_told = || counts.told.load(Relaxed) - results >= u64::from(devices);
        until(Duration::from_secs(300), is_told, "to have told").await?;
        *durable_s = began.elapsed().as_secs_f64();
        (hub_cpu_ms_each, device_cpu_ms) = ((hub.cpu_ms()? - hub_cpu) / each, (cpu_ms("self")? - own_cpu) / each);
        told(&format!(
            "every result durable in {durable_s:.1} s (the order on its way after {sent_s:.1}); of processor time {hub_cpu_ms_each:.2} ms each of the hub, {device_cpu_ms:.2} of the device"
        ));
        troubles();
        counted(&tess, digest, devices).await?;
        // As long after the last one as it takes connections to end: each order meets devices at rest.
        sleep(patience.settle).await;
    }
    let [first_durable_s, durable_s] = durable_s;

    // The hub is killed and started anew.
    let address = hub.address.clone();
    drop(hub);
    until(Duration::from_secs(60), || counts.connected.load(Relaxed) < u64::from(devices), "to notice").await?;
    let hub = HubProcess::start(program, &folder)?;
    anyhow::ensure!(hub.address == address, "the hub came back elsewhere");
    let (began, mut shown_away, mut listed) = (Instant::now(), 0, None::<Instant>);
    let mut back_s = None;
    while began.elapsed() < patience.watch || back_s.is_none() && began.elapsed() < BACK * 3 {
        sleep(Duration::from_millis(100)).await;
        if back_s.is_none() && counts.connected.load(Relaxed) == u64::from(devices) {
            back_s = Some(began.elapsed().as_secs_f64());
            told(&format!("all were back after {:.1} s", began.elapsed().as_secs_f64()));
        }
        // Once they are back: a hub that is busy with their coming back is asked for no list.
        if back_s.is_some() && listed.is_none_or(|listed| listed.elapsed() >= LISTED_EVERY) {
            listed = Some(Instant::now());
            let all = tess.inventory(&[]).await?;
            anyhow::ensure!(all.len() == names.len(), "{} devices are listed", all.len());
            shown_away = shown_away.max(all.iter().filter(|it| it.presence == "offline").count());
        }
    }
    counts.troubles().iter().for_each(|(why, times)| told(&format!("{times} times in all: {why}")));
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
        device_cpu_ms,
        back_s: back_s.unwrap_or(f64::INFINITY),
        shown_away,
    })
}

/// Whether the hub counts a result of each, as a technician is told.
async fn counted(tess: &Client, order: Digest, devices: u32) -> anyhow::Result<()> {
    let shown = tess.shown(order).await?;
    let rollout = shown.rollout.context("the order is not on its way")?;
    let completed: u64 = rollout.rings.iter().map(|ring| ring.completed).sum();
    anyhow::ensure!(completed == u64::from(devices), "the hub counts {completed} of {devices} devices");
    Ok(())
}

async fn until(most: Duration, is: impl Fn() -> bool, what: &str) -> anyhow::Result<()> {
    let waited = timeout(most, async {
        while !is() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.with_context(|| format!("it took devices more than {} s {what}", most.as_secs()))
}
