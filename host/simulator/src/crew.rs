//! Devices that dial a hub: each joins with a token, keeps a line of its own, and does what it is told to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use bus::dial::{Dial, Request, Way};
use bus::{BEAT, Backoff, Beat, Line as _, Trouble, Woken};
use model::{Clock, Digest, SystemClock};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep};
use trust::statement::{self, Enrolment};
use trust::{Signed, Time, Token, Trust};
use url::Url;

use crate::device::{Born, Device};
use crate::nature::Nature;
use crate::plugin::Shelf;

/// The longest that a device waits for its bell in one go; what it missed it finds then.
const WAIT: Duration = Duration::from_secs(300);

/// The same where it has something to ask for again, or may be switched off meanwhile.
const SOON: Duration = Duration::from_secs(10);

/// The most bytes of an answer to who joins: the root in it has at most half as many.
const JOINED_BYTES_MAX: usize = 96 << 10;

/// So many kinds of trouble are told apart.
const TROUBLES_MAX: usize = 32;

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the hub is.
    pub hub: Url,
    /// With what the devices join.
    pub token: Token,
    /// The MSP's first root, where the hub does not hand it over.
    pub root: Option<Signed>,
    /// How many devices.
    pub devices: u32,
    /// The number of the first one: several processes play one fleet.
    pub first: u32,
    /// How they behave.
    pub nature: Nature,
    /// Over so much time they come.
    pub over: Duration,
    /// The longest that one waits before it asks again, where tests have no time; else as an agent does.
    pub again: Option<Duration>,
}

/// What one device came to, by its own account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stands {
    /// Its name in hex.
    pub name: String,
    /// How many runs began of each order.
    pub runs: BTreeMap<Digest, u64>,
    /// How many results it signed.
    pub signed: u64,
    /// How many messages the hub has not acknowledged.
    pub waiting: usize,
}

/// What devices came to, counted by themselves.
#[derive(Debug, Default)]
pub struct Counts {
    /// Joined.
    pub joined: AtomicU64,
    /// Have a line that works now.
    pub connected: AtomicU64,
    /// Runs.
    pub runs: AtomicU64,
    /// Of these, such that changed something.
    pub mutations: AtomicU64,
    /// Know whose they are.
    pub believing: AtomicU64,
    /// Results that the hub has on its disk.
    pub told: AtomicU64,
    /// Messages that the hub has on its disk.
    pub delivered: AtomicU64,
    troubles: Mutex<BTreeMap<String, u64>>,
    gave_up: Mutex<Option<String>>,
    stands: Mutex<BTreeMap<u32, Stands>>,
}

/// Devices at work. They end with this value.
pub struct Crew {
    counts: Arc<Counts>,
    tasks: JoinSet<()>,
}

struct Shared {
    plan: Plan,
    counts: Arc<Counts>,
    nature: Arc<Nature>,
    shelf: Arc<Shelf>,
    /// The longest that a device waits for its bell.
    wait: Duration,
}

/// What the hub answers to who joins.
#[derive(Deserialize)]
struct Joined {
    root: Option<String>,
}

/// Why a device does not come to be one.
#[derive(Debug, thiserror::Error)]
enum NotJoined {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("{0}")]
    Never(String),
}

impl Counts {
    /// Why devices gave up, if any did.
    pub fn why(&self) -> Option<String> {
        self.gave_up.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What went wrong and was tried again, and how often.
    pub fn troubles(&self) -> BTreeMap<String, u64> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn trouble(&self, trouble: &Trouble) {
        let mut all = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let told = trouble.to_string();
        let is_told = all.len() < TROUBLES_MAX || all.contains_key(&told);
        *all.entry(if is_told { told } else { "other things".to_owned() }).or_default() += 1;
    }

    /// What each device came to, by its number.
    pub fn stands(&self) -> BTreeMap<u32, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stand(&self, number: u32, device: &Device) {
        let mut all = self.stands.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = all.entry(number).or_default();
        if stands.name.is_empty() {
            stands.name = device.name().hex();
        }
        if stands.runs.len() != device.machine().of_orders().len() || stands.signed != device.signed() {
            stands.runs = device.machine().of_orders().clone();
        }
        (stands.signed, stands.waiting) = (device.signed(), device.waiting());
    }

    fn gave_up(&self, why: String) {
        *self.gave_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

impl Crew {
    /// Has them come.
    pub fn start(plan: Plan) -> Self {
        let counts = Arc::new(Counts::default());
        let shared = Arc::new(Shared {
            counts: Arc::clone(&counts),
            nature: Arc::new(plan.nature.clone()),
            shelf: Arc::new(Shelf::default()),
            wait: if plan.nature.offline_ppm + plan.nature.flapping_ppm > 0 { SOON } else { WAIT },
            plan,
        });
        let mut tasks = JoinSet::new();
        for number in 0..shared.plan.devices {
            tasks.spawn(live(Arc::clone(&shared), shared.plan.first + number));
        }
        Self { counts, tasks }
    }

    /// What they came to so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Waits until all of them gave up.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

fn now_ms() -> u64 {
    SystemClock.now_ms()
}

async fn live(shared: Arc<Shared>, number: u32) {
    let after = shared.nature.draw(number, "comes").random::<f64>();
    sleep(shared.plan.over.mul_f64(after)).await;
    let mut backoff = Backoff::default();
    let mut device = loop {
        match join(&shared, number).await {
            Ok(device) => break device,
            Err(NotJoined::Never(why)) => {
                shared.counts.gave_up(why);
                return;
            }
            Err(NotJoined::Trouble(trouble)) => {
                shared.counts.trouble(&trouble);
                let Some(after) = backoff.after(&trouble) else {
                    shared.counts.gave_up(trouble.to_string());
                    return;
                };
                sleep(after.min(shared.plan.again.unwrap_or(after))).await;
            }
        }
    };
    shared.counts.joined.fetch_add(1, Ordering::Relaxed);
    for at in 0.. {
        while !shared.nature.is_online(number, now_ms()) {
            sleep(Duration::from_secs(5)).await;
        }
        // A way of its own: connections and TLS are nobody else's.
        let addresses = addresses(&shared.plan, &device);
        let Some(Ok(way)) = addresses.get(at % addresses.len().max(1)).map(|hub| way(&shared.plan, hub)) else {
            return;
        };
        let dial = Dial::new(way, Box::new(device.opener()));
        stay(&shared, (number, addresses.as_slice()), &mut device, &dial).await;
    }
}

/// Where the hub is: what the root's keys signed of it, before what it joined with.
fn addresses(plan: &Plan, device: &Device) -> Vec<Url> {
    let signed = device.member().trust().hub().map(|it| it.addresses.clone()).unwrap_or_default();
    let signed: Vec<Url> = signed.iter().filter_map(|it| it.parse().ok()).collect();
    if signed.is_empty() { vec![plan.hub.clone()] } else { signed }
}

/// As long as it is on, and the hub is there.
async fn stay(shared: &Shared, (number, known): (u32, &[Url]), device: &mut Device, dial: &Dial) {
    let mut backoff = Backoff::default();
    let mut is_connected = false;
    let first = shared.nature.draw(number, "beats").random::<f64>();
    let mut beats = interval_at(Instant::now() + BEAT.mul_f64(first), BEAT);
    while shared.nature.is_online(number, now_ms()) {
        let done = round(shared, number, device, dial, &mut beats, &mut is_connected).await;
        shared.counts.stand(number, device);
        match done {
            Ok(()) => backoff.reset(),
            Err(trouble) => {
                if std::mem::take(&mut is_connected) {
                    shared.counts.connected.fetch_sub(1, Ordering::Relaxed);
                }
                shared.counts.trouble(&trouble);
                let after = backoff.after(&trouble).unwrap_or(WAIT);
                sleep(after.min(shared.plan.again.unwrap_or(after))).await;
                // Its other addresses are tried in turn.
                if known.len() > 1 && matches!(trouble, Trouble::Unreachable { .. } | Trouble::Stranger { .. }) {
                    return;
                }
            }
        }
        if addresses(&shared.plan, device) != known {
            break;
        }
    }
    if is_connected {
        shared.counts.connected.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Looks, does, tells, and waits for the bell.
async fn round(
    shared: &Shared,
    number: u32,
    device: &mut Device,
    dial: &Dial,
    beats: &mut tokio::time::Interval,
    is_connected: &mut bool,
) -> Result<(), Trouble> {
    let before = (device.machine().runs(), device.machine().mutations());
    let believed = device.is_placed();
    let visit = device.look(dial, now_ms()).await?;
    sleep(visit.takes).await;
    let counts = &shared.counts;
    if !believed && device.is_placed() {
        counts.believing.fetch_add(1, Ordering::Relaxed);
    }
    let (waiting, results) = (device.waiting(), device.results_waiting());
    let delivered = device.deliver(dial).await;
    counts.stand(number, device);
    let told = results.saturating_sub(device.results_waiting());
    counts.told.fetch_add(u64::try_from(told).unwrap_or(0), Ordering::Relaxed);
    delivered?;
    counts.runs.fetch_add(device.machine().runs() - before.0, Ordering::Relaxed);
    counts.mutations.fetch_add(device.machine().mutations() - before.1, Ordering::Relaxed);
    let delivered = waiting.saturating_sub(device.waiting());
    counts.delivered.fetch_add(u64::try_from(delivered).unwrap_or(0), Ordering::Relaxed);
    if !std::mem::replace(is_connected, true) {
        counts.connected.fetch_add(1, Ordering::Relaxed);
        dial.beat(&beat(device)).await?;
    }
    let most = if visit.is_waiting { SOON } else { shared.wait };
    let waited = {
        let mut waiting = std::pin::pin!(dial.wait(device.has(), most));
        loop {
            tokio::select! {
                woken = &mut waiting => break woken?,
                _ = beats.tick() => dial.beat(&beat(device)).await?,
            }
        }
    };
    if let Woken::Rung { within } = waited {
        sleep(within.mul_f64(rand::random::<f64>())).await;
    }
    Ok(())
}

fn beat(device: &Device) -> Beat {
    let waiting = u64::try_from(device.waiting()).unwrap_or(u64::MAX);
    Beat {
        at_ms: now_ms(),
        mailbox: device.has(),
        waiting,
        agent: concat!("simulator/", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

fn way(plan: &Plan, hub: &Url) -> Result<Way, NotJoined> {
    Way::new(hub, &[plan.token.authority], None).map_err(|error| NotJoined::Never(error.to_string()))
}

/// Its key and the token's sign that it joins; whom it then believes is compared with what the token says.
async fn join(shared: &Shared, number: u32) -> Result<Device, NotJoined> {
    let never = |why: &dyn std::fmt::Display| NotJoined::Never(format!("device {number} cannot join: {why}"));
    let plan = &shared.plan;
    let born = Born::new(&shared.nature, number).map_err(|error| never(&error))?;
    let enrolment = Enrolment { tenant: plan.token.root, token: plan.token.key(), device: born.key().clone() };
    let bytes = statement::write(Time::from_ms(now_ms()), &enrolment).map_err(|refusal| never(&refusal))?;
    let mut signed = Signed::new(bytes, Vec::new());
    signed.sign(&mut plan.token.signer()).map_err(|error| never(&error))?;
    signed.sign(&mut born.signer()).map_err(|error| never(&error))?;
    let body = json!({ "signed": String::from_utf8_lossy(&signed.to_text()) }).to_string().into();
    let request = Request {
        method: Method::POST,
        target: "/v1/enrolments",
        body,
        answer_bytes_max: JOINED_BYTES_MAX,
        patience: Duration::ZERO,
    };
    let reply = way(plan, &plan.hub)?.ask(request, None).await?;
    match reply.status {
        200 | 201 => {}
        429 | 503 => {
            let after = reply.retry_after.unwrap_or(Duration::from_secs(10));
            return Err(Trouble::Busy { after }.into());
        }
        status => return Err(never(&format!("the hub answers {status}: {}", String::from_utf8_lossy(&reply.body)))),
    }
    let joined: Joined = serde_json::from_slice(&reply.body).map_err(|error| never(&error))?;
    let root = joined.root.and_then(|text| Signed::from_text(text.as_bytes()).ok()).or_else(|| plan.root.clone());
    let root = root.ok_or_else(|| never(&"nobody hands over the root"))?;
    let pin: Digest = plan.token.root;
    let trust = Trust::pinned(pin, &root).map_err(|_| never(&"the root is not the token's"))?;
    let mut device = born.join(trust, Arc::clone(&shared.nature), Arc::clone(&shared.shelf));
    device.enrolled(signed);
    Ok(device)
}
