//! What was noticed, what runs of ours changed, and the tickets of breakers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use agent::{Input, Occasion, Ticket, Touched, Watch};
use contract::ticket::{Draft, Kind, Level, RaiseTicket};
use contract::types::Severity;
use model::{Event, RunId, event};
use serde_json::{Map, Value, json};
use sources::Noticed;

use super::explain::why_tripped;
use super::{Executor, causes};

/// How long a ticket may take. It goes into the store of this machine.
const TICKET_TIME_MAX: Duration = Duration::from_secs(30);

impl Executor {
    pub(super) fn noticed(&mut self, noticed: Noticed) {
        let Noticed { order, mut notice } = noticed;
        let watch = self.dispatcher.watches().find(|(name, _)| *name == order).map(|(_, watch)| watch);
        // Where nothing of ours changed anything, nobody asks what is there.
        if self.dispatcher.has_touched() {
            notice.found = watch.and_then(|watch| causes::found(watch, &notice));
        }
        // What runs under way have changed by now may be what was noticed.
        self.tell_touched();
        self.step(Input::Noticed { order, notice });
    }

    /// What the rules of all orders that stand watch.
    pub(super) fn watch(&mut self) {
        let watched = self.dispatcher.names().filter_map(|name| match &self.dispatcher.order(name)?.occasion {
            Occasion::Event(trigger) => Some((name.to_owned(), trigger.watch.clone())),
            Occasion::Schedule(_) | Occasion::Once => None,
        });
        let watched: BTreeMap<String, Watch> = watched.collect();
        self.watchers.watch(watched);
    }

    /// What a filter sees of the device.
    pub(super) fn facts(&self) -> Map<String, Value> {
        let id = backends::device::device_id(&self.machine.device.shared).map(|id| id.to_string()).unwrap_or_default();
        let device = self.device();
        let place = self.fleet.as_ref().and_then(|fleet| fleet.place(crate::keys::now(&self.context)));
        let facts = json!({
            "id": id,
            "client": device.client.as_ref().map(trust::Name::as_str).unwrap_or_default(),
            "site": place.map_or_else(|| self.settings.site.clone(), |place| place.site.to_string()),
            "tags": device.tags().collect::<Vec<_>>(),
            "os": std::env::consts::OS,
        });
        facts.as_object().cloned().unwrap_or_default()
    }

    /// What runs under way have announced to change, since it was told last: that is durable before it is done.
    fn tell_touched(&mut self) {
        let under_way: Vec<RunId> = self.under_way.keys().copied().collect();
        for run in under_way {
            let touched = self.untold(run);
            if !touched.is_empty() {
                self.step(Input::Touched { run, touched });
            }
        }
    }

    /// What a run changed, or announced, and was not told yet.
    fn untold(&mut self, run: RunId) -> Vec<Touched> {
        let changes = self.dispatcher.runs().any(|it| it.id == run && it.changes());
        if !changes {
            return Vec::new();
        }
        let events = self.machine.store.events(run).unwrap_or_default();
        self.doings.entry(run).or_default().untold(&events)
    }

    /// What a run left behind, for whoever waits for its end.
    pub(super) fn left_by(&mut self, run: RunId) -> (Vec<Touched>, Map<String, Value>) {
        let touched = self.untold(run);
        self.doings.remove(&run);
        let mut data = Map::new();
        let is_waited_for = self.dispatcher.watches().any(|(_, watch)| matches!(watch, Watch::RunFinished { .. }));
        if !is_waited_for {
            return (touched, data);
        }
        let events = self.machine.store.events(run).unwrap_or_default();
        if let Some(Event::Started(started)) = events.first().map(|first| &first.event) {
            data.insert("plugin".to_owned(), json!(started.plugin));
            data.insert("mode".to_owned(), json!(started.mode.word()));
        }
        if let Some(ended) = event::end(&events) {
            data.insert("verdict".to_owned(), json!(ended.verdict.to_string()));
        }
        (touched, data)
    }

    /// Raises the ticket of a breaker. One that is raised again is the same one.
    pub(super) fn raise(&self, ticket: Ticket) {
        let machine = self.machine.clone();
        tokio::spawn(async move {
            let device = backends::device::device_id(&machine.device.shared).map(|id| id.to_string());
            let caller = format!("order {}", ticket.order);
            let deadline = Instant::now() + TICKET_TIME_MAX;
            let cx = contract::Context::new("", &caller, &device.unwrap_or_default(), Vec::new(), deadline);
            let raised = machine.device.backends.ticket.raise_ticket(&cx, &draft(&ticket)).await;
            match raised {
                Ok(_) => {
                    tracing::warn!(order = ticket.order, "a breaker tripped: the order is off until somebody looks")
                }
                Err(error) => tracing::error!(order = ticket.order, %error, "a ticket could not be raised"),
            }
        });
    }
}

/// What is told of a breaker that tripped.
fn draft(Ticket { order, tripped }: &Ticket) -> RaiseTicket {
    let why = why_tripped(&tripped.why);
    RaiseTicket {
        ticket: Draft {
            fingerprint: format!("agent/breaker/{order}/{}", tripped.number),
            kind: Kind::Incident,
            title: format!("The order `{order}` was switched off"),
            body: format!(
                "{why}. It starts nothing until somebody has looked.\n\n`remit agent explain {order}` tells what happened, \
                 `remit agent resume {order}` switches it on again."
            ),
            impact: Level::Low,
            urgency: Level::Medium,
            severity: Severity::Warning,
            attributes: Vec::new(),
        },
    }
}
