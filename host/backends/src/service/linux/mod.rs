//! Services on Linux: systemd where it runs the machine, else SysV scripts. Which one is asked at every call, because a test, or
//! an image that is being built, may be either.

mod bus;
mod systemd;
mod sysv;
mod unit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::Context;
use contract::service::ServiceInfo;
use contract::types::{Error, StartType};
use model::Scope;

use crate::errors;

use super::Manager;
use super::manager::{Job, Progress};
use systemd::Systemd;
use sysv::Sysv;

/// Where this machine's services are found.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The system bus.
    pub bus_address: String,
    /// The root of the host: `/`, or another one's as seen from here.
    pub root: PathBuf,
}

impl Settings {
    /// Of the system under this root, whose bus is where every system has it.
    pub fn of(root: &Path) -> Self {
        let socket = root.join("run/dbus/system_bus_socket");
        Self { bus_address: format!("unix:path={}", socket.display()), root: root.to_owned() }
    }
}

/// Whichever runs the machine.
pub(super) struct Linux {
    systemd: Systemd,
    sysv: Sysv,
    root: PathBuf,
}

impl Linux {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            systemd: Systemd::new(&settings.bus_address),
            sysv: Sysv::new(&settings.root),
            root: settings.root.clone(),
        }
    }

    /// Where systemd runs and its bus does not answer, the call fails: a SysV script would go around systemd.
    fn manager(&self) -> Result<&dyn Manager, Error> {
        if self.root.join("run/systemd/system").is_dir() {
            return Ok(&self.systemd);
        }
        match self.root.join("etc/init.d").is_dir() {
            true => Ok(&self.sysv),
            false => Err(errors::unsupported("no-service-manager", "there is neither systemd nor /etc/init.d")),
        }
    }
}

/// The service that this process runs in, by its control group.
pub(super) fn own_service() -> Option<String> {
    service_of(&std::fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// The service that a process belongs to: the last service on the path of its control group.
pub(crate) fn service_of(cgroup: &str) -> Option<String> {
    let paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let mut services = paths.filter_map(|path| path.rsplit('/').find_map(|part| part.strip_suffix(".service")));
    services.next().map(str::to_owned)
}

/// A job as both managers call it.
fn word(job: &Job) -> &'static str {
    match job {
        Job::Start => "start",
        Job::Stop { .. } => "stop",
        Job::Restart => "restart",
        Job::Reload => "reload",
    }
}

#[async_trait::async_trait]
impl Manager for Linux {
    async fn list(&self, cx: &Context, scope: &Scope) -> Result<Vec<ServiceInfo>, Error> {
        self.manager()?.list(cx, scope).await
    }

    async fn get(&self, cx: &Context, name: &str) -> Result<ServiceInfo, Error> {
        self.manager()?.get(cx, name).await
    }

    async fn dependencies(&self, cx: &Context, name: &str) -> Result<Vec<String>, Error> {
        self.manager()?.dependencies(cx, name).await
    }

    async fn perform(&self, cx: &Context, service: &ServiceInfo, job: &Job, wait: Duration) -> Result<Progress, Error> {
        self.manager()?.perform(cx, service, job, wait).await
    }

    async fn set_start_type(&self, cx: &Context, service: &ServiceInfo, start_type: StartType) -> Result<(), Error> {
        self.manager()?.set_start_type(cx, service, start_type).await
    }
}

#[cfg(test)]
mod tests {
    use super::service_of;

    #[test]
    fn a_control_group_names_its_service() {
        assert_eq!(service_of("0::/system.slice/remit-agent.service\n").as_deref(), Some("remit-agent"));
        assert_eq!(service_of("0::/system.slice/a.service/sub\n").as_deref(), Some("a"));
        assert_eq!(service_of("1:name=systemd:/system.slice/b.service\n0::/\n").as_deref(), Some("b"));
        assert_eq!(service_of("0::/user.slice/user-1000.slice/session-1.scope\n"), None);
    }
}
