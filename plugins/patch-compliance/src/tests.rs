use super::*;

use remit_sdk::patch::{ListSources, ListUpdates};
use remit_sdk::patch_install::{InstallResult, InstallUpdates, Repair, RequestReboot};
use remit_sdk::run::Mode;
use remit_sdk::testing::Host;
use serde_json::{Value, json};

/// An update that has been pending for ten days.
fn update(product: &str, classification: Classification) -> Update {
    Update {
        id: format!("apt:{product}@2"),
        title: product.into(),
        product: product.into(),
        source: "apt".into(),
        available_version: "2".into(),
        first_seen_ms: Host::new().now_ms() - 10 * DAY_MS,
        state: UpdateState::Available,
        classification,
        ..Update::default()
    }
}

fn security(product: &str) -> Update {
    update(product, Classification::Security)
}

/// A host on which these are pending, and whose installations end so.
fn host(parameters: Value, updates: Vec<Update>, outcome: InstallOutcome) -> Host {
    let host = Host::new().parameters(parameters);
    let source = SourceHealth { source: "apt".into(), refreshed_ms: Some(host.now_ms()), ..SourceHealth::default() };
    host.answer(move |_: &ListUpdates| Ok(updates.clone()))
        .answer(move |_: &ListSources| Ok(vec![source.clone()]))
        .answer(move |call: &InstallUpdates| {
            let result = |id: &String| InstallResult { id: id.clone(), outcome, ..InstallResult::default() };
            Ok(call.ids.iter().map(result).collect())
        })
        .answer(|_: &Repair| Ok(Default::default()))
        .answer(|_: &RequestReboot| Ok(Default::default()))
}

fn found(parameters: Value, updates: Vec<Update>) -> Vec<(Severity, String, bool)> {
    let host = host(parameters, updates, InstallOutcome::Succeeded);
    let report = host.detect::<PatchCompliance>().unwrap();
    assert_eq!(report.verdict == Verdict::Compliant, report.findings.is_empty());
    report.findings.into_iter().map(|it| (it.severity, it.title, it.remediable)).collect()
}

#[test]
fn an_update_is_overdue_after_the_days_of_its_class() {
    let one = |update| found(json!({ "security-days": 10, "other-days": 11 }), vec![update]);
    assert_eq!(one(security("openssl")), [(Severity::Error, "openssl: pending for 10 days".to_owned(), true)]);
    assert_eq!(one(update("vim", Classification::Update)), []);
    assert_eq!(found(json!({ "security-days": 11 }), vec![security("openssl")]), []);
}

#[test]
fn what_policy_puts_off_is_no_finding() {
    for approval in [Approval::Deferred, Approval::Declined, Approval::Blocked] {
        assert_eq!(found(json!({}), vec![Update { approval, ..security("openssl") }]), []);
    }
    for approval in [Approval::Unset, Approval::Approved] {
        assert_eq!(found(json!({}), vec![Update { approval, ..security("openssl") }]).len(), 1);
    }
}

#[test]
fn what_is_held_or_kept_back_is_left_to_a_person() {
    for state in [UpdateState::Held, UpdateState::KeptBack] {
        let found = found(json!({}), vec![Update { state, ..security("linux") }]);
        assert!(!found[0].2, "{found:?}");
    }
}

#[test]
fn the_facts_list_every_update_with_its_state() {
    let updates =
        vec![security("openssl"), Update { state: UpdateState::Held, ..update("vim", Classification::Update) }];
    let report = host(json!({}), updates, InstallOutcome::Succeeded).detect::<PatchCompliance>().unwrap();
    let facts: Value = serde_json::from_str(&report.facts.unwrap()).unwrap();
    assert_eq!(facts["pending"], json!({ "available": 1, "held": 1 }));
    assert_eq!(facts["updates"][0]["id"], "apt:openssl@2");
    assert_eq!(facts["updates"][1]["state"], "held");
}

#[test]
fn a_broken_package_manager_is_repaired_first() {
    let host = host(json!({}), vec![security("openssl")], InstallOutcome::Succeeded).answer(|_: &ListSources| {
        let broken = vec!["libc6".to_owned()];
        Ok(vec![SourceHealth { source: "apt".into(), broken, ..SourceHealth::default() }])
    });
    let report = host.detect::<PatchCompliance>().unwrap();
    host.remediate::<PatchCompliance>(&report.findings).unwrap();
    assert_eq!(host.names()[2..], ["patch-install.repair", "patch-install.install-updates"]);
}

#[test]
fn an_old_list_is_told() {
    let host = host(json!({}), vec![], InstallOutcome::Succeeded);
    let refreshed_ms = Some(host.now_ms() - 8 * DAY_MS);
    let host = host.answer(move |_: &ListSources| {
        Ok(vec![SourceHealth { source: "apt".into(), refreshed_ms, ..SourceHealth::default() }])
    });
    assert_eq!(host.detect::<PatchCompliance>().unwrap().findings[0].title, "the list of apt is 8 days old");
}

/// What remediate does about one security update whose installation ends so.
fn remedy(reboot: bool, outcome: InstallOutcome, mode: Mode) -> (String, Vec<String>) {
    let host = host(json!({ "reboot": reboot }), vec![security("openssl")], outcome).mode(mode);
    let report = host.detect::<PatchCompliance>().unwrap();
    (host.remediate::<PatchCompliance>(&report.findings).unwrap().summary, host.plan())
}

#[test]
fn the_reboot_is_asked_for_where_it_is_needed_and_wanted() {
    let done = |reboot, outcome| {
        let (summary, plan) = remedy(reboot, outcome, Mode::Enforce);
        (summary, plan.last().unwrap().starts_with("patch-install.request-reboot"))
    };
    assert_eq!(done(true, InstallOutcome::Succeeded), ("1 updates installed, 0 not".to_owned(), false));
    let (summary, is_asked) = done(true, InstallOutcome::RebootRequired);
    assert!(is_asked && summary.ends_with("a restart is asked for"), "{summary}");
    let (summary, is_asked) = done(false, InstallOutcome::RebootRequired);
    assert!(!is_asked && summary.ends_with("not allowed by the parameters"), "{summary}");
}

#[test]
fn after_the_reboot_nothing_is_done_again() {
    let host = host(json!({ "reboot": true }), vec![security("openssl")], InstallOutcome::RebootRequired);
    let findings = host.detect::<PatchCompliance>().unwrap().findings;
    host.remediate::<PatchCompliance>(&findings).unwrap();
    let done = host.plan().len();
    let host = host.resume();
    let remedy = host.remediate::<PatchCompliance>(&findings).unwrap();
    assert_eq!((remedy.summary.as_str(), host.plan().len()), ("the machine has been restarted", done));
}

#[test]
fn what_was_not_approved_is_counted_and_told() {
    let (summary, _) = remedy(true, InstallOutcome::NotApproved, Mode::Enforce);
    assert_eq!(summary, "0 updates installed, 1 not");
}

#[test]
fn a_dry_run_asks_for_what_the_enforce_run_does() {
    let plan = |mode| remedy(true, InstallOutcome::RebootRequired, mode).1;
    assert_eq!(plan(Mode::DryRun), plan(Mode::Enforce));
}
