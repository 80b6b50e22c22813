//! This device in a fleet: what it makes of what came over the line, and what it tells.
//!
//! Nothing that comes is believed: `fleet::Member` decides about each of it, and what follows is made durable in one transaction
//! with what the dispatcher decides about it. Nothing of the agent waits for a hub.

mod copy;
mod facts;
mod kept;
mod line;
mod orders;
mod outbox;
mod parcels;
mod rows;
mod said;
mod secrets;
mod tables;
mod tickets;
mod told;
mod upgrades;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ::fleet::{Facts, Inventory, Member};
use anyhow::Context as _;
use backends::notify::TO_HUB;
use model::{Digest, RunId};
use store::Store;
use trust::{Place, Signed, Signer, Time};

use super::Executor;
use crate::agent::identity::Identity;
use crate::agent::joined::{self, Joined};
use crate::agent::protocol::LineIs;
use crate::agent::report::HubRow;
use crate::agent::socket::Answer;
use crate::context::Context;
use crate::keys;
use crate::machine::Machine;
use crate::vouched::Device;

use orders::{InForce, orders_kept};
use outbox::Outbox;
use parcels::Parcels;
use said::Marks;

pub(super) use copy::Copy;
pub(crate) use copy::forget;
pub(super) use facts::Asked as FactsAsked;
use facts::facts;
pub(super) use orders::Refusal;
pub(in crate::agent) use rows::Rows;
pub(super) use tables::{Found as FoundTable, Tables};
pub(super) use upgrades::Wanted as WantedUpgrade;

/// What `fleet::Member` keeps.
const KEPT: &str = "fleet";

/// What is kept beside it.
const OWN: &str = "fleet-own";

/// How many rows are read at once.
const PAGE: u32 = 500;

/// What this machine is in a fleet.
pub(super) enum Is {
    /// It joined none.
    Nothing,
    /// A device of one.
    Device(Box<Fleet>),
    /// A copy of one: another machine joined with the key that is here.
    Copy(Box<Copy>),
}

/// This device in a fleet.
pub(super) struct Fleet {
    joined: Joined,
    signer: Signer,
    /// Drawn by chance: which start of the agent this is.
    process: Digest,
    member: Member,
    facts: Facts,
    /// What the hub was told of that since this process began.
    told_facts: Option<Inventory>,
    /// Which secrets the hub was told are here.
    told_secrets: Option<String>,
    outbox: Outbox,
    /// Orders that began and are not over, by the digest of their statement.
    orders: BTreeMap<Digest, InForce>,
    /// Orders that the mailbox names, as they came, by the digest of their document.
    documents: BTreeMap<Digest, String>,
    posted: BTreeSet<Digest>,
    /// The list of the parts of an order's plugin, by the document of the order, as the mailbox has it.
    lists: BTreeMap<Digest, Digest>,
    /// Which run was an order's.
    ran: BTreeMap<Digest, RunId>,
    parcels: Parcels,
    marks: Marks,
    /// How far what plugins keep was told.
    kept: kept::Marks,
    /// Messages that were taken for the hub to tell, and are on their way out of where they lay.
    taken: HashSet<String>,
    /// The mailbox that was read last.
    has: Option<Digest>,
    fetch: Vec<Digest>,
    /// Orders that wait; of those that stand nothing begins meanwhile.
    waiting: BTreeSet<Digest>,
    wake: Option<Time>,
    /// Whoever waits for something to say.
    waiter: Option<Answer>,
    has_news: bool,
    line: LineIs,
    /// When the line was last heard of, in milliseconds since 1970.
    heard_ms: Option<u64>,
    /// Whether orders came or went since they were placed.
    is_stale: bool,
}

impl Fleet {
    /// What was kept.
    pub(super) async fn open(context: &Context, machine: &Machine) -> anyhow::Result<Is> {
        let Some(joined) = Joined::read(context)? else { return Ok(Is::Nothing) };
        let signer = joined::device_key(context)?.context("the device's key is gone: `remit agent join` again")?;
        let identity = Identity::read(context.root(), &signer.key()?);
        if identity.is_other(&joined.machine) {
            return Ok(Is::Copy(Box::new(Copy::new(joined, signer, identity, context)?)));
        }
        let facts = facts(machine).await;
        let fleet = Self::restore(joined, signer, facts, context, &machine.store)?;
        Ok(Is::Device(Box::new(fleet)))
    }

    fn restore(joined: Joined, signer: Signer, facts: Facts, context: &Context, store: &Store) -> anyhow::Result<Self> {
        let now_ms = context.clock.now_ms();
        let trust = keys::root(context)?;
        let member = Member::restore(signer.key()?, (*trust).clone(), all(KEPT, store, now_ms)?)?;
        Ok(Self {
            joined,
            signer,
            process: Digest::from(rand::random::<[u8; 32]>()),
            member,
            facts,
            told_facts: None,
            told_secrets: secrets::told(store, now_ms)?,
            outbox: Outbox::open(store, now_ms)?,
            orders: orders_kept(store, now_ms)?,
            documents: BTreeMap::new(),
            posted: BTreeSet::new(),
            lists: BTreeMap::new(),
            ran: orders::ran(store, now_ms)?,
            parcels: Parcels::open(&context.state),
            marks: Marks::open(store, now_ms)?,
            kept: kept::Marks::open(store, now_ms)?,
            taken: HashSet::new(),
            has: None,
            fetch: Vec::new(),
            waiting: BTreeSet::new(),
            wake: None,
            waiter: None,
            has_news: false,
            line: LineIs { trouble: Some("nobody called the hub yet".to_owned()) },
            heard_ms: None,
            is_stale: true,
        })
    }

    /// Whose device this is, where somebody signed it who may.
    pub(super) fn place(&self, now: Time) -> Option<Place> {
        self.member.trust().place(self.member.device(), now).ok()
    }

    /// The same, for approvals.
    pub(super) fn device(&self, now: Time) -> Option<Device> {
        let place = self.place(now)?;
        let mut device = Device::of(Some(place.client));
        let tags: Vec<String> = place.tags.iter().map(ToString::to_string).collect();
        device.also(None, &tags);
        Some(device)
    }

    /// How it stands with the hub.
    pub(super) fn row(&self, now: Time) -> HubRow {
        let place = self.place(now);
        let standing = self.orders.values().filter(|it| it.body.standing.is_some()).count();
        HubRow {
            address: self.joined.ways(self.member.trust()).0.first().unwrap_or(&self.joined.address).clone(),
            device: self.member.device().fingerprint(),
            client: place.as_ref().map(|it| it.client.to_string()),
            site: place.as_ref().map(|it| it.site.to_string()),
            tags: place.iter().flat_map(|it| &it.tags).map(ToString::to_string).collect(),
            trouble: self.line.trouble.clone(),
            heard_ms: self.heard_ms,
            under_way: self.orders.len() - standing,
            standing,
            waiting: self.waiting.len(),
            to_say: self.outbox.len(),
            lost: self.outbox.lost,
        }
    }
}

impl Executor {
    /// Whose device this is: what was signed, where anything was; else what the agent's owner says.
    pub(super) fn device(&self) -> Device {
        let of_fleet = self.fleet.as_ref().and_then(|fleet| fleet.device(keys::now(&self.context)));
        of_fleet.unwrap_or_else(|| self.settings.device.clone())
    }

    /// Somebody joined or left, or what was known is to be read anew.
    pub(super) fn reopen_fleet(&mut self) {
        let handle = tokio::runtime::Handle::current();
        let opened = tokio::task::block_in_place(|| handle.block_on(Fleet::open(&self.context, &self.machine)));
        self.take_fleet(opened);
        self.settle_secrets();
        self.look_at_fleet();
    }

    /// From now on it is this in a fleet, or nobody can say what.
    pub(super) fn take_fleet(&mut self, opened: anyhow::Result<Is>) {
        (self.fleet, self.copy) = (None, None);
        self.rows.gone(TO_HUB, TO_HUB.to_owned());
        self.problems.remove("hub");
        self.problems.remove("copy");
        match opened {
            Ok(Is::Nothing) => {}
            Ok(Is::Device(fleet)) => {
                // Whom nobody here has a route for, the hub tells.
                self.rows.put(TO_HUB, TO_HUB.to_owned(), "true".to_owned());
                self.fleet = Some(fleet);
            }
            Ok(Is::Copy(copy)) => {
                tracing::error!(why = copy::WHY, "nothing is done for the hub");
                self.problems.insert("copy".to_owned(), vec![copy::WHY.to_owned()]);
                self.copy = Some(copy);
            }
            Err(error) => {
                let why = format!("{error:#}");
                tracing::error!(why, "nothing is made of what the hub says");
                self.problems.insert("hub".to_owned(), vec![why]);
            }
        }
    }

    /// What this device believes may be other than before.
    pub(super) fn believe_anew(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        match keys::root(&self.context) {
            Ok(trust) => *fleet.member.trust_mut() = (*trust).clone(),
            Err(error) => tracing::error!(error = format!("{error:#}"), "what is believed cannot be read"),
        }
        self.check_place();
        self.look_at_signed();
        self.settle_secrets();
    }

    /// What the agent's owner says of the device, and others signed otherwise, is said to nobody in vain.
    fn check_place(&mut self) {
        let Some(place) = self.fleet.as_ref().and_then(|fleet| fleet.place(keys::now(&self.context))) else { return };
        let owner = &self.settings.device;
        let mut problems = Vec::new();
        if let Some(client) = owner.client.as_ref().filter(|client| **client != place.client) {
            problems.push(format!("agent.toml says client `{client}`, and signed is `{}`, which counts", place.client));
        }
        if !self.settings.site.is_empty() && self.settings.site != place.site.as_str() {
            let site = &self.settings.site;
            problems.push(format!("agent.toml says site `{site}`, and signed is `{}`, which counts", place.site));
        }
        match problems.is_empty() {
            true => drop(self.problems.remove("place")),
            false => drop(self.problems.insert("place".to_owned(), problems)),
        }
    }
}

/// Keeps what is believed from now on, where every run reads it.
fn believe(believed: &[Signed], context: &Context) -> anyhow::Result<()> {
    let mut trust = keys::believed_with_indexes(context)?.context(keys::NO_ROOT)?;
    let folder = keys::folder(context)?;
    for signed in believed {
        if let Ok(taken) = trust.take(signed, keys::now(context)) {
            folder.keep(&taken, signed, &trust)?;
            tracing::info!(kind = %taken.kind, subject = taken.subject, "is believed from now on");
        }
    }
    Ok(())
}

/// All rows of a collection.
fn all(collection: &str, store: &Store, now_ms: u64) -> anyhow::Result<Vec<(String, String)>> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = store.list(collection, "", &after, PAGE, now_ms)?;
        let Some(last) = page.last() else { return Ok(rows) };
        after.clone_from(&last.key);
        rows.extend(page.into_iter().map(|document| (document.key, document.value)));
    }
}
