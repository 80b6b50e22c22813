use std::time::{Duration, Instant};

use contract::patch::{Approval, Classification, Update, UpdateState};
use contract::patch_install::{InstallOutcome, InstallResult, InstallUpdates, Repair, RequestReboot};
use contract::types::{Change, Effect, Error, ErrorKind};
use contract::{Context, patch_install};

use crate::errors;
use crate::patch::decide::{Decision, Target, decide, in_order};
use crate::patch::policy::Subject;
use crate::patch::{
    Adopted, Assumed, HoldState, MORE, Machine, Options, RebootRequest, Simulator, broken, check_ids, check_source,
    denied, options, repair_word,
};

use super::deb::Packages;
use super::jobs::{Job, Order};
use super::simulation::{self, Step};
use super::{APT_GET, Apt, DPKG};

/// The most bytes of `also-changed`.
const ALSO_BYTES_MAX: usize = 4_000;

/// What an install comes down to when policy and the package manager's simulation have spoken.
struct Settled {
    targets: Vec<Target>,
    /// What else would change.
    also: String,
    /// What is not going to be installed, and why.
    done: Vec<InstallResult>,
}

impl Apt {
    /// Decides on each id, and has apt simulate the rest; where that fails as a whole, one by one.
    async fn settle(
        &self,
        cx: &Context,
        ids: &[String],
        updates: &[Update],
        packages: &Packages,
        free: bool,
    ) -> Result<Settled, Error> {
        let (mut targets, mut done) = (Vec::new(), Vec::new());
        for id in ids {
            match decide(id, updates, |product| packages.installed(product))? {
                Decision::Install(target) => targets.push(target),
                Decision::Done(result) => done.push(result),
            }
        }
        if targets.is_empty() {
            return Ok(Settled { targets, also: String::new(), done });
        }
        let also = match self.try_out(cx, &targets, updates, free).await? {
            Ok(also) => also,
            Err(_) => {
                targets = self.each_by_itself(cx, targets, updates, free, &mut done).await?;
                match self.try_out(cx, &targets, updates, free).await? {
                    Ok(also) => also,
                    Err(refusal) => {
                        done.extend(targets.drain(..).map(|target| refusal.of(&target)));
                        String::new()
                    }
                }
            }
        };
        Ok(Settled { targets, also, done })
    }

    async fn each_by_itself(
        &self,
        cx: &Context,
        targets: Vec<Target>,
        updates: &[Update],
        free: bool,
        done: &mut Vec<InstallResult>,
    ) -> Result<Vec<Target>, Error> {
        let mut kept = Vec::new();
        for target in targets {
            match self.try_out(cx, std::slice::from_ref(&target), updates, free).await? {
                Ok(_) => kept.push(target),
                Err(refusal) => done.push(refusal.of(&target)),
            }
        }
        Ok(kept)
    }

    /// What apt would change beside these, if it and policy agree to it.
    async fn try_out(
        &self,
        cx: &Context,
        targets: &[Target],
        updates: &[Update],
        free: bool,
    ) -> Result<Result<String, Refusal>, Error> {
        if targets.is_empty() {
            return Ok(Ok(String::new()));
        }
        let mut arguments = vec!["-s", "-q", "-y", "--no-remove"];
        if free {
            arguments.push("--allow-change-held-packages");
        }
        arguments.push("install");
        let exact: Vec<String> = targets.iter().map(exact).collect();
        arguments.extend(exact.iter().map(String::as_str));
        let output = match self.run(APT_GET, &arguments, cx.deadline).await {
            Ok(output) => output,
            Err(error) if error.kind == ErrorKind::Failed => return Ok(Err(Refusal::Apt(error))),
            Err(error) => return Err(error),
        };
        let mut steps = simulation::steps(&output);
        steps.retain(|step| !targets.iter().any(|target| target.product == step.product));
        let is_held =
            |step: &&Step| updates.iter().any(|it| it.product == step.product && it.state == UpdateState::Held);
        if let Some(step) = steps.iter().find(is_held) {
            let message = format!("it would change {} too, which is held", step.product);
            return Ok(Err(Refusal::Apt(errors::failed("held", message))));
        }
        let forbidden = steps.iter().find_map(|step| {
            let approval = self.approval(step, updates);
            let is_forbidden = matches!(approval, Approval::Blocked | Approval::Declined | Approval::Deferred);
            is_forbidden.then(|| Refusal::Policy { product: step.product.clone(), approval })
        });
        Ok(match forbidden {
            Some(refusal) => Err(refusal),
            None => Ok(also(&steps)),
        })
    }

    /// What policy says of something that an install would pull in.
    fn approval(&self, step: &Step, updates: &[Update]) -> Approval {
        if let Some(update) = updates.iter().find(|update| update.product == step.product) {
            return update.approval;
        }
        let is_security = simulation::is_security(&step.origins);
        let now_ms = self.clock.now_ms();
        let subject = Subject {
            product: &step.product,
            classification: if is_security { Classification::Security } else { Classification::Update },
            cves: &[],
            first_seen_ms: now_ms,
            released_ms: None,
        };
        self.policy.judge(&subject, now_ms).approval
    }

    /// Results that an earlier run did not live to take, of these very ids.
    async fn take_over(&self, cx: &Context, ids: &[String]) -> Result<Vec<InstallResult>, Error> {
        let mut results = Vec::new();
        for job in self.open_jobs()? {
            let is_same = !job.order.targets.is_empty() && job.order.targets.iter().all(|it| ids.contains(&it.id));
            if !is_same && self.is_running(&job) {
                let message = format!("an install that {} began is at work", job.order.run);
                return Err(Error::new(ErrorKind::Busy, "install-running", message));
            }
            self.wait(cx, &job).await?;
            let taken = self.take(&job).await?;
            if is_same {
                results.extend(adopted(&job, taken));
            }
        }
        Ok(results)
    }

    /// Fetches, and installs what was fetched in time.
    async fn carry_out(
        &self,
        cx: &Context,
        settled: &Settled,
        call: &InstallUpdates,
        options: Options,
    ) -> Result<Vec<InstallResult>, Error> {
        let targets = &settled.targets;
        if let Err(error) = self.fetch(cx, targets, options).await {
            let outcome = match error.kind {
                ErrorKind::Timeout => InstallOutcome::TimedOut,
                ErrorKind::Failed | ErrorKind::Unavailable => InstallOutcome::Failed,
                _ => return Err(error),
            };
            let refused = targets.iter().map(|it| it.not_done(outcome, &error.code, error.message.clone()));
            return Ok(refused.collect());
        }
        if options.is_download_only {
            return Ok(targets.iter().map(Target::fetched).collect());
        }
        if !call.options.stop_on_failure {
            return self.install(cx, targets, &settled.also, options).await;
        }
        let mut results: Vec<InstallResult> = Vec::new();
        for target in targets {
            if results.iter().any(|result| result.outcome == InstallOutcome::Failed) {
                let message = "an update before it failed";
                results.push(target.not_done(InstallOutcome::NotAttempted, "stopped", message));
            } else {
                // What else it changes is known of all together only.
                let one = std::slice::from_ref(target);
                let also = self.try_out(cx, one, &[], false).await?.unwrap_or_default();
                results.extend(self.install(cx, one, &also, options).await?);
            }
        }
        Ok(results)
    }

    async fn fetch(&self, cx: &Context, targets: &[Target], options: Options) -> Result<(), Error> {
        let exact: Vec<String> = targets.iter().map(exact).collect();
        let mut arguments = vec!["-q", "-y", "--no-remove", "--download-only", "install"];
        arguments.extend(exact.iter().map(String::as_str));
        let deadline = cx.deadline.min(Instant::now() + Duration::from_secs(options.fetch_seconds.into()));
        self.run(APT_GET, &arguments, deadline).await.map(|_| ())
    }

    async fn install(
        &self,
        cx: &Context,
        targets: &[Target],
        also: &str,
        options: Options,
    ) -> Result<Vec<InstallResult>, Error> {
        let mut arguments: Vec<String> =
            ["-q", "-y", "--no-remove", "-o", "APT::Status-Fd=1", "-o", "Dpkg::Use-Pty=false"]
                .map(str::to_owned)
                .into();
        for policy in conffiles(options) {
            arguments.extend(["-o".to_owned(), format!("Dpkg::Options::={policy}")]);
        }
        arguments.push("install".to_owned());
        arguments.extend(targets.iter().map(exact));
        let order = self.order(cx, targets.to_vec(), also);
        let job = self.start(order, APT_GET, &arguments).await?;
        self.wait(cx, &job).await?;
        self.take(&job).await
    }

    fn order(&self, cx: &Context, targets: Vec<Target>, also: &str) -> Order {
        Order { run: cx.run.clone(), at_ms: self.clock.now_ms(), targets, also: also.to_owned() }
    }
}

/// Why updates are not installed.
enum Refusal {
    /// apt would not.
    Apt(Error),
    /// Policy forbids what would come with them.
    Policy { product: String, approval: Approval },
}

impl Refusal {
    fn of(&self, target: &Target) -> InstallResult {
        match self {
            Self::Apt(error) => target.not_done(InstallOutcome::Failed, &error.code, error.message.clone()),
            Self::Policy { product, approval } => {
                let word = approval.word();
                let message = format!("it would change {product} too, of which policy says: {word}");
                target.not_done(InstallOutcome::NotApproved, word, message)
            }
        }
    }
}

fn exact(target: &Target) -> String {
    format!("{}={}", target.product, target.to)
}

/// How dpkg decides about a configuration file that somebody edited and the update changes too.
fn conffiles(options: Options) -> &'static [&'static str] {
    match options.replaces_conffiles {
        true => &["--force-confnew"],
        false => &["--force-confdef", "--force-confold"],
    }
}

fn also(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let item = format!("{}{} {}", if text.is_empty() { "" } else { ", " }, step.product, step.to);
        if text.len() + item.len() > ALSO_BYTES_MAX {
            text.push_str(MORE);
            break;
        }
        text.push_str(&item);
    }
    text
}

fn adopted(job: &Job, results: Vec<InstallResult>) -> impl Iterator<Item = InstallResult> {
    results.into_iter().map(|mut result| {
        result.attributes.push(("adopted-from".to_owned(), job.order.run.clone()));
        result
    })
}

#[async_trait::async_trait]
impl patch_install::Backend for Apt {
    async fn install_updates(&self, cx: &Context, call: &InstallUpdates) -> Result<Vec<InstallResult>, Error> {
        let options = options(&call.options)?;
        check_ids(&call.ids)?;
        let _one_at_a_time = self.installing.lock().await;
        let mut results = self.take_over(cx, &call.ids).await?;
        let rest: Vec<String> =
            call.ids.iter().filter(|id| !results.iter().any(|result| result.id == **id)).cloned().collect();
        if !rest.is_empty() {
            self.check_unlocked()?;
            self.check_whole().await?;
            let updates = self.updates(cx).await?;
            let mut settled = self.settle(cx, &rest, &updates, &self.packages().await?, false).await?;
            results.append(&mut settled.done);
            if !settled.targets.is_empty() {
                results.extend(self.carry_out(cx, &settled, call, options).await?);
            }
        }
        self.note_reboots(cx, &results, call.options.reboot)?;
        Ok(in_order(&call.ids, results))
    }

    async fn repair(&self, cx: &Context, call: &Repair) -> Result<Change, Error> {
        check_source(&call.source)?;
        if !self.policy.repairs {
            return Err(denied("policy", "policy allows no repairs"));
        }
        let _one_at_a_time = self.installing.lock().await;
        self.take_over(cx, &[]).await?;
        self.check_unlocked()?;
        let before = self.packages().await?.broken();
        if before.is_empty() && !self.is_interrupted() {
            return Ok(Change::unchanged(repair_word(&[])));
        }
        let arguments = ["--force-confdef", "--force-confold", "--configure", "-a"].map(str::to_owned);
        let job = self.start(self.order(cx, Vec::new(), ""), DPKG, &arguments).await?;
        self.wait(cx, &job).await?;
        self.take(&job).await?;
        let after = self.packages().await?.broken();
        match after.is_empty() && !self.is_interrupted() {
            true => {
                let change = Change::new(Effect::Changed, Some("broken".to_owned()), repair_word(&after));
                Ok(change.with("packages", before.join(", ")))
            }
            false => Err(errors::failed("dpkg-1", broken(&after).message).with("broken", after.join(", "))),
        }
    }

    async fn request_reboot(&self, cx: &Context, call: &RequestReboot) -> Result<Change, Error> {
        self.accept_reboot(cx, &call.reason).await
    }
}

#[async_trait::async_trait]
impl Simulator for Apt {
    async fn simulate(
        &self,
        cx: &Context,
        call: &InstallUpdates,
        assumed: &Assumed,
    ) -> Result<Vec<InstallResult>, Error> {
        let options = options(&call.options)?;
        check_ids(&call.ids)?;
        self.check_unlocked()?;
        if !assumed.repaired {
            self.check_whole().await?;
        }
        let mut updates = self.updates(cx).await?;
        for update in &mut updates {
            match assumed.holds.get(&update.product) {
                Some(true) => update.state = UpdateState::Held,
                Some(false) if update.state == UpdateState::Held => update.state = UpdateState::Available,
                _ => {}
            }
        }
        let frees = assumed.holds.values().any(|is_held| !is_held);
        let settled = self.settle(cx, &call.ids, &updates, &self.packages().await?, frees).await?;
        let result = |target: &Target| match options.is_download_only {
            true => target.fetched(),
            false => target.installed(target.needs_reboot),
        };
        let mut planned: Vec<InstallResult> = settled.targets.iter().map(result).collect();
        if let Some(first) = planned.first_mut().filter(|_| !settled.also.is_empty() && !options.is_download_only) {
            first.attributes.push(("also-changed".to_owned(), settled.also));
        }
        planned.extend(settled.done);
        Ok(in_order(&call.ids, planned))
    }

    async fn hold_state(&self, product: &str) -> Result<HoldState, Error> {
        Ok(HoldState { is_held: self.is_held(product).await?, is_policys: !self.policy.may_release(product) })
    }
}

#[async_trait::async_trait]
impl Machine for Apt {
    async fn adopt(&self, cx: &Context) -> Result<Vec<Adopted>, Error> {
        let _one_at_a_time = self.installing.lock().await;
        let mut all = Vec::new();
        for job in self.open_jobs()? {
            let run = job.order.run.clone();
            match self.wait(cx, &job).await {
                Ok(()) => {
                    let results = self.take(&job).await?;
                    self.note_reboots(cx, &results, contract::patch_install::RebootPolicy::Never)?;
                    all.push(Adopted { run, results: Some(results), progress: job.progress() });
                }
                Err(_) => all.push(Adopted { run, results: None, progress: job.progress() }),
            }
        }
        Ok(all)
    }

    async fn pending_reboot(&self) -> Result<Option<RebootRequest>, Error> {
        self.reboot_request()
    }

    async fn reboot(&self) -> Result<(), Error> {
        self.do_reboot().await
    }

    async fn warn(&self, message: &str) -> Result<(), Error> {
        self.tell_everybody(message).await
    }
}
