//! One device: the agent's own code over a simulated machine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bus::{Line, Message, Pulled, Spool, Taken, Trouble, courier};
use bytes::Bytes;
use fleet::{Begun, Came, Facts, Input, Inventory, Mailbox, Member, Refused, Told};
use model::{Clock as _, Digest, RunId};
use rand::RngExt as _;
use serde_json::json;
use trust::{Device as Name, Key, SignError, Signed, Signer, Time, Trust};

use crate::machine::{Ended, Machine};
use crate::nature::Nature;
use crate::plugin::{self, Carried, Shelf};
use crate::standing::Standing;

/// The fewest bytes of the details that travel beside a result.
const RECORD_BYTES_MIN: usize = 1_024;

/// The most messages that wait: older ones go first where a hub takes none for long. A real agent has a spool on its disk.
const OUTBOX_MAX: usize = 1_024;

/// The most messages that are kept though the hub has them. A real agent keeps more, on its disk.
const TOLD_MAX: usize = 16;

/// The most plugins that a device keeps.
const INSTALLED_MAX: usize = 16;

/// A device's key, before it has anything else.
pub struct Born {
    number: u32,
    signer: Signer,
    key: Key,
}

/// A device that joined.
pub struct Device {
    number: u32,
    nature: Arc<Nature>,
    shelf: Arc<Shelf>,
    /// With its key.
    signer: Signer,
    member: Member,
    facts: Facts,
    /// What the hub was told of them.
    told: Option<Inventory>,
    /// The mailbox that was read last.
    has: Option<Digest>,
    posted: Mailbox,
    /// Documents of orders, as they were fetched: what signs them is asked again when their runs start.
    documents: BTreeMap<Digest, Signed>,
    /// Orders that begin, and wait for their plugin.
    open: Vec<Begun>,
    standing: BTreeMap<Digest, Standing>,
    /// Plugins that it has, by their digest.
    installed: BTreeMap<Digest, Carried>,
    /// Of standing orders, those that begin no run now.
    paused: Vec<Digest>,
    spool: Spool,
    sequence: u64,
    outbox: VecDeque<Message>,
    /// What the hub has, the latest: it may come back out of a backup that was made before.
    kept: VecDeque<Message>,
    /// Which restore of the hub it was told again after.
    restored: Option<Digest>,
    /// How many results it signed.
    signed: u64,
    machine: Machine,
    /// What it joined with, until it knows by another document whose it is.
    enrolment: Option<Signed>,
}

/// What a visit came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// How long the runs of it take, where somebody waits for them.
    pub takes: Duration,
    /// Whether something is still to be fetched that was not there.
    pub is_waiting: bool,
}

impl Born {
    /// The device of this number, with the key that its seed draws.
    pub fn new(nature: &Nature, number: u32) -> Result<Self, SignError> {
        let signer = Signer::from_seed(&nature.draw(number, "key").random());
        let key = signer.key()?;
        Ok(Self { number, signer, key })
    }

    /// Its public half.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Its private half, which signs that it joins, and its sessions.
    pub fn signer(&self) -> Signer {
        self.signer.clone()
    }

    /// The device, once it knows whom to believe.
    pub fn join(self, trust: Trust, nature: Arc<Nature>, shelf: Arc<Shelf>) -> Device {
        let facts = crate::inventory::facts(&nature, self.number);
        // One that begins anew has lost what it said: nothing is said under a number that was used.
        let spool = Spool(rand::random());
        Device {
            number: self.number,
            signer: self.signer,
            member: Member::new(self.key, trust),
            facts,
            nature,
            shelf,
            told: None,
            has: None,
            posted: Mailbox::default(),
            documents: BTreeMap::new(),
            open: Vec::new(),
            standing: BTreeMap::new(),
            installed: BTreeMap::new(),
            paused: Vec::new(),
            spool,
            sequence: 0,
            outbox: VecDeque::new(),
            kept: VecDeque::new(),
            restored: None,
            signed: 0,
            machine: Machine::default(),
            enrolment: None,
        }
    }
}

impl Device {
    /// The same device, as it is now: for whoever tries several things on it.
    pub fn fork(&self, nature: Arc<Nature>, shelf: Arc<Shelf>) -> Result<Self, SignError> {
        let born = Born::new(&self.nature, self.number)?;
        let other = born.join(self.member.trust().clone(), nature, shelf);
        let (told, outbox) = (self.told.clone(), self.outbox.clone());
        let (machine, member) = (self.machine.clone(), self.member.clone());
        Ok(Self { member, told, outbox, machine, sequence: self.sequence, ..other })
    }

    /// What it is called.
    pub fn name(&self) -> Name {
        Name::of(self.member.device())
    }

    /// It joined with this, and is whose the token says, once it knows what a technician said of the token.
    pub fn enrolled(&mut self, enrolment: Signed) {
        self.enrolment = Some(enrolment);
    }

    /// Whether it knows whose it is.
    pub fn is_placed(&self) -> bool {
        self.enrolment.is_none()
    }

    /// What it believes, and what was ordered.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// For what did not come by the mailbox.
    pub fn member_mut(&mut self) -> &mut Member {
        &mut self.member
    }

    /// What became of its machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The mailbox that it has.
    pub fn has(&self) -> Option<Digest> {
        self.has
    }

    /// How many results it signed, each with the next number.
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// How many results wait.
    pub fn results_waiting(&self) -> usize {
        self.outbox.iter().filter(|it| it.kind.as_str() == "result").count()
    }

    /// Looks into its mailbox, does what follows, and tells what became of it.
    pub async fn visit(&mut self, line: &dyn Line, now_ms: u64) -> Result<Visit, Trouble> {
        let visit = self.look(line, now_ms).await?;
        self.deliver(line).await?;
        Ok(visit)
    }

    /// Looks into its mailbox, and does what follows.
    pub async fn look(&mut self, line: &dyn Line, now_ms: u64) -> Result<Visit, Trouble> {
        let now = Time::from_ms(now_ms);
        let came = match line.mailbox(self.has).await? {
            Pulled::New(bytes) => {
                self.has = Some(Digest::of(&bytes));
                self.posted = Mailbox::read(&bytes).unwrap_or_default();
                self.tell_again();
                self.come(Input::Mailbox(&bytes), now)
            }
            Pulled::Empty | Pulled::Same => self.come(Input::Looked, now),
        };
        let mut wanted = came.fetch;
        while !wanted.is_empty() {
            wanted = self.fetch(line, &wanted, now).await?;
        }
        let mut visit = Visit::default();
        self.run_open(line, now_ms, &mut visit).await?;
        self.run_standing(line, now_ms, &mut visit).await?;
        self.tell_facts();
        Ok(visit)
    }

    /// Fetches these, and what is to be fetched after them.
    async fn fetch(&mut self, line: &dyn Line, wanted: &[Digest], now: Time) -> Result<Vec<Digest>, Trouble> {
        let found: BTreeMap<Digest, Bytes> = courier::fetch(line, wanted).await?.into_iter().collect();
        let mut next = Vec::new();
        for digest in wanted {
            let came = match found.get(digest) {
                None => self.come(Input::Missing(*digest), now),
                Some(bytes) => {
                    if self.posted.orders.iter().any(|it| it.order == *digest) {
                        self.documents.extend(Signed::from_text(bytes).map(|it| (*digest, it)));
                    }
                    self.come(Input::Document(*digest, bytes), now)
                }
            };
            next = came.fetch;
        }
        next.retain(|digest| !wanted.contains(digest));
        Ok(next)
    }

    fn come(&mut self, input: Input<'_>, now: Time) -> Came {
        let mut came = self.member.come(input, &self.facts, now);
        if !came.believed.is_empty() {
            self.settle(now);
        }
        for refused in std::mem::take(&mut came.refused) {
            self.tell_refused(&refused, now);
        }
        self.open.append(&mut came.begin);
        for ended in &came.ended {
            self.standing.remove(ended);
        }
        self.paused = came.waiting.iter().map(|it| it.order).collect();
        let posted = &self.posted.orders;
        let open = &self.open;
        self.documents.retain(|digest, _| {
            posted.iter().any(|it| it.order == *digest) || open.iter().any(|it| it.document == *digest)
        });
        came
    }

    /// Whose it is, it knows by what it joined with, as soon as who let it in is known.
    fn settle(&mut self, now: Time) {
        let Some(enrolment) = &self.enrolment else { return };
        let trust = self.member.trust_mut();
        let is_taken = trust.take(enrolment, now).is_ok();
        if is_taken || self.member.trust().place(self.member.device(), now).is_ok() {
            self.enrolment = None;
        }
    }

    /// Runs what begins and has its plugin; what stands is put where it is looked at by the clock.
    async fn run_open(&mut self, line: &dyn Line, now_ms: u64, visit: &mut Visit) -> Result<(), Trouble> {
        let mut open = VecDeque::from(std::mem::take(&mut self.open));
        while let Some(begun) = open.pop_front() {
            // The hub took it back, or the order came without the document that signs it.
            let Some(order) = self.documents.get(&begun.document).cloned() else { continue };
            if begun.body.standing.is_some() {
                let key = *self.name().bytes();
                let standing = Standing::new(begun, order, key, now_ms);
                self.standing.extend(standing.map(|it| (it.begun.order, it)));
                continue;
            }
            let carried = match self.carried(line, &begun).await {
                Ok(carried) => carried,
                // It begins when its plugin can be fetched.
                Err(trouble) => {
                    self.open.push(begun);
                    self.open.extend(open);
                    return Err(trouble);
                }
            };
            match carried {
                None if Time::from_ms(now_ms) < begun.body.expires && self.member.inbox().names(&begun.document) => {
                    visit.is_waiting = true;
                    self.open.push(begun);
                }
                None => {}
                Some(carried) => visit.takes += self.run(&begun, &order, &carried, now_ms),
            }
        }
        Ok(())
    }

    async fn run_standing(&mut self, line: &dyn Line, now_ms: u64, visit: &mut Visit) -> Result<(), Trouble> {
        let orders: Vec<Digest> = self.standing.keys().copied().collect();
        for order in orders {
            let fetched = match self.standing.get(&order) {
                Some(Standing { carried: None, begun, .. }) => {
                    let begun = begun.clone();
                    self.carried(line, &begun).await?
                }
                _ => None,
            };
            let Some(mut standing) = self.standing.remove(&order) else { continue };
            standing.carried = standing.carried.or(fetched);
            let due = standing.due(now_ms, self.paused.contains(&order));
            if let Some(carried) = &standing.carried {
                for _ in 0..due {
                    visit.takes += self.run(&standing.begun, &standing.order, carried, now_ms);
                }
            }
            self.standing.insert(order, standing);
        }
        Ok(())
    }

    /// What runs without a hub: orders that stand, by the clock.
    pub fn tick(&mut self, now_ms: u64) {
        self.come(Input::Looked, Time::from_ms(now_ms));
        let all = std::mem::take(&mut self.standing);
        for (order, mut standing) in all {
            let due = standing.due(now_ms, self.paused.contains(&order));
            if let Some(carried) = &standing.carried {
                for _ in 0..due {
                    self.run(&standing.begun, &standing.order, carried, now_ms);
                }
            }
            self.standing.insert(order, standing);
        }
    }

    /// The plugin that was ordered, fetched where it is not there yet.
    async fn carried(&mut self, line: &dyn Line, begun: &Begun) -> Result<Option<Carried>, Trouble> {
        if let Some(carried) = self.installed.get(&begun.body.plugin.digest) {
            return Ok(Some(carried.clone()));
        }
        let list = self.posted.orders.iter().find(|it| it.order == begun.document).and_then(|it| it.parcel);
        let Some(list) = list else { return Ok(None) };
        let fetched = plugin::fetch(line, list, &self.shelf).await?;
        if let Some(carried) = &fetched {
            while self.installed.len() >= INSTALLED_MAX {
                self.installed.pop_first();
            }
            self.installed.insert(carried.plugin.digest, carried.clone());
        }
        Ok(fetched)
    }

    /// Runs it, and tells what became of it; how long it takes.
    fn run(&mut self, begun: &Begun, order: &Signed, carried: &Carried, now_ms: u64) -> Duration {
        let now = Time::from_ms(now_ms);
        let fails = self.nature.fails(self.number, &begun.order);
        let ended = self.machine.run(&self.member, (begun, order), carried, (&self.facts, now, fails));
        let Ended { outcome, verdict, refused } = ended;
        let run = refused.is_none().then(RunId::new);
        let record = self.record(&begun.order, carried, now_ms);
        let told = Told {
            order: begun.order,
            run,
            attempt: 1,
            outcome,
            verdict,
            refused: refused.and_then(|code| code.parse().ok()),
            mode: begun.body.mode,
            ended: now,
            plan: None,
            record: Digest::of(&record),
        };
        self.say("record", record);
        self.tell(&told, now);
        self.nature.takes(self.number, &begun.order)
    }

    /// The details of a run, as large as those of one that found little.
    fn record(&self, order: &Digest, carried: &Carried, now_ms: u64) -> Vec<u8> {
        let mut events = vec![json!({ "at-ms": now_ms, "started": order })];
        let call =
            |at: usize| json!({ "at-ms": now_ms, "call": at, "interface": "device", "answer": self.facts.hostname });
        let each = call(1).to_string().len();
        events.extend((1..=RECORD_BYTES_MIN.div_ceil(each)).map(call));
        serde_json::to_vec(&json!({ "plugin": carried.plugin.name, "events": events })).unwrap_or_default()
    }

    fn tell_refused(&mut self, refused: &Refused, now: Time) {
        let record = refused.against.to_string().into_bytes();
        let told = Told::of_refused(refused, Digest::of(&record), now);
        if let Some(told) = told {
            self.say("record", record);
            self.tell(&told, now);
        }
    }

    fn tell(&mut self, told: &Told, now: Time) {
        // A result that the key does not sign is none, and this one always signs.
        if let Ok(signing) = self.member.tell(told, &mut self.signer, now) {
            self.signed += 1;
            self.say("result", signing.signed.to_text());
        }
    }

    /// A hub that came out of a backup is told once more what is kept, and all facts.
    fn tell_again(&mut self) {
        if self.posted.restored.is_none() || self.posted.restored == self.restored {
            return;
        }
        self.restored = self.posted.restored;
        self.told = None;
        while let Some(message) = self.kept.pop_back() {
            self.outbox.push_front(message);
        }
    }

    fn tell_facts(&mut self) {
        // A machine that is simulated stays as it is.
        if self.told.is_none() {
            let now = Inventory::of(&self.facts);
            self.say("facts", serde_json::to_vec(&now.whole()).unwrap_or_default());
            self.told = Some(now);
        }
    }

    fn say(&mut self, kind: &str, body: Vec<u8>) {
        let Ok(kind) = kind.parse() else { return };
        self.sequence += 1;
        self.outbox.push_back(Message { spool: self.spool, sequence: self.sequence, kind, body: body.into() });
        while self.outbox.len() > OUTBOX_MAX {
            self.outbox.pop_front();
        }
    }

    /// Delivers what waits, until the hub takes no more.
    pub async fn deliver(&mut self, line: &dyn Line) -> Result<(), Trouble> {
        while !self.outbox.is_empty() {
            let acks = courier::deliver(line, courier::batch(self.outbox.make_contiguous())).await?;
            let before = self.outbox.len();
            let kept = &mut self.kept;
            self.outbox.retain(|it| {
                let of = |ack: &&bus::Ack| (ack.spool, ack.sequence) == (it.spool, it.sequence);
                let stays = acks.iter().find(of).is_none_or(|ack| ack.taken == Taken::Differs);
                if !stays && it.kind.as_str() != "facts" {
                    kept.push_back(it.clone());
                }
                stays
            });
            while self.kept.len() > TOLD_MAX {
                self.kept.pop_front();
            }
            if self.outbox.len() == before {
                break;
            }
        }
        Ok(())
    }

    /// A session of its own: what the line opens one with.
    pub fn opener(&self) -> Opener {
        Opener { signer: self.signer.clone() }
    }
}

/// Signs sessions of a device with its key.
pub struct Opener {
    signer: Signer,
}

#[async_trait::async_trait]
impl bus::dial::Opener for Opener {
    async fn open(&self, hub: Digest, key: &Key) -> Result<Vec<u8>, String> {
        let now = Time::from_ms(model::SystemClock.now_ms());
        let session = trust::statement::Session {
            hub,
            key: key.clone(),
            from: now,
            until: now.plus_seconds(86_000),
            machine: None,
            process: None,
        };
        let bytes = trust::statement::write(now, &session).map_err(|refusal| refusal.to_string())?;
        let mut signed = Signed::new(bytes, Vec::new());
        signed.sign(&mut self.signer.clone()).map_err(|error| error.to_string())?;
        Ok(signed.to_text())
    }
}
