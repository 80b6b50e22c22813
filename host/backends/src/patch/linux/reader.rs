use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use contract::patch::{
    Classification, GetPolicy, HistoryEntry, ListHistory, ListSources, ListUpdates, PolicyView, RebootBehavior,
    SourceHealth, Update, UpdateSeverity, UpdateState,
};
use contract::types::Error;
use contract::{Context, patch};
use jiff::tz::TimeZone;

use crate::errors;
use crate::patch::policy::Subject;
use crate::patch::{LISTED_MAX, SOURCE, by_id, id, is_in_scope, policy_view, reboot_behavior};

use super::changelog::News;
use super::deb::{self, Packages};
use super::simulation::{self, Step};
use super::{APT, APT_CACHE, APT_GET, Apt, blocking, history, lock};

/// Never takes a lock, and so works while somebody else installs.
const SIMULATE: [&str; 2] = ["-s", "-q"];
/// As if nothing were held back by this machine's own choice.
const REGARDLESS: [&str; 5] = [
    "--ignore-hold",
    "-o",
    "APT::Get::Never-Include-Phased-Updates=false",
    "-o",
    "APT::Get::Always-Include-Phased-Updates=true",
];
/// The most packages in one question to `apt-cache`: a command line has its limit.
const ASKED_MAX: usize = 1_000;
/// The most rotated logs that are read; Debian keeps twelve.
const LOGS_MAX: usize = 100;
/// The most bytes of one log, unpacked: a year of a busy server is 1 MB.
const LOG_BYTES_MAX: u64 = 32 << 20;

/// Something pending, as apt puts it.
pub(super) struct Pending {
    pub(super) step: Step,
    state: UpdateState,
    reason: Option<&'static str>,
    pub(super) details: Details,
}

/// What the index says of a version.
#[derive(Clone, Default)]
pub(super) struct Details {
    /// The source package and its version.
    pub(super) source: Option<(String, String)>,
    size_bytes: u64,
    arch: String,
    is_phased: bool,
}

impl Apt {
    /// Everything that [`patch::Backend::list_updates`] lists.
    pub(super) async fn updates(&self, cx: &Context) -> Result<Vec<Update>, Error> {
        let packages = self.packages().await?;
        let pending = self.pending(cx, &packages).await?;
        let waiting: Vec<(String, String)> = self
            .noted_reboots()?
            .into_iter()
            .filter_map(|product| packages.installed(&product).map(|version| (product, version)))
            .collect();
        let ids = pending.iter().map(|it| id(&it.step.product, &it.step.to));
        let ids = ids.chain(waiting.iter().map(|(product, version)| id(product, version)));
        let seen = self.first_seen(ids.collect())?;
        let mut updates = Vec::with_capacity(pending.len());
        for it in &pending {
            let news = self.news(it, &packages)?;
            updates.push(self.update(it, &seen, news.as_ref()));
        }
        updates.extend(waiting.iter().map(|(product, version)| self.waiting(product, version, &seen)));
        Ok(by_id(updates))
    }

    /// What apt would install, what it keeps back, and what is held.
    pub(super) async fn pending(&self, cx: &Context, packages: &Packages) -> Result<Vec<Pending>, Error> {
        let simulate = async |more: &[&str]| {
            let arguments = [&SIMULATE[..], more].concat();
            self.run(APT_GET, &arguments, cx.deadline).await.map(|output| simulation::steps(&output))
        };
        let regardless = [&REGARDLESS[..], &["dist-upgrade"]].concat();
        let (full, plain, every, listed) = tokio::try_join!(
            simulate(&["dist-upgrade"]),
            simulate(&["upgrade"]),
            simulate(&regardless),
            self.run(APT, &["list", "--upgradable"], cx.deadline),
        )?;
        let mut steps: BTreeMap<String, Step> = BTreeMap::new();
        let upgrades = every.into_iter().filter(|step| step.from.is_some());
        let listed = simulation::listed(&listed, packages.native());
        for step in full.iter().cloned().chain(upgrades).chain(listed).take(LISTED_MAX) {
            steps.entry(step.product.clone()).or_insert(step);
        }
        let (full, plain) = (names(&full), names(&plain));
        let mut details = self.details(cx, steps.values(), packages.native()).await?;
        let pending = steps.into_values().map(|step| {
            let details = details.remove(&id(&step.product, &step.to)).unwrap_or_default();
            let is_held = packages.get(&step.product).is_some_and(|package| package.is_held);
            let (state, reason) = if is_held {
                (UpdateState::Held, None)
            } else if !full.contains(&step.product) {
                let reason = if details.is_phased { "phased" } else { "unsatisfiable" };
                (UpdateState::KeptBack, Some(reason))
            } else if !plain.contains(&step.product) {
                (UpdateState::KeptBack, Some("needs-more-than-an-upgrade"))
            } else if self.is_downloaded(&step, &details) {
                (UpdateState::Downloaded, None)
            } else {
                (UpdateState::Available, None)
            };
            Pending { step, state, reason, details }
        });
        Ok(pending.collect())
    }

    /// What the index says of each version, by id.
    async fn details(
        &self,
        cx: &Context,
        steps: impl Iterator<Item = &Step>,
        native: &str,
    ) -> Result<BTreeMap<String, Details>, Error> {
        let asked: Vec<String> = steps.map(|step| format!("{}={}", step.product, step.to)).collect();
        let mut details = BTreeMap::new();
        for asked in asked.chunks(ASKED_MAX) {
            let mut arguments = vec!["show"];
            arguments.extend(asked.iter().map(String::as_str));
            // It complains of what it does not know, and tells the rest.
            let output = self.output(APT_CACHE, &arguments, cx.deadline).await?;
            let text = String::from_utf8_lossy(&output.stdout);
            details.extend(deb::stanzas(&text).filter_map(|fields| detail(&fields, native)));
        }
        Ok(details)
    }

    fn is_downloaded(&self, step: &Step, details: &Details) -> bool {
        let name = step.product.split(':').next().unwrap_or_default();
        let file = format!("{name}_{}_{}.deb", step.to.replace(':', "%3a"), details.arch);
        let archive = self.path("var/cache/apt/archives").join(file);
        std::fs::metadata(archive).is_ok_and(|found| found.len() == details.size_bytes)
    }

    /// When each id was first seen pending. What is no longer pending is forgotten: should it come back, it is news.
    fn first_seen(&self, ids: BTreeSet<String>) -> Result<BTreeMap<String, u64>, Error> {
        let known: BTreeMap<String, u64> = self.remembered("first-seen")?.unwrap_or_default();
        let now_ms = self.clock.now_ms();
        let seen = ids.into_iter().map(|id| {
            let at_ms = known.get(&id).copied().unwrap_or(now_ms);
            (id, at_ms)
        });
        let seen: BTreeMap<String, u64> = seen.collect();
        if seen != known {
            self.remember("first-seen", &seen)?;
        }
        Ok(seen)
    }

    fn update(&self, pending: &Pending, seen: &BTreeMap<String, u64>, news: Option<&News>) -> Update {
        let Pending { step, state, reason, details } = pending;
        let is_security = simulation::is_security(&step.origins);
        let mut attributes = vec![("source-class".to_owned(), simulation::suites(&step.origins))];
        attributes.push(("origin".to_owned(), step.origins.join(", ")));
        attributes.extend(reason.map(|reason| ("state-reason".to_owned(), reason.to_owned())));
        attributes.push(("changelog".to_owned(), if news.is_some() { "read" } else { "not-read" }.to_owned()));
        let update = Update {
            id: id(&step.product, &step.to),
            title: format!("{} {}", step.product, step.to),
            product: step.product.clone(),
            source: SOURCE.to_owned(),
            installed_version: step.from.clone(),
            available_version: step.to.clone(),
            classification: if is_security { Classification::Security } else { Classification::Update },
            // A changelog's urgency is the packager's word for how soon to migrate, not a rating.
            severity: UpdateSeverity::Unspecified,
            cves: news.map(|news| news.cves.clone()).unwrap_or_default(),
            kbs: Vec::new(),
            size_bytes: if *state == UpdateState::Downloaded { 0 } else { details.size_bytes },
            released_ms: news.and_then(|news| news.released_ms),
            first_seen_ms: 0,
            reboot_behavior: reboot_behavior(&step.product),
            state: *state,
            approval: contract::patch::Approval::Unset,
            attributes,
        };
        self.judged(update, seen)
    }

    /// An update that is installed, and waits for the boot.
    fn waiting(&self, product: &str, version: &str, seen: &BTreeMap<String, u64>) -> Update {
        let update = Update {
            id: id(product, version),
            title: format!("{product} {version}"),
            product: product.to_owned(),
            source: SOURCE.to_owned(),
            installed_version: Some(version.to_owned()),
            available_version: version.to_owned(),
            classification: Classification::Other,
            severity: UpdateSeverity::Unspecified,
            cves: Vec::new(),
            kbs: Vec::new(),
            size_bytes: 0,
            released_ms: None,
            first_seen_ms: 0,
            reboot_behavior: RebootBehavior::Always,
            state: UpdateState::PendingReboot,
            approval: contract::patch::Approval::Unset,
            attributes: Vec::new(),
        };
        self.judged(update, seen)
    }

    /// The update with its age, and with what policy says of it.
    fn judged(&self, mut update: Update, seen: &BTreeMap<String, u64>) -> Update {
        let now_ms = self.clock.now_ms();
        update.first_seen_ms = seen.get(&update.id).copied().unwrap_or(now_ms);
        let judgement = self.policy.judge(&Subject::of(&update), now_ms);
        update.approval = judgement.approval;
        let until = judgement.deferred_until_ms.map(|until_ms| ("deferred-until-ms".to_owned(), until_ms.to_string()));
        update.attributes.extend(until);
        update
    }

    /// When the index was last refreshed, as far as apt's own files and this host remember.
    pub(super) fn refreshed_ms(&self) -> Result<Option<u64>, Error> {
        let files = ["var/lib/apt/periodic/update-success-stamp", "var/lib/apt/lists", "var/lib/apt/lists/partial"];
        let has_index = std::fs::read_dir(self.path("var/lib/apt/lists")).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_dists_"))
        });
        let touched = files.iter().filter(|_| has_index).filter_map(|file| modified_ms(&self.path(file)));
        Ok(touched.chain(self.remembered("refreshed")?).max())
    }

    /// The zone in which the system's logs are written.
    fn zone(&self) -> TimeZone {
        let zone = std::fs::read(self.path("etc/localtime")).ok();
        zone.and_then(|bytes| TimeZone::tzif("", &bytes).ok()).unwrap_or(TimeZone::UTC)
    }
}

fn names(steps: &[Step]) -> BTreeSet<String> {
    steps.iter().map(|step| step.product.clone()).collect()
}

fn detail(fields: &BTreeMap<&str, &str>, native: &str) -> Option<(String, Details)> {
    let details = Details {
        source: deb::source(fields),
        size_bytes: fields.get("Size").and_then(|size| size.parse().ok()).unwrap_or_default(),
        arch: (*fields.get("Architecture")?).to_owned(),
        is_phased: fields.get("Phased-Update-Percentage").is_some_and(|percentage| *percentage != "100"),
    };
    Some((id(&deb::name(fields, native)?, fields.get("Version")?), details))
}

fn modified_ms(path: &Path) -> Option<u64> {
    let since = std::fs::metadata(path).ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// A log, unpacked where it is rotated; none where there is none.
fn read_log(folder: &Path, number: usize) -> Option<String> {
    let open = |name: String| std::fs::File::open(folder.join(name)).ok();
    let mut bytes = Vec::new();
    let plain = if number == 0 { "history.log".to_owned() } else { format!("history.log.{number}") };
    match open(plain) {
        Some(file) => file.take(LOG_BYTES_MAX).read_to_end(&mut bytes),
        None => {
            let file = open(format!("history.log.{number}.gz"))?;
            flate2::read::GzDecoder::new(file).take(LOG_BYTES_MAX).read_to_end(&mut bytes)
        }
    }
    .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Entries since then, latest first.
fn read_history(folder: &Path, zone: &TimeZone, since_ms: u64, limit: usize) -> Vec<HistoryEntry> {
    let mut found: Vec<HistoryEntry> = Vec::new();
    for number in 0..LOGS_MAX {
        let Some(log) = read_log(folder, number) else {
            // Right after a rotation there is no newest log.
            if number == 0 { continue } else { break }
        };
        let entries = history::entries(&log, zone);
        let is_all = entries.first().is_some_and(|oldest| oldest.at_ms < since_ms);
        found.extend(entries.into_iter().rev().filter(|entry| entry.at_ms >= since_ms));
        if is_all || found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    found
}

#[async_trait::async_trait]
impl patch::Backend for Apt {
    async fn list_updates(&self, cx: &Context, _: &ListUpdates) -> Result<Vec<Update>, Error> {
        match is_in_scope(cx)? {
            true => self.updates(cx).await,
            false => Ok(Vec::new()),
        }
    }

    async fn list_history(&self, cx: &Context, call: &ListHistory) -> Result<Vec<HistoryEntry>, Error> {
        let limit = usize::try_from(call.limit).unwrap_or(usize::MAX);
        if limit > LISTED_MAX {
            return Err(errors::invalid("limit", format!("at most {LISTED_MAX} entries are listed")));
        }
        if !is_in_scope(cx)? {
            return Ok(Vec::new());
        }
        let (folder, zone, since_ms) = (self.path("var/log/apt"), self.zone(), call.since_ms);
        blocking(move || read_history(&folder, &zone, since_ms, limit)).await
    }

    async fn list_sources(&self, cx: &Context, _: &ListSources) -> Result<Vec<SourceHealth>, Error> {
        if !is_in_scope(cx)? {
            return Ok(Vec::new());
        }
        let packages = self.packages().await?;
        let root = self.root.clone();
        let mut attributes = Vec::new();
        attributes.extend(packages.installed("apt").map(|version| ("version".to_owned(), version)));
        if self.is_interrupted() {
            attributes.push(("interrupted".to_owned(), "yes".to_owned()));
        }
        let wants_reboot = self.reboot_required(cx).await?;
        if !wants_reboot.is_empty() {
            let list: String = wants_reboot.join(", ").chars().take(4_000).collect();
            attributes.push(("reboot-required".to_owned(), list));
        }
        Ok(vec![SourceHealth {
            source: SOURCE.to_owned(),
            refreshed_ms: self.refreshed_ms()?,
            locked_by: blocking(move || lock::holder(&root).or_else(|| lock::index_holder(&root))).await?,
            broken: packages.broken(),
            attributes,
        }])
    }

    async fn get_policy(&self, _: &Context, _: &GetPolicy) -> Result<PolicyView, Error> {
        Ok(policy_view(&self.policy))
    }
}
