//! The hub's side of the bus: mailboxes, the log and documents on the disk; bells and presence in memory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{
    Ack, BATCH_BYTES_MAX, Beat, Bells, Beside, Conflict, DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, Device, Exchange, Fault,
    Found, Has, Logged, MAILBOX_BYTES_MAX, Mailbox, Message, NAMED_MAX, Position, Presence, Replacement, Revision,
    TooMuch, Whom,
};
use bytes::Bytes;
use model::Digest;
use tokio::sync::Semaphore;

use crate::db::{Change, Document, READERS_MAX, View};
use crate::scope::Held;
use crate::{Error, Hub, Scope, said};

/// The most messages that are read of the log at once: as much memory as one delivery of the largest.
const LOG_MAX: usize = 1_000;

/// So many messages are looked at where they came in: a few signatures cost less than to hand them to another thread and wait.
const FEW: usize = 4;

/// A plugin of so many bytes, such as a script, comes beside the mailbox, also to whoever has it: that is less than to be asked.
const SMALL_BYTES_MAX: u64 = 8 << 10;

/// What lists the parts of such a one: some ten of them.
const SMALL_LIST_BYTES_MAX: usize = 2 << 10;

/// Where messages to and from devices lie. What a device says is kept under the client that its assignment, or its token, named.
pub struct Post {
    pub(crate) hub: Arc<Hub>,
    bells: Bells,
    /// Who may ask for a reader: five hundred threads that wait for four of them would be in each other's way.
    turns: Semaphore,
    /// What a test adds to the time since.
    #[cfg(test)]
    pub(crate) passed: std::sync::Mutex<Duration>,
}

impl Post {
    /// Over a hub. After a restart nobody has beaten yet, and nobody listens.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self {
            hub,
            bells: Bells::default(),
            turns: Semaphore::new(READERS_MAX),
            #[cfg(test)]
            passed: std::sync::Mutex::default(),
        }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// How many of these beat no more, though somebody listened for long enough.
    pub(crate) fn away(&self, devices: &[Device]) -> u32 {
        let now = self.since();
        let away = devices.iter().filter(|device| self.hub.roll.presence(device, now) == Presence::Offline);
        u32::try_from(away.count()).unwrap_or(u32::MAX)
    }

    fn since(&self) -> Duration {
        #[cfg(test)]
        let passed = *self.passed.lock().unwrap();
        #[cfg(not(test))]
        let passed = Duration::ZERO;
        self.hub.began.elapsed() + passed
    }

    /// Reads as the hub itself what is about one device that is named: some rows by their key. That takes less time than to hand it to
    /// another thread and wait for that, and is done here where a reader has nothing to do.
    pub(crate) async fn read_few<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Fault> {
        match self.hub.db.try_read(&Scope::of_hub(), read) {
            Ok(done) => done.map_err(fault),
            Err(read) => self.read(read).await,
        }
    }

    /// The same of whatever takes longer, and where every reader is busy.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Fault> {
        let hub = Arc::clone(&self.hub);
        let _turn = self.turns.acquire().await.map_err(|error| Fault::Broken(Box::new(error)))?;
        let read = move || hub.db.read(&Scope::of_hub(), read);
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(Error::Lost)).map_err(fault)
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Change<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Fault> {
        self.hub.db.write(work).await.map_err(fault)
    }
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Busy { after_s } => Fault::Busy { after: Duration::from_secs(after_s) },
        other => Fault::Broken(Box::new(other)),
    }
}

/// The client whose a device is. One that never joined, or is retired, has none.
fn client_of(change: &Change<'_>, device: &str) -> Result<Held, Error> {
    let client = change.client_served(device)?.ok_or(Error::Missing { what: "device" })?;
    let name = client.parse().map_err(|error| Error::unreadable("a device")(&error))?;
    Scope::of_hub().hold(&name)
}

/// What lists the parts of an order's plugin, and these of a small one: whoever has it not asks for parts at most.
fn listed(view: &View<'_>, order: &str, list: String) -> Result<Vec<String>, Error> {
    let is_short = view.part(&list)?.is_some_and(|text| text.len() <= SMALL_LIST_BYTES_MAX);
    let mut parts = if is_short { view.parts(order)? } else { Vec::new() };
    if parts.iter().map(|(_, bytes)| bytes).sum::<u64>() > SMALL_BYTES_MAX {
        parts.clear();
    }
    let others = parts.into_iter().map(|(name, _)| name).filter(|name| *name != list);
    let others: Vec<String> = others.collect();
    Ok([list].into_iter().chain(others).collect())
}

fn digests(names: Vec<String>) -> Vec<Digest> {
    names.iter().filter_map(|it| it.parse().ok()).collect()
}

#[async_trait]
impl Exchange for Post {
    async fn mailbox(&self, of: &Device) -> Result<Option<Mailbox>, Fault> {
        let device = of.hex();
        let found = self.read_few(move |view| view.mailbox(&device)).await?;
        Ok(found.map(|it| Mailbox { revision: Revision(it.revision), bytes: it.bytes.into() }))
    }

    async fn mailbox_beside(&self, of: &Device, has: Has<'_>, bytes_max: usize) -> Result<Option<Beside>, Fault> {
        let (device, had, known) = (of.hex(), has.mailbox, has.documents.clone());
        self.read_few(move |view| {
            let Some(found) = view.mailbox(&device)? else { return Ok(None) };
            let mut bytes = found.bytes.len();
            let mailbox = Mailbox { revision: Revision(found.revision), bytes: found.bytes.into() };
            let names = digests(view.named_by(&device)?);
            let mut beside = Beside { mailbox, names, documents: Vec::new() };
            if bytes >= bytes_max || had == Some(Digest::of(&beside.mailbox.bytes)) {
                return Ok(Some(beside));
            }
            for (order, list) in view.lists(&device)? {
                beside.names.extend(digests(listed(view, &order, list)?));
            }
            for digest in beside.names.iter().filter(|digest| !known.contains(*digest)) {
                let name = digest.to_string();
                let file = view.file(&name)?;
                let Some(document) = file.map_or_else(|| view.part(&name), |file| Ok(Some(file)))? else { continue };
                bytes += document.len();
                if bytes > bytes_max {
                    break;
                }
                beside.documents.push(document.into());
            }
            Ok(Some(beside))
        })
        .await
    }

    async fn replace(&self, with: Vec<Replacement>) -> Result<Vec<Result<Revision, Conflict>>, Fault> {
        for it in &with {
            TooMuch::of("bytes of a mailbox", it.bytes.len(), MAILBOX_BYTES_MAX)?;
            TooMuch::of("documents that a mailbox names", it.names.len(), NAMED_MAX)?;
        }
        let now_ms = self.hub.clock.now_ms();
        self.write(move |change| {
            let one = |it: &Replacement| {
                let (device, expected) = (it.device.hex(), it.expected.map_or(0, |revision| revision.0));
                let names: Vec<String> = it.names.iter().map(ToString::to_string).collect();
                let held = client_of(change, &device)?;
                let done = change.replace_mailbox(&held, &device, expected, (&it.bytes, &names), now_ms)?;
                Ok(done.map(Revision).map_err(|found| Conflict { found: (found > 0).then_some(Revision(found)) }))
            };
            with.iter().map(one).collect()
        })
        .await
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
        let (device, from, now_ms) = (from.hex(), *from, self.hub.clock.now_ms());
        // Signatures are looked at before there is a transaction that others wait for.
        let (pin, are_few) = (self.hub.trust().pin(), messages.len() <= FEW);
        let read = move || messages.into_iter().map(|message| said::Said::read(pin, &from, message)).collect();
        let said: Vec<said::Said> = match are_few {
            true => read(),
            false => tokio::task::spawn_blocking(read).await.map_err(|error| Fault::Broken(Box::new(error)))?,
        };
        let orders: BTreeSet<String> = said.iter().filter_map(|it| it.order().map(str::to_owned)).collect();
        let is_to_tell = said.iter().any(said::Said::is_to_tell);
        let acks = self
            .write(move |change| {
                let held = client_of(change, &device)?;
                said.iter().map(|it| it.keep(change, &held, &device, now_ms)).collect()
            })
            .await?;
        orders.iter().for_each(|order| self.hub.stirs.order(order));
        if is_to_tell {
            self.hub.to_tell.notify_one();
        }
        Ok(acks)
    }

    async fn log(&self, after: Position, most: usize) -> Result<Vec<Logged>, Fault> {
        let rows = self.read(move |view| view.log(after.0, most.min(LOG_MAX))).await?;
        rows.into_iter().map(|row| said::logged(row).map_err(fault)).collect()
    }

    async fn beat(&self, from: &Device, _: Beat) -> Result<(), Fault> {
        self.hub.roll.beat(*from, self.since());
        Ok(())
    }

    async fn presence(&self, of: &[Device]) -> Result<Vec<Presence>, Fault> {
        let now = self.since();
        Ok(of.iter().map(|device| self.hub.roll.presence(device, now)).collect())
    }

    async fn put_document(&self, document: Bytes) -> Result<Digest, Fault> {
        TooMuch::of("bytes of a document", document.len(), DOCUMENT_BYTES_MAX)?;
        let (digest, now_ms) = (Digest::of(&document), self.hub.clock.now_ms());
        let document = Document {
            digest: digest.to_string(),
            kind: "file".to_owned(),
            subject: String::new(),
            // Of what it is nobody knows here whom it is about.
            clients: vec!["*".to_owned()],
            bytes: document.to_vec(),
        };
        self.write(move |change| change.keep(&document, now_ms)).await.map(|()| digest)
    }

    async fn documents(&self, reader: &Device, wanted: &[Digest]) -> Result<Found, Fault> {
        TooMuch::of("documents at once", wanted.len(), DOCUMENTS_MAX)?;
        let (device, wanted) = (reader.hex(), wanted.to_vec());
        self.read_few(move |view| {
            let (mut found, mut bytes) = (Found::default(), 0);
            for digest in wanted {
                match view.named(&device, &digest.to_string())? {
                    None => found.missing.push(digest),
                    Some(document) if bytes + document.len() > BATCH_BYTES_MAX => break,
                    Some(document) => {
                        bytes += document.len();
                        found.documents.push(document.into());
                    }
                }
            }
            Ok(found)
        })
        .await
    }
}
