//! What every backend of `ticket` does alike, and what only some do: keep it, hide it, undo it, share it between processes.

use std::sync::Arc;

use contract::ticket::{
    AddNote, AttachFile, Backend, Draft, Kind, Level, RaiseOutcome, RaiseTicket, Raised, ResolveIfMine, Status,
    Visibility,
};
use contract::types::{Effect, ErrorKind, Severity};
use contract::{Context, Undo};
use model::{Clock, ManualClock};

use crate::testing::context;
use crate::{Policy, Shared, Undoer};

use super::{Fixture, Look, Memory, Overlay, Tickets};

const DAY_MS: u64 = 86_400_000;

pub(super) fn shared(clock: &Arc<ManualClock>, policy: &str) -> Shared {
    let shared = Shared::in_memory(Arc::clone(clock) as Arc<dyn Clock>).unwrap();
    let policy: Policy = toml::from_str(policy).unwrap();
    Shared { policy: Arc::new(policy), ..shared }
}

pub(super) fn draft(fingerprint: &str) -> RaiseTicket {
    RaiseTicket {
        ticket: Draft {
            fingerprint: fingerprint.into(),
            kind: Kind::Incident,
            title: "The disk is full".into(),
            body: "`/var` has 12 MB left.".into(),
            impact: Level::Medium,
            urgency: Level::High,
            severity: Severity::Error,
            attributes: Vec::new(),
        },
    }
}

fn with(fingerprint: &str, name: &str, value: &str) -> RaiseTicket {
    let mut call = draft(fingerprint);
    call.ticket.attributes.push((name.into(), value.into()));
    call
}

pub(super) fn note(fingerprint: &str, body: &str) -> AddNote {
    AddNote { fingerprint: fingerprint.into(), body: body.into(), visibility: Visibility::Internal }
}

pub(super) fn file(fingerprint: &str, name: &str, content: &[u8]) -> AttachFile {
    AttachFile {
        fingerprint: fingerprint.into(),
        name: name.into(),
        media_type: "text/plain".into(),
        content: content.to_vec(),
    }
}

pub(super) fn resolve(fingerprint: &str) -> ResolveIfMine {
    ResolveIfMine { fingerprint: fingerprint.into(), resolution: "There is room again.".into() }
}

fn outcome(raised: &Raised) -> &str {
    &raised.change.attributes.iter().find(|(name, _)| name == "outcome").unwrap().1
}

fn states(raised: &Raised) -> (Option<&str>, Option<&str>) {
    (raised.change.before.as_deref(), raised.change.after.as_deref())
}

/// What holds for the real one, for its twin, and for what a dry run sees: outcomes aside, that a dry run words differently.
async fn suite(it: &impl Backend) {
    let cx = context();
    let first = it.raise_ticket(&cx, &draft("disk")).await.unwrap();
    assert_eq!((first.change.effect, outcome(&first)), (Effect::Changed, "created"));
    assert_eq!(states(&first), (None, Some("new, priority 2, 1 occurrence")));
    let mut worse = draft("disk");
    worse.ticket.impact = Level::High;
    let second = it.raise_ticket(&cx, &worse).await.unwrap();
    assert_eq!(outcome(&second), "appended");
    assert_eq!(states(&second), (Some("new, priority 2, 1 occurrence"), Some("new, priority 1, 2 occurrences")));

    let noted = it.add_note(&cx, &note("disk", "Still full.")).await.unwrap();
    assert_eq!((noted.before.as_deref(), noted.after.as_deref()), (Some("notes: 0"), Some("notes: 1")));
    let attached = it.attach_file(&cx, &file("disk", "df.txt", b"/var 100%")).await.unwrap();
    assert_eq!((attached.effect, attached.before), (Effect::Changed, None));
    assert!(attached.after.unwrap().starts_with("sha256:"));
    assert_eq!(it.attach_file(&cx, &file("disk", "df.txt", b"/var 100%")).await.unwrap().effect, Effect::Unchanged);
    assert_eq!(it.attach_file(&cx, &file("disk", "df.txt", b"")).await.unwrap().effect, Effect::Changed);

    let resolved = it.resolve_if_mine(&cx, &resolve("disk")).await.unwrap();
    assert_eq!(resolved.after.as_deref(), Some("resolved, priority 1, 2 occurrences"));
    assert_eq!(it.resolve_if_mine(&cx, &resolve("disk")).await.unwrap().effect, Effect::Unchanged);
    assert_eq!(it.resolve_if_mine(&cx, &resolve("none")).await.unwrap().effect, Effect::Unchanged);
    for error in [
        it.add_note(&cx, &note("disk", "x")).await.unwrap_err(),
        it.attach_file(&cx, &file("none", "x", b"x")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::NotFound);
    }

    let again = it.raise_ticket(&cx, &draft("disk")).await.unwrap();
    assert_eq!((outcome(&again), again.change.after.as_deref()), ("reopened", Some("new, priority 2, 3 occurrences")));

    let other = Context::new("run_02", "other", "dev_01", vec!["*".into()], cx.deadline);
    let theirs = it.raise_ticket(&other, &draft("disk")).await.unwrap();
    assert_eq!(outcome(&theirs), "created", "a fingerprint is the plugin's own");
    refusals(it).await;
}

/// Each limit, and the same call just inside it.
async fn refusals(it: &impl Backend) {
    let cx = context();
    let titled = |title: String| {
        let mut call = draft("limits");
        call.ticket.title = title;
        call
    };
    let bodied = |length: usize| {
        let mut call = draft("limits");
        call.ticket.body = "x".repeat(length);
        call
    };
    let seconds = |text: &str| with("limits", "reopen-window-seconds", text);
    let cases = [
        (titled("x".repeat(255)), titled("x".repeat(256)), "title"),
        (titled("x".into()), titled(String::new()), "title"),
        (titled("a b".into()), titled("a\nb".into()), "title"),
        (bodied(32 << 10), bodied((32 << 10) + 1), "body"),
        (draft(&"x".repeat(255)), draft(&"x".repeat(256)), "fingerprint"),
        (draft("x"), draft(""), "fingerprint"),
        (seconds("7776000"), seconds("7776001"), "attribute"),
        (seconds("60"), seconds("a minute"), "attribute"),
        (with("limits", "mine", "x"), with("limits", "Mine", "x"), "attribute"),
    ];
    for (good, bad, code) in cases {
        it.raise_ticket(&cx, &good).await.unwrap();
        let error = it.raise_ticket(&cx, &bad).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Invalid, code));
    }
    let long = "x".repeat(32 << 10);
    it.add_note(&cx, &note("limits", &long)).await.unwrap();
    for bad in ["", &format!("{long}x")] {
        assert_eq!(it.add_note(&cx, &note("limits", bad)).await.unwrap_err().code, "note");
    }
    let big = vec![b'x'; 1 << 20];
    it.attach_file(&cx, &file("limits", "big", &big)).await.unwrap();
    let bigger = [&big[..], b"x"].concat();
    assert_eq!(it.attach_file(&cx, &file("limits", "big", &bigger)).await.unwrap_err().code, "content");
    for name in ["", "a/b", "a\\b", "..", "a\0", &"x".repeat(256)] {
        assert_eq!(it.attach_file(&cx, &file("limits", name, b"x")).await.unwrap_err().code, "name");
    }
    let typed = |media_type: &str| AttachFile { media_type: media_type.into(), ..file("limits", "typed", b"x") };
    it.attach_file(&cx, &typed("image/png")).await.unwrap();
    assert_eq!(it.attach_file(&cx, &typed("png")).await.unwrap_err().code, "media-type");
    for index in 2..16 {
        it.attach_file(&cx, &file("limits", &index.to_string(), b"x")).await.unwrap();
    }
    assert_eq!(it.attach_file(&cx, &file("limits", "17", b"x")).await.unwrap_err().kind, ErrorKind::Limit);
}

#[tokio::test]
async fn documents_conform() {
    let shared = shared(&Arc::default(), "");
    suite(&Tickets::new(&shared)).await;
}

#[tokio::test]
async fn the_twin_in_memory_conforms() {
    suite(&Memory::new(Fixture::default(), &shared(&Arc::default(), ""))).await;
}

#[tokio::test]
async fn the_overlay_conforms_and_leaves_its_base_alone() {
    let shared = shared(&Arc::default(), "");
    suite(&Overlay::new(Look::new(&shared))).await;
    assert!(Tickets::new(&shared).list(&all()).unwrap().is_empty());
}

pub(super) fn all() -> super::Filter {
    use Status::{Cancelled, Closed, InProgress, New, Pending, Resolved};
    super::Filter { statuses: vec![New, InProgress, Pending, Resolved, Closed, Cancelled], ..Default::default() }
}

#[tokio::test]
async fn a_dry_run_answers_what_the_real_run_would_and_shows_only_tickets_that_exist() {
    let shared = shared(&Arc::default(), "");
    let (real, cx) = (Tickets::new(&shared), context());
    let made = real.raise_ticket(&cx, &draft("there")).await.unwrap().ticket.unwrap();
    let untouched = real.show(&made.id).unwrap();
    cx.take_undo();

    let overlay = Overlay::new(Look::new(&shared));
    let mut planned = Vec::new();
    for fingerprint in ["there", "new", "new"] {
        planned.push(overlay.raise_ticket(&cx, &draft(fingerprint)).await.unwrap());
    }
    assert!(planned.iter().all(|raised| raised.outcome == RaiseOutcome::Planned));
    assert_eq!(planned[0].ticket.as_ref().unwrap().number, made.number);
    assert_eq!((planned[1].ticket.is_none(), planned[2].ticket.is_none()), (true, true));
    assert_eq!(real.show(&made.id).unwrap(), untouched);
    assert!(cx.take_undo().is_empty(), "what was not done is not undone");

    for (fingerprint, planned) in ["there", "new", "new"].into_iter().zip(planned) {
        let done = real.raise_ticket(&cx, &draft(fingerprint)).await.unwrap();
        assert_eq!(done.change, planned.change);
    }
}

#[tokio::test]
async fn the_second_of_two_is_the_same_ticket_and_numbers_go_on() {
    let real = Tickets::new(&shared(&Arc::default(), "ticket = { number-prefix = 'ACME' }"));
    let cx = context();
    let first = real.raise_ticket(&cx, &draft("a")).await.unwrap();
    let second = real.raise_ticket(&cx, &draft("a")).await.unwrap();
    let other = real.raise_ticket(&cx, &draft("b")).await.unwrap();
    assert_eq!((first.outcome, second.outcome), (RaiseOutcome::Created, RaiseOutcome::Appended));
    let (first, second, other) = (first.ticket.unwrap(), second.ticket.unwrap(), other.ticket.unwrap());
    assert_eq!((first.number.as_str(), other.number.as_str()), ("ACME-000001", "ACME-000002"));
    assert_eq!((&second.id, second.occurrences), (&first.id, 2));
}

#[tokio::test]
async fn a_ticket_is_reopened_within_its_window_and_closed_after_it() {
    let clock = Arc::new(ManualClock::new(DAY_MS));
    let real = Tickets::new(&shared(&clock, ""));
    let cx = context();
    let close = async |seconds: Option<&str>, later_ms: u64| {
        let call = seconds.map_or(draft("w"), |seconds| with("w", "reopen-window-seconds", seconds));
        let raised = real.raise_ticket(&cx, &call).await.unwrap();
        real.resolve_if_mine(&cx, &resolve("w")).await.unwrap();
        clock.advance(later_ms);
        (raised.outcome, real.show(&raised.ticket.unwrap().id).unwrap().status)
    };
    assert_eq!(close(None, 7 * DAY_MS).await, (RaiseOutcome::Created, Status::Resolved));
    assert_eq!(close(None, 7 * DAY_MS + 1).await, (RaiseOutcome::Reopened, Status::Closed));
    assert_eq!(close(Some("60"), 60_001).await, (RaiseOutcome::Created, Status::Closed));
    assert_eq!(close(Some("60"), 60_000).await, (RaiseOutcome::Created, Status::Resolved));
    assert_eq!(close(Some("60"), 0).await.0, RaiseOutcome::Reopened);
}

#[tokio::test]
async fn policy_mutes_and_holds_back_a_flood() {
    let clock = Arc::new(ManualClock::new(DAY_MS));
    let policy = "[ticket]\nnew-per-day-max = 2\n[[ticket.mute]]\nfingerprint = 'disk*'\nreason = 'replaced in May'";
    let shared = shared(&clock, policy);
    let (real, cx) = (Tickets::new(&shared), context());
    let muted = real.raise_ticket(&cx, &draft("disk-1")).await.unwrap();
    assert_eq!((muted.outcome, muted.reason.as_str()), (RaiseOutcome::Suppressed, "replaced in May"));
    assert_eq!((muted.change.effect, muted.ticket), (Effect::Unchanged, None));
    for fingerprint in ["a", "b"] {
        assert_eq!(real.raise_ticket(&cx, &draft(fingerprint)).await.unwrap().outcome, RaiseOutcome::Created);
    }
    let third = real.raise_ticket(&cx, &draft("c")).await.unwrap();
    assert_eq!((third.outcome, third.change.effect), (RaiseOutcome::Suppressed, Effect::Unchanged));
    let planned = Overlay::new(Look::new(&shared)).raise_ticket(&cx, &draft("c")).await.unwrap();
    assert_eq!(planned, third, "a dry run is held back as well");
    assert_eq!(real.raise_ticket(&cx, &draft("a")).await.unwrap().outcome, RaiseOutcome::Appended);
    clock.advance(DAY_MS);
    assert_eq!(real.raise_ticket(&cx, &draft("c")).await.unwrap().outcome, RaiseOutcome::Created);
}

#[tokio::test]
async fn a_fixture_says_which_tickets_there_are() {
    let fixture = "tickets = [{ fingerprint = 'a', occurrences = 4, person-replied = true }, \
                   { fingerprint = 'b', status = 'resolved', age-seconds = 60 }]";
    let it = Memory::new(toml::from_str(fixture).unwrap(), &shared(&Arc::new(ManualClock::new(DAY_MS)), ""));
    let cx = context();
    assert_eq!(it.raise_ticket(&cx, &draft("a")).await.unwrap().ticket.unwrap().occurrences, 5);
    assert_eq!(it.resolve_if_mine(&cx, &resolve("a")).await.unwrap_err().code, "person-replied");
    assert_eq!(it.raise_ticket(&cx, &draft("b")).await.unwrap().outcome, RaiseOutcome::Reopened);
    assert_eq!(it.raise_ticket(&cx, &draft("c")).await.unwrap().ticket.unwrap().number, "T-000003");
    assert!(toml::from_str::<Fixture>("ticket = []").is_err());
}

/// Runs one call, and gives what would undo it.
async fn undo_of<T>(cx: &Context, call: impl Future<Output = Result<T, contract::types::Error>>) -> Undo {
    call.await.ok().unwrap();
    cx.take_undo().remove(0)
}

#[tokio::test]
async fn a_whole_run_is_undone_backwards_and_its_ticket_cancelled() {
    let real = Tickets::new(&shared(&Arc::default(), ""));
    let cx = context();
    let mut undos = vec![
        undo_of(&cx, real.raise_ticket(&cx, &draft("u"))).await,
        undo_of(&cx, real.add_note(&cx, &note("u", "x"))).await,
        undo_of(&cx, real.attach_file(&cx, &file("u", "x", b"x"))).await,
        undo_of(&cx, real.raise_ticket(&cx, &draft("u"))).await,
        undo_of(&cx, real.resolve_if_mine(&cx, &resolve("u"))).await,
    ];
    let other = Context::new("run_undo", "test", "dev_01", Vec::new(), cx.deadline);
    let mut after = Vec::new();
    while let Some(undo) = undos.pop() {
        after.push(real.undo(&other, &undo).await.unwrap().after.unwrap());
    }
    let (two, one) = ("new, priority 2, 2 occurrences", "new, priority 2, 1 occurrence");
    assert_eq!(after, [two, one, one, one, "cancelled, priority 2, 1 occurrence"]);
    let ticket = &real.list(&all()).unwrap()[0];
    assert!(ticket.notes[0].withdrawn && ticket.attachments[0].withdrawn);
    assert_eq!(ticket.history.len(), 10, "nothing is forgotten");
    let raised = real.raise_ticket(&cx, &draft("u")).await.unwrap();
    assert_eq!((raised.outcome, raised.ticket.unwrap().number.as_str()), (RaiseOutcome::Created, "T-000002"));
}

#[tokio::test]
async fn undo_leaves_newer_work_alone() {
    let real = Tickets::new(&shared(&Arc::default(), ""));
    let cx = context();
    let undo = undo_of(&cx, real.raise_ticket(&cx, &draft("u"))).await;
    real.reply("T-000001", "ada", "I am on it.", Visibility::Customer).unwrap();
    let untouched = real.show("T-000001").unwrap();
    let error = real.undo(&cx, &undo).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Conflict, "newer-work"));
    assert_eq!(real.show("T-000001").unwrap(), untouched);
}

#[test]
fn two_processes_that_raise_the_same_make_one_ticket() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 5;
    let folder = tempfile::tempdir().unwrap();
    // A store of its own for each: what they share is the file, as two processes would.
    let open = || {
        let shared = shared(&Arc::default(), "");
        Tickets::new(&Shared { store: Arc::new(store::Store::open(folder.path()).unwrap()), ..shared })
    };
    let raisers: Vec<Tickets> = (0..THREADS).map(|_| open()).collect();
    let start = std::sync::Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for raiser in &raisers {
            scope.spawn(|| {
                start.wait();
                for round in 0..ROUNDS {
                    raiser.raise(&context(), &draft(&format!("round-{round}")).ticket).unwrap();
                }
            });
        }
    });
    let tickets = open().list(&all()).unwrap();
    let mut numbers: Vec<&str> = tickets.iter().map(|ticket| ticket.number.as_str()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["T-000001", "T-000002", "T-000003", "T-000004", "T-000005"]);
    assert!(tickets.iter().all(|ticket| ticket.occurrences == 4 && ticket.history.len() == 4), "{tickets:?}");
}
