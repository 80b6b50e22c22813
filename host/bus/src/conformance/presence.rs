use std::time::Duration;

use model::Digest;

use super::{Held, World, beat, message, put, replacement, same, told};
use crate::{BEAT, Device, Position, Presence, Pulled, Replacement, Taken};

/// What is lost on the way is lost: some come.
const BEATS: usize = 3;

async fn presence(world: &dyn World, devices: &[Device]) -> Result<Vec<Presence>, String> {
    world.exchange().presence(devices).await.map_err(told)
}

/// Beats until it is there: what a line takes is not yet there.
async fn beats(world: &dyn World, number: u8) -> Result<Device, String> {
    let (device, line) = world.line(number).await;
    for _ in 0..BEATS {
        line.beat(&beat()).await.map_err(told)?;
    }
    for _ in 0..200 {
        if presence(world, &[device]).await? == [Presence::Online] {
            return Ok(device);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("who beats is not there".to_owned())
}

pub(super) async fn derived(world: &dyn World) -> Held {
    let (silent, _) = world.line(2).await;
    world.pass(BEAT * 3);
    let device = beats(world, 1).await?;
    let both = [device, silent];
    same!(presence(world, &both).await?, [Presence::Online, Presence::Offline], "one beats, one never did");
    world.pass(BEAT * 3 - Duration::from_millis(1));
    same!(presence(world, &both).await?, [Presence::Online, Presence::Offline], "two beats later");
    world.pass(Duration::from_millis(1));
    same!(presence(world, &both).await?, [Presence::Offline, Presence::Offline], "three beats later");
    beats(world, 1).await?;
    Ok(())
}

pub(super) async fn restarted(world: &dyn World) -> Held {
    world.pass(BEAT * 10);
    let device = beats(world, 1).await?;
    world.pass(BEAT);
    world.restart().await;
    for _ in 0..2 {
        let now = presence(world, &[device]).await?;
        same!(now, [Presence::Unknown], "while it had no time to beat");
        world.pass(BEAT);
    }
    beats(world, 1).await?;
    world.pass(BEAT * 2);
    same!(presence(world, &[device]).await?, [Presence::Online], "it has beaten since");
    world.pass(BEAT);
    same!(presence(world, &[device]).await?, [Presence::Offline], "it went");
    Ok(())
}

pub(super) async fn durable(world: &dyn World) -> Held {
    let (exchange, (device, line)) = (world.exchange(), world.line(1).await);
    let document = exchange.put_document("document".into()).await.map_err(told)?;
    let with = Replacement { names: vec![document], ..replacement(device, None, "mailbox") };
    let revision = put(&*exchange, with).await?;
    line.deliver(&[message(7, 1, "one")?]).await.map_err(told)?;
    drop((exchange, line));
    world.restart().await;
    let (exchange, (_, line)) = (world.exchange(), world.line(1).await);
    same!(line.mailbox(None).await.map_err(told)?, Pulled::New("mailbox".into()), "its mailbox");
    let now = exchange.mailbox(&device).await.map_err(told)?.map(|it| it.revision);
    same!(now, Some(revision), "its revision");
    same!(line.mailbox(Some(Digest::of(b"mailbox"))).await.map_err(told)?, Pulled::Same, "its mailbox, to who has it");
    same!(line.documents(&[document]).await.map_err(told)?.documents, ["document"], "a document");
    let acks = line.deliver(&[message(7, 1, "one")?, message(7, 2, "two")?]).await.map_err(told)?;
    let taken: Vec<Taken> = acks.iter().map(|ack| ack.taken).collect();
    same!(taken, [Taken::Known, Taken::New], "what was delivered before and is again");
    same!(exchange.log(Position::default(), 10).await.map_err(told)?.len(), 2, "how many are in the log");
    let next = put(&*exchange, replacement(device, None, "next")).await?;
    same!(next > revision, true, "a revision goes up");
    Ok(())
}
