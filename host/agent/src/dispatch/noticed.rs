//! What was noticed, by sources and by the agent itself, and the runs that may have brought it about.

use model::{Outcome, RunId};
use serde_json::{Map, Value};

use super::{Dispatcher, Turn, restore};
use crate::{Change, Notice, Watch};

impl Dispatcher {
    /// A source noticed something for an order. One that is gone meanwhile does not care.
    pub(super) fn notice(&mut self, order: &str, notice: &Notice, turn: &mut Turn<'_>) {
        self.decide(order, Some(notice), turn);
    }

    /// Somebody emitted an event.
    pub(super) fn emitted(&mut self, name: &str, data: &Map<String, Value>, cause: Option<RunId>, turn: &mut Turn<'_>) {
        let is_meant = |watch: &Watch| matches!(watch, Watch::Emitted { name: wanted } if wanted == name);
        self.notice_all(is_meant, name, data, cause, turn);
    }

    /// A run ended. It is noticed in the step in which it ends, so that no end is lost to whoever waits for it.
    pub(super) fn finished(
        &mut self,
        run: RunId,
        order: Option<&str>,
        outcome: Outcome,
        mut data: Map<String, Value>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(standing) = order.and_then(|order| self.order(order)) {
            data.insert("plugin".to_owned(), standing.plugin.clone().into());
        }
        data.insert("run".to_owned(), run.to_string().into());
        data.insert("outcome".to_owned(), outcome.to_string().into());
        if let Some(order) = order {
            data.insert("order".to_owned(), order.into());
        }
        let plugin = data.get("plugin").and_then(Value::as_str).map(str::to_owned);
        let is_it = |wanted: &Option<String>, is: Option<&str>| wanted.as_deref().is_none_or(|it| Some(it) == is);
        let is_meant = |watch: &Watch| match watch {
            Watch::RunFinished { order: wanted, plugin: of } => is_it(wanted, order) && is_it(of, plugin.as_deref()),
            _ => false,
        };
        let subject = order.or(plugin.as_deref()).unwrap_or_default();
        self.notice_all(is_meant, subject, &data, Some(run), turn);
    }

    fn notice_all(
        &mut self,
        is_meant: impl Fn(&Watch) -> bool,
        subject: &str,
        data: &Map<String, Value>,
        cause: Option<RunId>,
        turn: &mut Turn<'_>,
    ) {
        let meant: Vec<String> =
            self.watches().filter(|(_, watch)| is_meant(watch)).map(|(name, _)| name.to_owned()).collect();
        for name in meant {
            let (subject, data) = (subject.to_owned(), data.clone());
            let notice = Notice { at_ms: turn.now_ms, subject, change: Change::Happened, data, cause, found: None };
            self.notice(&name, &notice, turn);
            // Nobody tells it again: whoever emitted it was told that it was, and a run ends once.
            if let Some(standing) = self.standing.get_mut(&name) {
                standing.is_kept(self.clocks.steady_ms());
            }
            turn.orders.insert(name);
        }
    }

    /// A run that ended is remembered for a while, also over a restart.
    pub(super) fn remember_end(&mut self, id: RunId, turn: &mut Turn<'_>) {
        for gone in self.recent.end(id, turn.now_ms) {
            turn.step.changed.insert(restore::recent_key(gone), None);
        }
        let kept = self.recent.get(id).and_then(|run| serde_json::to_string(run).ok());
        turn.step.changed.insert(restore::recent_key(id), kept);
    }
}
