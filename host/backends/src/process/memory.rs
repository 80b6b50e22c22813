use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::Context;
use contract::process::ProcessInfo;
use contract::types::Error;
use model::{Clock, Scope};
use serde::Deserialize;

use super::Table;

/// A process of a fixture.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Its pid.
    pub pid: u32,
    /// Its parent's; 1 if left out.
    #[serde(default = "init")]
    pub parent_pid: u32,
    /// Name of the program.
    pub name: String,
    /// Path of the program; empty if left out.
    #[serde(default)]
    pub path: String,
    /// The account as a plugin sees it; `root` if left out.
    #[serde(default = "root")]
    pub user: String,
    /// How long it has been running when the run begins.
    #[serde(default)]
    pub age_seconds: u64,
    /// Processor time so far.
    #[serde(default)]
    pub cpu_ms: u64,
    /// Memory in RAM.
    #[serde(default)]
    pub resident_bytes: u64,
    /// Whether it takes no notice of being asked to end.
    #[serde(default)]
    pub stubborn: bool,
    /// More by name: `protected` where nobody may end it.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

fn init() -> u32 {
    1
}

fn root() -> String {
    "root".into()
}

/// Processes in memory.
pub(super) struct Memory {
    processes: Mutex<BTreeMap<u32, Entry>>,
    begun_ms: u64,
}

impl Memory {
    pub(super) fn new(entries: Vec<Entry>, clock: Arc<dyn Clock>) -> Self {
        let processes = entries.into_iter().map(|entry| (entry.pid, entry)).collect();
        Self { processes: Mutex::new(processes), begun_ms: clock.now_ms() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Entry>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn info(&self, entry: &Entry) -> ProcessInfo {
        ProcessInfo {
            pid: entry.pid,
            parent_pid: entry.parent_pid,
            name: entry.name.clone(),
            path: entry.path.clone(),
            user: entry.user.clone(),
            started_ms: self.begun_ms.saturating_sub(entry.age_seconds.saturating_mul(1_000)),
            cpu_ms: entry.cpu_ms,
            resident_bytes: entry.resident_bytes,
            attributes: entry.attributes.clone().into_iter().collect(),
        }
    }
}

#[async_trait::async_trait]
impl Table for Memory {
    async fn list(&self, _: &Context, scope: &Scope) -> Result<Vec<ProcessInfo>, Error> {
        Ok(self.lock().values().filter(|entry| scope.allows(&entry.name)).map(|entry| self.info(entry)).collect())
    }

    async fn get(&self, _: &Context, pid: u32) -> Result<Option<ProcessInfo>, Error> {
        Ok(self.lock().get(&pid).map(|entry| self.info(entry)))
    }

    async fn end(&self, _: &Context, process: &ProcessInfo, _: Duration) -> Result<Option<&'static str>, Error> {
        let ended = self.lock().remove(&process.pid);
        Ok(ended.map(|entry| if entry.stubborn { "SIGKILL" } else { "SIGTERM" }))
    }
}
