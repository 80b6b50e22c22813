use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contract::patch::Backend as _;
use contract::patch::{
    GetPolicy, HistoryEntry, ListHistory, ListSources, ListUpdates, PolicyView, SourceHealth, Update, UpdateState,
};
use contract::patch_control::{Hold, RefreshIndex, Release};
use contract::patch_install::{InstallOutcome, InstallResult, InstallUpdates, Repair, RequestReboot};
use contract::types::{Change, Effect, Error};
use contract::{Context, patch, patch_control, patch_install};
use tokio::sync::Mutex;

use crate::device::PlannedReboot;
use crate::software::PlannedSoftware;
use crate::{attributes, errors};

use super::decide::{in_order, parse, unchanged};
use super::{
    Assumed, MORE, SOURCE, Simulator, by_id, check_ids, check_product, check_reason, check_source, denied, hold_word,
    id, locked, options, repair_word,
};

/// Updates as they would be: what was planned, over what is there. It can only read and simulate.
pub struct Overlay {
    base: Arc<dyn patch::Backend>,
    simulator: Arc<dyn Simulator>,
    planned: Mutex<Planned>,
    /// What `device` shows of it.
    planned_reboot: Arc<PlannedReboot>,
    /// What `software` shows of it.
    planned_software: Arc<PlannedSoftware>,
}

#[derive(Default)]
struct Planned {
    assumed: Assumed,
    /// By id, whether it would wait for a reboot.
    installed: BTreeMap<String, bool>,
    downloaded: BTreeSet<String>,
}

impl Planned {
    /// An update as it would be; none where it would be installed.
    fn applied(&self, mut update: Update) -> Option<Update> {
        match self.installed.get(&update.id) {
            Some(false) => return None,
            Some(true) => {
                update.installed_version = Some(update.available_version.clone());
                update.state = UpdateState::PendingReboot;
                return Some(update);
            }
            None => {}
        }
        match self.assumed.holds.get(&update.product) {
            Some(true) => update.state = UpdateState::Held,
            Some(false) if update.state == UpdateState::Held => update.state = UpdateState::Available,
            _ => {}
        }
        if update.state == UpdateState::Available && self.downloaded.contains(&update.id) {
            update.state = UpdateState::Downloaded;
            update.size_bytes = 0;
        }
        Some(update)
    }

    fn note(&mut self, cx: &Context, result: &InstallResult) {
        if result.change.after.as_deref() == Some("downloaded") {
            self.downloaded.insert(result.id.clone());
        } else if result.change.effect != Effect::Unchanged {
            self.installed.insert(result.id.clone(), result.outcome == InstallOutcome::RebootRequired);
            let also = attributes::find(&result.attributes, "also-changed").unwrap_or_default();
            if also.ends_with(MORE) {
                // Nobody has a list of the rest.
                ["patch", "software"].into_iter().for_each(|interface| cx.cannot_foretell(interface));
            }
            let also = also.split(", ").filter_map(|item| item.split_once(' '));
            self.installed.extend(also.map(|(product, version)| (id(product, version), false)));
        }
    }

    /// Products that would be installed and wait for a reboot.
    fn waiting(&self) -> impl Iterator<Item = &str> {
        let waiting = self.installed.iter().filter(|(_, waits)| **waits);
        waiting.filter_map(|(id, _)| parse(id).ok().map(|(product, _)| product))
    }
}

impl Overlay {
    /// Over a backend that is only read, and what it says an install would do.
    pub fn new(
        base: Arc<dyn patch::Backend>,
        simulator: Arc<dyn Simulator>,
        planned_reboot: Arc<PlannedReboot>,
    ) -> Self {
        Self { base, simulator, planned: Mutex::default(), planned_reboot, planned_software: Arc::default() }
    }

    /// Tells `software` which versions would be there.
    #[must_use]
    pub fn telling(mut self, planned_software: Arc<PlannedSoftware>) -> Self {
        self.planned_software = planned_software;
        self
    }

    async fn source(&self, cx: &Context) -> Result<Option<SourceHealth>, Error> {
        Ok(self.base.list_sources(cx, &ListSources {}).await?.into_iter().next())
    }

    async fn check_unlocked(&self, cx: &Context) -> Result<(), Error> {
        let holder = self.source(cx).await?.and_then(|source| source.locked_by);
        holder.map_or(Ok(()), |holder| Err(locked(&holder)))
    }

    async fn plan_hold(&self, cx: &Context, source: &str, product: &str, is_held: bool) -> Result<Change, Error> {
        check_source(source)?;
        check_product(product)?;
        let state = self.simulator.hold_state(product).await?;
        if !is_held && state.is_policys {
            return Err(denied("policy", "policy keeps this product held"));
        }
        let mut planned = self.planned.lock().await;
        let was_held = planned.assumed.holds.get(product).copied().unwrap_or(state.is_held);
        if was_held == is_held {
            return Ok(Change::unchanged(hold_word(is_held)));
        }
        self.check_unlocked(cx).await?;
        planned.assumed.holds.insert(product.to_owned(), is_held);
        Ok(Change::new(Effect::Changed, hold_word(was_held), hold_word(is_held)))
    }
}

#[async_trait::async_trait]
impl patch::Backend for Overlay {
    async fn list_updates(&self, cx: &Context, call: &ListUpdates) -> Result<Vec<Update>, Error> {
        let updates = self.base.list_updates(cx, call).await?;
        let planned = self.planned.lock().await;
        Ok(by_id(updates.into_iter().filter_map(|update| planned.applied(update)).collect()))
    }

    /// What is planned is no history.
    async fn list_history(&self, cx: &Context, call: &ListHistory) -> Result<Vec<HistoryEntry>, Error> {
        self.base.list_history(cx, call).await
    }

    async fn list_sources(&self, cx: &Context, call: &ListSources) -> Result<Vec<SourceHealth>, Error> {
        let mut sources = self.base.list_sources(cx, call).await?;
        let planned = self.planned.lock().await;
        for source in &mut sources {
            if planned.assumed.repaired {
                source.broken.clear();
                source.attributes.retain(|(name, _)| name != "interrupted");
            }
            let known = attributes::find(&source.attributes, "reboot-required").map(str::to_owned);
            let all: BTreeSet<&str> =
                known.iter().flat_map(|known| known.split(", ")).chain(planned.waiting()).collect();
            if !all.is_empty() {
                source.attributes.retain(|(name, _)| name != "reboot-required");
                let all: Vec<&str> = all.into_iter().collect();
                source.attributes.push(("reboot-required".to_owned(), all.join(", ")));
            }
        }
        Ok(sources)
    }

    async fn get_policy(&self, cx: &Context, call: &GetPolicy) -> Result<PolicyView, Error> {
        self.base.get_policy(cx, call).await
    }
}

#[async_trait::async_trait]
impl patch_control::Backend for Overlay {
    async fn refresh_index(&self, cx: &Context, call: &RefreshIndex) -> Result<Change, Error> {
        check_source(&call.source)?;
        self.check_unlocked(cx).await?;
        let before_ms = self.source(cx).await?.and_then(|source| source.refreshed_ms);
        Ok(Change::new(Effect::Changed, before_ms.map(|at_ms| at_ms.to_string()), None))
    }

    async fn hold(&self, cx: &Context, call: &Hold) -> Result<Change, Error> {
        self.plan_hold(cx, &call.source, &call.product, true).await
    }

    async fn release(&self, cx: &Context, call: &Release) -> Result<Change, Error> {
        self.plan_hold(cx, &call.source, &call.product, false).await
    }
}

#[async_trait::async_trait]
impl patch_install::Backend for Overlay {
    async fn install_updates(&self, cx: &Context, call: &InstallUpdates) -> Result<Vec<InstallResult>, Error> {
        options(&call.options)?;
        check_ids(&call.ids)?;
        let mut planned = self.planned.lock().await;
        let (again, new): (Vec<String>, Vec<String>) =
            call.ids.iter().cloned().partition(|id| planned.installed.contains_key(id));
        let mut results = Vec::new();
        for id in &again {
            let outcome = match planned.installed.get(id) {
                Some(true) => InstallOutcome::RebootRequired,
                _ => InstallOutcome::Succeeded,
            };
            let (_, version) = parse(id)?;
            results.push(unchanged(id, outcome, &Some(version.to_owned()), "", "it is planned already"));
        }
        if !new.is_empty() {
            let call = InstallUpdates { ids: new, options: call.options.clone() };
            let simulated = self.simulator.simulate(cx, &call, &planned.assumed).await?;
            simulated.iter().for_each(|result| planned.note(cx, result));
            for (product, version) in planned.installed.keys().filter_map(|id| parse(id).ok()) {
                self.planned_software.plan(&format!("{SOURCE}:{product}"), version);
            }
            for product in planned.waiting() {
                let is_kernel = product.starts_with("linux-image");
                self.planned_reboot.plan(if is_kernel { "kernel" } else { "package-manager" });
            }
            results.extend(simulated);
        }
        Ok(in_order(&call.ids, results))
    }

    async fn repair(&self, cx: &Context, call: &Repair) -> Result<Change, Error> {
        check_source(&call.source)?;
        let policy = self.base.get_policy(cx, &GetPolicy {}).await?;
        if attributes::find(&policy.attributes, "repairs-allowed") != Some("yes") {
            return Err(denied("policy", "policy allows no repairs"));
        }
        self.check_unlocked(cx).await?;
        let Some(source) = self.list_sources(cx, &ListSources {}).await?.into_iter().next() else {
            return Err(errors::not_found("this device has no update source"));
        };
        let is_interrupted = attributes::find(&source.attributes, "interrupted").is_some();
        if source.broken.is_empty() && !is_interrupted {
            return Ok(Change::unchanged(repair_word(&[])));
        }
        self.planned.lock().await.assumed.repaired = true;
        let change = Change::new(Effect::Changed, Some("broken".to_owned()), repair_word(&[]));
        Ok(change.with("packages", source.broken.join(", ")))
    }

    async fn request_reboot(&self, cx: &Context, call: &RequestReboot) -> Result<Change, Error> {
        check_reason(&call.reason)?;
        if !self.base.get_policy(cx, &GetPolicy {}).await?.reboot_allowed {
            return Err(denied("policy", "policy allows no reboot"));
        }
        let sources = self.list_sources(cx, &ListSources {}).await?;
        let is_required = |source: &SourceHealth| attributes::find(&source.attributes, "reboot-required").is_some();
        match sources.iter().any(is_required) {
            true => Ok(Change::new(Effect::Changed, None, Some("requested".to_owned()))),
            false => Err(errors::conflict("no-reboot-pending", "no installed update waits for a reboot")),
        }
    }
}
