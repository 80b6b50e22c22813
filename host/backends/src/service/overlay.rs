use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::Context;
use contract::service::{self, GetService, ListDependencies, ListServices, ServiceInfo, ServiceState};
use contract::types::{Error, StartType};
use model::{Clock, Scope};
use tokio::sync::Mutex;

use crate::device::PlannedReboot;

use super::manager::{Job, Progress};
use super::{Manager, RELATED_MAX, attribute, is_up, joined};

/// What no longer holds of a service whose state is planned.
const OF_THE_STATE: [&str; 5] = ["sub-state", "result", "exit-code", "restarts", "memory-bytes"];

/// The services of `base` with what is planned over them.
pub(super) struct Planned {
    base: Arc<dyn service::Backend>,
    clock: Arc<dyn Clock>,
    plans: Mutex<BTreeMap<String, Plan>>,
    /// What `device` shows of it.
    planned_reboot: Arc<PlannedReboot>,
}

#[derive(Clone, Default)]
struct Plan {
    state: Option<(ServiceState, u64)>,
    start_type: Option<StartType>,
    /// What it needs, directly or not, where it would be started.
    needs: Vec<String>,
}

impl Planned {
    pub(super) fn new(
        base: Arc<dyn service::Backend>,
        clock: Arc<dyn Clock>,
        planned_reboot: Arc<PlannedReboot>,
    ) -> Self {
        Self { base, clock, plans: Mutex::default(), planned_reboot }
    }

    /// What a service needs, and what that needs, as far as there are such services.
    async fn needs(&self, cx: &Context, name: &str) -> Result<Vec<String>, Error> {
        let mut found: Vec<String> = Vec::new();
        let mut queue = vec![name.to_owned()];
        while let Some(name) = queue.pop() {
            for need in self.dependencies(cx, &name).await.unwrap_or_default() {
                if need != name && !found.contains(&need) && found.len() < RELATED_MAX {
                    found.push(need.clone());
                    queue.push(need);
                }
            }
        }
        Ok(found)
    }

    /// The base seen without its scope: what is planned for one service reaches others outside.
    async fn anywhere(&self, cx: &Context, name: &str) -> Result<ServiceInfo, Error> {
        self.base.get_service(&cx.with_scope(vec!["*".into()]), &GetService { name: name.to_owned() }).await
    }

    async fn plan_state(&self, name: &str, state: ServiceState, needs: Vec<String>) {
        self.planned_reboot.renew(name);
        let mut plans = self.plans.lock().await;
        let plan = plans.entry(name.to_owned()).or_default();
        plan.state = Some((state, self.clock.now_ms()));
        plan.needs = needs;
    }

    async fn plan_up(&self, cx: &Context, service: &ServiceInfo) -> Result<(), Error> {
        if service.state == ServiceState::Other {
            return Ok(()); // Nobody could see a difference.
        }
        if attribute(service, "runs-once").is_some() {
            self.plan_state(&service.name, ServiceState::Stopped, Vec::new()).await;
            return Ok(());
        }
        let needs = self.needs(cx, &service.name).await?;
        self.plan_state(&service.name, ServiceState::Running, needs.clone()).await;
        // systemd starts what a service needs; a SysV script starts itself.
        if attribute(service, "manager") != Some("sysv") {
            for need in needs {
                if let Ok(needed) = self.get(&cx.with_scope(vec!["*".into()]), &need).await
                    && !is_up(needed.state)
                {
                    self.plan_state(&need, ServiceState::Running, Vec::new()).await;
                }
            }
        }
        Ok(())
    }
}

fn overlaid(mut service: ServiceInfo, plans: &BTreeMap<String, Plan>) -> ServiceInfo {
    if let Some(plan) = plans.get(&service.name) {
        if let Some((state, since_ms)) = plan.state {
            service.attributes.retain(|(name, _)| !OF_THE_STATE.contains(&name.as_str()));
            (service.state, service.since_ms, service.pid) = (state, Some(since_ms), None);
        }
        if let Some(start_type) = plan.start_type {
            service.start_type = start_type;
            let word = match start_type {
                StartType::Automatic => "enabled",
                StartType::Masked => "masked",
                _ => "disabled",
            };
            for (name, value) in &mut service.attributes {
                if name == "unit-file-state" {
                    value.replace_range(.., word);
                }
            }
        }
    }
    service
}

/// Those that need it as it would be: without what is planned to be down, with what is planned to be up.
fn overlay_needed_by(service: &mut ServiceInfo, plans: &BTreeMap<String, Plan>) {
    let is_planned_down = |name: &str| plans.get(name).and_then(|it| it.state).is_some_and(|(state, _)| !is_up(state));
    let base = attribute(service, "needed-by").unwrap_or_default().split_whitespace();
    let mut names: Vec<String> = base.filter(|name| !is_planned_down(name)).map(str::to_owned).collect();
    for (name, plan) in plans {
        let is_up = plan.state.is_some_and(|(state, _)| is_up(state));
        if is_up && plan.needs.contains(&service.name) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    service.attributes.retain(|(name, _)| name != "needed-by");
    if !names.is_empty() {
        service.attributes.push(("needed-by".into(), joined(&names)));
    }
}

#[async_trait::async_trait]
impl Manager for Planned {
    async fn list(&self, cx: &Context, _: &Scope) -> Result<Vec<ServiceInfo>, Error> {
        let services = self.base.list_services(cx, &ListServices {}).await?;
        let plans = self.plans.lock().await;
        Ok(services.into_iter().map(|service| overlaid(service, &plans)).collect())
    }

    async fn get(&self, cx: &Context, name: &str) -> Result<ServiceInfo, Error> {
        let service = self.base.get_service(cx, &GetService { name: name.to_owned() }).await?;
        let plans = self.plans.lock().await;
        let mut service = overlaid(service, &plans);
        overlay_needed_by(&mut service, &plans);
        Ok(service)
    }

    async fn dependencies(&self, cx: &Context, name: &str) -> Result<Vec<String>, Error> {
        let cx = cx.with_scope(vec!["*".into()]);
        self.base.list_dependencies(&cx, &ListDependencies { name: name.to_owned() }).await
    }

    async fn perform(&self, cx: &Context, service: &ServiceInfo, job: &Job, wait: Duration) -> Result<Progress, Error> {
        match job {
            Job::Start | Job::Restart => self.plan_up(cx, service).await?,
            Job::Stop { also } => {
                for name in also.iter().chain([&service.name]) {
                    if self.anywhere(cx, name).await?.state != ServiceState::Other {
                        self.plan_state(name, ServiceState::Stopped, Vec::new()).await;
                    }
                }
            }
            Job::Reload => {}
        }
        Ok(if wait.is_zero() { Progress::Underway } else { Progress::Done })
    }

    async fn set_start_type(&self, _: &Context, service: &ServiceInfo, start_type: StartType) -> Result<(), Error> {
        self.plans.lock().await.entry(service.name.clone()).or_default().start_type = Some(start_type);
        Ok(())
    }
}
