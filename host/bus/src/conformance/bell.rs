use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Digest;

use super::{Held, World, put, replacement, same, so, told};
use crate::{Exchange, Line, Trouble, Whom, Woken};

/// So long a bell is waited for where one is due.
const SOON: Duration = Duration::from_secs(20);

/// So often it is rung meanwhile: one may be lost, all of them may not.
const AGAIN: Duration = Duration::from_millis(50);

/// So often what rang before may still be heard.
const LATE_MAX: usize = 5;

/// Rings until the waiting is over, and answers what it came to.
async fn rung(
    exchange: &dyn Exchange,
    whom: Whom<'_>,
    within: Duration,
    line: &Arc<dyn Line>,
    has: Option<Digest>,
) -> Result<Woken, String> {
    let waiting = tokio::spawn({
        let line = Arc::clone(line);
        async move { line.wait(has, SOON).await }
    });
    while !waiting.is_finished() {
        tokio::time::sleep(AGAIN).await;
        exchange.ring(whom, within).await.map_err(told)?;
    }
    waiting.await.map_err(told)?.map_err(told)
}

pub(super) async fn heard(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    for whom in [Whom::These(&[device]), Whom::All] {
        let woken = rung(&*exchange, whom, Duration::ZERO, &line, None).await?;
        so!(matches!(woken, Woken::Rung { .. }), "nobody heard {whom:?}");
    }
    Ok(())
}

pub(super) async fn own(world: &dyn World) -> Held {
    let exchange = world.exchange();
    let ((device, line), (_, neighbour)) = (world.line(1).await, world.line(2).await);
    let waiting = tokio::spawn(async move { neighbour.wait(None, Duration::from_secs(1)).await });
    let woken = rung(&*exchange, Whom::These(&[device]), Duration::ZERO, &line, None).await?;
    so!(matches!(woken, Woken::Rung { .. }), "whoever it was rung for did not hear it");
    same!(waiting.await.map_err(told)?.map_err(told)?, Woken::Quiet, "the neighbour");
    Ok(())
}

pub(super) async fn spread(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    let within = Duration::from_millis(2_500);
    let woken = rung(&*exchange, Whom::These(&[device]), within, &line, None).await?;
    same!(woken, Woken::Rung { within }, "what was rung");
    Ok(())
}

pub(super) async fn missed(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    put(&*exchange, replacement(device, None, "one")).await?;
    exchange.ring(Whom::All, Duration::ZERO).await.map_err(told)?;
    let begun = Instant::now();
    for has in [None, Some(Digest::of(b"an old one"))] {
        let woken = line.wait(has, SOON).await.map_err(told)?;
        so!(matches!(woken, Woken::Rung { .. }), "nothing woke who has {has:?}");
    }
    so!(begun.elapsed() < SOON, "it took as long as a wait does");
    // What rang before may be heard late, and some times; not for ever.
    for _ in 0..LATE_MAX {
        let woken = line.wait(Some(Digest::of(b"one")), Duration::from_millis(300)).await.map_err(told)?;
        if woken == Woken::Quiet {
            return Ok(());
        }
    }
    Err("whoever has it is woken all the time".to_owned())
}

pub(super) async fn ends(world: &dyn World) -> Held {
    let (_, line) = world.line(1).await;
    let begun = Instant::now();
    let woken: Result<Woken, Trouble> = match tokio::time::timeout(SOON, line.wait(None, AGAIN)).await {
        Ok(woken) => woken,
        Err(_) => return Err("it does not".to_owned()),
    };
    same!(woken, Ok(Woken::Quiet), "what it came to");
    so!(begun.elapsed() >= AGAIN, "it ended before its time");
    Ok(())
}
