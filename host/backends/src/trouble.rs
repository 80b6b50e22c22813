//! What goes wrong on a device in memory: calls that fail, and calls that take their time. The gate asks before it asks a
//! backend, so it is the same for every interface, in a dry run as in enforce.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::types::{Error, ErrorKind};
use contract::{Context, INTERFACES};
use model::Clock;
use serde::{Deserialize, Deserializer, Serialize};

/// A function of an interface that can be granted: `files-write.remove-entries`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct CallName {
    /// The interface.
    pub interface: &'static str,
    /// The function.
    pub function: &'static str,
}

impl TryFrom<String> for CallName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (interface, function) =
            text.split_once('.').ok_or_else(|| format!("`{text}`: expected INTERFACE.FUNCTION"))?;
        let row = INTERFACES.iter().find(|row| row.name == interface);
        let row = row.ok_or_else(|| format!("there is no interface `{interface}`"))?;
        let found = row.functions.iter().find(|name| **name == function);
        let found =
            found.ok_or_else(|| format!("`{interface}` has no `{function}`: it has {}", row.functions.join(", ")))?;
        Ok(Self { interface: row.name, function: found })
    }
}

impl<'de> Deserialize<'de> for CallName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl From<CallName> for String {
    fn from(name: CallName) -> Self {
        name.to_string()
    }
}

impl std::fmt::Display for CallName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.interface, self.function)
    }
}

/// `[[failures]]`: a call that fails, without a backend having been asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failure {
    /// Which function.
    pub call: CallName,
    /// Which call of it in the run, from 1; every one if left out.
    #[serde(default)]
    pub nth: Option<std::num::NonZeroU64>,
    /// The kind of the error.
    pub kind: ErrorKind,
    /// Its code; `fixture` if left out.
    #[serde(default = "fixture")]
    pub code: String,
    /// Its message.
    #[serde(default = "says_so")]
    pub message: String,
}

fn fixture() -> String {
    "fixture".to_owned()
}

fn says_so() -> String {
    "the fixture says so".to_owned()
}

/// `[[latencies]]`: a function that takes its time.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Latency {
    /// Which function.
    pub call: CallName,
    /// How long each call takes.
    pub ms: u64,
    /// Whether that time really passes. Else the clock moves on, and nobody waits.
    #[serde(default)]
    pub real: bool,
}

/// What goes wrong, and how often each function was called so far.
pub struct Trouble {
    failures: Vec<Failure>,
    latencies: Vec<Latency>,
    clock: Arc<dyn Clock>,
    called: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

impl Trouble {
    /// These, on a device with this clock.
    pub fn new(failures: Vec<Failure>, latencies: Vec<Latency>, clock: Arc<dyn Clock>) -> Self {
        Self { failures, latencies, clock, called: Mutex::default() }
    }

    /// Takes the time that the call takes, and fails where it is to fail. A call that takes longer than it may is a `timeout`
    /// after the time that it had.
    pub async fn before(&self, interface: &'static str, function: &'static str, cx: &Context) -> Result<(), Error> {
        let number = self.count(interface, function);
        let is_it = |call: &CallName| call.interface == interface && call.function == function;
        for latency in self.latencies.iter().filter(|it| is_it(&it.call)) {
            self.take_time(latency, cx).await?;
        }
        let failure = self.failures.iter().find(|it| is_it(&it.call) && it.nth.is_none_or(|nth| nth.get() == number));
        match failure {
            Some(failure) => Err(Error::new(failure.kind, &failure.code, failure.message.clone())),
            None => Ok(()),
        }
    }

    fn count(&self, interface: &'static str, function: &'static str) -> u64 {
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        let number = called.entry((interface, function)).or_default();
        *number += 1;
        *number
    }

    async fn take_time(&self, latency: &Latency, cx: &Context) -> Result<(), Error> {
        if latency.real {
            // The gate watches the clock on the wall.
            tokio::time::sleep(Duration::from_millis(latency.ms)).await;
            return Ok(());
        }
        let left = cx.deadline.saturating_duration_since(Instant::now());
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        self.clock.skip(latency.ms.min(left_ms));
        match latency.ms > left_ms {
            true => Err(Error::new(ErrorKind::Timeout, "call-ms", "the time for this call ran out")),
            false => Ok(()),
        }
    }
}
