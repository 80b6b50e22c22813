//! The executor: what happens goes into the dispatcher, what follows is made durable, and only then done.

mod asked;
mod begin;
mod causes;
mod events;
mod explain;
mod member;
mod owner;
mod rebooting;
mod settings;
mod starting;
mod tidy;
mod traces;
mod upgrading;

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use agent::{Dispatcher, Input, Now, Run, Step};
use anyhow::Context as _;
use model::{Ended, Outcome, RunId};
use sources::Noticed;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::alarm::{Alarm, Stopwatch};
use super::durable::Durable;
use super::orders::Changes;
use super::protocol::HubIs;
use super::socket::{Answer, Asked, Listening};
use super::supervisor::Supervisor;
use super::watchers::Watchers;
use crate::context::Context;
use crate::job::{Against, Job};
use crate::machine::Machine;

use causes::Doings;
use member::{Fleet, Refusal};
use owner::{Known, Owner};
use rebooting::Rebooting;
use traces::Traces;
use upgrading::Upgrading;

pub(crate) use begin::begin;
pub(in crate::agent) use member::Rows;
pub(crate) use member::forget as forget_fleet;
pub(crate) use settings::Settings;

/// How much is taken together into one commit.
const TOGETHER_MAX: usize = 256;

/// How long after a commit that failed the next one is tried: the disk is full, or read-only.
const COMMIT_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// How long what is under way may go on after the agent was told to end. systemd waits longer.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(60);

/// How often it is looked whether a run that waited for a reboot has ended, where `remit resume`, which says so, could not.
const SUSPENDED_ASKED_EVERY: Duration = Duration::from_secs(60);

/// A run that somebody waits for.
struct Hand {
    job: Job,
    subject: super::runner::Subject,
    answer: Arc<Answer>,
}

/// Something that happened.
enum Happened {
    Asked(Box<Asked>),
    Ended(RunId, Outcome),
    /// A run is over, and its end is the next agent's to record: until then nobody says that it ended.
    Left(RunId),
    Noticed(Box<Noticed>),
    /// Whoever asked for a run has gone.
    Gone(RunId),
    /// It is time, or the clock was set.
    Time,
    Reload,
    Stop,
    /// A reboot was asked for in this boot.
    RebootWanted(Box<backends::patch::RebootRequest>),
    /// So many people are logged in.
    People(u32),
    /// The machine did not go down.
    NotDown(String),
    /// What the device says of itself.
    Facts(Box<::fleet::Facts>),
    /// What its tables have.
    Tables(Vec<member::FoundTable>),
}

/// The executor, at work.
pub(crate) struct Executor {
    context: Arc<Context>,
    settings: Settings,
    machine: Arc<Machine>,
    dispatcher: Dispatcher,
    durable: Durable,
    stopwatch: Stopwatch,
    since_ms: u64,
    /// What is wrong, by what it is wrong with.
    problems: BTreeMap<String, Vec<String>>,
    hands: HashMap<RunId, Hand>,
    /// What this machine's owner is asked about orders.
    known: Known,
    /// What the owner refused, and is to be recorded.
    refused: Vec<(Run, Vec<Against>)>,
    under_way: HashMap<RunId, CancellationToken>,
    /// What follows and is not durable yet: nothing of it was done.
    pending: Step,
    wake_ms: Option<i64>,
    reloaded_ms: u64,
    began: Instant,
    /// The reboot that a run waits for.
    rebooting: Option<Rebooting>,
    stopping_since: Option<Instant>,
    /// This agent waits for nothing any more.
    leaving: CancellationToken,
    tidy: Arc<Notify>,
    happened: mpsc::Sender<Happened>,
    inbox: Inbox,
    watchers: Watchers,
    /// What runs under way changed.
    doings: HashMap<RunId, Doings>,
    /// Runs that ended, for whoever traces them.
    traces: Traces,
    /// What came to nothing, by reason.
    not_run: BTreeMap<String, u64>,
    looked_ms: u64,
    /// The hub that this device joined, where it joined one.
    fleet: Option<Box<Fleet>>,
    /// What somebody knows of where the hub is, who is told once it is otherwise.
    hub_asked: Option<(Option<HubIs>, Answer)>,
    /// This machine is a copy of a device of one.
    copy: Option<Box<member::Copy>>,
    /// What is to be made durable with the dispatcher's next step.
    rows: Rows,
    /// This device's own orders, as they were read last.
    local: Vec<(String, agent::Order)>,
    facts_asked: member::FactsAsked,
    /// The run that replaces the agent, where one does.
    upgrading: Upgrading,
    tables: member::Tables,
    _listening: Listening,
    _lock: std::fs::File,
}

/// Everything that may happen.
struct Inbox {
    happened: mpsc::Receiver<Happened>,
    desk: mpsc::Receiver<Asked>,
    notices: mpsc::Receiver<Noticed>,
    changes: Changes,
    alarm: Alarm,
    reload: Signal,
    stop: [Signal; 2],
}

impl Inbox {
    fn new(
        happened: mpsc::Receiver<Happened>,
        desk: mpsc::Receiver<Asked>,
        notices: mpsc::Receiver<Noticed>,
        changes: Changes,
    ) -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("signals");
        Ok(Self {
            happened,
            desk,
            notices,
            changes,
            alarm: Alarm::new().context("a timer")?,
            reload: on(SignalKind::hangup())?,
            stop: [on(SignalKind::terminate())?, on(SignalKind::interrupt())?],
        })
    }

    /// The next thing that happens. What is left is not lost.
    async fn next(
        &mut self,
        wake_ms: Option<i64>,
        at_latest: Option<Instant>,
        now_ms: i64,
    ) -> anyhow::Result<Happened> {
        let [terminate, interrupt] = &mut self.stop;
        let wait = async {
            match at_latest {
                Some(at) => tokio::time::sleep_until(at).await,
                None => pending().await,
            }
        };
        Ok(tokio::select! {
            Some(happened) = self.happened.recv() => happened,
            Some(noticed) = self.notices.recv() => Happened::Noticed(Box::new(noticed)),
            Some(asked) = self.desk.recv() => Happened::Asked(Box::new(asked)),
            () = self.changes.next() => Happened::Reload,
            _ = self.reload.recv() => Happened::Reload,
            _ = terminate.recv() => Happened::Stop,
            _ = interrupt.recv() => Happened::Stop,
            at = self.alarm.until(wake_ms, now_ms) => { at.context("the alarm")?; Happened::Time }
            () = wait => Happened::Time,
        })
    }

    /// What has happened too, without waiting.
    fn more(&mut self) -> Option<Happened> {
        let happened = self.happened.try_recv().ok();
        let noticed = || Some(Happened::Noticed(Box::new(self.notices.try_recv().ok()?)));
        let happened = happened.or_else(noticed);
        happened.or_else(|| Some(Happened::Asked(Box::new(self.desk.try_recv().ok()?))))
    }
}

impl Executor {
    /// Works until it is told to end.
    pub(crate) async fn work(mut self, supervisor: &Supervisor) -> anyhow::Result<()> {
        supervisor.ready();
        let mut looks = None;
        loop {
            let wake_ms = self.wake_ms;
            // Whatever happens meanwhile puts off nothing that is due.
            let in_time = self.at_latest(supervisor).map(|left| Instant::now() + left);
            looks = looks.into_iter().chain(in_time).min();
            let happened = self.inbox.next(wake_ms, looks, self.now_ms()).await?;
            if matches!(happened, Happened::Time) {
                looks = None;
            }
            supervisor.alive();
            let is_reload = matches!(happened, Happened::Reload);
            if is_reload {
                supervisor.reloading();
            }
            self.take(happened);
            for _ in 1..TOGETHER_MAX {
                let Some(happened) = self.inbox.more() else { break };
                self.take(happened);
            }
            self.write_down();
            if is_reload {
                supervisor.ready();
            }
            if self.is_over() {
                supervisor.stopping();
                tracing::info!("the agent ends");
                return Ok(());
            }
        }
    }

    /// How long nothing may happen.
    fn at_latest(&self, supervisor: &Supervisor) -> Option<Duration> {
        let is_suspended = self.dispatcher.runs().any(|run| run.stage == agent::Stage::Suspended);
        let has_pending = !is_empty(&self.pending) || !self.rows.is_empty();
        let of_commit = has_pending.then_some(COMMIT_AGAIN_AFTER);
        let of_suspended = is_suspended.then_some(SUSPENDED_ASKED_EVERY);
        let of_stop = self.stopping_since.map(|since| DRAIN_TIME_MAX.saturating_sub(since.elapsed()));
        [
            of_commit,
            of_suspended,
            of_stop.map(|left| left.max(Duration::from_secs(1))),
            supervisor.alive_every(),
            self.reboot_looks_in(),
            self.fleet_wakes_in(),
            self.upgrade_looks_in(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn take(&mut self, happened: Happened) {
        match happened {
            Happened::Asked(asked) => self.answer(*asked),
            Happened::Ended(run, outcome) => self.ended(run, outcome),
            Happened::Left(run) => drop(self.under_way.remove(&run)),
            Happened::Noticed(noticed) => self.noticed(*noticed),
            Happened::Gone(run) => {
                if let Some(cancel) = self.under_way.get(&run) {
                    cancel.cancel();
                }
                self.step(Input::Gone(run));
            }
            Happened::Time => {
                self.look_after_suspended();
                self.look_at_reboot();
                self.look_at_upgrade();
                let day_ms = 86_400_000;
                if self.context.clock.now_ms().abs_diff(self.reloaded_ms) >= day_ms {
                    self.reload();
                }
                self.step(Input::Looked);
                self.look_at_fleet_in_time();
                self.look_at_facts(false);
                self.look_at_tables(false);
                self.look_at_said();
            }
            Happened::Reload => self.reload(),
            Happened::RebootWanted(request) => self.reboot_wanted(*request),
            Happened::People(people) => self.people_counted(people),
            Happened::NotDown(why) => self.not_down(why),
            Happened::Facts(facts) => self.facts_found(*facts),
            Happened::Tables(found) => self.tables_found(found),
            Happened::Stop if self.stopping_since.is_some() => self.cancel_all(),
            Happened::Stop => {
                tracing::info!("the agent is told to end: what is under way comes to its end");
                self.stopping_since = Some(Instant::now());
                self.step(Input::Drain);
            }
        }
        if self.stopping_since.is_some_and(|since| since.elapsed() >= DRAIN_TIME_MAX) {
            self.cancel_all();
        }
    }

    fn cancel_all(&self) {
        self.leaving.cancel();
        self.under_way.values().for_each(CancellationToken::cancel);
    }

    fn ended(&mut self, run: RunId, outcome: Outcome) {
        self.under_way.remove(&run);
        self.upgrading.ended(run);
        self.traces.ended(run, outcome);
        self.tidy.notify_one();
        let (touched, data) = self.left_by(run);
        let may_change = self.dispatcher.runs().any(|it| it.id == run && it.changes());
        self.step(Input::Ended { run, outcome, touched, data });
        // What only looks raises nothing, and changes nothing that is told.
        if may_change {
            self.look_at_said();
            self.look_at_facts(true);
            self.look_at_tables(true);
        }
        if outcome == Outcome::Suspended {
            self.ask_for_reboot();
        }
    }

    /// Puts something before the dispatcher. What follows waits for the next commit.
    fn step(&mut self, input: Input) {
        let now = Now { now_ms: self.now_ms(), elapsed: self.stopwatch.lap() };
        self.looked_ms = self.context.clock.now_ms();
        let mut owner = Owner {
            known: &self.known,
            machine: &self.machine,
            fleet: self.fleet.as_deref(),
            now_ms: self.looked_ms,
            refused: Vec::new(),
            by_fleet: Vec::new(),
        };
        let step = self.dispatcher.step(input, now, &mut owner);
        let Owner { refused, by_fleet, .. } = owner;
        self.refused.extend(refused);
        self.tell_fleet(&step.told, &by_fleet);
        self.wake_ms = step.wake_ms;
        merge(&mut self.pending, step);
    }

    /// Makes durable what follows, and does it. What cannot be made durable is not done, and tried again.
    fn write_down(&mut self) {
        self.settle_fleet();
        let now_ms = self.context.clock.now_ms();
        let written = tokio::task::block_in_place(|| self.durable.write(&self.pending, &self.rows, now_ms));
        if let Err(error) = written {
            let why = format!("{error:#}");
            if self.problems.insert("state".to_owned(), vec![why.clone()]).is_none() {
                tracing::error!(why, "nothing is started: what is decided cannot be written down");
            }
            return;
        }
        self.problems.remove("state");
        self.record_refused();
        self.rows = Rows::default();
        self.upgrading.is_durable(&self.context);
        let step = std::mem::take(&mut self.pending);
        self.act(step);
        self.tell_waiter();
        self.tell_of_hub();
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.context.clock.now_ms()).unwrap_or(i64::MAX)
    }

    fn is_over(&self) -> bool {
        self.stopping_since.is_some() && self.under_way.is_empty() && is_empty(&self.pending) && self.rows.is_empty()
    }
}

fn is_empty(step: &Step) -> bool {
    step.changed.is_empty()
        && step.told.is_empty()
        && step.start.is_empty()
        && step.cancel.is_empty()
        && step.tickets.is_empty()
}

/// One step after another, as one.
fn merge(first: &mut Step, then: Step) {
    first.changed.extend(then.changed);
    first.told.extend(then.told);
    first.start.extend(then.start);
    first.cancel.extend(then.cancel);
    first.tickets.extend(then.tickets);
    first.is_drained = then.is_drained;
}

/// What a run that was handed back counts as.
fn outcome(ended: &anyhow::Result<Ended>) -> Outcome {
    match ended {
        Ok(ended) => ended.outcome,
        Err(error) if error.is::<crate::fault::Refused>() => Outcome::Refused,
        Err(_) => Outcome::HostError,
    }
}
