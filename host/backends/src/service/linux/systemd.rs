use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use contract::Context;
use contract::service::{ServiceInfo, ServiceState};
use contract::types::{Error, ErrorKind, StartType};
use model::Scope;
use zbus::OwnedObjectPath;

use crate::errors;

use super::super::manager::{Job, Manager, Progress};
use super::super::{RELATED_MAX, SERVICES_MAX, check_name, joined};
use super::bus::Bus;
use super::unit::Unit;
use super::word;

const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";

/// How long a service that has started is given to fail at once, as one does whose configuration is wrong.
const SETTLE: Duration = Duration::from_millis(100);

/// What `ListUnits` says of one: name, description, three states, whom it follows, path, and its job.
type Listed = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);
/// What enabling, disabling and masking did: kind, link, target.
type Links = Vec<(String, String, String)>;

/// systemd over D-Bus.
pub(super) struct Systemd {
    bus_address: String,
}

impl Systemd {
    pub(super) fn new(bus_address: &str) -> Self {
        Self { bus_address: bus_address.to_owned() }
    }

    async fn bus(&self) -> Result<Bus, Error> {
        Bus::connect(&self.bus_address).await
    }
}

fn unit_name(service: &str) -> String {
    format!("{service}.service")
}

async fn load(bus: &Bus, unit: &str) -> Result<Unit, Error> {
    let path: OwnedObjectPath = bus.manager("LoadUnit", &(unit,)).await?;
    properties(bus, &path).await
}

async fn properties(bus: &Bus, path: &OwnedObjectPath) -> Result<Unit, Error> {
    let mut properties = bus.properties(path.as_str(), UNIT).await?;
    if matches!(properties.get("Id").map(|id| &**id), Some(zbus::Variant::Str(id)) if id.ends_with(".service")) {
        properties.extend(bus.properties(path.as_str(), SERVICE).await?);
    }
    Ok(Unit(properties))
}

/// A service that there is: systemd makes up a unit for any name.
async fn service(bus: &Bus, name: &str) -> Result<Unit, Error> {
    let unit = load(bus, &unit_name(name)).await?;
    match unit.text("LoadState") {
        "not-found" => Err(errors::not_found(format!("there is no service `{name}`"))),
        _ => Ok(unit),
    }
}

/// The services that are up and would stop with this one, nearest first. Units of other types are followed, not named.
async fn needed_by(bus: &Bus, unit: &Unit) -> Result<Vec<String>, Error> {
    let mut seen = BTreeSet::from([unit.text("Id").to_owned()]);
    let mut queue: std::collections::VecDeque<String> = unit.stopped_with().into();
    let mut services = Vec::new();
    while let Some(next) = queue.pop_front() {
        if seen.len() > RELATED_MAX || !seen.insert(next.clone()) {
            continue;
        }
        let unit = load(bus, &next).await?;
        if !unit.is_up() {
            continue;
        }
        if next.ends_with(".service") {
            services.push(unit.name());
        }
        queue.extend(unit.stopped_with());
    }
    Ok(services)
}

/// Every service with a unit that is loaded or a file that could be: by name, with its path where it is loaded.
async fn names(bus: &Bus, scope: &Scope) -> Result<BTreeMap<String, Option<OwnedObjectPath>>, Error> {
    let files: Vec<(String, String)> = bus.manager("ListUnitFiles", &()).await?;
    let units: Vec<Listed> = bus.manager("ListUnits", &()).await?;
    let files = files.into_iter().filter(|(_, state)| state != "alias").filter_map(|(path, _)| {
        let name = path.rsplit('/').next()?.strip_suffix(".service")?;
        Some((name.to_owned(), None))
    });
    let units = units.into_iter().filter(|unit| unit.2 != "not-found");
    let units = units.filter_map(|unit| Some((unit.0.strip_suffix(".service")?.to_owned(), Some(unit.6))));
    let mut names: BTreeMap<_, _> = files.chain(units).collect();
    names.retain(|name, _| check_name(name).is_ok() && scope.allows(name));
    Ok(names)
}

/// What to say of a job that did not end well.
async fn job_failed(bus: &Bus, name: &str, job: &str, word: &str) -> Error {
    let error = errors::failed("service-failed", format!("systemd's job to {job} `{name}` ended as `{word}`"));
    let Ok(unit) = service(bus, name).await else { return error };
    let info = unit.info();
    let details =
        info.attributes.into_iter().filter(|(name, _)| matches!(name.as_str(), "result" | "exit-code" | "sub-state"));
    details.fold(error.with("job-result", word), |error, (name, value)| error.with(&name, value))
}

#[async_trait::async_trait]
impl Manager for Systemd {
    async fn list(&self, cx: &Context, scope: &Scope) -> Result<Vec<ServiceInfo>, Error> {
        let bus = self.bus().await?;
        let mut services = Vec::new();
        for (name, path) in names(&bus, scope).await?.into_iter().take(SERVICES_MAX) {
            if cx.is_over() {
                return Err(Error::new(ErrorKind::Timeout, "timeout", "the services took too long to list"));
            }
            // A unit that is unloaded meanwhile, or whose file is broken, is none to list.
            let unit = match path {
                Some(path) => properties(&bus, &path).await,
                None => service(&bus, &name).await,
            };
            services.extend(unit.ok().filter(|unit| unit.name() == name).map(|unit| unit.info()));
        }
        Ok(services)
    }

    async fn get(&self, _: &Context, name: &str) -> Result<ServiceInfo, Error> {
        let bus = self.bus().await?;
        let unit = service(&bus, name).await?;
        let mut info = unit.info();
        let needed_by = needed_by(&bus, &unit).await?;
        if !needed_by.is_empty() {
            info.attributes.push(("needed-by".into(), joined(&needed_by)));
        }
        Ok(info)
    }

    async fn dependencies(&self, _: &Context, name: &str) -> Result<Vec<String>, Error> {
        let bus = self.bus().await?;
        let needed = service(&bus, name).await?.needed();
        Ok(needed.iter().filter_map(|unit| unit.strip_suffix(".service")).map(str::to_owned).collect())
    }

    /// systemd itself stops what needs a service before it.
    async fn perform(&self, _: &Context, service: &ServiceInfo, job: &Job, wait: Duration) -> Result<Progress, Error> {
        let bus = self.bus().await?;
        let unit = unit_name(&service.name);
        let mut ends = bus.job_ends(&unit).await?;
        let method = match job {
            Job::Start => "StartUnit",
            Job::Stop { .. } => "StopUnit",
            Job::Restart => "RestartUnit",
            Job::Reload => "ReloadUnit",
        };
        let path: OwnedObjectPath = bus.manager(method, &(&unit, "replace")).await?;
        if wait.is_zero() {
            return Ok(Progress::Underway);
        }
        match tokio::time::timeout(wait, ends.end_of(&path)).await {
            Err(_) => Ok(Progress::Underway),
            Ok(Err(error)) => Err(error),
            Ok(Ok(end)) if end != "done" => Err(job_failed(&bus, &service.name, word(job), &end).await),
            Ok(Ok(_)) if matches!(job, Job::Stop { .. }) => Ok(Progress::Done),
            Ok(Ok(end)) => {
                // The job of a simple service is done before its program has begun, and failed.
                tokio::time::sleep(SETTLE.min(wait)).await;
                match load(&bus, &unit).await?.state() {
                    ServiceState::Failed => Err(job_failed(&bus, &service.name, word(job), &end).await),
                    _ => Ok(Progress::Done),
                }
            }
        }
    }

    async fn set_start_type(&self, _: &Context, service: &ServiceInfo, start_type: StartType) -> Result<(), Error> {
        let bus = self.bus().await?;
        let unit = unit_name(&service.name);
        let units = [unit.as_str()];
        if start_type == StartType::Masked {
            let _: Links = bus.manager("MaskUnitFiles", &(&units[..], false, false)).await?;
            return bus.manager("Reload", &()).await;
        }
        if service.start_type == StartType::Masked {
            let _: Links = bus.manager("UnmaskUnitFiles", &(&units[..], false)).await?;
            let _: () = bus.manager("Reload", &()).await?;
        }
        let state: String = bus.manager("GetUnitFileState", &(&unit,)).await?;
        let is_enabled = state.starts_with("enabled");
        if start_type == StartType::Automatic && !is_enabled {
            let (_, _): (bool, Links) = bus.manager("EnableUnitFiles", &(&units[..], false, false)).await?;
        }
        if start_type != StartType::Automatic && is_enabled {
            let _: Links = bus.manager("DisableUnitFiles", &(&units[..], false)).await?;
        }
        bus.manager("Reload", &()).await
    }
}
