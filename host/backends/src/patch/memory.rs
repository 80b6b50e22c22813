use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::patch::{
    Approval, Classification, GetPolicy, HistoryEntry, ListHistory, ListSources, ListUpdates, PolicyView,
    RebootBehavior, SourceHealth, Update, UpdateSeverity, UpdateState,
};
use contract::patch_control::{Hold, RefreshIndex, Release};
use contract::patch_install::{InstallOutcome, InstallResult, InstallUpdates, RebootPolicy, Repair, RequestReboot};
use contract::types::{Change, Effect, Error};
use contract::{Context, Undo, patch, patch_control, patch_install};
use model::Clock;
use serde::Deserialize;

use crate::{Undoer, errors};

use super::decide::{Decision, decide, in_order, parse};
use super::policy::Subject;
use super::{
    Adopted, Assumed, HoldState, LISTED_MAX, Machine, Policy, RebootRequest, SOURCE, Simulator, broken, by_id,
    check_ids, check_product, check_reason, check_source, denied, hold_word, id, is_in_scope, locked, options,
    policy_view, reboot_behavior, repair_word,
};

/// A package manager as a fixture describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Fixture {
    /// When the index was last refreshed.
    pub refreshed_ms: Option<u64>,
    /// Who holds its lock, such as `unattended-upgr (pid 412)`.
    pub locked_by: Option<String>,
    /// Packages left half-configured.
    pub broken: Vec<String>,
    /// Packages that are installed and wait for a reboot.
    pub reboot_required: Vec<String>,
    /// Packages that are installed, beside those with updates: name and version.
    pub installed: BTreeMap<String, String>,
    /// Packages that are held.
    pub held: BTreeSet<String>,
    /// `[patch]` of host policy on that device.
    pub policy: Policy,
    /// What is pending.
    #[serde(rename = "update")]
    pub updates: Vec<FixtureUpdate>,
    /// What was done.
    pub history: Vec<FixtureEntry>,
}

/// An update of a fixture.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureUpdate {
    /// The package.
    pub product: String,
    /// The version that is there; none where it is new.
    pub installed_version: Option<String>,
    /// The version that would be.
    pub available_version: String,
    /// Its kind; `update` where left out.
    #[serde(default = "plain")]
    pub classification: Classification,
    /// CVEs that it fixes.
    #[serde(default)]
    pub cves: Vec<String>,
    /// To download.
    #[serde(default)]
    pub size_bytes: u64,
    /// When it was published.
    pub released_ms: Option<u64>,
    /// When it was first seen; now where left out.
    pub first_seen_ms: Option<u64>,
    /// Why it is kept back, such as `phased`; not kept back where left out.
    pub kept_back: Option<String>,
    /// The code with which its install fails; it succeeds where left out.
    pub fails: Option<String>,
}

/// A past operation of a fixture.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureEntry {
    /// The package.
    pub product: String,
    /// The version.
    pub version: String,
    /// `install`, `upgrade`, `remove`, `downgrade`.
    pub operation: String,
    /// When.
    pub at_ms: u64,
    /// Whether it failed.
    #[serde(default)]
    pub failed: bool,
}

fn plain() -> Classification {
    Classification::Update
}

/// The twin in memory.
pub struct Memory {
    state: Mutex<Fixture>,
    requested: Mutex<Option<RebootRequest>>,
    clock: Arc<dyn Clock>,
}

impl Memory {
    /// A device as the fixture says.
    pub fn new(fixture: Fixture, clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::new(fixture), requested: Mutex::default(), clock }
    }

    fn state(&self) -> MutexGuard<'_, Fixture> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_hold(&self, cx: &Context, source: &str, product: &str, is_held: bool) -> Result<Change, Error> {
        check_source(source)?;
        check_product(product)?;
        let mut state = self.state();
        if !is_held && !state.policy.may_release(product) {
            return Err(denied("policy", "policy keeps this product held"));
        }
        let was_held = state.hold_state(product)?.is_held;
        if was_held == is_held {
            return Ok(Change::unchanged(hold_word(is_held)));
        }
        state.check_unlocked()?;
        state.set_hold(product, is_held);
        let token = serde_json::json!({ "product": product, "was-held": was_held });
        cx.can_undo(Undo { target: format!("{source}:{product}"), token });
        Ok(Change::new(Effect::Changed, hold_word(was_held), hold_word(is_held)))
    }

    fn ask_for_reboot(&self, cx: &Context, reason: &str) {
        let request = RebootRequest {
            run: cx.run.clone(),
            reason: reason.to_owned(),
            at_ms: self.clock.now_ms(),
            boot: "memory".to_owned(),
        };
        *self.requested.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
    }
}

impl Fixture {
    fn installed(&self, product: &str) -> Option<String> {
        let of_update = self.updates.iter().find(|update| update.product == product);
        let version = of_update.and_then(|update| update.installed_version.clone());
        version.or_else(|| self.installed.get(product).cloned()).filter(|_| !self.broken.iter().any(|it| it == product))
    }

    fn hold_state(&self, product: &str) -> Result<HoldState, Error> {
        match self.installed(product) {
            Some(_) => {
                let is_held = self.held.contains(product);
                Ok(HoldState { is_held, is_policys: !self.policy.may_release(product) })
            }
            None => Err(errors::not_found(format!("{product} is not installed"))),
        }
    }

    fn set_hold(&mut self, product: &str, is_held: bool) {
        match is_held {
            true => self.held.insert(product.to_owned()),
            false => self.held.remove(product),
        };
    }

    fn check_unlocked(&self) -> Result<(), Error> {
        self.locked_by.as_ref().map_or(Ok(()), |holder| Err(locked(holder)))
    }

    fn listed(&self, now_ms: u64) -> Vec<Update> {
        let pending = self.updates.iter().map(|update| self.update(update, now_ms));
        let waiting = self.reboot_required.iter().filter_map(|product| {
            let version = self.installed(product)?;
            let update = blank(product, Some(version.clone()), &version, UpdateState::PendingReboot);
            Some(Update { classification: Classification::Other, first_seen_ms: now_ms, ..update })
        });
        by_id(pending.chain(waiting).collect())
    }

    fn update(&self, from: &FixtureUpdate, now_ms: u64) -> Update {
        let state = match (&from.kept_back, self.held.contains(&from.product)) {
            (_, true) => UpdateState::Held,
            (Some(_), false) => UpdateState::KeptBack,
            (None, false) => UpdateState::Available,
        };
        let mut update = blank(&from.product, from.installed_version.clone(), &from.available_version, state);
        update.classification = from.classification;
        update.cves = from.cves.clone();
        update.size_bytes = from.size_bytes;
        update.released_ms = from.released_ms;
        update.first_seen_ms = from.first_seen_ms.unwrap_or(now_ms);
        update.reboot_behavior = reboot_behavior(&from.product);
        let reason = from.kept_back.iter().filter(|_| state == UpdateState::KeptBack);
        update.attributes.extend(reason.map(|reason| ("state-reason".to_owned(), reason.clone())));
        let judgement = self.policy.judge(&Subject::of(&update), now_ms);
        update.approval = judgement.approval;
        let until_ms = judgement.deferred_until_ms;
        update.attributes.extend(until_ms.map(|until_ms| ("deferred-until-ms".to_owned(), until_ms.to_string())));
        update
    }

    /// What the install would come to; `apply` has it come true.
    fn install(
        &mut self,
        call: &InstallUpdates,
        assumed: &Assumed,
        now_ms: u64,
        apply: bool,
    ) -> Result<Vec<InstallResult>, Error> {
        let checked = options(&call.options)?;
        check_ids(&call.ids)?;
        self.check_unlocked()?;
        if !self.broken.is_empty() && !assumed.repaired {
            return Err(broken(&self.broken));
        }
        let mut view = self.clone();
        assumed.holds.iter().for_each(|(product, is_held)| view.set_hold(product, *is_held));
        let updates = view.listed(now_ms);
        let mut results: Vec<InstallResult> = Vec::new();
        for id in &call.ids {
            let target = match decide(id, &updates, |product| view.installed(product))? {
                Decision::Install(target) => target,
                Decision::Done(result) => {
                    results.push(result);
                    continue;
                }
            };
            let has_failed = results.iter().any(|result| result.outcome == InstallOutcome::Failed);
            let fails = view.updates.iter().find(|it| it.product == target.product).and_then(|it| it.fails.clone());
            results.push(match fails {
                _ if checked.is_download_only => target.fetched(),
                _ if has_failed && call.options.stop_on_failure => {
                    target.not_done(InstallOutcome::NotAttempted, "stopped", "an update before it failed")
                }
                Some(code) if apply => target.not_done(InstallOutcome::Failed, &code, "the fixture says so"),
                _ => target.installed(target.needs_reboot),
            });
        }
        if apply && !checked.is_download_only {
            results
                .iter()
                .filter(|result| result.change.effect != Effect::Unchanged)
                .for_each(|it| self.note(it, now_ms));
        }
        Ok(results)
    }

    fn note(&mut self, result: &InstallResult, now_ms: u64) {
        let Ok((product, version)) = parse(&result.id) else { return };
        self.updates.retain(|update| update.product != product);
        self.installed.insert(product.to_owned(), version.to_owned());
        if result.outcome == InstallOutcome::RebootRequired {
            self.reboot_required.push(product.to_owned());
        }
        self.history.push(FixtureEntry {
            product: product.to_owned(),
            version: version.to_owned(),
            operation: if result.change.before.is_some() { "upgrade" } else { "install" }.to_owned(),
            at_ms: now_ms,
            failed: false,
        });
    }
}

fn blank(product: &str, installed_version: Option<String>, version: &str, state: UpdateState) -> Update {
    Update {
        id: id(product, version),
        title: format!("{product} {version}"),
        product: product.to_owned(),
        source: SOURCE.to_owned(),
        installed_version,
        available_version: version.to_owned(),
        classification: Classification::Update,
        severity: UpdateSeverity::Unspecified,
        cves: Vec::new(),
        kbs: Vec::new(),
        size_bytes: 0,
        released_ms: None,
        first_seen_ms: 0,
        reboot_behavior: RebootBehavior::Always,
        state,
        approval: Approval::Unset,
        attributes: Vec::new(),
    }
}

impl FixtureEntry {
    fn entry(&self) -> HistoryEntry {
        HistoryEntry {
            id: id(&self.product, &self.version),
            product: self.product.clone(),
            operation: self.operation.clone(),
            success: !self.failed,
            at_ms: self.at_ms,
            attributes: vec![("to-version".to_owned(), self.version.clone())],
        }
    }
}

#[async_trait::async_trait]
impl patch::Backend for Memory {
    async fn list_updates(&self, cx: &Context, _: &ListUpdates) -> Result<Vec<Update>, Error> {
        match is_in_scope(cx)? {
            true => Ok(self.state().listed(self.clock.now_ms())),
            false => Ok(Vec::new()),
        }
    }

    async fn list_history(&self, cx: &Context, call: &ListHistory) -> Result<Vec<HistoryEntry>, Error> {
        let limit = usize::try_from(call.limit).unwrap_or(usize::MAX);
        if limit > LISTED_MAX {
            return Err(errors::invalid("limit", format!("at most {LISTED_MAX} entries are listed")));
        }
        let mut entries: Vec<HistoryEntry> = match is_in_scope(cx)? {
            true => self.state().history.iter().map(FixtureEntry::entry).collect(),
            false => Vec::new(),
        };
        entries.retain(|entry| entry.at_ms >= call.since_ms);
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at_ms));
        entries.truncate(limit);
        Ok(entries)
    }

    async fn list_sources(&self, cx: &Context, _: &ListSources) -> Result<Vec<SourceHealth>, Error> {
        if !is_in_scope(cx)? {
            return Ok(Vec::new());
        }
        let state = self.state();
        let mut attributes = Vec::new();
        if !state.reboot_required.is_empty() {
            attributes.push(("reboot-required".to_owned(), state.reboot_required.join(", ")));
        }
        Ok(vec![SourceHealth {
            source: SOURCE.to_owned(),
            refreshed_ms: state.refreshed_ms,
            locked_by: state.locked_by.clone(),
            broken: state.broken.clone(),
            attributes,
        }])
    }

    async fn get_policy(&self, _: &Context, _: &GetPolicy) -> Result<PolicyView, Error> {
        Ok(policy_view(&self.state().policy))
    }
}

#[async_trait::async_trait]
impl patch_control::Backend for Memory {
    async fn refresh_index(&self, _: &Context, call: &RefreshIndex) -> Result<Change, Error> {
        check_source(&call.source)?;
        let mut state = self.state();
        state.check_unlocked()?;
        let before_ms = state.refreshed_ms.replace(self.clock.now_ms());
        let word = |at_ms: u64| at_ms.to_string();
        Ok(Change::new(Effect::Changed, before_ms.map(word), state.refreshed_ms.map(word)))
    }

    async fn hold(&self, cx: &Context, call: &Hold) -> Result<Change, Error> {
        self.set_hold(cx, &call.source, &call.product, true)
    }

    async fn release(&self, cx: &Context, call: &Release) -> Result<Change, Error> {
        self.set_hold(cx, &call.source, &call.product, false)
    }
}

#[async_trait::async_trait]
impl patch_install::Backend for Memory {
    async fn install_updates(&self, cx: &Context, call: &InstallUpdates) -> Result<Vec<InstallResult>, Error> {
        let results = self.state().install(call, &Assumed::default(), self.clock.now_ms(), true)?;
        let waits = results.iter().any(|result| result.outcome == InstallOutcome::RebootRequired);
        if waits && call.options.reboot != RebootPolicy::Never && self.state().policy.reboots {
            self.ask_for_reboot(cx, "updates are installed");
        }
        Ok(in_order(&call.ids, results))
    }

    async fn repair(&self, _: &Context, call: &Repair) -> Result<Change, Error> {
        check_source(&call.source)?;
        let mut state = self.state();
        if !state.policy.repairs {
            return Err(denied("policy", "policy allows no repairs"));
        }
        state.check_unlocked()?;
        let before = std::mem::take(&mut state.broken);
        if before.is_empty() {
            return Ok(Change::unchanged(repair_word(&[])));
        }
        let change = Change::new(Effect::Changed, repair_word(&before), repair_word(&[]));
        Ok(change.with("packages", before.join(", ")))
    }

    async fn request_reboot(&self, cx: &Context, call: &RequestReboot) -> Result<Change, Error> {
        check_reason(&call.reason)?;
        if !self.state().policy.reboots {
            return Err(denied("policy", "policy allows no reboot"));
        }
        if self.state().reboot_required.is_empty() {
            return Err(errors::conflict("no-reboot-pending", "no installed update waits for a reboot"));
        }
        self.ask_for_reboot(cx, &call.reason);
        Ok(Change::new(Effect::RebootPending, None, Some("requested".to_owned())))
    }
}

#[async_trait::async_trait]
impl Undoer for Memory {
    async fn undo(&self, _: &Context, undo: &Undo) -> Result<Change, Error> {
        let product = undo.token.get("product").and_then(|product| product.as_str()).unwrap_or_default();
        let was_held = undo.token.get("was-held").and_then(serde_json::Value::as_bool).unwrap_or_default();
        let mut state = self.state();
        if state.hold_state(product)?.is_held == was_held {
            return Err(errors::conflict("hold", format!("somebody has changed the hold of {product} since")));
        }
        state.set_hold(product, was_held);
        Ok(Change::new(Effect::Changed, hold_word(!was_held), hold_word(was_held)))
    }
}

#[async_trait::async_trait]
impl Simulator for Memory {
    async fn simulate(
        &self,
        _: &Context,
        call: &InstallUpdates,
        assumed: &Assumed,
    ) -> Result<Vec<InstallResult>, Error> {
        self.state().install(call, assumed, self.clock.now_ms(), false)
    }

    async fn hold_state(&self, product: &str) -> Result<HoldState, Error> {
        self.state().hold_state(product)
    }
}

/// Nothing outlives a call here, and a reboot is a fresh start.
#[async_trait::async_trait]
impl Machine for Memory {
    async fn adopt(&self, _: &Context) -> Result<Vec<Adopted>, Error> {
        Ok(Vec::new())
    }

    async fn pending_reboot(&self) -> Result<Option<RebootRequest>, Error> {
        Ok(self.requested.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn reboot(&self) -> Result<(), Error> {
        match self.requested.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(_) => {
                self.state().reboot_required.clear();
                Ok(())
            }
            None => Err(errors::conflict("no-reboot-requested", "no run asked for a reboot in this boot")),
        }
    }

    async fn warn(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}
