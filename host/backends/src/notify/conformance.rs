//! What every backend of `notify` does alike, and what policy makes of it.

use std::sync::Arc;

use contract::notify::{
    AcknowledgeEvent, Backend, Delivery, DeliveryOutcome, Link, Notification, ResolveEvent, TriggerEvent,
};
use contract::types::{Effect, ErrorKind, Severity};
use model::{Clock, ManualClock};

use crate::testing::context;
use crate::{Policy, Shared, Undoer};

use super::{Action, Event, Fixture, Look, Memory, Message, Outbox, Overlay};

/// 2026-01-10T12:00:00Z
const NOON_MS: u64 = 1_768_046_400_000;
const HOUR_MS: u64 = 3_600_000;

const ROUTES: &str = "
    [notify.routes.on-call]
    kind = 'webhook'
    url = 'https://example.com/hook'
    per-hour-max = 1000
";

fn notification(dedup_key: &str, severity: Severity) -> Notification {
    Notification {
        dedup_key: dedup_key.into(),
        audience: "on-call".into(),
        severity,
        summary: "/var is full".into(),
        component: "/var".into(),
        group: String::new(),
        event_class: "disk full".into(),
        links: vec![Link { href: "https://example.com/kb".into(), text: "What to do".into() }],
        attributes: vec![("free".into(), "12 MB".into())],
    }
}

pub(super) fn event(dedup_key: &str, summary: &str) -> Event {
    Event {
        device: "dev_01".into(),
        plugin: "test".into(),
        run: "run_01".into(),
        at_ms: 1_000,
        stated: Notification { summary: summary.into(), ..notification(dedup_key, Severity::Error) },
    }
}

pub(super) fn message(action: Action, events: Vec<Event>) -> Message {
    Message {
        number: 7,
        action,
        events,
        queued_ms: 1_000,
        not_before_ms: 1_000,
        held: false,
        attempts: 1,
        claimed_until_ms: 0,
        problem: String::new(),
    }
}

pub(super) fn trigger(dedup_key: &str, severity: Severity) -> TriggerEvent {
    TriggerEvent { event: notification(dedup_key, severity) }
}

pub(super) fn acknowledge(dedup_key: &str) -> AcknowledgeEvent {
    AcknowledgeEvent { audience: "on-call".into(), dedup_key: dedup_key.into() }
}

pub(super) fn resolve(dedup_key: &str) -> ResolveEvent {
    ResolveEvent { audience: "on-call".into(), dedup_key: dedup_key.into() }
}

pub(super) fn shared(clock: &Arc<ManualClock>, policy: &str) -> Shared {
    let shared = Shared::in_memory(Arc::clone(clock) as Arc<dyn Clock>).unwrap();
    let policy: Policy = toml::from_str(policy).unwrap();
    Shared { policy: Arc::new(policy), ..shared }
}

fn noon() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOON_MS))
}

/// What became of it, in a dry run too.
fn outcome(delivery: &Delivery) -> &str {
    &delivery.change.attributes.iter().find(|(name, _)| name == "outcome").unwrap().1
}

fn states(delivery: &Delivery) -> (Option<&str>, Option<&str>) {
    (delivery.change.before.as_deref(), delivery.change.after.as_deref())
}

async fn suite(it: &impl Backend) {
    let cx = context();
    let first = it.trigger_event(&cx, &trigger("disk", Severity::Warning)).await.unwrap();
    assert_eq!((outcome(&first), first.change.effect), ("queued", Effect::Changed));
    assert_eq!(states(&first), (None, Some("open, warning, 1 time")));
    let again = it.trigger_event(&cx, &trigger("disk", Severity::Info)).await.unwrap();
    assert_eq!(outcome(&again), "grouped");
    assert_eq!(states(&again), (Some("open, warning, 1 time"), Some("open, warning, 2 times")));
    let other = it.trigger_event(&cx, &trigger("load", Severity::Warning)).await.unwrap();
    assert_eq!((outcome(&other), states(&other)), ("grouped", (None, Some("open, warning, 1 time"))));
    let worse = it.trigger_event(&cx, &trigger("disk", Severity::Critical)).await.unwrap();
    assert_eq!((outcome(&worse), states(&worse).1), ("queued", Some("open, critical, 3 times")));

    let acknowledged = it.acknowledge_event(&cx, &acknowledge("disk")).await.unwrap();
    assert_eq!((outcome(&acknowledged), states(&acknowledged).1), ("queued", Some("acknowledged, critical, 3 times")));
    let nothing_to_do = [
        it.acknowledge_event(&cx, &acknowledge("disk")).await.unwrap(),
        it.acknowledge_event(&cx, &acknowledge("none")).await.unwrap(),
        it.resolve_event(&cx, &resolve("none")).await.unwrap(),
    ];
    for delivery in nothing_to_do {
        assert_eq!((outcome(&delivery), delivery.change.effect), ("muted", Effect::Unchanged));
        assert!(!delivery.reason.is_empty());
    }
    let resolved = it.resolve_event(&cx, &resolve("disk")).await.unwrap();
    assert_eq!((outcome(&resolved), states(&resolved).1), ("queued", None));
    assert_eq!(it.resolve_event(&cx, &resolve("disk")).await.unwrap().change.effect, Effect::Unchanged);
    let anew = it.trigger_event(&cx, &trigger("disk", Severity::Warning)).await.unwrap();
    assert_eq!(states(&anew), (None, Some("open, warning, 1 time")));
    refusals(it).await;
}

/// Each limit, and the same call just inside it.
async fn refusals(it: &impl Backend) {
    let with = |change: &dyn Fn(&mut Notification)| {
        let mut call = trigger("limits", Severity::Info);
        change(&mut call.event);
        call
    };
    let links = |href: &str, count: usize| vec![Link { href: href.into(), text: "x".into() }; count];
    let attribute = |value: &str| vec![("expires-ms".to_owned(), value.to_owned())];
    let cases = [
        (with(&|it| it.summary = "x".repeat(1_024)), with(&|it| it.summary = "x".repeat(1_025)), "summary"),
        (with(&|it| it.summary = "x".into()), with(&|it| it.summary = " ".into()), "summary"),
        (with(&|it| it.summary = "a b".into()), with(&|it| it.summary = "a\r\nBcc: b".into()), "summary"),
        (with(&|it| it.component = "x".repeat(255)), with(&|it| it.component = "x".repeat(256)), "component"),
        (with(&|it| it.group = "x".repeat(255)), with(&|it| it.group = "x".repeat(256)), "group"),
        (with(&|it| it.event_class = "x".repeat(255)), with(&|it| it.event_class = "x".repeat(256)), "event-class"),
        (with(&|it| it.links = links("https://x.org", 16)), with(&|it| it.links = links("https://x.org", 17)), "links"),
        (with(&|it| it.links = links("https://x.org", 1)), with(&|it| it.links = links("javascript:x", 1)), "link"),
        (with(&|it| it.dedup_key = "x".repeat(255)), with(&|it| it.dedup_key = "x".repeat(256)), "dedup-key"),
        (with(&|it| it.attributes = attribute("1")), with(&|it| it.attributes = attribute("soon")), "attribute"),
    ];
    for (good, bad, code) in cases {
        it.trigger_event(&context(), &good).await.unwrap();
        let error = it.trigger_event(&context(), &bad).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Invalid, code));
    }
    let nobody = with(&|it| it.audience = "nobody".into());
    assert_eq!(it.trigger_event(&context(), &nobody).await.unwrap_err().kind, ErrorKind::NotFound);
    let nobody = AcknowledgeEvent { audience: "nobody".into(), dedup_key: "x".into() };
    assert_eq!(it.acknowledge_event(&context(), &nobody).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn documents_conform() {
    suite(&Outbox::new(&shared(&noon(), ROUTES))).await;
}

#[tokio::test]
async fn the_twin_in_memory_conforms() {
    suite(&Memory::new(Fixture::default(), &shared(&noon(), "")).unwrap()).await;
}

#[tokio::test]
async fn the_overlay_conforms_and_leaves_its_base_alone() {
    let shared = shared(&noon(), ROUTES);
    suite(&Overlay::new(Look::new(&shared))).await;
    for collection in [super::outbox::ALERTS, super::outbox::MESSAGES, super::outbox::LANES] {
        assert!(shared.store.list(collection, "", "", 1, NOON_MS).unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_dry_run_answers_what_the_real_run_would() {
    let shared = shared(&noon(), ROUTES);
    let (real, cx) = (Outbox::new(&shared), context());
    real.trigger_event(&cx, &trigger("there", Severity::Warning)).await.unwrap();
    real.trigger_event(&cx, &trigger("over", Severity::Warning)).await.unwrap();
    cx.take_undo();
    let overlay = Overlay::new(Look::new(&shared));
    let run = async |it: &dyn Backend| {
        [
            it.trigger_event(&cx, &trigger("there", Severity::Warning)).await.unwrap(),
            it.trigger_event(&cx, &trigger("new", Severity::Warning)).await.unwrap(),
            it.resolve_event(&cx, &resolve("over")).await.unwrap(),
            it.resolve_event(&cx, &resolve("over")).await.unwrap(),
            it.acknowledge_event(&cx, &acknowledge("there")).await.unwrap(),
        ]
    };
    let planned = run(&overlay).await;
    assert!(cx.take_undo().is_empty(), "what was not done is not undone");
    let done = run(&real).await;
    for (planned, done) in planned.iter().zip(&done) {
        assert_eq!(planned.change, done.change);
        let is_planned = planned.outcome == DeliveryOutcome::Planned;
        assert_eq!(is_planned, planned.change.effect == Effect::Changed, "{planned:?}");
    }
}

#[tokio::test]
async fn a_repeat_is_told_again_after_a_day() {
    let clock = noon();
    let real = Outbox::new(&shared(&clock, ROUTES));
    let cx = context();
    let again = async |later_ms: u64| {
        clock.advance(later_ms);
        real.trigger_event(&cx, &trigger("disk", Severity::Warning)).await.unwrap().outcome
    };
    assert_eq!(again(0).await, DeliveryOutcome::Queued);
    assert_eq!(again(24 * HOUR_MS - 1).await, DeliveryOutcome::Grouped);
    assert_eq!(again(1).await, DeliveryOutcome::Queued);
    assert_eq!(again(1).await, DeliveryOutcome::Grouped);
}

#[tokio::test]
async fn only_what_comes_within_the_window_is_grouped() {
    let clock = noon();
    let policy = format!("{ROUTES}\ngroup-window-seconds = 5");
    let real = Outbox::new(&shared(&clock, &policy));
    let cx = context();
    let next = async |key: &str, later_ms: u64| {
        clock.advance(later_ms);
        real.trigger_event(&cx, &trigger(key, Severity::Warning)).await.unwrap().outcome
    };
    assert_eq!(next("a", 0).await, DeliveryOutcome::Queued);
    assert_eq!(next("b", 4_999).await, DeliveryOutcome::Grouped);
    assert_eq!(next("c", 1).await, DeliveryOutcome::Queued);
}

#[tokio::test]
async fn too_many_in_an_hour_are_dropped_and_the_next_is_told() {
    let clock = noon();
    let policy = ROUTES.replace("1000", "2") + "group-window-seconds = 0";
    let shared = shared(&clock, &policy);
    let (real, cx) = (Outbox::new(&shared), context());
    let next = async |key: &str| real.trigger_event(&cx, &trigger(key, Severity::Warning)).await.unwrap();
    assert_eq!(next("a").await.outcome, DeliveryOutcome::Queued);
    clock.advance(1_000);
    assert_eq!(next("b").await.outcome, DeliveryOutcome::Queued);
    let dropped = next("c").await;
    assert_eq!((dropped.outcome, dropped.change.effect), (DeliveryOutcome::RateLimited, Effect::Unchanged));
    let overlay = Overlay::new(Look::new(&shared));
    assert_eq!(overlay.trigger_event(&cx, &trigger("c", Severity::Warning)).await.unwrap(), dropped);
    assert_eq!(real.resolve_event(&cx, &resolve("a")).await.unwrap().outcome, DeliveryOutcome::Queued);
    clock.advance(HOUR_MS - 1_000);
    assert_eq!(next("c").await.outcome, DeliveryOutcome::Queued);
}

pub(super) const QUIET: &str = "
    [notify.routes.on-call]
    kind = 'webhook'
    url = 'https://example.com/hook'
    quiet-hours = { from = '11:00', to = '13:00', time-zone = 'UTC', severity = 'error' }
";

#[tokio::test]
async fn quiet_hours_hold_back_and_what_ends_before_they_do_is_never_told() {
    let clock = noon();
    let shared = shared(&clock, QUIET);
    let (real, cx) = (Outbox::new(&shared), context());
    let waiting = || shared.store.list(super::outbox::MESSAGES, "", "", 9, NOON_MS).unwrap().len();
    let held = real.trigger_event(&cx, &trigger("disk", Severity::Warning)).await.unwrap();
    assert_eq!((held.outcome, held.change.effect), (DeliveryOutcome::Muted, Effect::Changed));
    assert_eq!(held.reason, "quiet hours until 13:00 UTC: sent then");
    assert_eq!(waiting(), 1);
    let over = real.resolve_event(&cx, &resolve("disk")).await.unwrap();
    assert_eq!((over.outcome, over.change.effect, waiting()), (DeliveryOutcome::Muted, Effect::Changed, 0));
    let worse = real.trigger_event(&cx, &trigger("disk", Severity::Error)).await.unwrap();
    assert_eq!(worse.outcome, DeliveryOutcome::Queued, "it breaks through");
    let over = real.resolve_event(&cx, &resolve("disk")).await.unwrap();
    assert_eq!((over.outcome, waiting()), (DeliveryOutcome::Queued, 2));
    clock.advance(HOUR_MS);
    let late = real.trigger_event(&cx, &trigger("late", Severity::Warning)).await.unwrap();
    assert_eq!(late.outcome, DeliveryOutcome::Queued);
}

#[tokio::test]
async fn an_alert_that_has_not_left_is_taken_back_and_one_that_was_repeated_is_not() {
    let shared = shared(&noon(), QUIET);
    let (real, cx) = (Outbox::new(&shared), context());
    real.trigger_event(&cx, &trigger("disk", Severity::Warning)).await.unwrap();
    let undo = cx.take_undo().remove(0);
    real.trigger_event(&cx, &trigger("disk", Severity::Warning)).await.unwrap();
    assert_eq!(real.undo(&cx, &undo).await.unwrap_err().code, "newer-work");
    let repeat = cx.take_undo().remove(0);
    assert_eq!(real.undo(&cx, &repeat).await.unwrap_err().code, "already-sent");

    real.trigger_event(&cx, &trigger("load", Severity::Warning)).await.unwrap();
    let undo = cx.take_undo().remove(0);
    let change = real.undo(&cx, &undo).await.unwrap();
    assert_eq!((change.before.as_deref(), change.after), (Some("open, warning, 1 time"), None));
    assert_eq!(real.resolve_event(&cx, &resolve("load")).await.unwrap().change.effect, Effect::Unchanged);
    assert_eq!(real.undo(&cx, &undo).await.unwrap_err().code, "already-sent", "once is enough");
}

#[tokio::test]
async fn a_fixture_says_who_can_be_told_and_what_is_open() {
    let fixture =
        "audiences = ['on-call']\nalerts = [{ audience = 'on-call', dedup-key = 'disk', acknowledged = true }]";
    let it = Memory::new(toml::from_str(fixture).unwrap(), &shared(&noon(), "")).unwrap();
    let resolved = it.resolve_event(&context(), &resolve("disk")).await.unwrap();
    assert_eq!(states(&resolved), (Some("acknowledged, warning, 1 time"), None));
    let nobody = AcknowledgeEvent { audience: "technician".into(), dedup_key: "x".into() };
    assert_eq!(it.acknowledge_event(&context(), &nobody).await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(toml::from_str::<Fixture>("audience = []").is_err());
}
