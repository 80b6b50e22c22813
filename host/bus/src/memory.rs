//! The twin: an exchange that keeps everything in memory.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::{Clock, Digest};

use crate::{
    Ack, BATCH_BYTES_MAX, Beat, Bells, Beside, Conflict, DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, Device, Exchange, Fault,
    Found, Has, Logged, MAILBOX_BYTES_MAX, Mailbox, Message, NAMED_MAX, Position, Presence, Replacement, Revision,
    Roll, Spool, Taken, TooMuch, Whom,
};

/// The most messages that it keeps: what a test delivers, several times over.
const LOG_MAX: usize = 1_000_000;

/// An exchange in memory. Its clock is one that nobody sets back.
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
    bells: Bells,
    roll: Roll,
    clock: Arc<dyn Clock>,
    began_ms: u64,
}

/// What a restart leaves.
#[derive(Default)]
struct Kept {
    mailboxes: HashMap<Device, (Mailbox, HashSet<Digest>)>,
    replaced: u64,
    log: Vec<Logged>,
    by_key: HashMap<(Device, Spool, u64), usize>,
    documents: HashMap<Digest, Bytes>,
}

impl Memory {
    /// With nothing in it.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { kept: Arc::default(), bells: Bells::default(), roll: Roll::default(), began_ms: clock.now_ms(), clock }
    }

    /// The same after a restart: what lasts is there, and nobody has beaten or listens yet.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), ..Self::new(Arc::clone(&self.clock)) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.clock.now_ms().saturating_sub(self.began_ms))
    }
}

#[async_trait]
impl Exchange for Memory {
    async fn mailbox(&self, of: &Device) -> Result<Option<Mailbox>, Fault> {
        Ok(self.kept().mailboxes.get(of).map(|(mailbox, _)| mailbox.clone()))
    }

    async fn mailbox_beside(&self, of: &Device, has: Has<'_>, bytes_max: usize) -> Result<Option<Beside>, Fault> {
        let kept = self.kept();
        let Some((mailbox, names)) = kept.mailboxes.get(of) else { return Ok(None) };
        let (mailbox, names) = (mailbox.clone(), names.iter().copied().collect());
        let mut beside = Beside { mailbox, names, documents: Vec::new() };
        let mut bytes = beside.mailbox.bytes.len();
        if has.mailbox != Some(Digest::of(&beside.mailbox.bytes)) {
            let unknown = beside.names.iter().filter(|it| !has.documents.contains(*it));
            for document in unknown.filter_map(|it| kept.documents.get(it)) {
                bytes += document.len();
                if bytes > bytes_max {
                    break;
                }
                beside.documents.push(document.clone());
            }
        }
        Ok(Some(beside))
    }

    async fn replace(&self, with: Vec<Replacement>) -> Result<Vec<Result<Revision, Conflict>>, Fault> {
        for it in &with {
            TooMuch::of("bytes of a mailbox", it.bytes.len(), MAILBOX_BYTES_MAX)?;
            TooMuch::of("documents that a mailbox names", it.names.len(), NAMED_MAX)?;
        }
        let mut kept = self.kept();
        Ok(with.into_iter().map(|it| kept.replace(it)).collect())
    }

    async fn ring(&self, whom: Whom<'_>, within: Duration) -> Result<(), Fault> {
        self.bells.ring(whom, within);
        Ok(())
    }

    fn bells(&self) -> &Bells {
        &self.bells
    }

    async fn deliver(&self, from: &Device, messages: Vec<Message>) -> Result<Vec<Ack>, Fault> {
        TooMuch::in_delivery(&messages)?;
        let mut kept = self.kept();
        if kept.log.len() + messages.len() > LOG_MAX {
            return Err(Fault::Busy { after: Duration::from_secs(60) });
        }
        Ok(messages.into_iter().map(|message| kept.take(*from, message)).collect())
    }

    async fn log(&self, after: Position, most: usize) -> Result<Vec<Logged>, Fault> {
        let after = usize::try_from(after.0).unwrap_or(usize::MAX);
        Ok(self.kept().log.iter().skip(after).take(most).cloned().collect())
    }

    async fn beat(&self, from: &Device, _: Beat) -> Result<(), Fault> {
        self.roll.beat(*from, self.now());
        Ok(())
    }

    async fn presence(&self, of: &[Device]) -> Result<Vec<Presence>, Fault> {
        let now = self.now();
        Ok(of.iter().map(|device| self.roll.presence(device, now)).collect())
    }

    async fn put_document(&self, document: Bytes) -> Result<Digest, Fault> {
        TooMuch::of("bytes of a document", document.len(), DOCUMENT_BYTES_MAX)?;
        let digest = Digest::of(&document);
        self.kept().documents.insert(digest, document);
        Ok(digest)
    }

    async fn documents(&self, reader: &Device, wanted: &[Digest]) -> Result<Found, Fault> {
        TooMuch::of("documents at once", wanted.len(), DOCUMENTS_MAX)?;
        let kept = self.kept();
        let names = kept.mailboxes.get(reader).map(|(_, names)| names);
        let (mut found, mut bytes) = (Found::default(), 0);
        for digest in wanted {
            let document = names.filter(|names| names.contains(digest)).and_then(|_| kept.documents.get(digest));
            match document {
                None => found.missing.push(*digest),
                Some(document) if bytes + document.len() > BATCH_BYTES_MAX => break,
                Some(document) => {
                    bytes += document.len();
                    found.documents.push(document.clone());
                }
            }
        }
        Ok(found)
    }
}

impl Kept {
    fn replace(&mut self, with: Replacement) -> Result<Revision, Conflict> {
        let found = self.mailboxes.get(&with.device).map(|(mailbox, _)| mailbox.revision);
        if found != with.expected {
            return Err(Conflict { found });
        }
        self.replaced += 1;
        let revision = Revision(self.replaced);
        let mailbox = Mailbox { revision, bytes: with.bytes };
        self.mailboxes.insert(with.device, (mailbox, with.names.into_iter().collect()));
        Ok(revision)
    }

    fn take(&mut self, device: Device, message: Message) -> Ack {
        let (spool, sequence) = (message.spool, message.sequence);
        let taken = match self.by_key.entry((device, spool, sequence)) {
            Entry::Occupied(at) => {
                let is_same = self.log.get(*at.get()).is_some_and(|there| there.message == message);
                if is_same { Taken::Known } else { Taken::Differs }
            }
            Entry::Vacant(key) => {
                key.insert(self.log.len());
                let position = Position(self.log.len() as u64 + 1);
                self.log.push(Logged { position, device, message });
                Taken::New
            }
        };
        Ack { spool, sequence, taken }
    }
}
