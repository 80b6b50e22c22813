//! What every backend of the three interfaces does alike: the twin in memory, apt itself, and the overlay over each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::Context;
use contract::patch::{Approval, GetPolicy, ListSources, ListUpdates, Update, UpdateState};
use contract::patch_control::{Hold, RefreshIndex, Release};
use contract::patch_install::{
    InstallOptions, InstallOutcome, InstallResult, InstallUpdates, RebootPolicy, Repair, RequestReboot,
};
use contract::types::{Effect, Error, ErrorKind};
use model::ManualClock;

use crate::Undoer;
use crate::device::PlannedReboot;
use crate::testing::context;

use super::{Fixture, Overlay, Parts, memory};

/// Approves all that follows, but for what it says.
pub(super) const POLICY: &str = r#"
reboots = true
holds = ["remit-held"]
[[rule]]
action = "approve"
[[rule]]
action = "block"
packages = ["remit-conf"]
[[rule]]
action = "decline"
packages = ["remit-bad"]
[[rule]]
action = "defer"
days = 7
packages = ["remit-slow"]
"#;

/// As in the real root.
const FIXTURE: &str = r#"
held = ["remit-held"]
update = [
    { product = "remit-sec", installed-version = "1.0", available-version = "1.1", classification = "security" },
    { product = "remit-app", installed-version = "1.0", available-version = "2.0" },
    { product = "remit-held", installed-version = "1.0", available-version = "1.1" },
    { product = "remit-kept", installed-version = "1.0", available-version = "2.0", kept-back = "needs-more-than-an-upgrade" },
    { product = "remit-new", available-version = "1.0", kept-back = "needs-more-than-an-upgrade" },
    { product = "remit-phased", installed-version = "1.0", available-version = "1.1", kept-back = "phased" },
    { product = "remit-stuck", installed-version = "1.0", available-version = "1.1", kept-back = "unsatisfiable" },
    { product = "remit-conf", installed-version = "1.0", available-version = "1.1" },
    { product = "remit-bad", installed-version = "1.0", available-version = "1.1" },
    { product = "remit-slow", installed-version = "1.0", available-version = "1.1" },
    { product = "linux-image-remit", installed-version = "1.0", available-version = "1.1" },
]
"#;

pub(super) fn fixture(more: &str, policy: &str) -> Parts {
    let mut fixture: Fixture = toml::from_str(&format!("{more}\n{FIXTURE}")).unwrap();
    fixture.policy = toml::from_str(policy).unwrap();
    memory(fixture, Arc::new(ManualClock::new(1_000_000)))
}

pub(super) fn overlay(parts: &Parts) -> Parts {
    let simulator = Arc::clone(&parts.machine) as Arc<dyn super::Simulator>;
    let overlay = Arc::new(Overlay::new(Arc::clone(&parts.reader), simulator, Arc::new(PlannedReboot::default())));
    Parts { reader: overlay.clone(), control: overlay.clone(), install: overlay, ..parts.clone() }
}

pub(super) fn install(ids: &[&str]) -> InstallUpdates {
    let options = InstallOptions {
        reboot: RebootPolicy::Never,
        timeout_seconds: 0,
        stop_on_failure: false,
        attributes: Vec::new(),
    };
    InstallUpdates { ids: ids.iter().map(|&id| id.to_owned()).collect(), options }
}

pub(super) async fn updates(parts: &Parts) -> Vec<Update> {
    parts.reader.list_updates(&context(), &ListUpdates {}).await.unwrap()
}

pub(super) async fn update(parts: &Parts, product: &str) -> Option<Update> {
    updates(parts).await.into_iter().find(|update| update.product == product)
}

async fn state(parts: &Parts, product: &str) -> Option<UpdateState> {
    update(parts, product).await.map(|update| update.state)
}

pub(super) fn hold(product: &str) -> Hold {
    Hold { source: "apt".into(), product: product.into() }
}

pub(super) fn release(product: &str) -> Release {
    Release { source: "apt".into(), product: product.into() }
}

fn short(result: &InstallResult) -> (InstallOutcome, &str, Effect, Option<&str>, Option<&str>) {
    let change = &result.change;
    (result.outcome, &result.code, change.effect, change.before.as_deref(), change.after.as_deref())
}

pub(super) fn failed<T: std::fmt::Debug>(result: Result<T, Error>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.code)
}

async fn lists(parts: &Parts) {
    let listed = updates(parts).await;
    let reason = |update: &Update| update.attributes.iter().find(|it| it.0 == "state-reason").map(|it| it.1.clone());
    let listed: Vec<String> = listed
        .iter()
        .map(|it| {
            let from = it.installed_version.as_deref().unwrap_or("-");
            let reason = reason(it).unwrap_or_default();
            let words = [it.classification.word(), it.state.word(), it.approval.word(), &reason];
            format!("{} {from} {}", it.id, words.join(" ")).trim_end().to_owned()
        })
        .collect();
    assert_eq!(
        listed,
        [
            "apt:linux-image-remit@1.1 1.0 update available approved",
            "apt:remit-app@2.0 1.0 update available approved",
            "apt:remit-bad@1.1 1.0 update available declined",
            "apt:remit-conf@1.1 1.0 update available blocked",
            "apt:remit-held@1.1 1.0 update held approved",
            "apt:remit-kept@2.0 1.0 update kept-back approved needs-more-than-an-upgrade",
            "apt:remit-new@1.0 - update kept-back approved needs-more-than-an-upgrade",
            "apt:remit-phased@1.1 1.0 update kept-back approved phased",
            "apt:remit-sec@1.1 1.0 security available approved",
            "apt:remit-slow@1.1 1.0 update available deferred",
            "apt:remit-stuck@1.1 1.0 update kept-back approved unsatisfiable",
        ]
    );
    let elsewhere =
        Context::new("run_01", "test", "dev_01", vec!["dnf".into()], Instant::now() + Duration::from_secs(9));
    assert_eq!(parts.reader.list_updates(&elsewhere, &ListUpdates {}).await.unwrap(), []);
    let source = parts.reader.list_sources(&context(), &ListSources {}).await.unwrap().remove(0);
    assert_eq!((source.source.as_str(), source.locked_by, source.broken), ("apt", None, vec![]));
    let policy = parts.reader.get_policy(&context(), &GetPolicy {}).await.unwrap();
    assert!(policy.window_open && policy.reboot_allowed);
}

async fn holds(parts: &Parts) {
    let cx = context();
    let change = parts.control.hold(&cx, &hold("remit-app")).await.unwrap();
    assert_eq!(
        (change.effect, change.before.as_deref(), change.after.as_deref()),
        (Effect::Changed, Some("free"), Some("held"))
    );
    assert_eq!(parts.control.hold(&cx, &hold("remit-app")).await.unwrap().effect, Effect::Unchanged);
    assert_eq!(state(parts, "remit-app").await, Some(UpdateState::Held));
    let results = parts.install.install_updates(&cx, &install(&["apt:remit-app@2.0"])).await.unwrap();
    assert_eq!(short(&results[0]), (InstallOutcome::NotAttempted, "held", Effect::Unchanged, Some("1.0"), Some("1.0")));
    let change = parts.control.release(&cx, &release("remit-app")).await.unwrap();
    assert_eq!((change.effect, change.after.as_deref()), (Effect::Changed, Some("free")));
    assert_eq!(state(parts, "remit-app").await, Some(UpdateState::Available));

    assert_eq!(failed(parts.control.release(&cx, &release("remit-held")).await), (ErrorKind::Denied, "policy".into()));
    assert_eq!(failed(parts.control.hold(&cx, &hold("remit-none")).await).0, ErrorKind::NotFound);
    assert_eq!(failed(parts.control.hold(&cx, &hold("-o")).await), (ErrorKind::Invalid, "product".into()));
    let elsewhere = Hold { source: "dnf".into(), product: "remit-app".into() };
    assert_eq!(failed(parts.control.hold(&cx, &elsewhere).await).0, ErrorKind::NotFound);
}

async fn installs(parts: &Parts) {
    let cx = context();
    let ids = [
        "apt:remit-slow@1.1",
        "apt:remit-sec@1.1",
        "apt:remit-conf@1.1",
        "apt:remit-app@1.5",
        "apt:remit-none@1",
        "apt:remit-kept@2.0",
        "apt:remit-bad@1.1",
        "apt:linux-image-remit@1.1",
    ];
    let refused = parts.install.request_reboot(&cx, &RequestReboot { reason: "updates".into() }).await;
    assert_eq!(failed(refused), (ErrorKind::Conflict, "no-reboot-pending".into()));
    let results = parts.install.install_updates(&cx, &install(&ids)).await.unwrap();
    assert_eq!(results.iter().map(|result| result.id.as_str()).collect::<Vec<_>>(), ids);
    let same = Some("1.0");
    assert_eq!(
        results.iter().map(short).collect::<Vec<_>>(),
        [
            (InstallOutcome::NotApproved, "deferred", Effect::Unchanged, same, same),
            (InstallOutcome::Succeeded, "", Effect::Changed, same, Some("1.1")),
            (InstallOutcome::NotApproved, "blocked", Effect::Unchanged, same, same),
            (InstallOutcome::Superseded, "superseded", Effect::Unchanged, same, same),
            (InstallOutcome::Failed, "not-found", Effect::Unchanged, None, None),
            (InstallOutcome::Succeeded, "", Effect::Changed, same, Some("2.0")),
            (InstallOutcome::NotApproved, "declined", Effect::Unchanged, same, same),
            (InstallOutcome::RebootRequired, "", Effect::RebootPending, same, Some("1.1")),
        ]
    );
    assert_eq!(state(parts, "remit-sec").await, None);
    assert_eq!(state(parts, "linux-image-remit").await, Some(UpdateState::PendingReboot));
    let again = parts.install.install_updates(&cx, &install(&["apt:remit-sec@1.1"])).await.unwrap();
    assert_eq!(short(&again[0]), (InstallOutcome::Succeeded, "", Effect::Unchanged, Some("1.1"), Some("1.1")));
    let change = parts.install.request_reboot(&cx, &RequestReboot { reason: "updates".into() }).await.unwrap();
    assert_eq!(change.after.as_deref(), Some("requested"));
    let bad = parts.install.request_reboot(&cx, &RequestReboot { reason: "two\nlines".into() }).await;
    assert_eq!(failed(bad), (ErrorKind::Invalid, "reason".into()));
}

async fn refuses(parts: &Parts) {
    let cx = context();
    let check = async |change: &dyn Fn(&mut InstallUpdates)| {
        let mut call = install(&["apt:remit-stuck@9"]);
        change(&mut call);
        parts.install.install_updates(&cx, &call).await.map_err(|error| error.code)
    };
    let option = |name: &str, value: &str| {
        let attribute = (name.to_owned(), value.to_owned());
        move |call: &mut InstallUpdates| call.options.attributes.push(attribute.clone())
    };
    assert!(check(&|_| {}).await.is_ok());
    assert!(check(&option("conffiles", "replace")).await.is_ok());
    assert_eq!(check(&option("conffiles", "both")).await.unwrap_err(), "attribute");
    assert_eq!(check(&option("colour", "red")).await.unwrap_err(), "unknown-attribute");
    assert_eq!(check(&option("restore-point", "yes")).await.unwrap_err(), "restore-point");
    assert!(check(&|call| call.options.timeout_seconds = 21_600).await.is_ok());
    assert_eq!(check(&|call| call.options.timeout_seconds = 21_601).await.unwrap_err(), "timeout");
    assert_eq!(check(&|call| call.ids.clear()).await.unwrap_err(), "ids");
    assert_eq!(check(&|call| call.ids.push(call.ids[0].clone())).await.unwrap_err(), "ids");
    assert!(check(&|call| call.ids = (0..500).map(|at| format!("apt:none{at}@1")).collect()).await.is_ok());
    assert_eq!(
        check(&|call| call.ids = (0..501).map(|at| format!("apt:none{at}@1")).collect()).await.unwrap_err(),
        "ids"
    );
    assert_eq!(check(&|call| call.ids = vec!["apt:-o@1".into()]).await.unwrap_err(), "product");
    let repair = parts.install.repair(&cx, &Repair { source: "apt".into() }).await;
    assert_eq!(failed(repair), (ErrorKind::Denied, "policy".into()));
}

async fn suite(parts: &Parts) {
    lists(parts).await;
    holds(parts).await;
    refuses(parts).await;
    installs(parts).await;
}

#[tokio::test]
async fn memory_conforms() {
    suite(&fixture("", POLICY)).await;
}

#[tokio::test]
async fn the_overlay_of_memory_conforms_and_leaves_it_alone() {
    let base = fixture("", POLICY);
    let before = updates(&base).await;
    suite(&overlay(&base)).await;
    assert_eq!(updates(&base).await, before);
}

#[tokio::test]
async fn a_lock_is_busy_for_all_that_changes_and_for_nothing_else() {
    for parts in
        [fixture("locked-by = \"dpkg (pid 7)\"", POLICY), overlay(&fixture("locked-by = \"dpkg (pid 7)\"", POLICY))]
    {
        let cx = context();
        let busy = (ErrorKind::Busy, "dpkg-locked".to_owned());
        assert_eq!(failed(parts.control.hold(&cx, &hold("remit-app")).await), busy);
        assert_eq!(failed(parts.control.refresh_index(&cx, &RefreshIndex { source: "apt".into() }).await), busy);
        let error = parts.install.install_updates(&cx, &install(&["apt:remit-app@2.0"])).await.unwrap_err();
        assert!(error.kind == ErrorKind::Busy && error.retry_after_ms.is_some());
        assert!(update(&parts, "remit-app").await.is_some());
    }
}

#[tokio::test]
async fn what_is_broken_is_repaired_only_where_policy_says_so() {
    let policy = format!("repairs = true\n{POLICY}");
    let broken = "broken = [\"remit-app\"]";
    for parts in [fixture(broken, &policy), overlay(&fixture(broken, &policy))] {
        let cx = context();
        let call = install(&["apt:remit-sec@1.1"]);
        assert_eq!(
            failed(parts.install.install_updates(&cx, &call).await),
            (ErrorKind::Conflict, "dpkg-broken".into())
        );
        let change = parts.install.repair(&cx, &Repair { source: "apt".into() }).await.unwrap();
        assert_eq!((change.before.as_deref(), change.after.as_deref()), (Some("broken"), Some("ok")));
        let change = parts.install.repair(&cx, &Repair { source: "apt".into() }).await.unwrap();
        assert_eq!(change.effect, Effect::Unchanged);
        assert_eq!(parts.install.install_updates(&cx, &call).await.unwrap()[0].outcome, InstallOutcome::Succeeded);
    }
}

#[tokio::test]
async fn without_a_rule_nothing_is_installed() {
    let parts = fixture("", "");
    assert_eq!(update(&parts, "remit-sec").await.unwrap().approval, Approval::Unset);
    let results = parts.install.install_updates(&context(), &install(&["apt:remit-sec@1.1"])).await.unwrap();
    assert_eq!((results[0].outcome, results[0].code.as_str()), (InstallOutcome::NotApproved, "unset"));
    let refused = parts.install.request_reboot(&context(), &RequestReboot { reason: "x".into() }).await;
    assert_eq!(failed(refused), (ErrorKind::Denied, "policy".into()));
}

pub(super) async fn undo_suite(parts: &Parts) {
    let cx = context();
    let undoer: &dyn Undoer = &*parts.undoer;
    parts.control.hold(&cx, &hold("remit-app")).await.unwrap();
    let undo = cx.take_undo().remove(0);
    assert_eq!(undoer.undo(&cx, &undo).await.unwrap().after.as_deref(), Some("free"));
    assert_eq!(state(parts, "remit-app").await, Some(UpdateState::Available));
    assert_eq!(
        failed(undoer.undo(&cx, &undo).await),
        (ErrorKind::Conflict, "hold".into()),
        "somebody released it since"
    );

    cx.take_undo();
    parts.control.hold(&cx, &hold("remit-app")).await.unwrap();
    cx.take_undo();
    parts.control.release(&cx, &release("remit-app")).await.unwrap();
    let undo = cx.take_undo().remove(0);
    assert_eq!(undoer.undo(&cx, &undo).await.unwrap().after.as_deref(), Some("held"));
    assert_eq!(state(parts, "remit-app").await, Some(UpdateState::Held));
    cx.take_undo();
    parts.control.hold(&cx, &hold("remit-app")).await.unwrap();
    assert_eq!(cx.take_undo(), [], "what changed nothing leaves nothing to undo");
}

#[tokio::test]
async fn holds_are_undone_in_memory() {
    undo_suite(&fixture("", POLICY)).await;
}

#[tokio::test]
async fn the_host_reboots_only_what_was_accepted() {
    let parts = fixture("", POLICY);
    assert_eq!(failed(parts.machine.reboot().await), (ErrorKind::Conflict, "no-reboot-requested".into()));
    let mut call = install(&["apt:linux-image-remit@1.1"]);
    call.options.reboot = RebootPolicy::IfRequired;
    parts.install.install_updates(&context(), &call).await.unwrap();
    assert_eq!(parts.machine.pending_reboot().await.unwrap().unwrap().run, "run_01");
    parts.machine.reboot().await.unwrap();
    assert_eq!(state(&parts, "linux-image-remit").await, None);
}

#[tokio::test]
async fn the_first_failure_ends_it_where_asked() {
    let mut fixture: Fixture = toml::from_str(FIXTURE).unwrap();
    fixture.policy = toml::from_str(POLICY).unwrap();
    fixture.updates.iter_mut().filter(|it| it.product == "remit-app").for_each(|it| it.fails = Some("dpkg-1".into()));
    for (stop, last) in [(true, InstallOutcome::NotAttempted), (false, InstallOutcome::Succeeded)] {
        let parts = memory(fixture.clone(), Arc::new(ManualClock::default()));
        let mut call = install(&["apt:remit-app@2.0", "apt:remit-sec@1.1"]);
        call.options.stop_on_failure = stop;
        let results = parts.install.install_updates(&context(), &call).await.unwrap();
        assert_eq!((results[0].code.as_str(), results[1].outcome), ("dpkg-1", last));
    }
}

/// The same over apt itself.
#[cfg(target_os = "linux")]
mod apt {
    use super::super::real_root::Root;
    use super::*;

    #[tokio::test]
    async fn apt_conforms() {
        suite(&Root::new().device(POLICY)).await;
    }

    #[tokio::test]
    async fn the_overlay_of_apt_conforms_and_leaves_it_alone() {
        let root = Root::new();
        let before = (root.read("var/lib/dpkg/status"), root.inst());
        suite(&overlay(&root.device(POLICY))).await;
        assert_eq!((root.read("var/lib/dpkg/status"), root.inst()), before);
    }

    #[tokio::test]
    async fn holds_are_undone_in_apt() {
        undo_suite(&Root::new().device(POLICY)).await;
    }
}
