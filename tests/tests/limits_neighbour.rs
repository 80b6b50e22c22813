//! A hostile guest harms no other: beside each, a neighbour that works for 5 ms is started every 100 ms, on the same engine
//! and the same two threads, and always ends within 50 ms.
//!
//! Time is shared with whatever else this machine does, so one late neighbour proves nothing. Where one was late, neighbours
//! alone are measured too, and the guest gets another try; a guest is guilty when in every try a neighbour was later than
//! 50 ms plus twice what the slowest was late alone. On a machine that does nothing else that is 50 ms and a little.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on panics, and says what it measured"
)]

mod hostile;

use std::time::{Duration, Instant};

use hostile::table::{self, Ends, Guest, Row};
use hostile::{LAB, runtime};
use model::{Mode, Outcome};

/// Within this a neighbour ends.
const LATE: Duration = Duration::from_millis(50);
/// How often one is started.
const EVERY: Duration = Duration::from_millis(100);
/// How long there are neighbours beside a guest; one that ends sooner begins again.
const BESIDE: Duration = Duration::from_millis(450);
/// What a neighbour's work takes of a processor.
const WORK_MS: u64 = 5;
/// Tries, until a guest is guilty.
const TRIES: u32 = 4;

#[test]
fn a_neighbour_ends_in_time_beside_every_guest() {
    let mut guilty = Vec::new();
    runtime().block_on(async {
        let rounds = calibrate().await;
        let alone = neighbours(rounds, None).await;
        eprintln!("alone: {} ms at most, {rounds} rounds", alone.as_millis());
        for row in table::rows() {
            let name = format!("{} at {}", row.guest.name(), row.limit);
            if let Some(late) = is_guilty(rounds, row).await {
                guilty.push(format!("{name}: {late}"));
            }
        }
    });
    assert!(guilty.is_empty(), "neighbours were late beside:\n{}", guilty.join("\n"));
}

/// What speaks against a guest, if every try does.
async fn is_guilty(rounds: u64, row: Row) -> Option<String> {
    let name = format!("{} at {}", row.guest.name(), row.limit);
    let row = std::sync::Arc::new(row);
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        let beside = neighbours(rounds, Some(row.clone())).await;
        eprintln!("beside {name}: {} ms at most", beside.as_millis());
        if beside <= LATE {
            return None;
        }
        let alone = neighbours(rounds, None).await;
        eprintln!("alone: {} ms at most", alone.as_millis());
        if beside <= LATE + 2 * alone.saturating_sub(Duration::from_millis(WORK_MS)) {
            return None;
        }
        tries.push(format!("{} ms beside it, {} ms alone", beside.as_millis(), alone.as_millis()));
    }
    Some(tries.join("; "))
}

/// How many rounds take a neighbour's time of a processor.
async fn calibrate() -> u64 {
    const ROUNDS: u64 = 100_000_000;
    let ran = LAB.run_guest(Guest::Act("work", Mode::Detect), ROUNDS, None).await;
    ROUNDS * WORK_MS / ran.ended.resources.cpu_ms.max(1)
}

/// The slowest neighbour, beside a guest or alone.
async fn neighbours(rounds: u64, beside: Option<std::sync::Arc<Row>>) -> Duration {
    let until = Instant::now() + BESIDE;
    let guest = beside.map(|row| {
        tokio::spawn(async move {
            loop {
                assert!(LAB.stopped(&row).await.ended_as(row.ends), "{}", row.limit);
                if Instant::now() >= until {
                    break;
                }
            }
        })
    });
    let mut started = Vec::new();
    let mut every = tokio::time::interval(EVERY);
    while Instant::now() < until || guest.as_ref().is_some_and(|guest| !guest.is_finished()) {
        every.tick().await;
        started.push(tokio::spawn(LAB.run_guest(Guest::Act("work", Mode::Detect), rounds, None)));
    }
    let mut slowest = Duration::ZERO;
    for neighbour in started {
        let ran = neighbour.await.unwrap();
        assert!(ran.ended_as(Ends::With(Outcome::Completed, "")));
        slowest = slowest.max(ran.took);
    }
    if let Some(guest) = guest {
        guest.await.unwrap();
    }
    slowest
}
