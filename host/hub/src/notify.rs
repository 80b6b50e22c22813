//! Somebody is told what devices have to tell: by the ways that the hub's owner named, each at least once, with an id that stays the same.
//!
//! What is to be told follows from the database alone, so a hub that dies begins where it was. How a message goes is not for here: what
//! speaks to mail servers and knows their passwords is handed in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::db::{NotificationState, Telling};
use crate::{Error, Hub, Scope};

/// Where whom the hub tells is written, in its folder: whoever makes [`Ways`] reads it, and backups have it.
pub(crate) const FILE: &str = "notify.toml";

/// What lies there first.
pub(crate) const SAMPLE: &str = "\
# Whom the hub tells what devices have no route of their own for; read when it starts. A route is as in a device's policy.
# Its password: remit --state FOLDER-OF-THE-HUB secret set mail --for notify:on-call
#
# [all.routes.on-call]
# kind = \"smtp\"
# server = \"mail.example.com\"
# user = \"remit\"
# secret = \"mail\"
# from = \"remit@example.com\"
# to = [\"on-call@example.com\"]
#
# [clients.acme.routes.client-contact]
# kind = \"webhook\"
# url = \"https://hooks.example.com/acme\"
#
# device-per-hour-max = 30
# client-per-hour-max = 300
";

/// So many go between two looks.
const BATCH: u32 = 32;

/// How long one try may take.
const TRY_MAX: Duration = Duration::from_secs(10);

/// So long a message belongs to who is sending it: longer than a whole batch of tries.
const CLAIM_MS: u64 = 400_000;

/// The pause after the first failure; it doubles.
const PAUSE_MS: u64 = 30_000;

/// The longest pause.
const PAUSE_MS_MAX: u64 = 3_600_000;

/// How long a message is tried: what is older is no news.
const AGE_MS_MAX: u64 = 24 * 3_600_000;

/// The longest between two looks.
const REST_MAX: Duration = Duration::from_secs(60);

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The receiver took it.
    Delivered,
    /// It may go later; the receiver may have said in how many milliseconds.
    Later {
        /// What failed; no secret is in it.
        problem: String,
        /// How long the receiver wants to be let be.
        retry_after_ms: Option<u64>,
    },
    /// It never will.
    Never(String),
}

/// By which ways somebody is told. Whoever has them does nothing else for the hub, and decides nothing.
#[async_trait]
pub trait Ways: Send + Sync {
    /// Tells it once, and waits no longer than this. Its number and its device make the id that receivers see, which is the same for each
    /// try; and what the message itself says of its device is not believed.
    async fn tell(&self, it: &Telling, within: Duration) -> Sent;
}

/// So many messages are sent in an hour; what is beyond that is listed, and not sent.
#[derive(Clone, Copy, Debug)]
pub struct Budgets {
    /// Of one device.
    pub device_per_hour_max: u32,
    /// Of all devices of a client.
    pub client_per_hour_max: u32,
}

impl Default for Budgets {
    fn default() -> Self {
        // As many as a device sends to one of its own routes; and of a client, as many as somebody reads who does nothing else.
        Self { device_per_hour_max: 30, client_per_hour_max: 300 }
    }
}

/// Has somebody told.
pub struct Notifier {
    hub: Arc<Hub>,
    ways: Box<dyn Ways>,
    budgets: Budgets,
}

impl Notifier {
    /// The name of the file in the hub's folder that says whom it tells.
    pub const FILE: &str = FILE;

    /// Over a hub, by these ways.
    pub fn new(hub: Arc<Hub>, ways: Box<dyn Ways>, budgets: Budgets) -> Self {
        Self { hub, ways, budgets }
    }

    /// Works until it is dropped.
    pub async fn run(self) {
        loop {
            let now_ms = self.hub.clock.now_ms();
            let rest = match self.step(now_ms).await {
                Ok(Some(due_ms)) => Duration::from_millis(due_ms.saturating_sub(now_ms).max(100)).min(REST_MAX),
                Ok(None) => REST_MAX,
                Err(_) => Duration::from_secs(5),
            };
            let _ = timeout(rest, self.hub.to_tell.notified()).await;
        }
    }

    /// Sends what is due. When to look again; nothing where nothing waits.
    pub(crate) async fn step(&self, now_ms: u64) -> Result<Option<u64>, Error> {
        let mut down: BTreeSet<(String, String)> = BTreeSet::new();
        loop {
            let hub = Arc::clone(&self.hub);
            let due = move || hub.db.read(&Scope::of_hub(), |view| view.due_notifications(now_ms, BATCH));
            let due = tokio::task::spawn_blocking(due).await.unwrap_or(Err(Error::Lost))?;
            let mut sent = 0;
            for it in &due {
                // The next one would fail as well, and cost as much time.
                if !down.contains(&(it.client.clone(), it.audience.clone())) {
                    sent += 1;
                    if !self.one(it, now_ms).await? {
                        down.insert((it.client.clone(), it.audience.clone()));
                    }
                }
            }
            if sent == 0 {
                break;
            }
        }
        let hub = Arc::clone(&self.hub);
        let next = move || hub.db.read(&Scope::of_hub(), |view| view.next_notification_ms());
        tokio::task::spawn_blocking(next).await.unwrap_or(Err(Error::Lost))
    }

    /// Sends one; whether its way is there.
    async fn one(&self, due: &Telling, now_ms: u64) -> Result<bool, Error> {
        let (taken, until_ms, budgets) = (due.clone(), now_ms + CLAIM_MS, self.budgets);
        let claim = move |change: &crate::db::Change<'_>| change.claim_notification(&taken, budgets, now_ms, until_ms);
        if !self.hub.db.write(claim).await? {
            return Ok(true);
        }
        let number = due.number;
        match self.ways.tell(due, TRY_MAX).await {
            Sent::Delivered => self.end(number, NotificationState::Sent, String::new()).await.map(|()| true),
            Sent::Never(problem) => self.end(number, NotificationState::Failed, problem).await.map(|()| true),
            Sent::Later { problem, .. } if now_ms.saturating_sub(due.at_ms) > AGE_MS_MAX => {
                self.end(number, NotificationState::Failed, problem).await.map(|()| true)
            }
            Sent::Later { problem, retry_after_ms } => {
                let doubled = PAUSE_MS.saturating_mul(1 << due.tries.min(16));
                let until_ms = now_ms + retry_after_ms.unwrap_or_default().max(doubled).min(PAUSE_MS_MAX);
                let due = due.clone();
                self.hub.db.write(move |change| change.delay_notifications(&due, until_ms, &problem)).await?;
                Ok(false)
            }
        }
    }

    async fn end(&self, number: u64, state: NotificationState, problem: String) -> Result<(), Error> {
        self.hub.db.write(move |change| change.end_notification(number, state, &problem)).await
    }
}
