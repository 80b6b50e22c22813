use bytes::Bytes;

use super::{Held, World, message, same, so, told};
use crate::{
    Ack, BATCH_BYTES_MAX, Device, Exchange, Fault, Logged, MESSAGE_BYTES_MAX, MESSAGES_MAX, Message, Position, Taken,
    Trouble,
};

/// More than any property delivers.
const ALL: usize = 10_000;

async fn log(exchange: &dyn Exchange) -> Result<Vec<Logged>, String> {
    exchange.log(Position::default(), ALL).await.map_err(told)
}

/// How each was taken, in order.
fn taken(acks: &[Ack]) -> Vec<(u64, Taken)> {
    acks.iter().map(|ack| (ack.sequence, ack.taken)).collect()
}

fn said(log: &[Logged]) -> Vec<(Device, Message)> {
    log.iter().map(|it| (it.device, it.message.clone())).collect()
}

pub(super) async fn kept(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    let binary = Message { body: Bytes::from_static(&[0, 255, 10, 13]), ..message(7, 2, "")? };
    let messages = [message(7, 1, "one")?, binary, message(7, 3, "")?];
    let acks = line.deliver(&messages).await.map_err(told)?;
    same!(taken(&acks), [(1, Taken::New), (2, Taken::New), (3, Taken::New)], "what was answered");
    let expected: Vec<_> = messages.into_iter().map(|message| (device, message)).collect();
    same!(said(&log(&*exchange).await?), expected, "what is in the log");
    same!(line.deliver(&[]).await.map_err(told)?, [], "what was answered to nothing");
    Ok(())
}

pub(super) async fn repeated(world: &dyn World) -> Held {
    let (exchange, (_, line)) = (world.exchange(), world.line(1).await);
    let (one, two) = (message(7, 1, "one")?, message(7, 2, "two")?);
    line.deliver(std::slice::from_ref(&one)).await.map_err(told)?;
    let acks = line.deliver(&[one.clone(), two.clone(), one.clone(), two]).await.map_err(told)?;
    let expected = [(1, Taken::Known), (2, Taken::New), (1, Taken::Known), (2, Taken::Known)];
    same!(taken(&acks), expected, "what was answered");
    same!(log(&*exchange).await?.len(), 2, "how many are in the log");
    Ok(())
}

pub(super) async fn differs(world: &dyn World) -> Held {
    let (exchange, (_, line)) = (world.exchange(), world.line(1).await);
    line.deliver(&[message(7, 1, "one")?]).await.map_err(told)?;
    let other_kind = Message { kind: "ticket".parse().map_err(told)?, ..message(7, 1, "one")? };
    let acks = line.deliver(&[message(7, 1, "another")?, other_kind, message(7, 2, "two")?]).await.map_err(told)?;
    same!(taken(&acks), [(1, Taken::Differs), (1, Taken::Differs), (2, Taken::New)], "what was answered");
    let bodies: Vec<Bytes> = log(&*exchange).await?.into_iter().map(|it| it.message.body).collect();
    same!(bodies, ["one", "two"], "what is in the log");
    Ok(())
}

pub(super) async fn keys(world: &dyn World) -> Held {
    let exchange = world.exchange();
    let ((_, line), (_, neighbour)) = (world.line(1).await, world.line(2).await);
    for line in [line, neighbour] {
        for spool in [0, 7, u64::MAX] {
            let acks = line.deliver(&[message(spool, 1, "one")?, message(spool, u64::MAX >> 1, "last")?]).await;
            let acks = acks.map_err(told)?;
            so!(acks.iter().all(|ack| ack.taken == Taken::New), "somebody else's key: {acks:?}");
        }
    }
    same!(log(&*exchange).await?.len(), 12, "how many are in the log");
    Ok(())
}

/// Eight tasks on three devices deliver the same twenty messages, in parts that overlap.
pub(super) async fn raced(world: &dyn World) -> Held {
    let exchange = world.exchange();
    let mut tasks = Vec::new();
    for number in 0..8_u8 {
        let (_, line) = world.line(number % 3).await;
        tasks.push(tokio::spawn(async move {
            for at in 0..19_u64 {
                let acks = line.deliver(&[message(7, at, "x")?, message(7, at + 1, "x")?]).await.map_err(told)?;
                so!(acks.iter().all(|ack| ack.taken != Taken::Differs), "the same is not another: {acks:?}");
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await.map_err(told)??;
    }
    let mut said: Vec<_> = log(&*exchange).await?.iter().map(|it| (it.device, it.message.sequence)).collect();
    let count = said.len();
    said.sort_unstable();
    said.dedup();
    same!((count, said.len()), (60, 60), "how many are in the log, and how many of them once");
    Ok(())
}

pub(super) async fn parts(world: &dyn World) -> Held {
    let (exchange, (_, line)) = (world.exchange(), world.line(1).await);
    for at in 0..5 {
        line.deliver(&[message(7, 2 * at, "x")?, message(7, 2 * at + 1, "x")?]).await.map_err(told)?;
    }
    let whole = log(&*exchange).await?;
    let sequences: Vec<u64> = whole.iter().map(|it| it.message.sequence).collect();
    same!(sequences, (0..10).collect::<Vec<_>>(), "in the order of delivery");
    so!(whole.windows(2).all(|it| matches!(it, [one, next] if one.position < next.position)), "positions go up");
    let (mut parts, mut after) = (Vec::new(), Position::default());
    loop {
        let part = exchange.log(after, 3).await.map_err(told)?;
        so!(part.len() <= 3, "more than was asked for");
        let Some(last) = part.last() else { break };
        after = last.position;
        parts.extend(part);
    }
    same!(parts, whole, "read in parts");
    let (_, neighbour) = world.line(2).await;
    neighbour.deliver(&[message(7, 1, "later")?]).await.map_err(told)?;
    let now = log(&*exchange).await?;
    same!(now.get(..10), Some(&whole[..]), "what was read before");
    same!(exchange.log(after, 3).await.map_err(told)?.len(), 1, "what is new behind it");
    Ok(())
}

pub(super) async fn bounded(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    let of = |first: u64, count: usize, bytes: usize| -> Result<Vec<Message>, String> {
        let body = Bytes::from(vec![b'x'; bytes]);
        (0..count as u64).map(|at| Ok(Message { body: body.clone(), ..message(7, first + at, "")? })).collect()
    };
    let fitting = BATCH_BYTES_MAX / MESSAGE_BYTES_MAX;
    let too_much =
        [of(0, 1, MESSAGE_BYTES_MAX + 1)?, of(0, MESSAGES_MAX + 1, 1)?, of(0, fitting + 1, MESSAGE_BYTES_MAX)?];
    for messages in too_much {
        let answer = line.deliver(&messages).await;
        so!(matches!(answer, Err(Trouble::TooMuch(_))), "the line took too much");
        let answer = exchange.deliver(&device, messages).await;
        so!(matches!(answer, Err(Fault::TooMuch(_))), "the exchange took too much");
    }
    same!(log(&*exchange).await?.len(), 0, "how many are in the log");
    for messages in [of(0, MESSAGES_MAX, 1)?, of(1_000, fitting, MESSAGE_BYTES_MAX)?] {
        let acks = line.deliver(&messages).await.map_err(told)?;
        same!(acks.len(), messages.len(), "how many were answered of the most that may be");
    }
    Ok(())
}
