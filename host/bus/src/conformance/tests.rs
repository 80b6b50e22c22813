//! The twin passes, and each property has a defect that it finds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::{Clock as _, Digest, ManualClock};

use super::{PROPERTIES, Property, World, check};
use crate::{
    Ack, BEAT, Beat, Bells, Conflict, Device, Direct, Exchange, Fault, Found, Line, Logged, Mailbox, Memory, Message,
    Position, Presence, Pulled, Replacement, Revision, Spool, Taken, Trouble, Whom, Woken,
};

/// What is wrong with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    LastWins,
    LooksThenWrites,
    SaysSame,
    OneFailsAll,
    NoLimits,
    NeverRings,
    RingsForAll,
    RingsAtOnce,
    WaitsOnTheBellAlone,
    WaitsForEver,
    AcknowledgesOnly,
    KeepsTwice,
    TakesTheLater,
    KeyWithoutSpool,
    KeyWithoutDevice,
    LooksThenKeeps,
    NewestFirst,
    DocumentByAnotherName,
    DocumentsForAll,
    MissingWhereFull,
    NeverAway,
    AwayAfterRestart,
    ForgetsOnRestart,
}

/// Which property finds which defect.
#[rustfmt::skip]
const FOUND: &[(&str, Defect)] = &[
    ("a mailbox is replaced by who saw what is in it", Defect::LastWins),
    ("of those who replace at once one wins", Defect::LooksThenWrites),
    ("a mailbox is shown to who does not have it", Defect::SaysSame),
    ("mailboxes are replaced independently", Defect::OneFailsAll),
    ("a mailbox has a limit", Defect::NoLimits),
    ("a bell wakes whoever it is rung for", Defect::NeverRings),
    ("a bell wakes nobody else", Defect::RingsForAll),
    ("a bell says within which time to look", Defect::RingsAtOnce),
    ("whoever missed the bell is woken by what is in the mailbox", Defect::WaitsOnTheBellAlone),
    ("a wait ends", Defect::WaitsForEver),
    ("what is delivered is in the log", Defect::AcknowledgesOnly),
    ("what is delivered again is kept once", Defect::KeepsTwice),
    ("another message under a known key is told, and changes nothing", Defect::TakesTheLater),
    ("keys are those of one spool of one device", Defect::KeyWithoutSpool),
    ("keys are those of one spool of one device", Defect::KeyWithoutDevice),
    ("what many deliver at once is kept once", Defect::LooksThenKeeps),
    ("the log is read in parts, and what was read stays", Defect::NewestFirst),
    ("a delivery has limits", Defect::NoLimits),
    ("documents are what their digests say", Defect::DocumentByAnotherName),
    ("a device reads what its mailbox names", Defect::DocumentsForAll),
    ("what does not fit is not said to be missing", Defect::MissingWhereFull),
    ("a device that beats is there, until it misses three", Defect::NeverAway),
    ("nobody is away because the hub was", Defect::AwayAfterRestart),
    ("what was said to be durable is there after a restart", Defect::ForgetsOnRestart),
    ("a hostile carrier delays, and no more", Defect::KeepsTwice),
    ("a hostile carrier delays, and no more", Defect::AcknowledgesOnly),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_twin_conforms() {
    assert_eq!(check(async || Box::new(Twin::new(None)) as Box<dyn World>).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_property_finds_a_defect() {
    let mut tries = Vec::new();
    for property in PROPERTIES {
        let mut defects = FOUND.iter().filter(|(name, _)| *name == property.name).map(|(_, defect)| *defect).peekable();
        assert!(defects.peek().is_some(), "no defect is known that breaks: {}", property.name);
        tries.extend(defects.map(|defect| tokio::spawn(find(*property, defect))));
    }
    // At once: most of them wait for what never comes.
    for found in tries {
        found.await.unwrap();
    }
}

async fn find(property: Property, defect: Defect) {
    let twin = Twin::new(Some(defect));
    let held = tokio::time::timeout(Duration::from_secs(60), property.holds(&twin)).await;
    assert!(held != Ok(Ok(())), "{defect:?} is not found by: {}", property.name);
}

struct Twin {
    clock: Arc<ManualClock>,
    exchange: Mutex<Arc<dyn Exchange>>,
    memory: Mutex<Memory>,
    defect: Option<Defect>,
}

impl Twin {
    fn new(defect: Option<Defect>) -> Self {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let memory = Memory::new(clock.clone());
        let exchange = Mutex::new(broken(memory.restarted(), defect, &clock));
        Self { clock, exchange, memory: Mutex::new(memory), defect }
    }
}

fn broken(memory: Memory, defect: Option<Defect>, clock: &Arc<ManualClock>) -> Arc<dyn Exchange> {
    match defect {
        None => Arc::new(memory),
        Some(defect) => Arc::new(Broken { memory, defect, clock: Arc::clone(clock), count: AtomicU64::new(1) }),
    }
}

#[async_trait]
impl World for Twin {
    fn exchange(&self) -> Arc<dyn Exchange> {
        Arc::clone(&self.exchange.lock().unwrap())
    }

    async fn line(&self, number: u8) -> (Device, Arc<dyn Line>) {
        let device = Device::from([number; 32]);
        let line = Direct::new(self.exchange(), device);
        (device, Arc::new(BrokenLine { line, exchange: self.exchange(), device, defect: self.defect }))
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time.as_millis() as u64);
    }

    async fn restart(&self) {
        let memory = match self.defect {
            Some(Defect::ForgetsOnRestart) => Memory::new(self.clock.clone()),
            _ => self.memory.lock().unwrap().restarted(),
        };
        *self.exchange.lock().unwrap() = broken(memory, self.defect, &self.clock);
    }
}

/// The twin with something wrong with it.
struct Broken {
    memory: Memory,
    defect: Defect,
    clock: Arc<ManualClock>,
    count: AtomicU64,
}

impl Broken {
    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// Everything that was ever named, for everybody.
    async fn any_document(&self, wanted: &[Digest]) -> Result<Found, Fault> {
        let everybody = Device::from([250; 32]);
        let expected = self.memory.mailbox(&everybody).await?.map(|it| it.revision);
        let with = Replacement { device: everybody, expected, bytes: Bytes::new(), names: wanted.to_vec() };
        let _ = self.memory.replace(vec![with]).await?;
        self.memory.documents(&everybody, wanted).await
    }
}

#[async_trait]
impl Exchange for Broken {
    async fn mailbox(&self, of: &Device) -> Result<Option<Mailbox>, Fault> {
        self.memory.mailbox(of).await
    }

    async fn replace(&self, mut with: Vec<Replacement>) -> Result<Vec<Result<Revision, Conflict>>, Fault> {
        if self.is(Defect::LastWins) {
            for it in &mut with {
                it.expected = self.memory.mailbox(&it.device).await?.map(|it| it.revision);
            }
        }
        if self.is(Defect::LooksThenWrites) {
            for it in &mut with {
                let found = self.memory.mailbox(&it.device).await?.map(|it| it.revision);
                if found != it.expected {
                    return Ok(vec![Err(Conflict { found })]);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
                it.expected = self.memory.mailbox(&it.device).await?.map(|it| it.revision);
            }
        }
        if self.is(Defect::OneFailsAll) {
            let mut found = Vec::new();
            for it in &with {
                found.push(self.memory.mailbox(&it.device).await?.map(|it| it.revision));
            }
            if with.iter().zip(&found).any(|(with, found)| with.expected != *found) {
                return Ok(found.into_iter().map(|found| Err(Conflict { found })).collect());
            }
        }
        if self.is(Defect::NoLimits) {
            return Ok(with.iter().map(|_| Ok(Revision(self.next()))).collect());
        }
        self.memory.replace(with).await
    }

    async fn ring(&self, whom: Whom<'_>, within: Duration) -> Result<(), Fault> {
        match self.defect {
            Defect::NeverRings => Ok(()),
            Defect::RingsForAll => self.memory.ring(Whom::All, within).await,
            Defect::RingsAtOnce => self.memory.ring(whom, Duration::ZERO).await,
            _ => self.memory.ring(whom, within).await,
        }
    }

    fn bells(&self) -> &Bells {
        self.memory.bells()
    }

    async fn deliver(&self, from: &Device, mut messages: Vec<Message>) -> Result<Vec<Ack>, Fault> {
        let all_new = |messages: &[Message]| -> Vec<Ack> {
            let ack = |it: &Message| Ack { spool: it.spool, sequence: it.sequence, taken: Taken::New };
            messages.iter().map(ack).collect()
        };
        match self.defect {
            Defect::AcknowledgesOnly | Defect::NoLimits => return Ok(all_new(&messages)),
            Defect::KeepsTwice => {
                let acks = all_new(&messages);
                messages.iter_mut().for_each(|it| it.spool = Spool(self.next()));
                self.memory.deliver(from, messages).await?;
                return Ok(acks);
            }
            Defect::TakesTheLater => {
                let mut acks = self.memory.deliver(from, messages).await?;
                acks.iter_mut().filter(|ack| ack.taken == Taken::Differs).for_each(|ack| ack.taken = Taken::New);
                return Ok(acks);
            }
            Defect::KeyWithoutSpool => {
                messages.iter_mut().for_each(|it| it.spool = Spool(1));
            }
            Defect::KeyWithoutDevice => return self.memory.deliver(&Device::from([1; 32]), messages).await,
            Defect::LooksThenKeeps => {
                let there = self.memory.log(Position::default(), 10_000).await?;
                let is_there =
                    |it: &Message| there.iter().any(|log| log.device == *from && log.message.sequence == it.sequence);
                messages.retain(|it| !is_there(it));
                let acks = all_new(&messages);
                tokio::time::sleep(Duration::from_millis(1)).await;
                messages.iter_mut().for_each(|it| it.spool = Spool(self.next()));
                self.memory.deliver(from, messages).await?;
                return Ok(acks);
            }
            _ => {}
        }
        self.memory.deliver(from, messages).await
    }

    async fn log(&self, after: Position, most: usize) -> Result<Vec<Logged>, Fault> {
        let mut log = self.memory.log(after, most).await?;
        if self.is(Defect::NewestFirst) {
            log.reverse();
        }
        Ok(log)
    }

    async fn beat(&self, from: &Device, beat: Beat) -> Result<(), Fault> {
        self.memory.beat(from, beat).await
    }

    async fn presence(&self, of: &[Device]) -> Result<Vec<Presence>, Fault> {
        let mut presence = self.memory.presence(of).await?;
        let is_fresh = self.clock.now_ms() < 1_000_000 + (BEAT * 3).as_millis() as u64;
        for it in &mut presence {
            match self.defect {
                Defect::NeverAway if !is_fresh => *it = Presence::Online,
                Defect::AwayAfterRestart if *it == Presence::Unknown => *it = Presence::Offline,
                _ => {}
            }
        }
        Ok(presence)
    }

    async fn put_document(&self, document: Bytes) -> Result<Digest, Fault> {
        match self.defect {
            Defect::DocumentByAnotherName => self.memory.put_document([&document[..], b"\n"].concat().into()).await,
            _ => self.memory.put_document(document).await,
        }
    }

    async fn documents(&self, reader: &Device, wanted: &[Digest]) -> Result<Found, Fault> {
        if self.is(Defect::DocumentsForAll) {
            return self.any_document(wanted).await;
        }
        let mut found = self.memory.documents(reader, wanted).await?;
        if self.is(Defect::MissingWhereFull) {
            let there: Vec<Digest> = found.documents.iter().map(|it| Digest::of(it)).collect();
            found.missing = wanted.iter().filter(|digest| !there.contains(digest)).copied().collect();
        }
        Ok(found)
    }
}

/// A line with something wrong with it.
struct BrokenLine {
    line: Direct,
    exchange: Arc<dyn Exchange>,
    device: Device,
    defect: Option<Defect>,
}

#[async_trait]
impl Line for BrokenLine {
    async fn wait(&self, has: Option<Digest>, most: Duration) -> Result<Woken, Trouble> {
        match self.defect {
            Some(Defect::WaitsForEver) => std::future::pending().await,
            Some(Defect::WaitsOnTheBellAlone) => {
                let mut ears = self.exchange.bells().listen(self.device);
                let rung = tokio::time::timeout(most, ears.rung()).await;
                Ok(rung.map_or(Woken::Quiet, |ring| Woken::Rung { within: ring.within }))
            }
            _ => self.line.wait(has, most).await,
        }
    }

    async fn mailbox(&self, has: Option<Digest>) -> Result<Pulled, Trouble> {
        match (self.defect, has) {
            (Some(Defect::SaysSame), Some(_)) => Ok(Pulled::Same),
            _ => self.line.mailbox(has).await,
        }
    }

    async fn documents(&self, wanted: &[Digest]) -> Result<Found, Trouble> {
        self.line.documents(wanted).await
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<Ack>, Trouble> {
        self.line.deliver(messages).await
    }

    async fn beat(&self, beat: &Beat) -> Result<(), Trouble> {
        self.line.beat(beat).await
    }
}
