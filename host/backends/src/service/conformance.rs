//! What every manager of services does alike: memory, SysV scripts, systemd, and what a dry run sees of each of them.

use std::sync::Arc;
use std::time::Duration;

use contract::service::{Backend as _, GetService, ListDependencies, ListServices, ServiceInfo, ServiceState};
use contract::service_control::{Backend as _, ReloadService, RestartService, SetStartType, StartService, StopService};
use contract::types::{Change, Effect, Error, ErrorKind, StartType};
use contract::{Context, Undo};
use model::ManualClock;

use crate::Undoer;
use crate::testing::context;

use super::{Services, attribute};

/// What can be asked of a host.
#[derive(Clone, Copy)]
struct Kind {
    /// Whether it only plans: then nobody knows what fails, and there is nothing to undo.
    is_planned: bool,
    /// Whether it has units: scripts in a folder have no masks, and never run once.
    has_units: bool,
}

fn within(scope: &[&str]) -> Context {
    context().with_scope(scope.iter().map(|&entry| entry.to_owned()).collect())
}

fn all() -> Context {
    within(&["*"])
}

async fn get(services: &Services, name: &str) -> ServiceInfo {
    services.get_service(&all(), &GetService { name: name.into() }).await.unwrap()
}

async fn start(services: &Services, cx: &Context, name: &str, wait_ms: u32) -> Result<Change, Error> {
    services.start_service(cx, &StartService { name: name.into(), wait_ms }).await
}

async fn stop(services: &Services, cx: &Context, name: &str, wait_ms: u32) -> Result<Change, Error> {
    services.stop_service(cx, &StopService { name: name.into(), wait_ms }).await
}

async fn restart(services: &Services, cx: &Context, name: &str) -> Result<Change, Error> {
    services.restart_service(cx, &RestartService { name: name.into(), wait_ms: 10_000 }).await
}

async fn reload(services: &Services, name: &str) -> Result<Change, Error> {
    services.reload_service(&all(), &ReloadService { name: name.into() }).await
}

async fn set(services: &Services, cx: &Context, name: &str, start_type: StartType) -> Result<Change, Error> {
    services.set_start_type(cx, &SetStartType { name: name.into(), start_type }).await
}

#[track_caller]
fn check(change: Result<Change, Error>, effect: Effect, before: &str, after: &str) {
    let change = change.unwrap();
    assert_eq!((change.effect, change.before.as_deref(), change.after.as_deref()), (effect, Some(before), Some(after)));
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, kind: ErrorKind, code: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (kind, code), "{error}");
}

async fn settles(services: &Services, name: &str, state: ServiceState) {
    for _ in 0..100 {
        if get(services, name).await.state == state {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("`{name}` is {:?}, not {state:?}", get(services, name).await.state);
}

/// Over `probe-a` (which reloads), `probe-b` that needs it, and `probe-fails`, all stopped and manual.
async fn suite(services: &Services, kind: Kind) {
    names(services).await;
    states(services).await;
    needs(services).await;
    waits_and_reloads(services).await;
    if !kind.is_planned {
        let error = start(services, &all(), "probe-fails", 10_000).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Failed, "service-failed"), "{error}");
        undoes_states(services).await;
    }
    if kind.has_units {
        runs_once(services).await;
        start_types(services).await;
    }
    if kind.has_units && !kind.is_planned {
        undoes_start_types(services).await;
    }
}

async fn names(services: &Services) {
    for name in
        ["", "probe-a.service", "probe.socket", "../probe-a", "a/b", "-x", ".x", "probe@", "a b", &"x".repeat(248)]
    {
        refused(services.get_service(&all(), &GetService { name: name.into() }).await, ErrorKind::Invalid, "name");
        refused(start(services, &all(), name, 0).await, ErrorKind::Invalid, "name");
    }
    refused(
        services.get_service(&all(), &GetService { name: "no-such".into() }).await,
        ErrorKind::NotFound,
        "not-found",
    );
    refused(stop(services, &all(), "no-such", 0).await, ErrorKind::NotFound, "not-found");

    let listed = services.list_services(&within(&["probe-*"]), &ListServices {}).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|service| service.name.as_str()).collect();
    assert!(names.is_sorted() && names.contains(&"probe-a") && names.contains(&"probe-b"), "{names:?}");
    let listed = services.list_services(&within(&["probe-b"]), &ListServices {}).await.unwrap();
    assert_eq!(listed.len(), 1, "what is outside the scope is not listed");
}

async fn states(services: &Services) {
    assert_eq!(get(services, "probe-a").await.state, ServiceState::Stopped);
    check(stop(services, &all(), "probe-a", 10_000).await, Effect::Unchanged, "stopped", "stopped");
    check(start(services, &all(), "probe-a", 10_000).await, Effect::Changed, "stopped", "running");
    check(start(services, &all(), "probe-a", 120_000).await, Effect::Unchanged, "running", "running");
    refused(start(services, &all(), "probe-a", 120_001).await, ErrorKind::Invalid, "wait-ms");
    let listed = services.list_services(&within(&["probe-a"]), &ListServices {}).await.unwrap();
    assert_eq!((listed[0].state, listed[0].name.as_str()), (ServiceState::Running, "probe-a"));
    check(restart(services, &all(), "probe-a").await, Effect::Changed, "running", "running");
    check(stop(services, &all(), "probe-a", 10_000).await, Effect::Changed, "running", "stopped");
    check(restart(services, &all(), "probe-a").await, Effect::Changed, "stopped", "running");
}

async fn needs(services: &Services) {
    let call = ListDependencies { name: "probe-b".into() };
    assert_eq!(services.list_dependencies(&within(&["probe-b"]), &call).await.unwrap(), ["probe-a"]);
    check(start(services, &all(), "probe-b", 10_000).await, Effect::Changed, "stopped", "running");
    assert_eq!(attribute(&get(services, "probe-a").await, "needed-by"), Some("probe-b"));

    refused(stop(services, &within(&["probe-a"]), "probe-a", 10_000).await, ErrorKind::Conflict, "needed");
    assert_eq!(get(services, "probe-a").await.state, ServiceState::Running);
    assert_eq!(get(services, "probe-b").await.state, ServiceState::Running);

    let change = stop(services, &within(&["probe-a", "probe-b"]), "probe-a", 10_000).await.unwrap();
    assert_eq!((change.effect, change.after.as_deref()), (Effect::Changed, Some("stopped")));
    assert_eq!(change.attributes, [("also-stopped".to_owned(), "probe-b".to_owned())]);
    assert_eq!(get(services, "probe-b").await.state, ServiceState::Stopped);
    assert_eq!(attribute(&get(services, "probe-a").await, "needed-by"), None);
}

async fn waits_and_reloads(services: &Services) {
    refused(reload(services, "probe-a").await, ErrorKind::Conflict, "not-running");
    check(start(services, &all(), "probe-a", 0).await, Effect::Changed, "stopped", "start-pending");
    settles(services, "probe-a", ServiceState::Running).await;
    check(reload(services, "probe-a").await, Effect::Changed, "running", "running");
    refused(reload(services, "probe-b").await, ErrorKind::Unsupported, "reload");
    check(stop(services, &all(), "probe-a", 0).await, Effect::Changed, "running", "stop-pending");
    settles(services, "probe-a", ServiceState::Stopped).await;
}

async fn runs_once(services: &Services) {
    let cx = all();
    check(start(services, &cx, "probe-once", 10_000).await, Effect::Changed, "stopped", "stopped");
    assert!(cx.take_undo().is_empty(), "what has ended by itself cannot be taken back");
}

async fn start_types(services: &Services) {
    let cx = all();
    for (wanted, before) in
        [(StartType::Automatic, "manual"), (StartType::Masked, "automatic"), (StartType::Manual, "masked")]
    {
        check(set(services, &cx, "probe-a", wanted).await, Effect::Changed, before, wanted.word());
        check(set(services, &cx, "probe-a", wanted).await, Effect::Unchanged, wanted.word(), wanted.word());
        assert_eq!(get(services, "probe-a").await.start_type, wanted);
        let started = start(services, &cx, "probe-a", 10_000).await;
        match wanted {
            StartType::Masked => refused(started, ErrorKind::Conflict, "masked"),
            _ => check(started, Effect::Changed, "stopped", "running"),
        }
        stop(services, &cx, "probe-a", 10_000).await.unwrap();
    }
    refused(set(services, &cx, "probe-a", StartType::Other).await, ErrorKind::Invalid, "start-type");
    refused(set(services, &cx, "probe-a", StartType::Disabled).await, ErrorKind::Unsupported, "start-type");
    refused(set(services, &cx, "probe-static", StartType::Automatic).await, ErrorKind::Unsupported, "static");
}

async fn undo(services: &Services, undo: &Undo) -> Result<Change, Error> {
    services.undo(&all(), undo).await
}

async fn undoes_states(services: &Services) {
    let cx = all();
    start(services, &cx, "probe-a", 10_000).await.unwrap();
    restart(services, &cx, "probe-a").await.unwrap();
    reload(services, "probe-a").await.unwrap();
    let [started] = &cx.take_undo()[..] else { panic!("only the start can be undone") };
    start(services, &cx, "probe-b", 10_000).await.unwrap();
    refused(undo(services, started).await, ErrorKind::Conflict, "needed");
    cx.take_undo();

    stop(services, &cx, "probe-a", 10_000).await.unwrap();
    let [stopped] = &cx.take_undo()[..] else { panic!("a stop can be undone") };
    refused(undo(services, started).await, ErrorKind::Conflict, "changed-since");
    check(undo(services, stopped).await, Effect::Changed, "stopped", "running");
    assert_eq!(get(services, "probe-b").await.state, ServiceState::Running, "it was stopped too");
    refused(undo(services, stopped).await, ErrorKind::Conflict, "changed-since");

    stop(services, &cx, "probe-b", 10_000).await.unwrap();
    assert_eq!(cx.take_undo()[0].target, "probe-b");
    check(undo(services, started).await, Effect::Changed, "running", "stopped");
}

async fn undoes_start_types(services: &Services) {
    let cx = all();
    set(services, &cx, "probe-a", StartType::Automatic).await.unwrap();
    let undo_it = cx.take_undo().remove(0);
    set(services, &cx, "probe-a", StartType::Masked).await.unwrap();
    refused(undo(services, &undo_it).await, ErrorKind::Conflict, "changed-since");
    let undo_mask = cx.take_undo().remove(0);
    check(undo(services, &undo_mask).await, Effect::Changed, "masked", "automatic");
    check(undo(services, &undo_it).await, Effect::Changed, "automatic", "manual");
    assert_eq!(get(services, "probe-a").await.start_type, StartType::Manual);
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(1_767_225_600_000))
}

fn in_memory() -> Services {
    #[derive(serde::Deserialize)]
    struct Fixture {
        service: Vec<super::Entry>,
    }
    let text = r#"
        [[service]]
        name = "probe-a"
        reloads = true
        [[service]]
        name = "probe-b"
        needs = ["probe-a"]
        [[service]]
        name = "probe-fails"
        fails = true
        [[service]]
        name = "probe-once"
        runs-once = true
        [[service]]
        name = "probe-static"
        attributes = { unit-file-state = "static" }
        [[service]]
        name = "remit-agent"
        state = "running"
        needs = ["bus"]
        [[service]]
        name = "bus"
        state = "running"
    "#;
    super::memory(toml::from_str::<Fixture>(text).unwrap().service, clock())
}

#[tokio::test]
async fn memory_conforms() {
    suite(&in_memory(), Kind { is_planned: false, has_units: true }).await;
}

#[tokio::test]
async fn a_dry_run_conforms_and_leaves_its_base_alone() {
    let base = Arc::new(in_memory());
    let before = base.list_services(&all(), &ListServices {}).await.unwrap();
    suite(&super::overlay(base.clone(), clock(), Arc::default()), Kind { is_planned: true, has_units: true }).await;
    assert_eq!(base.list_services(&all(), &ListServices {}).await.unwrap(), before);
}

#[tokio::test]
async fn a_dry_run_sees_what_would_be_started_too() {
    let planned = super::overlay(Arc::new(in_memory()), clock(), Arc::default());
    start(&planned, &all(), "probe-b", 1_000).await.unwrap();
    assert_eq!(get(&planned, "probe-a").await.state, ServiceState::Running);
    refused(stop(&planned, &within(&["probe-a"]), "probe-a", 0).await, ErrorKind::Conflict, "needed");
}

#[tokio::test]
async fn nobody_stops_the_agent() {
    let base = Arc::new(in_memory());
    for services in [&*base, &super::overlay(base.clone(), clock(), Arc::default())] {
        for name in ["remit-agent", "bus"] {
            refused(stop(services, &all(), name, 0).await, ErrorKind::Denied, "own-unit");
            refused(restart(services, &all(), name).await, ErrorKind::Denied, "own-unit");
            refused(set(services, &all(), name, StartType::Masked).await, ErrorKind::Denied, "own-unit");
            assert_eq!(get(services, name).await.state, ServiceState::Running);
        }
    }
    stop(&in_memory(), &all(), "probe-a", 0).await.unwrap();
}

#[cfg(target_os = "linux")]
mod linux;
