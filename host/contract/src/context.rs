use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// Who calls, and within what: the same for all calls of a run.
#[derive(Clone)]
pub struct Caller {
    /// The run, `run_` and a ULID.
    pub run: String,
    /// The plugin: what one plugin stores or raises, another does not see.
    pub plugin: String,
    /// The device, `dev_` and a ULID.
    pub device: String,
    /// Whether the run may see who people are: `device-people` is granted. False unless the gate says otherwise.
    pub people: bool,
    /// The most bytes of one HTTP body: the run's limit.
    pub http_body_bytes: u64,
    /// The most time of one HTTP exchange: the run's limit.
    pub http_ms: u64,
    /// Set where the run is being cancelled; long work asks now and then, and looks at the deadline too.
    pub cancel: CancellationToken,
}

impl Caller {
    /// A run with the default limits.
    pub fn new(run: &str, plugin: &str, device: &str) -> Self {
        Self {
            run: run.to_owned(),
            plugin: plugin.to_owned(),
            device: device.to_owned(),
            people: false,
            http_body_bytes: 1 << 20,
            http_ms: 30_000,
            cancel: CancellationToken::new(),
        }
    }
}

/// What a backend knows of the call beside its arguments, its caller first. The gate makes one for each, and copies no text
/// for it.
pub struct Context {
    /// Who calls. Read through the context itself; only tests change it.
    pub caller: Arc<Caller>,
    /// The entries of the capability's scope as granted, for functions that list what is in it.
    pub scope: Arc<[String]>,
    /// When the gate will give up on the call.
    pub deadline: Instant,
    /// What would undo the call: left by the backend, kept in the record, never shown to the guest.
    undo: Mutex<Vec<Undo>>,
    /// Interfaces of which the overlay cannot tell what they would say afterwards.
    unforeseen: Mutex<Vec<&'static str>>,
}

impl Deref for Context {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Context {
    /// A call of a run with the default limits.
    pub fn new(run: &str, plugin: &str, device: &str, scope: Vec<String>, deadline: Instant) -> Self {
        Self::of(Arc::new(Caller::new(run, plugin, device)), scope.into(), deadline)
    }

    /// A call without anything to undo yet.
    pub fn of(caller: Arc<Caller>, scope: Arc<[String]>, deadline: Instant) -> Self {
        Self { caller, scope, deadline, undo: Mutex::default(), unforeseen: Mutex::default() }
    }

    /// The same call with another scope, for a backend that asks another one; what would undo it stays behind.
    #[must_use]
    pub fn with_scope(&self, scope: Vec<String>) -> Self {
        Self::of(Arc::clone(&self.caller), scope.into(), self.deadline)
    }

    /// Whether long work should stop: its time is up, or the run is being cancelled.
    pub fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || Instant::now() >= self.deadline
    }

    /// Leaves what would undo a part of this call.
    pub fn can_undo(&self, undo: Undo) {
        self.undo.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(undo);
    }

    /// In a dry run: what this call would change of another interface's answers is not known. One of them read afterwards makes
    /// the plan incomplete from there.
    pub fn cannot_foretell(&self, interface: &'static str) {
        self.unforeseen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(interface);
    }

    /// The interfaces of which that was said.
    pub fn take_unforeseen(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.unforeseen.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// What was left, in order.
    pub fn take_undo(&self) -> Vec<Undo> {
        std::mem::take(&mut self.undo.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// What would undo one effect: made by the backend that did it, read by nobody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Undo {
    /// What the effect was about, as the record names it.
    pub target: String,
    /// The backend's own words.
    pub token: serde_json::Value,
}

/// A secret opened for one way of use. It names the secret and never holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretUse {
    /// The secret's name.
    pub name: String,
    /// How it may be used.
    pub way: SecretWay,
}

/// How an opened secret may be used: the functions of `secrets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SecretWay {
    /// `Authorization: Bearer` and the secret.
    Bearer,
    /// `Authorization: Basic` with this user and the secret as password.
    Basic {
        /// The user.
        user: String,
    },
    /// This header, with a prefix and the secret as its value.
    Header {
        /// The header's name.
        header: String,
        /// What comes before the secret.
        prefix: String,
    },
    /// A password or passphrase that an interface takes.
    Password,
}
