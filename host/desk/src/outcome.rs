//! What became of an order, as its devices signed it. What the hub says beyond that is told, and counted by nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use fleet::{Comes, Counters, Device, Ended, Tally};
use model::Digest;
use serde::{Deserialize, Serialize};
use trust::statement::{Order, Report};
use trust::{Signed, Time, Trust};

use crate::client::{Client, target};
use crate::error::Error;

/// The hub answers a watcher after 25 s at the latest.
const WATCH_MAX: Duration = Duration::from_secs(30);

/// An order, as the hub has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrderRow {
    /// Of the signed statement.
    pub digest: Digest,
    /// The name that its signer gave it.
    pub id: String,
    /// Whose key signed it.
    pub signer: String,
    /// What runs.
    pub plugin: String,
    /// In which mode.
    pub mode: String,
    /// When it was signed.
    pub signed_ms: u64,
    /// From when on it counts.
    pub from_ms: u64,
    /// Until when.
    pub expires_ms: u64,
}

/// An order and where it stands, as the hub says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shown {
    /// The order.
    pub order: OrderRow,
    /// What it counts.
    pub counted: Counted,
    /// How far it got; left out where nobody said who is in which ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutShown>,
}

/// What the hub counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counted {
    /// Devices.
    pub devices: u64,
    /// That answered.
    pub answered: u64,
}

/// How far an order got, as the hub says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RolloutShown {
    /// `running`, `done`, `expired`, `withdrawn` or `superseded`.
    pub state: String,
    /// Goes up with each change.
    pub version: u64,
    /// Its rings; one where it has none.
    pub rings: Vec<RingShown>,
}

/// A ring, as the hub says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RingShown {
    /// From 1 on.
    pub ring: u32,
    /// `waiting`, `open` or `done`.
    pub state: String,
    /// How many devices it has.
    pub devices: u64,
    /// It went well there.
    #[serde(default)]
    pub completed: u64,
    /// It went badly.
    #[serde(default)]
    pub failed: u64,
    /// They refused.
    #[serde(default)]
    pub refused: u64,
    /// They are not meant.
    #[serde(default)]
    pub not_meant: u64,
    /// They wait for a reboot.
    #[serde(default)]
    pub suspended: u64,
    /// They said nothing.
    #[serde(default)]
    pub silent: u64,
    /// Why a ring that waits is not open yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

impl RolloutShown {
    /// Whether nothing more comes of it.
    pub fn is_over(&self) -> bool {
        self.state != "running"
    }
}

/// A result, as the hub has it. Only `signed` is looked at; the rest is what the hub claims.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResultRow {
    /// Its place in the log.
    pub number: u64,
    /// Whose device it says.
    #[serde(default)]
    pub client: String,
    /// Which device it says.
    pub device: String,
    /// The statement and its signature.
    pub signed: String,
}

/// What a device signed about an order.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verified {
    /// Which device.
    pub device: Device,
    /// The same, as the hub and folders call it.
    pub hex: String,
    /// Its ring, from 1 on, as people count; none where the hub did not say who is in which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring: Option<NonZeroU32>,
    /// What it comes to.
    pub comes: Comes,
    /// What was signed.
    pub report: Report,
    /// Of the signed result.
    pub result: Digest,
}

/// What the hub says, and no device signed so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Claimed {
    /// About which device.
    pub device: String,
    /// What is wrong with it.
    pub why: String,
}

/// What became of an order, as far as devices signed it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By device, the latest.
    pub latest: BTreeMap<Device, Verified>,
    /// What was believed nothing of.
    pub claimed: Vec<Claimed>,
    tally: Tally,
    sequences: BTreeMap<(Device, u64), Digest>,
}

/// The devices for which it went badly, by why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failures {
    /// A refusal's code, or the outcome and the verdict.
    pub reason: String,
    /// So many devices.
    pub devices: usize,
    /// These.
    pub which: Vec<String>,
}

/// Which order results are about, and who its devices are.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Whom is believed.
    pub trust: &'a Trust,
    /// The order's digest.
    pub digest: Digest,
    /// What it says.
    pub order: &'a Order,
    /// Its devices, where the hub said who they are and the order shows it.
    pub rings: Option<&'a [Vec<Device>]>,
    /// When.
    pub now: Time,
}

impl About<'_> {
    /// The ring of a device.
    fn ring(&self, device: &Device) -> Option<NonZeroU32> {
        let at = self.rings?.iter().position(|ring| ring.contains(device))?;
        NonZeroU32::new(u32::try_from(at + 1).ok()?)
    }

    fn look(&self, row: &ResultRow) -> Result<Verified, String> {
        let signed = Signed::from_text(row.signed.as_bytes()).map_err(|refusal| refusal.to_string())?;
        let reported = self.trust.report(&signed, self.now);
        let reported =
            reported.map_err(|refusals| refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let report = reported.report().clone();
        let device = Device::of(&report.device);
        let ring = self.ring(&device);
        match () {
            () if report.order != self.digest => Err("it is about another order".to_owned()),
            () if device.hex() != row.device => Err(format!("{} signed it", device.hex())),
            () if report.mode != self.order.mode => Err(format!("it is of the mode `{}`", report.mode.word())),
            () if self.rings.is_some() && ring.is_none() && !self.order.rings.is_empty() => {
                Err("the device is in no ring of the order".to_owned())
            }
            () => {
                let result = reported.digest();
                let comes = Ended::of(result, &report).comes;
                Ok(Verified { device, hex: device.hex(), ring, comes, report, result })
            }
        }
    }
}

impl Outcome {
    /// Counts what the hub has, where its device signed it.
    pub fn count(&mut self, about: &About<'_>, rows: &[ResultRow]) {
        for row in rows {
            match about.look(row) {
                Ok(verified) => self.take(verified),
                Err(why) => self.claimed.push(Claimed { device: row.device.clone(), why }),
            }
        }
    }

    fn take(&mut self, verified: Verified) {
        let (device, sequence) = (verified.device, verified.report.sequence);
        // Two that a device gave one number: it was put back, or cloned.
        if let Some(other) = self.sequences.insert((device, sequence), verified.result)
            && other != verified.result
        {
            let why = format!(
                "it signed two results with the number {sequence}: it was cloned, or put back to an earlier state"
            );
            self.claimed.push(Claimed { device: verified.hex.clone(), why });
        }
        // There they are counted from 0 on, as in what is signed.
        let ring = verified.ring.map_or(0, |ring| ring.get() - 1);
        self.tally.add(device, ring, Ended::of(verified.result, &verified.report));
        let is_latest = self.tally.of(&device).is_some_and(|ended| ended.result == verified.result);
        if is_latest {
            self.latest.insert(device, verified);
        }
    }

    /// The rings, counted from what was verified.
    pub fn counters(&self, rings: &[Vec<Device>]) -> Vec<Counters> {
        let devices: Vec<u32> = rings.iter().map(|ring| u32::try_from(ring.len()).unwrap_or(u32::MAX)).collect();
        self.tally.counters(&devices)
    }

    /// Those for which it went badly.
    pub fn failed(&self) -> BTreeSet<Device> {
        self.latest.values().filter(|it| it.comes == Comes::Badly).map(|it| it.device).collect()
    }

    /// Those that have a run to take back: one that failed half way changed what it did before.
    pub fn done(&self) -> BTreeSet<Device> {
        let has_run = |it: &&Verified| it.report.run.is_some() && it.report.outcome != model::Outcome::Refused;
        self.latest.values().filter(has_run).map(|it| it.device).collect()
    }

    /// Why it went badly, the most frequent first.
    pub fn failures(&self, called: impl Fn(&Device) -> String) -> Vec<Failures> {
        let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for it in self.latest.values().filter(|it| it.comes == Comes::Badly) {
            by.entry(it.reason()).or_default().push(called(&it.device));
        }
        let mut all: Vec<Failures> =
            by.into_iter().map(|(reason, which)| Failures { reason, devices: which.len(), which }).collect();
        all.sort_by_key(|it| std::cmp::Reverse(it.devices));
        all
    }
}

impl Verified {
    /// Why it went as it did, in a word or two.
    pub fn reason(&self) -> String {
        match &self.report.refused {
            Some(code) => format!("refused: {code}"),
            None => format!("{}, {}", self.report.outcome, self.report.verdict),
        }
    }
}

impl Client {
    /// Where an order stands, as the hub says.
    pub async fn shown(&self, digest: Digest) -> Result<Shown, Error> {
        self.get(&format!("/v1/orders/{digest}")).await
    }

    /// The same as soon as it is another than that of this version, or after a while.
    pub async fn watched(&self, digest: Digest, after: u64) -> Result<Shown, Error> {
        let path = target(&format!("/v1/orders/{digest}/watch"), &[("after", &after.to_string())]);
        self.wait(&path, WATCH_MAX).await
    }

    /// What devices told about an order, from a place of the log on: that, and the place after it.
    pub async fn told(&self, digest: Digest, after: u64) -> Result<(Vec<ResultRow>, u64), Error> {
        let from = (after > 0).then(|| after.to_string());
        let rows: Vec<ResultRow> = self.list_after(&format!("/v1/orders/{digest}/results"), from).await?;
        let after = rows.iter().map(|it| it.number).max().unwrap_or(after);
        Ok((rows, after))
    }

    /// All orders, of one signer where one is named by the fingerprint of their key.
    pub async fn orders(&self, signer: Option<&str>) -> Result<Vec<OrderRow>, Error> {
        let query: Vec<(&str, &str)> = signer.iter().map(|signer| ("signer", *signer)).collect();
        self.list("/v1/orders", &query).await
    }

    /// The digest of an order: by that itself, by its id, or by the beginning of either.
    pub async fn find_order(&self, named: &str) -> Result<Digest, Error> {
        if let Ok(digest) = named.parse() {
            return Ok(digest);
        }
        let rows: Vec<OrderRow> = match named.parse::<model::OrderId>() {
            // Ids sort by their time: the list begins just before the one that is named.
            Ok(_) => {
                let before = named.get(..named.len().saturating_sub(1)).unwrap_or_default();
                self.page("/v1/orders", &[("after", before), ("limit", "50")]).await?
            }
            Err(_) => self.list("/v1/orders", &[]).await?,
        };
        let is_it = |it: &&OrderRow| {
            it.id == named || (named.len() >= 8 && (it.id.starts_with(named) || it.digest.hex().starts_with(named)))
        };
        let mut found = rows.iter().filter(is_it);
        let wrong = |title: String| Error::Refused { status: 404, title, wrong: Vec::new() };
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.digest),
            (None, _) => Err(wrong(format!("no order is called `{named}`"))),
            (Some(one), Some(other)) => {
                Err(wrong(format!("several orders are called `{named}`: {} and {}", one.id, other.id)))
            }
        }
    }
}
