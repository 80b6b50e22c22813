use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::Context;
use contract::service::{ServiceInfo, ServiceState};
use contract::types::{Error, StartType};
use model::{Clock, Scope};
use serde::Deserialize;

use crate::errors;

use super::manager::{Job, Progress};
use super::{Manager, is_up, joined};

/// A service of a fixture.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What people call it; its name if left out.
    #[serde(default)]
    pub display_name: Option<String>,
    /// How it is; `stopped` if left out.
    #[serde(default = "stopped")]
    pub state: ServiceState,
    /// When it starts; `manual` if left out.
    #[serde(default = "manual")]
    pub start_type: StartType,
    /// The services that it needs.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Whether it fails when it is started.
    #[serde(default)]
    pub fails: bool,
    /// Whether it has done its work when it has started.
    #[serde(default)]
    pub runs_once: bool,
    /// Whether it can reload its configuration.
    #[serde(default)]
    pub reloads: bool,
    /// More by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

fn stopped() -> ServiceState {
    ServiceState::Stopped
}

fn manual() -> StartType {
    StartType::Manual
}

/// Services in memory, which start and stop at once.
pub(super) struct Memory {
    services: Mutex<BTreeMap<String, (Entry, u64)>>,
    clock: Arc<dyn Clock>,
}

impl Memory {
    pub(super) fn new(entries: Vec<Entry>, clock: Arc<dyn Clock>) -> Self {
        let now_ms = clock.now_ms();
        let services = entries.into_iter().map(|entry| (entry.name.clone(), (entry, now_ms))).collect();
        Self { services: Mutex::new(services), clock }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Entry, u64)>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, name: &str, state: ServiceState) {
        let now_ms = self.clock.now_ms();
        if let Some((entry, since_ms)) = self.lock().get_mut(name) {
            (entry.state, *since_ms) = (state, now_ms);
        }
    }

    /// Starts it after what it needs.
    fn start(&self, name: &str, again: bool) -> Result<(), Error> {
        let Some(entry) = self.lock().get(name).map(|(entry, _)| entry.clone()) else {
            return Err(errors::failed("service-failed", format!("`{name}` is needed, and there is none")));
        };
        if is_up(entry.state) && !again {
            return Ok(());
        }
        for need in &entry.needs {
            self.start(need, false)?;
        }
        let state = match (entry.fails, entry.runs_once) {
            (true, _) => ServiceState::Failed,
            (false, true) => ServiceState::Stopped,
            (false, false) => ServiceState::Running,
        };
        self.set_state(name, state);
        match entry.fails {
            true => Err(errors::failed("service-failed", format!("`{name}` failed")).with("result", "exit-code")),
            false => Ok(()),
        }
    }
}

fn info(entry: &Entry, since_ms: u64) -> ServiceInfo {
    let mut attributes: BTreeMap<String, String> = entry.attributes.clone();
    if entry.runs_once {
        attributes.insert("runs-once".into(), "true".into());
    }
    if entry.reloads {
        attributes.insert("reload".into(), "true".into());
    }
    ServiceInfo {
        name: entry.name.clone(),
        display_name: entry.display_name.clone().unwrap_or_else(|| entry.name.clone()),
        state: entry.state,
        start_type: entry.start_type,
        pid: None,
        since_ms: Some(since_ms),
        attributes: attributes.into_iter().collect(),
    }
}

/// The running services that need one, directly or not.
fn needed_by(services: &BTreeMap<String, (Entry, u64)>, name: &str) -> Vec<String> {
    let mut found = vec![name.to_owned()];
    let mut next = 0;
    while let Some(name) = found.get(next).cloned() {
        let more = services.values().map(|(entry, _)| entry);
        let more = more.filter(|entry| is_up(entry.state) && entry.needs.contains(&name));
        let more: Vec<String> = more.map(|entry| entry.name.clone()).filter(|name| !found.contains(name)).collect();
        found.extend(more);
        next += 1;
    }
    found.split_off(1)
}

#[async_trait::async_trait]
impl Manager for Memory {
    async fn list(&self, _: &Context, scope: &Scope) -> Result<Vec<ServiceInfo>, Error> {
        let services = self.lock();
        let inside = services.values().filter(|(entry, _)| scope.allows(&entry.name));
        Ok(inside.map(|(entry, since_ms)| info(entry, *since_ms)).collect())
    }

    async fn get(&self, _: &Context, name: &str) -> Result<ServiceInfo, Error> {
        let services = self.lock();
        let (entry, since_ms) =
            services.get(name).ok_or_else(|| errors::not_found(format!("there is no service `{name}`")))?;
        let mut info = info(entry, *since_ms);
        let needed_by = needed_by(&services, name);
        if !needed_by.is_empty() {
            info.attributes.push(("needed-by".into(), joined(&needed_by)));
        }
        Ok(info)
    }

    async fn dependencies(&self, _: &Context, name: &str) -> Result<Vec<String>, Error> {
        Ok(self.lock().get(name).map(|(entry, _)| entry.needs.clone()).unwrap_or_default())
    }

    async fn perform(&self, _: &Context, service: &ServiceInfo, job: &Job, wait: Duration) -> Result<Progress, Error> {
        match job {
            Job::Start => self.start(&service.name, false)?,
            Job::Restart => self.start(&service.name, true)?,
            Job::Stop { also } => {
                for name in also.iter().chain([&service.name]) {
                    self.set_state(name, ServiceState::Stopped);
                }
            }
            Job::Reload => {}
        }
        Ok(if wait.is_zero() { Progress::Underway } else { Progress::Done })
    }

    async fn set_start_type(&self, _: &Context, service: &ServiceInfo, start_type: StartType) -> Result<(), Error> {
        if let Some((entry, _)) = self.lock().get_mut(&service.name) {
            entry.start_type = start_type;
        }
        Ok(())
    }
}
