use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use contract::notify::{AcknowledgeEvent, Delivery, Notification, ResolveEvent, TriggerEvent};
use contract::types::{Error, Severity};
use contract::{Context, notify};
use serde::{Deserialize, Serialize};

use crate::Shared;

use super::outbox::Outbox;
use super::policy::{Format, Policy, Route, Target, Way};

/// What a fixture says of notifications.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Fixture {
    /// Who can be told: `technician`, `on-call` and `client-contact` if left out.
    pub audiences: Vec<String>,
    /// Alerts that the plugin under test has opened before.
    pub alerts: Vec<FixtureAlert>,
}

impl Default for Fixture {
    fn default() -> Self {
        let audiences = ["technician", "on-call", "client-contact"].map(str::to_owned).to_vec();
        Self { audiences, alerts: Vec::new() }
    }
}

/// An alert that is open when the test begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureAlert {
    /// Who was told.
    pub audience: String,
    /// The plugin's key.
    pub dedup_key: String,
    /// How bad: `warning` if left out.
    #[serde(default = "warning")]
    pub severity: Severity,
    /// Whether somebody works on it.
    #[serde(default)]
    pub acknowledged: bool,
}

fn warning() -> Severity {
    Severity::Warning
}

/// The twin in memory: the same logic, beginning with a fixture's alerts. They belong to whichever plugin asks, and nothing
/// is ever sent: the address leads nowhere.
pub struct Memory {
    outbox: Outbox,
    fixture: Fixture,
    begun: Mutex<BTreeSet<(String, String)>>,
}

impl Memory {
    /// With these alerts; what is shared is the test's own.
    pub fn new(fixture: Fixture, shared: &Shared) -> Result<Self, url::ParseError> {
        let target = Target::Url(url::Url::parse("https://remit.invalid/")?);
        let route = Route {
            way: Way::Webhook { format: Format::Generic, target, secret: None },
            quiet_hours: None,
            group_window_seconds: 60,
            per_hour_max: 30,
            repeat_after_seconds: 86_400,
        };
        let routes: BTreeMap<String, Route> =
            fixture.audiences.iter().map(|audience| (audience.clone(), route.clone())).collect();
        let outbox = Outbox { policy: Arc::new(Policy { routes }), ..Outbox::new(shared) };
        Ok(Self { outbox, fixture, begun: Mutex::default() })
    }

    /// Puts the fixture's own there for this plugin and device: what reads the store sees them too, such as an overlay.
    pub fn begin(&self, cx: &Context) -> Result<(), Error> {
        self.begun(cx).map(|_| ())
    }

    fn begun(&self, cx: &Context) -> Result<&Outbox, Error> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.insert((cx.device.clone(), cx.plugin.clone())) {
            for alert in &self.fixture.alerts {
                let (audience, dedup_key) = (alert.audience.clone(), alert.dedup_key.clone());
                self.outbox.trigger(cx, &alert.notification())?;
                if alert.acknowledged {
                    self.outbox.acknowledge(cx, &AcknowledgeEvent { audience, dedup_key })?;
                }
            }
        }
        Ok(&self.outbox)
    }
}

impl FixtureAlert {
    fn notification(&self) -> Notification {
        Notification {
            dedup_key: self.dedup_key.clone(),
            audience: self.audience.clone(),
            severity: self.severity,
            summary: self.dedup_key.clone(),
            component: String::new(),
            group: String::new(),
            event_class: String::new(),
            links: Vec::new(),
            attributes: Vec::new(),
        }
    }
}

#[async_trait::async_trait]
impl notify::Backend for Memory {
    async fn trigger_event(&self, cx: &Context, call: &TriggerEvent) -> Result<Delivery, Error> {
        self.begun(cx)?.trigger_event(cx, call).await
    }

    async fn acknowledge_event(&self, cx: &Context, call: &AcknowledgeEvent) -> Result<Delivery, Error> {
        self.begun(cx)?.acknowledge_event(cx, call).await
    }

    async fn resolve_event(&self, cx: &Context, call: &ResolveEvent) -> Result<Delivery, Error> {
        self.begun(cx)?.resolve_event(cx, call).await
    }
}
