use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use contract::ticket::{AddNote, AttachFile, Draft, Kind, Level, RaiseTicket, Raised, ResolveIfMine, Status};
use contract::types::{Change, Error, Severity};
use contract::{Context, ticket};
use model::TicketId;
use serde::{Deserialize, Serialize};

use crate::Shared;

use super::documents::{Key, Tickets};
use super::life::By;
use super::record::{Actor, Ticket};

/// What a fixture says of tickets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Fixture {
    /// Tickets that the plugin under test has raised before.
    pub tickets: Vec<FixtureTicket>,
}

/// A ticket that is there when the test begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureTicket {
    /// What it was raised for.
    pub fingerprint: String,
    /// Where it stands: `new` if left out.
    #[serde(default = "new")]
    pub status: Status,
    /// How often it was raised: once if left out.
    #[serde(default = "once")]
    pub occurrences: u32,
    /// Whether a person has answered.
    #[serde(default)]
    pub person_replied: bool,
    /// How long ago it was opened, and where it is no longer open, resolved.
    #[serde(default)]
    pub age_seconds: u64,
}

fn new() -> Status {
    Status::New
}

fn once() -> u32 {
    1
}

impl FixtureTicket {
    fn ticket(&self, key: &Key, number: usize, tickets: &Tickets) -> Ticket {
        let at_ms = tickets.clock.now_ms().saturating_sub(self.age_seconds * 1_000);
        let by = By { actor: Actor::Plugin(key.plugin.clone()), run: None, at_ms };
        let draft = Draft {
            fingerprint: self.fingerprint.clone(),
            kind: Kind::Incident,
            title: self.fingerprint.clone(),
            body: String::new(),
            impact: Level::Medium,
            urgency: Level::Medium,
            severity: Severity::Warning,
            attributes: Vec::new(),
        };
        let (id, number) = (TicketId::new().to_string(), format!("{}-{number:06}", tickets.policy.number_prefix));
        let mut ticket = Ticket::open(&id, number, key, &draft, &tickets.policy, &by);
        if matches!(self.status, Status::Resolved | Status::Closed) {
            ticket.resolve("", &tickets.policy, &by);
        }
        ticket.status = self.status;
        ticket.occurrences = self.occurrences;
        ticket.person_replied = self.person_replied;
        ticket
    }
}

/// The twin in memory: the same logic, beginning with a fixture's tickets. They belong to whichever plugin asks.
pub struct Memory {
    tickets: Tickets,
    fixture: Fixture,
    begun: Mutex<BTreeSet<(String, String)>>,
}

impl Memory {
    /// With these tickets; what is shared is the test's own.
    pub fn new(fixture: Fixture, shared: &Shared) -> Self {
        Self { tickets: Tickets::new(shared), fixture, begun: Mutex::default() }
    }

    /// Puts the fixture's own there for this plugin and device: what reads the store sees them too, such as an overlay.
    pub fn begin(&self, cx: &Context) -> Result<(), Error> {
        self.begun(cx).map(|_| ())
    }

    fn begun(&self, cx: &Context) -> Result<&Tickets, Error> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.insert((cx.device.clone(), cx.plugin.clone())) {
            for (index, ticket) in self.fixture.tickets.iter().enumerate() {
                let key = Key::new(cx, &ticket.fingerprint);
                self.tickets.put(&key, &ticket.ticket(&key, index + 1, &self.tickets))?;
            }
        }
        Ok(&self.tickets)
    }
}

#[async_trait::async_trait]
impl ticket::Backend for Memory {
    async fn raise_ticket(&self, cx: &Context, call: &RaiseTicket) -> Result<Raised, Error> {
        self.begun(cx)?.raise_ticket(cx, call).await
    }

    async fn add_note(&self, cx: &Context, call: &AddNote) -> Result<Change, Error> {
        self.begun(cx)?.add_note(cx, call).await
    }

    async fn attach_file(&self, cx: &Context, call: &AttachFile) -> Result<Change, Error> {
        self.begun(cx)?.attach_file(cx, call).await
    }

    async fn resolve_if_mine(&self, cx: &Context, call: &ResolveIfMine) -> Result<Change, Error> {
        self.begun(cx)?.resolve_if_mine(cx, call).await
    }
}
