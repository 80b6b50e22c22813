use std::sync::Arc;

use model::Digest;

use super::{Held, World, put, replacement, same, so, told};
use crate::{Conflict, Fault, MAILBOX_BYTES_MAX, NAMED_MAX, Pulled, Replacement};

pub(super) async fn compared(world: &dyn World) -> Held {
    let (exchange, (device, _)) = (world.exchange(), world.line(1).await);
    same!(exchange.mailbox(&device).await.map_err(told)?, None, "a mailbox that nobody filled");
    let replace = async |expected, text: &'static str| {
        let answers = exchange.replace(vec![replacement(device, expected, text)]).await.map_err(told)?;
        answers.into_iter().next().ok_or("no answer for a replacement".to_owned())
    };
    let first = replace(None, "one").await?.map_err(told)?;
    same!(replace(None, "two").await?, Err(Conflict { found: Some(first) }), "filled twice");
    let second = replace(Some(first), "two").await?.map_err(told)?;
    so!(second > first, "a revision goes up: {second:?} after {first:?}");
    same!(
        replace(Some(first), "three").await?,
        Err(Conflict { found: Some(second) }),
        "replaced by who saw an old one"
    );
    let there = exchange.mailbox(&device).await.map_err(told)?.ok_or("what was put is not there")?;
    same!((there.revision, &there.bytes[..]), (second, &b"two"[..]), "what is there");
    Ok(())
}

/// Two add one to a number, each fifty times.
pub(super) async fn raced(world: &dyn World) -> Held {
    const EACH: usize = 50;
    let (device, _) = world.line(1).await;
    put(&*world.exchange(), replacement(device, None, "0")).await?;
    let adding = |exchange: Arc<dyn crate::Exchange>| async move {
        let mut added = 0;
        while added < EACH {
            let there = exchange.mailbox(&device).await.map_err(told)?.ok_or("it is gone")?;
            let count: usize = String::from_utf8_lossy(&there.bytes).parse().map_err(told)?;
            let with = replacement(device, Some(there.revision), (count + 1).to_string());
            let answers = exchange.replace(vec![with]).await.map_err(told)?;
            added += answers.iter().filter(|it| it.is_ok()).count();
        }
        Ok::<(), String>(())
    };
    let (one, other) = tokio::join!(tokio::spawn(adding(world.exchange())), tokio::spawn(adding(world.exchange())));
    one.map_err(told)??;
    other.map_err(told)??;
    let there = world.exchange().mailbox(&device).await.map_err(told)?.ok_or("it is gone")?;
    same!(&there.bytes[..], (2 * EACH).to_string().as_bytes(), "how often it was replaced");
    Ok(())
}

pub(super) async fn shown(world: &dyn World) -> Held {
    let exchange = world.exchange();
    let ((device, line), (other, neighbour)) = (world.line(1).await, world.line(2).await);
    same!(line.mailbox(None).await.map_err(told)?, Pulled::Empty, "before anything is there");
    put(&*exchange, replacement(device, None, "one")).await?;
    put(&*exchange, replacement(other, None, "another")).await?;
    same!(line.mailbox(None).await.map_err(told)?, Pulled::New("one".into()), "to who has none");
    same!(line.mailbox(Some(Digest::of(b"one"))).await.map_err(told)?, Pulled::Same, "to who has it");
    same!(neighbour.mailbox(None).await.map_err(told)?, Pulled::New("another".into()), "to the neighbour");
    put(&*exchange, replacement(device, None, "two")).await?;
    let again = line.mailbox(Some(Digest::of(b"one"))).await.map_err(told)?;
    same!(again, Pulled::New("two".into()), "to who has an old one");
    Ok(())
}

pub(super) async fn independent(world: &dyn World) -> Held {
    let exchange = world.exchange();
    let ((one, _), (two, _), (three, _)) = (world.line(1).await, world.line(2).await, world.line(3).await);
    put(&*exchange, replacement(two, None, "old")).await?;
    let all = [one, two, three, one].map(|device| replacement(device, None, "new")).to_vec();
    let answers = exchange.replace(all).await.map_err(told)?;
    let went: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    same!(went, [true, false, true, false], "which went");
    let there = exchange.mailbox(&three).await.map_err(told)?;
    same!(there.map(|it| it.bytes), Some("new".into()), "what is there behind one that did not go");
    Ok(())
}

pub(super) async fn bounded(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    let largest = replacement(device, None, vec![b'x'; MAILBOX_BYTES_MAX]);
    put(&*exchange, largest.clone()).await?;
    let pulled = line.mailbox(None).await.map_err(told)?;
    so!(pulled == Pulled::New(largest.bytes.clone()), "the largest mailbox does not arrive");
    let expected = exchange.mailbox(&device).await.map_err(told)?.map(|it| it.revision);
    let named = |count: usize| vec![Digest::of(b"document"); count];
    let too_large = Replacement { bytes: vec![b'x'; MAILBOX_BYTES_MAX + 1].into(), ..largest.clone() };
    let too_many = Replacement { names: named(NAMED_MAX + 1), ..largest.clone() };
    for with in [too_large, too_many] {
        let answer = exchange.replace(vec![Replacement { expected, ..with }]).await;
        so!(matches!(answer, Err(Fault::TooMuch(_))), "what is too large was taken: {answer:?}");
    }
    put(&*exchange, Replacement { names: named(NAMED_MAX), ..largest }).await?;
    Ok(())
}
