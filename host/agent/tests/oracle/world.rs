//! A machine on which one order stands: its clocks, what befalls it, and the runs that begin there.

use std::collections::BTreeSet;

use agent::{Decision, Elapsed, Look, Manner, Occupancy, Reason, Schedule, Seen, State};

use crate::brute::{Clock, Clocks, Decided, Oracle};
use crate::dice::Dice;
use crate::orders::{Order, Overlap};
use crate::through::Through;
use crate::{BEGIN, DAY, END, MINUTE, Totals, YEAR};

const HOUR: i64 = 60 * MINUTE;

impl Dice {
    fn key(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| u8::try_from(self.below(256)).unwrap())
    }
}

pub(crate) struct World<'a> {
    order: &'a Order,
    dice: &'a mut Dice,
    key: [u8; 32],
    schedule: Schedule,
    state: State,
    oracle: Oracle<'a>,
    clock: &'a Clock,
    /// Time as it really goes by, and by how much the wall clock is ahead of it.
    real: i64,
    ahead: i64,
    since: Since,
    paused_until: i64,
    /// When the run that is under way ends, and how many wait.
    running_until: Option<i64>,
    waiting: u32,
    fired: BTreeSet<i64>,
    history: Vec<String>,
    /// Who decides in place of the schedule alone.
    through: Option<Through>,
}

/// What has been since the last look.
#[derive(Default)]
struct Since {
    awake: i64,
    asleep: i64,
    set: i64,
    is_restarted: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(order: &'a Order, clocks: &'a Clocks, dice: &'a mut Dice) -> Self {
        let key = dice.key();
        let schedule = Schedule::new(&order.trigger(), order.name, order.class, &order.device(key)).unwrap();
        let oracle = Oracle::new(order, clocks, &key, BEGIN);
        assert!(oracle.entries.is_sorted_by_key(|entry| entry.due), "{}: what is due keeps its order", order.name);
        Self {
            order,
            dice,
            key,
            schedule,
            state: State::new(BEGIN),
            oracle,
            clock: &clocks[order.zone],
            real: BEGIN,
            ahead: 0,
            since: Since { is_restarted: true, ..Since::default() },
            paused_until: 0,
            running_until: None,
            waiting: 0,
            fired: BTreeSet::new(),
            history: Vec::new(),
            through: None,
        }
    }

    /// The dispatcher decides, with the runs that it has.
    pub(crate) fn through(mut self) -> Self {
        self.through = Some(Through::new(self.order, self.key, BEGIN));
        // Its first look was when it was told of the order.
        self.since.is_restarted = false;
        self.oracle.look(BEGIN, (false, false), false, "not-running");
        self
    }

    pub(crate) fn run(mut self, totals: &mut Totals) {
        let mut event = self.next_event();
        while self.real < END {
            let now = self.real + self.ahead;
            let wake = match self.through {
                Some(_) => self.oracle.wake(now),
                None => self.schedule.wake_ms(&self.state, now),
            };
            // The oracle knows nothing of what is due years after the end.
            let known = wake.filter(|&wake| wake < END + YEAR);
            assert_eq!(
                known,
                self.oracle.wake(now).filter(|&wake| wake < END + YEAR),
                "{}",
                self.told("when to look again")
            );
            let lateness = if self.dice.one_in(200) { self.dice.below(3 * MINUTE) } else { self.dice.below(2_000) };
            let due = wake.map_or(i64::MAX, |wake| wake - self.ahead + lateness);
            if event <= due {
                self.pass((event - self.real).max(0));
                self.befall();
                totals.events += 1;
                event = self.next_event();
                // Sometimes nobody looks for a while after.
                let pause = if self.dice.one_in(3) { self.dice.below(10 * MINUTE) } else { self.dice.below(2_000) };
                self.pass(pause);
            } else {
                self.pass(due - self.real);
            }
            self.look(totals);
        }
    }

    /// Now and then, and every few minutes around the nights in which the clocks change.
    fn next_event(&mut self) -> i64 {
        let event = self.real + self.dice.below(8 * DAY) + 1;
        let Some(change) = self.clock.next_change(self.real + self.ahead - 3 * HOUR).map(|change| change - self.ahead)
        else {
            return event;
        };
        if change - 2 * HOUR < event {
            (change - 2 * HOUR).max(self.real) + self.dice.below(40 * MINUTE)
        } else {
            event
        }
    }

    fn pass(&mut self, ms: i64) {
        self.real += ms;
        self.since.awake += ms;
    }

    fn befall(&mut self) {
        let what = self.dice.below(10);
        let note = match what {
            0 | 1 => self.set(if self.ahead % YEAR >= 4 * HOUR { -HOUR } else { HOUR }),
            2 | 3 => self.set(if self.ahead % YEAR <= -4 * HOUR { HOUR } else { -HOUR }),
            4 if self.dice.one_in(3) => {
                let is_far = self.ahead.abs() > YEAR / 2;
                let by = if self.dice.one_in(2) { YEAR } else { -YEAR };
                self.set(if is_far { -self.ahead.signum() * YEAR } else { by })
            }
            4 => {
                let by = self.dice.below(10 * MINUTE) - 5 * MINUTE;
                self.set(by)
            }
            5 | 6 => {
                let ms = if self.dice.one_in(3) { self.dice.below(4 * DAY) } else { self.dice.below(3 * HOUR) };
                self.real += ms;
                self.since.asleep += ms;
                format!("asleep for {ms}")
            }
            7 => {
                self.paused_until = self.real + self.dice.below(2 * DAY);
                "paused".to_owned()
            }
            _ => self.restart(),
        };
        self.history.push(format!("{}: {note}", self.real + self.ahead));
    }

    fn set(&mut self, by: i64) -> String {
        self.ahead += by;
        self.since.set += by;
        format!("clock set by {by}")
    }

    /// Everything but what is on disk is made anew, sometimes after a long time, sometimes with the clock set meanwhile.
    fn restart(&mut self) -> String {
        let down = if self.dice.one_in(4) { self.dice.below(20 * DAY) } else { self.dice.below(HOUR) };
        self.real += down;
        if self.dice.one_in(10) {
            self.ahead += self.dice.below(2 * HOUR) - HOUR;
        }
        self.since.is_restarted = true;
        let kept = serde_json::to_string(&self.state).unwrap();
        assert!(kept.len() < 2_500, "{} bytes of state", kept.len());
        self.state = serde_json::from_str(&kept).unwrap();
        let device = self.order.device(self.key);
        self.schedule = Schedule::new(&self.order.trigger(), self.order.name, self.order.class, &device).unwrap();
        if let Some(through) = &mut self.through {
            through.restart(self.real + self.ahead);
        }
        format!("down for {down}")
    }

    fn look(&mut self, totals: &mut Totals) {
        self.end_runs();
        let Since { awake, asleep, set, is_restarted } = std::mem::take(&mut self.since);
        let now = self.real + self.ahead;
        let cause = match () {
            () if is_restarted => "not-running",
            () if set >= awake && set >= asleep => "clock-set",
            () if asleep >= awake => "suspended",
            () => "busy",
        };
        let is_paused = self.real < self.paused_until;
        let mut busy = (self.running_until.is_some(), self.waiting > 0);
        let look = Look {
            now_ms: now,
            elapsed: (!is_restarted).then_some(Elapsed { awake_ms: awake, asleep_ms: asleep }),
            occupancy: match busy {
                (_, true) => Occupancy::Waiting,
                (true, false) => Occupancy::Running,
                (false, false) => Occupancy::Idle,
            },
            is_paused,
        };
        let length = self.length();
        let seen = match &mut self.through {
            None => self.schedule.due(&mut self.state, &look),
            Some(through) => {
                let looked = through.look((now, self.real), look.elapsed, is_paused);
                through.last(|| self.real + length);
                busy = looked.busy;
                Seen { decisions: looked.decisions, clock_set_ms: None }
            }
        };
        let mut decided: Vec<Decided> = seen.decisions.iter().map(decided).collect();
        decided.sort();
        let expected = self.oracle.look(now, busy, is_paused, cause);
        assert_eq!(decided, expected, "{}", self.told(&format!("{look:?}")));
        if self.through.is_none() && !is_restarted && set.abs() > 10 * MINUTE {
            assert_eq!(seen.clock_set_ms, Some(set), "{}", self.told("the clock was set"));
        }
        totals.looks += 1;
        for decision in &seen.decisions {
            self.count(decision, totals);
        }
    }

    fn count(&mut self, decision: &Decision, totals: &mut Totals) {
        match decision {
            Decision::Fire(firing) => {
                totals.fired += 1;
                totals.late += u64::from(firing.is_late);
                assert!(self.fired.insert(firing.nominal_ms), "{}", self.told(&format!("twice: {firing:?}")));
                match firing.manner {
                    _ if self.through.is_some() => {}
                    Manner::Queue => self.waiting += 1,
                    Manner::Start | Manner::Replace => {
                        assert!(firing.manner == Manner::Replace || self.running_until.is_none());
                        self.waiting = 0;
                        self.running_until = Some(self.real + self.length());
                    }
                }
            }
            Decision::NotFired(not) => {
                totals.not_fired += not.count;
                *totals.reasons.entry(not.reason.code().to_owned()).or_default() += not.count;
                if let Reason::Misfire { .. } = not.reason {
                    *totals.reasons.entry(word(&not.reason)[8..].to_owned()).or_default() += not.count;
                }
            }
        }
    }

    fn length(&mut self) -> i64 {
        let is_long = self.dice.one_in(if self.order.overlap == Overlap::Skip { 300 } else { 6 });
        if is_long { self.dice.below(5 * HOUR) } else { self.dice.below(30_000) }
    }

    fn end_runs(&mut self) {
        while let Some(end) = self.running_until.filter(|&end| end <= self.real) {
            self.running_until = None;
            if self.waiting > 0 {
                self.waiting -= 1;
                self.running_until = Some(end + self.length());
            }
        }
    }

    fn told(&self, what: &str) -> String {
        let last = self.history.len().saturating_sub(5);
        format!("{}: {what}, after {:#?}", self.order.name, &self.history[last..])
    }
}

fn decided(decision: &Decision) -> Decided {
    match decision {
        Decision::Fire(firing) => Decided::Fired {
            nominal: firing.nominal_ms,
            due: firing.due_ms,
            start: firing.start_ms,
            is_late: firing.is_late,
            manner: match firing.manner {
                Manner::Start => "start",
                Manner::Queue => "queue",
                Manner::Replace => "replace",
            },
        },
        Decision::NotFired(not) => {
            Decided::Not { first: not.first_ms, last: not.last_ms, count: not.count, reason: word(&not.reason) }
        }
    }
}

fn word(reason: &Reason) -> String {
    match reason {
        Reason::Blackout { name } => format!("blackout {name:?}"),
        Reason::Misfire { cause } => {
            let cause = serde_json::to_value(cause).unwrap();
            format!("misfire {}", cause.as_str().unwrap())
        }
        other => other.code().to_owned(),
    }
}
