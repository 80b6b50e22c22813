use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use model::Digest;

use super::{Held, World, message, put, replacement, same, so, told};
use crate::{
    Ack, Beat, Found, Hostile, Line, Message, Mischief, Position, Pulled, Replacement, Taken, Trouble, Woken, courier,
};

/// Carriers that differ in what they do when.
const SEEDS: u64 = 8;

/// How long a device tries: without mischief it takes some milliseconds.
const SOON: Duration = Duration::from_secs(30);

/// After what was lost, or refused because it was too often.
const PAUSE: Duration = Duration::from_millis(20);

/// The suite holds its line by a pointer.
struct Shared(Arc<dyn Line>);

#[async_trait]
impl Line for Shared {
    async fn wait(&self, has: Option<Digest>, most: Duration) -> Result<Woken, Trouble> {
        self.0.wait(has, most).await
    }

    async fn mailbox(&self, has: Option<Digest>) -> Result<Pulled, Trouble> {
        self.0.mailbox(has).await
    }

    async fn documents(&self, wanted: &[Digest]) -> Result<Found, Trouble> {
        self.0.documents(wanted).await
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<Ack>, Trouble> {
        self.0.deliver(messages).await
    }

    async fn beat(&self, beat: &Beat) -> Result<(), Trouble> {
        self.0.beat(beat).await
    }
}

/// A device under a carrier that does some of everything has what the hub put there, and only that; the hub has what the device
/// said, once each.
pub(super) async fn delayed(world: &dyn World) -> Held {
    for seed in 0..SEEDS {
        let number = u8::try_from(seed).map_err(told)?;
        let (device, line) = world.line(number).await;
        let exchange = world.exchange();
        let document = exchange.put_document(format!("document {seed}").into()).await.map_err(told)?;
        for text in ["old", "new"] {
            put(&*exchange, Replacement { names: vec![document], ..replacement(device, None, text) }).await?;
        }
        let hostile = Hostile::new(Shared(line), seed, Mischief::ALL);
        let until = Instant::now() + SOON;
        // What a mailbox says is not believed; this one looks until it sees what the hub put there.
        let newest = Pulled::New("new".into());
        while hostile.mailbox(None).await.as_ref() != Ok(&newest) {
            so!(Instant::now() < until, "seed {seed}: the newest mailbox never came");
            tokio::time::sleep(PAUSE).await;
        }
        let mut fetched: Vec<(Digest, Bytes)> = Vec::new();
        while fetched.is_empty() {
            so!(Instant::now() < until, "seed {seed}: the document never came");
            fetched = courier::fetch(&hostile, &[document]).await.unwrap_or_default();
            tokio::time::sleep(PAUSE).await;
        }
        same!(fetched, [(document, Bytes::from(format!("document {seed}")))], format!("seed {seed}: what was fetched"));
        deliver(&hostile, seed, until).await?;
    }
    let mut kept: BTreeMap<(crate::Device, u64), usize> = BTreeMap::new();
    let log = world.exchange().log(Position::default(), 10_000).await.map_err(told)?;
    for it in log {
        same!(it.message.body, Bytes::from(format!("said {}", it.message.sequence)), "what is in the log");
        *kept.entry((it.device, it.message.sequence)).or_default() += 1;
    }
    let count = usize::try_from(SEEDS).map_err(told)? * 40;
    same!(kept.len(), count, "how many messages are in the log");
    so!(kept.values().all(|times| *times == 1), "some are there more than once");
    Ok(())
}

/// Forty messages, in batches, each until it is acknowledged.
async fn deliver(hostile: &dyn Line, seed: u64, until: Instant) -> Held {
    let mut waiting: Vec<Message> =
        (0..40).map(|at| message(7, at, &format!("said {at}"))).collect::<Result<_, _>>()?;
    while !waiting.is_empty() {
        so!(Instant::now() < until, "seed {seed}: {} messages never arrived", waiting.len());
        let some = waiting.get(..waiting.len().min(5)).unwrap_or_default();
        let Ok(acks) = courier::deliver(hostile, some).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        so!(acks.iter().all(|ack| ack.taken != Taken::Differs), "seed {seed}: what was said is not what is there");
        waiting.retain(|it| !acks.iter().any(|ack| (ack.spool, ack.sequence) == (it.spool, it.sequence)));
    }
    Ok(())
}
