//! What is put before the dispatcher, and what it answers.

use std::collections::BTreeMap;

use contract::Class;
use contract::run::Mode;
use model::{Outcome, RunId};
use serde_json::{Map, Value};

use super::told::Told;
use crate::{Calendars, Device, Elapsed, Notice, Order, Priority, Reason, RebootTold, Run, Touched, Tripped};

/// When something is put before the dispatcher.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time of day; milliseconds since 1970.
    pub now_ms: i64,
    /// How long it is since the last step, by clocks that nobody sets; nothing with the first.
    pub elapsed: Option<Elapsed>,
}

/// What is put before the dispatcher.
#[derive(Clone, Debug)]
pub enum Input {
    /// Nothing happened: it is time to look, the clock was set, or the machine is awake again.
    Looked,
    /// All orders that stand now, and what the device's policy says of windows. It comes first after a start, before the ends of
    /// runs that were under way; and again whenever orders, policy or the rules of time zones change.
    Reloaded {
        /// All of them. What is not among them is removed; what is, goes on with what is known of it.
        orders: Vec<Placed>,
        /// The device.
        device: Device,
        /// What a filter sees as `device`: id, client, site, tags, os.
        facts: Map<String, Value>,
    },
    /// A source noticed something for an order.
    Noticed {
        /// The order's name.
        order: String,
        /// What.
        notice: Notice,
    },
    /// `remit emit NAME`: for all orders that wait for it.
    Emitted {
        /// The name.
        name: String,
        /// What a filter and the plugin read.
        data: Map<String, Value>,
        /// The run that did so, where one did.
        cause: Option<RunId>,
    },
    /// A run that is under way changed something. It is put before the dispatcher at once: what comes of it is noticed before the
    /// run has ended.
    Touched {
        /// Which.
        run: RunId,
        /// What, beside what was told before.
        touched: Vec<Touched>,
    },
    /// A run ended, with all that it left behind. One that ended `suspended` is not over.
    Ended {
        /// Which.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// What it changed, as far as that was not told while it was under way.
        touched: Vec<Touched>,
        /// What whoever waits for its end reads beside its id, order, plugin and outcome; such as its verdict. `plugin`, where it was
        /// asked for by hand.
        data: Map<String, Value>,
    },
    /// A run that was to start did not, or a suspended one may go on: it waits for its start again.
    Again(RunId),
    /// Somebody asks for a run by hand.
    Asked(HandRun),
    /// Whoever asked for a run by hand waits no longer.
    Gone(RunId),
    /// Somebody pauses an order, or all.
    Paused(Scope),
    /// Somebody lets an order, or all, go on. An order that is named goes on too where its breaker had tripped: somebody looked.
    Resumed(Scope),
    /// Something became of the reboot that a run waits for.
    Rebooting {
        /// Which run.
        run: RunId,
        /// What.
        told: RebootTold,
    },
    /// The agent is about to end: what is under way is brought to its end, and nothing is started.
    Drain,
    /// It does not end after all.
    GoOn,
}

/// An order, and what its plugin says of it.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its name.
    pub name: String,
    /// The order.
    pub order: Order,
    /// The highest class of what its runs may use; windows are for classes.
    pub class: Class,
    /// Windows that hold beside its own and the device's: those of whoever ordered it.
    pub calendars: Vec<Calendars>,
}

/// A run that somebody asks for.
#[derive(Clone, Debug)]
pub struct HandRun {
    /// Which.
    pub id: RunId,
    /// What it may do.
    pub mode: Mode,
    /// Before which others.
    pub priority: Priority,
    /// How long it waits at most; milliseconds. For ever, where it is left out.
    pub wait_ms: Option<i64>,
}

/// Whom a pause is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All orders.
    All,
    /// This one.
    Order(String),
}

/// What the dispatcher asks of whoever drives it.
pub trait Shell {
    /// An id that no run has.
    fn new_run(&mut self) -> RunId;

    /// Whether the device's policy and its budgets let a run start now; its order, where it is not by hand.
    fn permits(&mut self, run: &Run, order: Option<&Order>) -> Result<(), Reason>;
}

/// What follows from one input. First everything in `changed` and `told` is made durable, in one transaction; then the rest is
/// done.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What is to be kept, by key; a key without a value is to be gone. All of it is handed to [`super::Dispatcher::restore`]
    /// after a start.
    pub changed: BTreeMap<String, Option<String>>,
    /// What was decided, in its order.
    pub told: Vec<Told>,
    /// Runs that start now.
    pub start: Vec<Run>,
    /// Runs that are to be stopped; their ends are awaited.
    pub cancel: Vec<RunId>,
    /// Breakers that tripped: a ticket each, told apart by order and number. Those that are still open are told again after a
    /// start, because nobody knows whether their tickets were raised.
    pub tickets: Vec<Ticket>,
    /// When to look again at the latest, if nothing happens; milliseconds since 1970.
    pub wake_ms: Option<i64>,
    /// Whether nothing is under way, and nothing will be: the agent may end.
    pub is_drained: bool,
}

/// A ticket is to be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// For this order.
    pub order: String,
    /// Because of this.
    pub tripped: Tripped,
}
