//! What was durable becomes a dispatcher again.

use std::collections::BTreeMap;

use model::RunId;

use super::recent::Recent;
use super::standing::{Kept, Standing};
use super::told::{Told, What};
use super::{Clocks, Dispatcher, PAUSES, Pauses, Step};
use crate::queue::Queue;
use crate::{Limits, NotRun, Run, Stage};

const ORDER: &str = "order/";
const RUN: &str = "run/";

/// Runs that ended of late.
const RECENT: &str = "recent/";

/// Where what cannot be read is kept, for whoever mends it.
const ASIDE: &str = "aside/";

/// Under which key is kept what is known of an order.
pub(super) fn order_key(name: &str) -> String {
    format!("{ORDER}{name}")
}

/// Under which key a run is kept.
pub(super) fn run_key(id: RunId) -> String {
    format!("{RUN}{id}")
}

/// Under which key a run is kept that ended of late.
pub(super) fn recent_key(id: RunId) -> String {
    format!("{RECENT}{id}")
}

/// A dispatcher as it was, and what is to be done about it.
#[derive(Clone, Debug)]
pub struct Restored {
    /// It waits for [`super::Input::Reloaded`], and starts nothing before.
    pub dispatcher: Dispatcher,
    /// Runs that were to start, were under way, or wait for a reboot. After the orders, what became of each is to be put before
    /// it: [`super::Input::Ended`] with what its record says, `interrupted` where that has no end; [`super::Input::Again`] where
    /// it has no beginning, or goes on after a reboot. Until then they count as under way.
    pub under_way: Vec<Run>,
    /// What could not be read. The rest goes on without.
    pub set_aside: Vec<SetAside>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its key.
    pub key: String,
    /// Why.
    pub why: String,
}

impl Dispatcher {
    /// What all steps so far have left in `changed`, by key; nothing, where there was none.
    pub fn restore(kept: impl IntoIterator<Item = (String, String)>, limits: Limits, now_ms: i64) -> Restored {
        let mut dispatcher = Self {
            standing: BTreeMap::new(),
            queue: Queue::new(limits),
            pauses: Pauses::default(),
            recent: Recent::default(),
            facts: serde_json::Map::new(),
            clocks: Clocks::new(),
            is_loaded: false,
            is_draining: false,
            found: Step::default(),
        };
        let mut set_aside = Vec::new();
        for (key, text) in kept {
            if let Err(why) = dispatcher.take_back(&key, &text, now_ms) {
                let order = key.strip_prefix(ORDER).map(str::to_owned);
                dispatcher.found.told.push(Told { at_ms: now_ms, order, what: What::SetAside(why.clone()) });
                dispatcher.found.changed.insert(format!("{ASIDE}{key}"), Some(text));
                dispatcher.found.changed.insert(key.clone(), None);
                set_aside.push(SetAside { key, why });
            }
        }
        dispatcher.recent.sort();
        let under_way = dispatcher.queue.all().filter(|run| run.stage != Stage::Waiting).cloned().collect();
        Restored { dispatcher, under_way, set_aside }
    }

    fn take_back(&mut self, key: &str, text: &str, now_ms: i64) -> Result<(), String> {
        if key == PAUSES {
            self.pauses = serde_json::from_str(text).map_err(|error| error.to_string())?;
        } else if let Some(name) = key.strip_prefix(ORDER) {
            self.standing.insert(name.to_owned(), Standing::kept(Kept::read(text)?));
        } else if key.starts_with(RUN) {
            let run: Run = serde_json::from_str(text).map_err(|error| error.to_string())?;
            if key != run_key(run.id) {
                return Err(format!("it is {} and stands under another name", run.id));
            }
            // Whoever asked for it waited at a process that is no more.
            if run.order().is_none() && run.stage == Stage::Waiting && !run.resumes {
                let what = What::NotStarted { run: run.id, why: NotRun::Gone };
                self.found.told.push(Told { at_ms: now_ms, order: None, what });
                self.found.changed.insert(key.to_owned(), None);
                return Ok(());
            }
            if run.stage != Stage::Waiting || run.resumes {
                self.recent.begin(&run, now_ms);
            }
            let waited_ms = now_ms.saturating_sub(run.queued_ms).max(0);
            self.queue.put(run, 0, waited_ms);
        } else if key.starts_with(RECENT) {
            let run = serde_json::from_str(text).map_err(|error| error.to_string())?;
            self.recent.take_back(run);
        }
        Ok(())
    }

    /// What was decided before, as the log has it, oldest first: for [`Dispatcher::explain`].
    pub fn remember(&mut self, log: impl IntoIterator<Item = Told>) {
        for told in log {
            if let Some(standing) = told.order.as_ref().and_then(|order| self.standing.get_mut(order)) {
                standing.remember(told);
            }
        }
    }
}
