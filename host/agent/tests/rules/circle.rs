//! Orders whose plugins change what others watch, on a device with a clock.

use agent::{
    Change, Elapsed, Look, Notice, Occupancy, RecentRun, Rule, RuleDecision, RuleLook, RuleState, Touched, TripReason,
};
use serde_json::Map;

use super::{HOUR, NOON_MS, rule};

/// An order that watches a file, and whose plugin writes another.
struct Order {
    name: &'static str,
    rule: Rule,
    state: RuleState,
    watches: &'static str,
    writes: &'static str,
    runs: usize,
}

struct Device {
    orders: Vec<Order>,
    now_ms: i64,
    last_ms: i64,
    recent: Vec<RecentRun>,
    /// Whether runs tell what they changed.
    is_known: bool,
    tickets: Vec<TripReason>,
    causes: usize,
}

impl Device {
    fn new(orders: &[(&'static str, &'static str, &'static str)]) -> Self {
        let order = |&(name, watches, writes)| Order {
            name,
            rule: rule(&format!("watch = {{ type = \"file-change\", path = \"{watches}\" }}"), name),
            state: RuleState::new(NOON_MS),
            watches,
            writes,
            runs: 0,
        };
        let orders = orders.iter().map(order).collect();
        Self {
            orders,
            now_ms: NOON_MS,
            last_ms: NOON_MS,
            recent: Vec::new(),
            is_known: true,
            tickets: Vec::new(),
            causes: 0,
        }
    }

    /// Something wrote a file; and what follows from it, for so many steps.
    fn written(&mut self, file: &str) {
        let mut files = vec![file.to_owned()];
        for _ in 0..100 {
            if files.is_empty() {
                return;
            }
            self.now_ms += 1_000;
            files = files.into_iter().flat_map(|file| self.noticed(&file)).collect();
        }
    }

    /// Tells all that watch it. Their runs write at once, and end; a source notices a second later.
    fn noticed(&mut self, file: &str) -> Vec<String> {
        let awake_ms = self.now_ms - std::mem::replace(&mut self.last_ms, self.now_ms);
        let mut written = Vec::new();
        for at in 0..self.orders.len() {
            let order = &mut self.orders[at];
            let look = Look {
                now_ms: self.now_ms,
                elapsed: Some(Elapsed { awake_ms, asleep_ms: 0 }),
                occupancy: Occupancy::Idle,
                is_paused: false,
            };
            let facts = Map::new();
            let look = RuleLook { look, facts: &facts, runs: &self.recent };
            let notice = Notice {
                at_ms: self.now_ms,
                subject: file.to_owned(),
                change: Change::Happened,
                data: Map::new(),
                cause: None,
                found: None,
            };
            let decisions = if order.watches == file {
                order.rule.notice(&mut order.state, &notice, &look)
            } else {
                order.rule.look(&mut order.state, &look)
            };
            for decision in decisions {
                match decision {
                    RuleDecision::Fire(firing) => {
                        order.runs += 1;
                        let touched = Touched {
                            interface: "files-write".to_owned(),
                            function: "write-file".to_owned(),
                            target: order.writes.to_owned(),
                            at: None,
                        };
                        self.recent.push(RecentRun {
                            run: model::RunId::new(),
                            order: Some(order.name.to_owned()),
                            start_ms: self.now_ms,
                            end_ms: Some(self.now_ms + 100),
                            chain: firing.event.chain,
                            effects: if self.is_known { vec![touched] } else { Vec::new() },
                        });
                        written.push(order.writes.to_owned());
                    }
                    RuleDecision::Tripped(tripped) => self.tickets.push(tripped.why),
                    RuleDecision::NotFired(not) => self.causes += usize::from(not.reason.code() == "cause"),
                }
            }
        }
        written
    }

    fn runs(&self) -> Vec<usize> {
        self.orders.iter().map(|order| order.runs).collect()
    }
}

#[test]
fn what_causes_its_own_event_runs_once() {
    let mut device = Device::new(&[("tidy", "/etc/hosts", "/etc/hosts")]);
    for round in 1..=100 {
        device.written("/etc/hosts");
        assert_eq!(device.runs(), [round], "once for each change from outside");
        device.now_ms += HOUR;
    }
    assert!(device.tickets.is_empty(), "that is how an order works");
    assert!(device.causes >= 100);
}

#[test]
fn a_circle_of_three_is_broken_with_one_ticket() {
    let orders = [("one", "/etc/a", "/etc/b"), ("two", "/etc/b", "/etc/c"), ("three", "/etc/c", "/etc/a")];
    let mut device = Device::new(&orders);
    device.written("/etc/a");
    assert_eq!(device.runs(), [1, 1, 1]);
    let chain = ["one", "two", "three", "one"].map(str::to_owned).to_vec();
    assert_eq!(device.tickets, [TripReason::Circle { chain }]);
    for file in ["/etc/a", "/etc/b", "/etc/c"].repeat(10) {
        device.now_ms += HOUR;
        device.written(file);
    }
    assert_eq!(device.tickets.len(), 1, "and no other, whoever begins");
    assert_eq!(device.orders[0].runs, 1, "one of them is off, so there is no circle any more");
    let mut line = Device::new(&orders[..2]);
    line.written("/etc/a");
    assert_eq!((line.runs(), line.tickets.len()), (vec![1, 1], 0), "orders in a row are none");
}

#[test]
fn a_circle_that_nobody_can_see_is_stopped_by_the_breaker() {
    let mut device =
        Device::new(&[("one", "/etc/a", "/etc/b"), ("two", "/etc/b", "/etc/c"), ("three", "/etc/c", "/etc/a")]);
    device.is_known = false;
    device.written("/etc/a");
    assert_eq!(device.runs(), [10, 10, 10]);
    assert_eq!(device.tickets, [TripReason::TooOften { firings: 10, within_ms: HOUR }]);
}
