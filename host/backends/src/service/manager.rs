use std::time::Duration;

use contract::Context;
use contract::service::ServiceInfo;
use contract::types::{Error, StartType};
use model::Scope;

/// What starts and stops services. It is asked only for what may be: names are checked, refusals were made.
#[async_trait::async_trait]
pub(super) trait Manager: Send + Sync {
    /// The services in the scope, in any order.
    async fn list(&self, cx: &Context, scope: &Scope) -> Result<Vec<ServiceInfo>, Error>;

    /// One of them, by any of its names, with `needed-by`.
    async fn get(&self, cx: &Context, name: &str) -> Result<ServiceInfo, Error>;

    /// The services that it needs itself.
    async fn dependencies(&self, cx: &Context, name: &str) -> Result<Vec<String>, Error>;

    /// Acts, and waits at most so long until it is done. A service that fails is `service-failed`.
    async fn perform(&self, cx: &Context, service: &ServiceInfo, job: &Job, wait: Duration) -> Result<Progress, Error>;

    /// Sets when it starts to one that can be set: `automatic`, `manual` or `masked`.
    async fn set_start_type(&self, cx: &Context, service: &ServiceInfo, start_type: StartType) -> Result<(), Error>;
}

/// What is done to a service.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Start,
    /// With the running services that need it, nearest first.
    Stop {
        also: Vec<String>,
    },
    Restart,
    Reload,
}

impl Job {
    /// Those that are stopped too.
    pub(super) fn also(&self) -> &[String] {
        match self {
            Self::Stop { also } => also,
            _ => &[],
        }
    }
}

/// How far a job came while it was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    Underway,
}
