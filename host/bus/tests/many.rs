//! What many lines cost, both ends in this process, which is theirs alone: its memory is looked at.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on panics")]

#[allow(dead_code, reason = "the tests of the backend use more of it")]
#[path = "embedded/world.rs"]
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::conformance::World as _;
use bus::{Line as _, Message, Position, Replacement, Spool, Whom, Woken};
use model::Digest;
use tokio::sync::Barrier;

use world::{Between, Embedded, device};

/// As many as an ordinary limit of open files lets this process hold, with two ends of two connections each.
const LINES: u8 = 200;

/// What a line may take at rest, both ends with TLS: a bell for ten thousand devices is then at most 1.5 GiB for hub and devices.
const LINE_BYTES_MAX: usize = 150 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_join_wait_and_answer_at_once() {
    let world = Embedded::new(Between::Nobody);
    // What the first one loads is not what each takes.
    world.dial(255).wait(None, Duration::from_millis(1)).await.unwrap();
    let (before, begun) = (resident_bytes(), Instant::now());
    let (joined, rest) = (Arc::new(Barrier::new(LINES as usize + 1)), Arc::new(Barrier::new(LINES as usize + 1)));
    let lines: Vec<_> = (0..LINES)
        .map(|number| {
            let (dial, joined, rest) = (world.dial(number), Arc::clone(&joined), Arc::clone(&rest));
            tokio::spawn(async move {
                dial.wait(None, Duration::from_millis(1)).await.unwrap();
                joined.wait().await;
                rest.wait().await;
                let has = Some(Digest::of(b"order"));
                assert!(matches!(dial.wait(None, Duration::from_secs(60)).await, Ok(Woken::Rung { .. })));
                dial.mailbox(None).await.unwrap();
                let kind = "result".parse().unwrap();
                let message = Message { spool: Spool(1), sequence: 1, kind, body: vec![b'x'; 1_024].into() };
                dial.deliver(&[message]).await.unwrap();
                dial.wait(has, Duration::from_millis(1)).await
            })
        })
        .collect();
    joined.wait().await;
    let join = begun.elapsed();
    // The connection that joined idles out before it rests.
    tokio::time::sleep(Duration::from_secs(17)).await;
    let each = (resident_bytes().saturating_sub(before)) / usize::from(LINES);
    let replacement =
        |number| Replacement { device: device(number), expected: None, bytes: "order".into(), names: Vec::new() };
    world.exchange().replace((0..LINES).map(replacement).collect()).await.unwrap();
    rest.wait().await;
    let begun = Instant::now();
    world.exchange().ring(Whom::All, Duration::ZERO).await.unwrap();
    for line in lines {
        line.await.unwrap().unwrap();
    }
    let answered = begun.elapsed();
    assert_eq!(world.exchange().log(Position::default(), 1_000).await.unwrap().len(), usize::from(LINES));
    eprintln!(
        "{LINES} lines: joined in {} ms, answered in {} ms, {} KiB each at rest",
        join.as_millis(),
        answered.as_millis(),
        each >> 10
    );
    assert!(each < LINE_BYTES_MAX, "{each} bytes each");
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
