//! Orders that come, change, are paused and go.

use std::collections::BTreeSet;

use model::RunId;

use super::standing::{Kept, Standing};
use super::{Dispatcher, GONE_MAX, PAUSES, Placed, Scope, Ticket, Turn, What};
use crate::{Device, NotRun, Run, Stage};

impl Dispatcher {
    pub(super) fn reload(&mut self, orders: &[Placed], device: &Device, turn: &mut Turn<'_>) {
        let is_first = !std::mem::replace(&mut self.is_loaded, true);
        for placed in orders {
            self.place(placed, device, turn);
        }
        let there: BTreeSet<&str> = orders.iter().map(|placed| placed.name.as_str()).collect();
        let gone = self.standing.iter_mut().filter(|(name, _)| !there.contains(name.as_str()));
        let gone: Vec<String> =
            gone.filter_map(|(name, standing)| standing.take_away(turn.now_ms).then(|| name.clone())).collect();
        for name in gone {
            self.tell(Some(&name), What::Removed, turn);
            turn.orders.insert(name);
        }
        // Also what waits for an order of which nothing else is known.
        let is_lost = |run: &&Run| {
            let has_order = run.order().is_none_or(|order| self.order(order).is_some());
            run.stage == Stage::Waiting && !run.resumes && !has_order
        };
        let lost: Vec<RunId> = self.queue.all().filter(is_lost).map(|run| run.id).collect();
        lost.into_iter().for_each(|run| self.drop_waiting(run, NotRun::Removed, turn));
        self.forget(turn);
        if is_first {
            let tripped = self.standing.iter().filter_map(|(name, it)| Some((name, it.tripped()?)));
            let tickets = tripped.map(|(name, tripped)| Ticket { order: name.clone(), tripped: tripped.clone() });
            turn.step.tickets.extend(tickets);
        }
    }

    fn place(&mut self, placed: &Placed, device: &Device, turn: &mut Turn<'_>) {
        let name = &placed.name;
        let standing = self.standing.entry(name.clone()).or_insert_with(|| Standing::kept(Kept::default()));
        let before = standing.order.take().map(|it| it.order);
        let is_news = before.as_ref() != Some(&placed.order);
        match standing.place(placed, device, turn.now_ms) {
            Ok(has_changed) => {
                if has_changed {
                    turn.orders.insert(name.clone());
                }
                // After a start, an order that stood before is no news.
                if is_news && (before.is_some() || has_changed) {
                    self.tell(Some(name), if before.is_some() { What::Changed } else { What::Placed }, turn);
                }
            }
            Err(problems) => {
                if standing.take_away(turn.now_ms) {
                    turn.orders.insert(name.clone());
                }
                return self.tell(Some(name), What::Unfit(problems), turn);
            }
        }
        // What waits runs as the order says now.
        let waiting: Vec<RunId> =
            self.queue.of(name).filter(|run| run.stage == Stage::Waiting).map(|run| run.id).collect();
        for id in waiting {
            let is_same = self
                .queue
                .get(id)
                .is_some_and(|run| (run.mode, run.priority) == (placed.order.mode, placed.order.priority));
            if !is_same {
                self.queue.change(id, |run| (run.mode, run.priority) = (placed.order.mode, placed.order.priority));
                turn.runs.insert(id);
            }
        }
    }

    /// Forgets what is gone for long, and the oldest of too much.
    fn forget(&mut self, turn: &mut Turn<'_>) {
        let mut gone: Vec<(i64, String)> =
            self.standing.iter().filter_map(|(name, it)| Some((it.gone_ms()?, name.clone()))).collect();
        gone.sort();
        let too_many = gone.len().saturating_sub(GONE_MAX);
        for (at, (_, name)) in gone.into_iter().enumerate() {
            if at < too_many || self.standing.get(&name).is_some_and(|it| it.is_forgotten(turn.now_ms)) {
                self.standing.remove(&name);
                if self.pauses.orders.remove(&name) {
                    turn.step.changed.insert(PAUSES.to_owned(), serde_json::to_string(&self.pauses).ok());
                }
                turn.orders.insert(name);
            }
        }
    }

    pub(super) fn pause(&mut self, scope: Scope, is_paused: bool, turn: &mut Turn<'_>) {
        let before = self.pauses.clone();
        let name = match scope {
            Scope::All => {
                self.pauses.all = is_paused;
                None
            }
            Scope::Order(name) if is_paused && self.standing.contains_key(&name) => {
                self.pauses.orders.insert(name.clone());
                Some(name)
            }
            Scope::Order(name) => {
                self.pauses.orders.remove(&name);
                Some(name)
            }
        };
        let mut has_changed = self.pauses != before;
        if has_changed {
            turn.step.changed.insert(PAUSES.to_owned(), serde_json::to_string(&self.pauses).ok());
        }
        if let Some((name, standing)) = name.as_ref().and_then(|name| Some((name, self.standing.get_mut(name)?)))
            && !is_paused
            && standing.reset()
        {
            turn.orders.insert(name.clone());
            has_changed = true;
        }
        if has_changed {
            // What waits may fire now.
            self.standing.values_mut().for_each(|it| it.look_soon(turn.now_ms));
            self.tell(name.as_deref(), if is_paused { What::Paused } else { What::Resumed }, turn);
        }
    }
}
