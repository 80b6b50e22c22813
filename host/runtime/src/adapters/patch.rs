use std::borrow::Cow;

use backends::patch::Assumed;
use contract::Answer;
use contract::patch::{GetPolicy, ListHistory, ListSources, ListUpdates};
use contract::patch_control::{Hold, RefreshIndex, Release};
use contract::patch_install::{InstallOutcome, InstallResult, InstallUpdates, RebootPolicy, Repair, RequestReboot};
use contract::types::{Effect, Error};
use model::budget::{Amounts, Budget};

use super::{Adapter, Site, bytes_of};

/// What an install changes beside packages, in ways that nobody can foretell. Of `software` the package manager can, as a rule:
/// where it cannot, the overlay says so.
const UNSEEN_BY_INSTALL: &[&str] = &["command", "files", "http", "process", "query", "service"];

/// How many packages such results change, those included that come along.
fn packages(results: &[InstallResult]) -> u64 {
    let changes = |result: &&InstallResult| {
        result.change.effect != Effect::Unchanged && result.change.after.as_deref() != Some("downloaded")
    };
    let along = |result: &InstallResult| {
        let also = result.attributes.iter().find(|(name, _)| name == "also-changed");
        also.map_or(0, |(_, list)| list.split(", ").count())
    };
    bytes_of(results.iter().filter(changes).map(|result| 1 + along(result)).sum())
}

/// One reboot, unless the run has been granted one already: that is the same one.
async fn one_reboot(site: Site<'_>) -> Result<Amounts, Error> {
    let pending = site.machine.pending_reboot().await?;
    let is_granted = pending.is_some_and(|request| request.run == site.cx.run);
    Ok(Amounts::of(Budget::Reboots, u64::from(!is_granted)))
}

/// Lists have only what is of a source in the scope.
impl Adapter for ListUpdates {}
impl Adapter for ListHistory {}
impl Adapter for ListSources {}
impl Adapter for GetPolicy {}

impl Adapter for RefreshIndex {
    /// What an index would bring is in nobody's hands.
    const UNSEEN_BY: &'static [&'static str] = &["patch"];

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.source)]
    }
}

impl Adapter for Hold {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.source)]
    }

    fn targets(&self) -> Vec<String> {
        vec![format!("{}:{}", self.source, self.product)]
    }
}

impl Adapter for Release {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.source)]
    }

    fn targets(&self) -> Vec<String> {
        vec![format!("{}:{}", self.source, self.product)]
    }
}

impl Adapter for InstallUpdates {
    const UNSEEN_BY: &'static [&'static str] = UNSEEN_BY_INSTALL;
    const SPENDS: &'static [Budget] = &[Budget::Installs, Budget::Reboots];

    /// The source of each id, once.
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        let mut sources: Vec<&str> = self.ids.iter().map(|id| id.split(':').next().unwrap_or(id)).collect();
        sources.sort_unstable();
        sources.dedup();
        sources.into_iter().map(Cow::Borrowed).collect()
    }

    fn targets(&self) -> Vec<String> {
        self.ids.clone()
    }

    /// What the package manager itself expects of it.
    fn reserve<'a>(&'a self, site: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async move {
            let mut amounts = Amounts::default();
            if site.allowance.limits(Budget::Installs) {
                let expected = site.machine.simulate(site.cx, self, &Assumed::default()).await?;
                amounts = amounts.and(Budget::Installs, packages(&expected));
            }
            let wants_reboot = self.options.reboot != RebootPolicy::Never && site.allowance.limits(Budget::Reboots);
            if wants_reboot && site.backends.patch.get_policy(site.cx, &GetPolicy {}).await?.reboot_allowed {
                amounts = amounts.plus(&one_reboot(site).await?);
            }
            Ok(amounts)
        })
    }

    fn used(&self, results: &Vec<InstallResult>, reserved: &Amounts) -> Amounts {
        let is_required = results.iter().any(|result| result.outcome == InstallOutcome::RebootRequired);
        let reboots = if is_required { reserved.get(Budget::Reboots) } else { 0 };
        Amounts::of(Budget::Installs, packages(results)).and(Budget::Reboots, reboots)
    }
}

impl Adapter for Repair {
    /// What is half-installed may be of any version afterwards.
    const UNSEEN_BY: &'static [&'static str] = &["command", "files", "http", "process", "query", "service", "software"];

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.source)]
    }
}

/// The machine is of no source.
impl Adapter for RequestReboot {
    const SPENDS: &'static [Budget] = &[Budget::Reboots];

    fn targets(&self) -> Vec<String> {
        vec!["machine".to_owned()]
    }

    fn reserve<'a>(&'a self, site: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(one_reboot(site))
    }
}
