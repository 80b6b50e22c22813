//! The bounds of the host that end no run, and so have no row in the table: what is kept in memory, how many guests there are
//! at once, how large a component may be, how long a schema, a cancelled guest and an undo may take.

mod hostile;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostile::components::{finds, grows, has, says_its_schema};
use hostile::table::{Ends, Guest};
use hostile::{LAB, Ran};
use model::{Event, Grants, Limits, Mode, Outcome, RunId};
use runtime::{Compiler, Engine, Error, Options, Refusal};
use store::Store;
use tests::{Remit, remit};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const PAGE_BYTES: u64 = 64 << 10;

fn act(name: &'static str) -> Guest {
    Guest::Act(name, Mode::Detect)
}

fn told(ran: &Ran) -> String {
    format!("{} `{}` after {:?}", ran.ended.outcome, ran.ended.detail, ran.took)
}

#[test]
fn what_is_journalled_does_not_pile_up_in_memory() {
    hostile::runtime().block_on(async {
        let many = LAB.run_guest(act("call"), 9_000, None).await;
        assert!(many.events.len() > 9_000, "{}", told(&many));
        assert!((4_000..=4_100).contains(&many.written_at_once), "{} events at once", many.written_at_once);
        // Four MiB, as four reads of one MiB are, and not twenty.
        let large = LAB.run_guest(act("read"), 20, None).await;
        assert!(large.written_at_once < 10, "{} events at once", large.written_at_once);
        let checkpoints = LAB.run_guest(Guest::Act("checkpoints", Mode::Enforce), 1_000, None).await;
        assert!(checkpoints.written_at_once < 300, "{} events at once", checkpoints.written_at_once);
        // The control: what is small is written once a phase, and not one by one.
        let few = LAB.run_guest(act("call"), 1_000, None).await;
        assert!(few.written_at_once > 1_000, "{} events at once", few.written_at_once);
    });
}

/// Runs so many at once; how long all of them took.
async fn at_once(count: usize, guest: Guest, amount: u64, limits: &Limits) -> Duration {
    let began = Instant::now();
    let mut guests = JoinSet::new();
    for _ in 0..count {
        let limits = limits.clone();
        guests.spawn(async move { LAB.run_with(guest, amount, limits, &CancellationToken::new()).await });
    }
    while let Some(ran) = guests.join_next().await {
        let ran = ran.unwrap();
        assert!(ran.ended_as(Ends::With(Outcome::Completed, "")), "{}", told(&ran));
    }
    began.elapsed()
}

#[test]
fn more_guests_than_there_are_places_wait() {
    hostile::runtime().block_on(async {
        let limits = Limits::default();
        // Compiling is none of it.
        at_once(1, act("host-sleep"), 1, &limits).await;
        let (fit, wait) = (
            at_once(64, act("host-sleep"), 2_000, &limits).await,
            at_once(65, act("host-sleep"), 2_000, &limits).await,
        );
        assert!(fit < Duration::from_millis(4_000), "64 took {fit:?}");
        assert!(wait >= Duration::from_millis(4_000), "65 took {wait:?}");
    });
}

#[test]
fn guests_with_many_memories_take_none_from_each_other() {
    hostile::runtime().block_on(async {
        let mut limits = Limits::default();
        (limits.memory_bytes, limits.table_elements, limits.instances) = (512 << 20, 200_000, 64);
        for name in ["ten-memories", "ten-tables", "many-instances"] {
            at_once(40, Guest::Component(name), 0, &limits).await;
        }
    });
}

/// Why a component is refused; none where it is not.
async fn refused(bytes: Vec<u8>) -> Option<Vec<Refusal>> {
    let engine = Engine::new(Options::default()).unwrap();
    let plugin = hostile::plugin_of_bytes("parts", bytes);
    match runtime::prepare(&engine, &plugin, &Grants::default(), None, &Compiler::InProcess).await {
        Ok(_) => None,
        Err(Error::Refused(reasons)) => Some(reasons),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_component_of_too_many_parts_is_refused() {
    hostile::runtime().block_on(async {
        // The component itself has one instance and one memory, and each of these counts as an instance too.
        for (part, fits, too_many) in [("(memory 0)", 31, 32), ("(table 0 funcref)", 62, 64), ("", 62, 64)] {
            assert_eq!(refused(has(part, fits)).await, None, "{fits} of {part}");
            let reasons = refused(has(part, too_many)).await.unwrap_or_else(|| panic!("{too_many} of {part} fit"));
            assert!(matches!(reasons.as_slice(), [Refusal::NotCompiled { .. }]), "{reasons:?}");
        }
    });
}

#[test]
fn a_fingerprint_keeps_its_limits() {
    hostile::runtime().block_on(async {
        for (bytes, fits) in [(0, false), (1, true), (255, true), (256, false)] {
            let ran = LAB.run_component(finds(bytes), Limits::default()).await;
            let why = format!("a fingerprint has 1 to 255 bytes, this one {bytes}");
            let ends = if fits { (Outcome::Completed, "") } else { (Outcome::PluginError, why.as_str()) };
            assert_eq!((ran.ended.outcome, ran.ended.detail.contains(ends.1)), (ends.0, true), "{}", told(&ran));
        }
    });
}

#[test]
fn a_memory_grows_to_the_ceiling_and_no_further() {
    let ceiling = model::limits::LIMITS.iter().find(|limit| limit.name == "memory-bytes").unwrap().ceiling;
    let limits = Limits { memory_bytes: ceiling, ..Limits::default() };
    hostile::runtime().block_on(async {
        let most = u32::try_from(ceiling / PAGE_BYTES).unwrap();
        let whole = LAB.run_component(grows(most), limits.clone()).await;
        assert_eq!(whole.ended.outcome, Outcome::Completed, "{}", told(&whole));
        assert_eq!(whole.ended.resources.memory_peak_bytes, ceiling);
        let over = LAB.run_component(grows(most + 1), limits).await;
        assert!(over.ended_as(Ends::With(Outcome::Limit, "memory-bytes")), "{}", told(&over));
    });
}

#[test]
fn a_schema_that_takes_for_ever_is_refused() {
    let ask = |body: &str| {
        let component = says_its_schema(body);
        let began = Instant::now();
        let said = hostile::runtime().block_on(runtime::parameters_schema(&component));
        (said.map_err(|error| error.to_string()), began.elapsed())
    };
    let (said, took) = ask("(loop $again (br $again))");
    assert!(said.as_ref().is_err_and(|why| why.contains("its schema takes too long")), "{said:?}");
    assert!((10..15).contains(&took.as_secs()), "{took:?}");
    let (said, _) = ask("(if (i32.eq (memory.grow (i32.const 4000)) (i32.const -1)) (then unreachable))");
    assert!(said.as_ref().is_err_and(|why| why.contains("memory-bytes")), "{said:?}");
    // The control: the same component, which answers at once.
    let (said, _) = ask("");
    assert_eq!(said, Ok(Some(serde_json::json!({}))));
}

#[test]
fn a_cancelled_guest_that_goes_on_is_ended() {
    let cancelled = |guest| async move {
        let cancel = CancellationToken::new();
        let soon = cancel.clone();
        let began = Instant::now();
        let run = LAB.run_with(guest, 60_000, Limits { cpu_ms: 60_000, ..Limits::default() }, &cancel);
        let (ran, ()) = tokio::join!(run, async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            soon.cancel();
        });
        assert_eq!(ran.ended.outcome, Outcome::Cancelled, "{}", told(&ran));
        began.elapsed()
    };
    hostile::runtime().block_on(async {
        at_once(1, act("host-sleep"), 1, &Limits::default()).await;
        let deaf = cancelled(act("spin")).await;
        assert!((1_200..2_500).contains(&deaf.as_millis()), "{deaf:?}");
    });
}

#[test]
fn a_run_that_waited_too_long_for_its_reboot_is_over() {
    let device = Remit::new();
    device.run_plugin(&remit::guest("endings"), &["--param", "end=compliant"]).expect(0);
    let store = Arc::new(Store::open(&device.state()).unwrap());
    let first = store.runs(1).unwrap().remove(0);
    let resume = |until_ms: u64| {
        let run = RunId::new();
        let mut log = store.open_run(run).unwrap().unwrap();
        let suspended = Event::Suspended { until_ms, boot: String::new(), findings: Vec::new() };
        let now_ms = first.started_ms;
        log.append(vec![(now_ms, Event::Started(Box::new(first.started.clone()))), (now_ms, suspended)]).unwrap();
        drop(log);
        let ran = device.run(&["resume", &run.to_string()]);
        assert_ne!(ran.code, Some(0), "{ran}");
        let ended = model::event::end(&store.events(run).unwrap()).cloned();
        ended.unwrap_or_else(|| panic!("it goes on: {ran}"))
    };
    let late = resume(1);
    assert_eq!(late.outcome, Outcome::Timeout);
    assert!(late.detail.contains("nobody took its reboot until"), "{}", late.detail);
    // The control: in time it ends for another reason only, because no plugin was kept for it.
    let in_time = resume(u64::MAX >> 1);
    assert_eq!(in_time.outcome, Outcome::Interrupted, "{}", in_time.detail);
}

#[test]
fn a_guest_that_gives_up_at_length_is_stopped_by_the_size_of_its_answer() {
    hostile::runtime().block_on(async {
        let long = LAB.run_guest(act("give-up"), 2 << 20, None).await;
        assert!(long.ended_as(Ends::With(Outcome::Limit, "result-bytes")), "{}", told(&long));
        assert_eq!(long.ended.error, None);
        let short = LAB.run_guest(act("give-up"), 100, None).await;
        assert!(short.ended_as(Ends::With(Outcome::PluginError, "it gives up")), "{}", told(&short));
    });
}
