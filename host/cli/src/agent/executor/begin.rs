//! How the executor begins: it is alone, what an earlier one left is put in order, and what was decided is known again.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::sync::Arc;

use agent::{Dispatcher, Input, Placed, Stage};
use anyhow::{Context as _, bail};
use contract::run::Mode;
use model::event;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::member::{FactsAsked, Fleet, Rows, Tables};
use super::owner::{Known, Reading};
use super::tidy::keep_tidy;
use super::upgrading::Upgrading;
use super::{Executor, Happened, Inbox, Settings};
use crate::agent::alarm::Stopwatch;
use crate::agent::durable::Durable;
use crate::agent::orders::{self, Changes};
use crate::agent::socket::{self, Rights};
use crate::agent::watchers::Watchers;
use crate::context::Context;
use crate::machine::Machine;
use crate::suspended::Waiting;

/// What waits to be taken in. Whoever finds it full waits.
const INBOX_MAX: usize = 1_024;

/// How many decisions of an order are remembered from before.
const REMEMBERED: u32 = 32;

/// Begins. Two agents never have one folder of state.
pub(crate) async fn begin(settings: Settings, context: Arc<Context>) -> anyhow::Result<Executor> {
    let machine = Arc::new(Machine::open(&context, &BTreeMap::new())?);
    let lock = only_one(&context)?;
    // Damage shows where it is read, which may be late. What is damaged is set aside, and the agent goes on.
    match tokio::task::block_in_place(|| machine.store.check()) {
        Ok(()) | Err(store::Error::Corrupt { .. }) => {}
        Err(other) => return Err(other.into()),
    }
    drop(machine.take(Mode::Enforce, &context).await?);
    let now_ms = context.clock.now_ms();
    let durable = Durable::new(Arc::clone(&machine.store));
    let kept = durable.states(now_ms)?;
    let restored = Dispatcher::restore(kept, settings.limits, i64::try_from(now_ms).unwrap_or(i64::MAX));
    let mut dispatcher = restored.dispatcher;
    let names: Vec<String> = dispatcher.names().map(str::to_owned).collect();
    for name in names {
        dispatcher.remember(durable.decisions(&name, REMEMBERED)?.into_iter().rev());
    }
    let mut problems = BTreeMap::new();
    for aside in machine.store.set_aside() {
        let aside = aside.display().to_string();
        tracing::error!(aside, "what this device remembered was damaged, and was set aside");
        problems.insert("memory".to_owned(), vec![format!("it was damaged, and was set aside: {aside}")]);
    }
    for aside in restored.set_aside {
        tracing::error!(key = aside.key, why = aside.why, "a state cannot be read, and was set aside");
        problems.insert(format!("state {}", aside.key), vec![aside.why]);
    }
    let (happened, inbox) = mpsc::channel(INBOX_MAX);
    let (desk, asked) = mpsc::channel(INBOX_MAX);
    let rights = Rights { owner: rustix::process::geteuid().as_raw(), network: settings.network.map(|(user, _)| user) };
    let path = settings.socket.clone();
    let group = settings.network.map(|(_, group)| group);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    let listening = socket::listen(&path, group, rights, desk);
    let listening = listening.with_context(|| format!("the agent's socket {}", path.display()))?;
    let changes = Changes::of(&[&settings.orders, &context.state.join("plugins")]);
    let (notices, noticed) = mpsc::channel(INBOX_MAX);
    let folder = context.state.join("noticed");
    store::make_private_folder(&folder).with_context(|| format!("{}", folder.display()))?;
    let tools = sources::Asked::from(&machine.device.backends);
    let around = sources::Surroundings::new(Arc::clone(&context.clock), folder, tools);
    let watchers = Watchers::new(around, notices);
    let fleet = Fleet::open(&context, &machine).await;
    let tidy = Arc::new(Notify::new());
    // An earlier agent may have left something.
    tidy.notify_one();
    tokio::spawn(keep_tidy(Arc::clone(&machine), Arc::clone(&context), settings.spool, Arc::clone(&tidy)));
    let mut executor = Executor {
        settings,
        machine,
        dispatcher,
        durable,
        stopwatch: Stopwatch::default(),
        since_ms: now_ms,
        problems,
        hands: HashMap::new(),
        known: Known::default(),
        refused: Vec::new(),
        under_way: HashMap::new(),
        pending: agent::Step::default(),
        wake_ms: None,
        reloaded_ms: now_ms,
        began: Instant::now(),
        rebooting: None,
        stopping_since: None,
        leaving: CancellationToken::new(),
        tidy,
        happened,
        watchers,
        doings: HashMap::new(),
        traces: super::Traces::default(),
        not_run: BTreeMap::new(),
        looked_ms: now_ms,
        fleet: None,
        copy: None,
        rows: Rows::default(),
        local: Vec::new(),
        hub_asked: None,
        facts_asked: FactsAsked::default(),
        upgrading: Upgrading::of_before(&context),
        tables: Tables::default(),
        inbox: Inbox::new(inbox, asked, noticed, changes)?,
        context,
        _listening: listening,
        _lock: lock,
    };
    executor.take_fleet(fleet);
    // What stood stands again, before anybody is told which orders there are.
    executor.settle_secrets();
    executor.look_at_fleet();
    executor.reload();
    executor.tell_facts();
    executor.look_at_tables(true);
    executor.look_at_said();
    for run in restored.under_way {
        executor.give_back(&run)?;
    }
    executor.ask_for_reboot();
    executor.forget_upgrade_of_before();
    executor.write_down();
    tracing::info!(orders = executor.dispatcher.names().count(), socket = %path.display(), "the agent is at work");
    Ok(executor)
}

fn only_one(context: &Context) -> anyhow::Result<File> {
    let path = context.state.join("agent.lock");
    let shown = || format!("the agent's lock {}", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(&path).with_context(shown)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("an agent runs already with the state in {}: `remit agent status`", context.state.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(shown),
    }
}

impl Executor {
    /// Reads orders and host policy anew. What cannot be read is told, and what was read before stays.
    pub(super) fn reload(&mut self) {
        self.reloaded_ms = self.context.clock.now_ms();
        let is_of_file = |key: &String| key.starts_with("order ") || *key == "orders" || *key == "policy";
        self.problems.retain(|key, _| !is_of_file(key));
        match Machine::open(&self.context, &BTreeMap::new()) {
            // One store a process: its commits are shared.
            Ok(machine) => self.machine = Arc::new(Machine { store: Arc::clone(&self.machine.store), ..machine }),
            Err(error) => drop(self.problems.insert("policy".to_owned(), vec![format!("{error:#}")])),
        }
        self.believe_anew();
        let read = match orders::read(&self.settings.orders) {
            Ok(read) => read,
            Err(error) => {
                let why = format!("{error:#}");
                tracing::error!(why, "the orders cannot be read: those from before stay");
                self.problems.insert("orders".to_owned(), vec![why]);
                return;
            }
        };
        for (file, problems) in read.problems {
            tracing::error!(file, problems = problems.join("; "), "an order cannot be read");
            self.problems.insert(format!("order {file}"), problems);
        }
        self.local = read.orders.into_iter().collect();
        self.place();
        self.look_at_reboot_now();
        self.look_at_fleet();
    }

    /// Puts all orders that stand before the dispatcher, with their plugins as they are now: this device's own, and those of the fleet.
    pub(super) fn place(&mut self) {
        let device = self.device();
        let mut reading = Reading::new(&self.context, &self.machine, &device);
        let local = self.local.iter().map(|(name, order)| {
            let class = reading.class(name, order);
            Placed { name: name.clone(), order: order.clone(), class, calendars: Vec::new() }
        });
        let mut orders: Vec<Placed> = local.collect();
        orders.extend(self.placed_of_fleet(&mut reading));
        self.known = reading.known;
        let device = agent::Device { key: self.key(), calendars: self.machine.policy.device.calendars() };
        let facts = self.facts();
        self.step(Input::Reloaded { orders, device, facts });
        self.watch();
    }

    /// A secret of this device that never changes: its place in jitters follows from it.
    fn key(&self) -> [u8; 32] {
        let id = backends::device::device_id(&self.machine.device.shared).map(|id| id.to_string()).unwrap_or_default();
        model::Digest::of(id.as_bytes()).hex().as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// What became of a run that was under way when an earlier agent ended.
    fn give_back(&mut self, run: &agent::Run) -> anyhow::Result<()> {
        let events = self.machine.store.events(run.id)?;
        match event::end(&events) {
            Some(ended) => self.ended(run.id, ended.outcome),
            // It began, and its unit goes on with it, or nobody has rebooted yet.
            None if Waiting::of(&events).is_some() && run.stage == Stage::Suspended => {}
            None if Waiting::of(&events).is_some() => self.ended(run.id, model::Outcome::Suspended),
            // The unit that replaces the agent goes on with it, or has: what became of it is in its file.
            None if self.upgrading.is_of(run.id) => self.go_on_with_upgrade(),
            None => self.step(Input::Again(run.id)),
        }
        Ok(())
    }

    /// Whether runs that waited for a reboot have ended: the unit that goes on with them tells nobody.
    pub(super) fn look_after_suspended(&mut self) {
        let suspended: Vec<_> =
            self.dispatcher.runs().filter(|run| run.stage == Stage::Suspended).map(|run| run.id).collect();
        for run in suspended {
            let ended = self.machine.store.events(run).ok().and_then(|events| event::end(&events).map(|it| it.outcome));
            if let Some(outcome) = ended {
                let _ = self.happened.try_send(Happened::Ended(run, outcome));
            }
        }
    }
}
