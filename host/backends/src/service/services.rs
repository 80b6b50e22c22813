use std::time::{Duration, Instant};

use contract::service::{self, GetService, ListDependencies, ListServices, ServiceInfo, ServiceState};
use contract::service_control::{self, ReloadService, RestartService, SetStartType, StartService, StopService};
use contract::types::{Change, Effect, Error, StartType};
use contract::{Context, Undo};
use serde::{Deserialize, Serialize};

use crate::{Undoer, errors};

use super::manager::{Job, Progress};
use super::{
    Manager, RELATED_MAX, SERVICES_MAX, WAIT_DEFAULT, WAIT_MS_MAX, attribute, check_name, is_up, joined, scope,
};

/// What is left of a call's time to look at a service after waiting for it.
const ANSWER: Duration = Duration::from_secs(1);

/// What both interfaces promise, over a manager.
pub struct Services {
    manager: Box<dyn Manager>,
    own: Vec<String>,
    leaves_undo: bool,
}

/// What undoing needs: what it was, and what must still be there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Token {
    service: String,
    effect: Reverse,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Reverse {
    /// It went up, or down with those that needed it.
    State {
        was_up: bool,
        also: Vec<String>,
    },
    StartType {
        before: StartType,
        after: StartType,
    },
}

impl Services {
    pub(super) fn new(manager: Box<dyn Manager>, own: Vec<String>, leaves_undo: bool) -> Self {
        Self { manager, own, leaves_undo }
    }

    /// One service, if the name is one and its first name is in the scope too: an alias opens no way around it.
    async fn find(&self, cx: &Context, name: &str) -> Result<ServiceInfo, Error> {
        check_name(name)?;
        let mut found = self.manager.get(cx, name).await?;
        if found.name != name && !scope(cx)?.allows(&found.name) {
            let message = format!("`{name}` is another name of `{}`, which is outside the scope", found.name);
            return Err(errors::denied("scope", message));
        }
        if self.own.contains(&found.name) {
            found.attributes.push(("own".into(), "true".into()));
        }
        Ok(found)
    }

    /// One service that may be changed.
    async fn target(&self, cx: &Context, name: &str) -> Result<ServiceInfo, Error> {
        let service = self.find(cx, name).await?;
        self.check_own(&service)?;
        Ok(service)
    }

    fn check_own(&self, service: &ServiceInfo) -> Result<(), Error> {
        let is_own = |name: &String| self.own.contains(name);
        match attribute(service, "own").is_some() || is_own(&service.name) || needed_by(service).iter().any(is_own) {
            true => Err(errors::denied("own-unit", format!("the agent itself is `{}`, or needs it", service.name))),
            false => Ok(()),
        }
    }

    /// Acts, and leaves what would undo it, under the name that was asked for: the record has that one.
    async fn change(
        &self,
        cx: &Context,
        asked: &str,
        service: &ServiceInfo,
        job: Job,
        wait: Duration,
    ) -> Result<Change, Error> {
        let progress = self.manager.perform(cx, service, &job, within(cx, wait)).await?;
        let goes_up = !matches!(job, Job::Stop { .. });
        let comes_back = goes_up && attribute(service, "runs-once").is_some();
        if is_up(service.state) != goes_up && service.state != ServiceState::Other && !comes_back {
            let also = job.also().to_vec();
            self.leave_undo(cx, asked, service, Reverse::State { was_up: is_up(service.state), also });
        }
        self.answer(cx, service, &job, progress).await
    }

    async fn answer(&self, cx: &Context, was: &ServiceInfo, job: &Job, progress: Progress) -> Result<Change, Error> {
        let after = match (progress, job) {
            (Progress::Done, _) => self.manager.get(cx, &was.name).await?.state,
            (Progress::Underway, Job::Stop { .. }) => ServiceState::StopPending,
            (Progress::Underway, _) => ServiceState::StartPending,
        };
        let change = Change::new(Effect::Changed, Some(was.state.word().into()), Some(after.word().into()));
        match job.also() {
            [] => Ok(change),
            also => Ok(change.with("also-stopped", joined(also))),
        }
    }

    fn leave_undo(&self, cx: &Context, asked: &str, service: &ServiceInfo, effect: Reverse) {
        if self.leaves_undo {
            let token = Token { service: service.name.clone(), effect };
            let token = serde_json::to_value(token).unwrap_or_default();
            cx.can_undo(Undo { target: asked.to_owned(), token });
        }
    }

    async fn undo_state(
        &self,
        cx: &Context,
        service: &ServiceInfo,
        was_up: bool,
        also: &[String],
    ) -> Result<Change, Error> {
        if is_up(service.state) == was_up {
            return Err(changed_since(&service.name, service.state.word()));
        }
        let needed = needed_by(service);
        if !was_up && !needed.is_empty() {
            return Err(errors::conflict("needed", format!("`{}` is needed by {}", service.name, needed.join(", "))));
        }
        let job = if was_up { Job::Start } else { Job::Stop { also: Vec::new() } };
        let progress = self.manager.perform(cx, service, &job, within(cx, WAIT_DEFAULT)).await?;
        let change = self.answer(cx, service, &job, progress).await?;
        for name in also {
            let other = self.manager.get(cx, name).await?;
            if !is_up(other.state) {
                self.manager.perform(cx, &other, &Job::Start, within(cx, WAIT_DEFAULT)).await?;
            }
        }
        Ok(change)
    }
}

/// The time that may be waited and is left, less what it takes to answer: that a service is on its way is a better answer than
/// that the call's time is up.
fn within(cx: &Context, wait: Duration) -> Duration {
    wait.min(cx.deadline.saturating_duration_since(Instant::now()).saturating_sub(ANSWER))
}

fn check_wait(wait_ms: u32) -> Result<Duration, Error> {
    match wait_ms {
        0..=WAIT_MS_MAX => Ok(Duration::from_millis(wait_ms.into())),
        _ => Err(errors::invalid("wait-ms", format!("a call waits at most {WAIT_MS_MAX} ms, not {wait_ms}"))),
    }
}

fn check_not_masked(service: &ServiceInfo) -> Result<(), Error> {
    match service.start_type {
        StartType::Masked => Err(errors::conflict("masked", format!("`{}` is masked", service.name))),
        _ => Ok(()),
    }
}

fn needed_by(service: &ServiceInfo) -> Vec<String> {
    attribute(service, "needed-by").into_iter().flat_map(str::split_whitespace).map(str::to_owned).collect()
}

fn changed_since(name: &str, now: &str) -> Error {
    errors::conflict("changed-since", format!("`{name}` has been changed since: it is {now}"))
}

/// What can be set here, and to what.
fn check_start_type(service: &ServiceInfo, wanted: StartType) -> Result<(), Error> {
    let none = |code: &str, message: String| Err(errors::unsupported(code, message));
    let name = &service.name;
    match wanted {
        StartType::Other => Err(errors::invalid("start-type", "`other` is nothing that can be set")),
        StartType::Disabled | StartType::AutomaticDelayed => {
            none("start-type", format!("there is no `{}` here: there are manual and masked", wanted.word()))
        }
        StartType::Masked if attribute(service, "manager") == Some("sysv") => {
            none("start-type", "SysV scripts cannot be masked".to_owned())
        }
        StartType::Masked => Ok(()),
        StartType::Automatic | StartType::Manual => match attribute(service, "unit-file-state") {
            Some(word @ ("static" | "generated" | "transient")) => {
                none(word, format!("the unit of `{name}` is {word}: it says nothing of when it starts"))
            }
            _ => Ok(()),
        },
    }
}

#[async_trait::async_trait]
impl service::Backend for Services {
    async fn list_services(&self, cx: &Context, _: &ListServices) -> Result<Vec<ServiceInfo>, Error> {
        let mut services = self.manager.list(cx, &scope(cx)?).await?;
        services.sort_by(|a, b| a.name.cmp(&b.name));
        services.truncate(SERVICES_MAX);
        Ok(services)
    }

    async fn get_service(&self, cx: &Context, call: &GetService) -> Result<ServiceInfo, Error> {
        self.find(cx, &call.name).await
    }

    async fn list_dependencies(&self, cx: &Context, call: &ListDependencies) -> Result<Vec<String>, Error> {
        let service = self.find(cx, &call.name).await?;
        let mut names = self.manager.dependencies(cx, &service.name).await?;
        names.sort();
        names.dedup();
        names.truncate(RELATED_MAX);
        Ok(names)
    }
}

#[async_trait::async_trait]
impl service_control::Backend for Services {
    async fn start_service(&self, cx: &Context, call: &StartService) -> Result<Change, Error> {
        let wait = check_wait(call.wait_ms)?;
        let service = self.target(cx, &call.name).await?;
        check_not_masked(&service)?;
        match service.state {
            ServiceState::Running => Ok(Change::unchanged(Some(service.state.word().into()))),
            _ => self.change(cx, &call.name, &service, Job::Start, wait).await,
        }
    }

    async fn stop_service(&self, cx: &Context, call: &StopService) -> Result<Change, Error> {
        let wait = check_wait(call.wait_ms)?;
        let service = self.target(cx, &call.name).await?;
        if matches!(service.state, ServiceState::Stopped | ServiceState::Failed) {
            return Ok(Change::unchanged(Some(service.state.word().into())));
        }
        let (scope, also) = (scope(cx)?, needed_by(&service));
        let outside: Vec<&str> = also.iter().map(String::as_str).filter(|name| !scope.allows(name)).collect();
        if !outside.is_empty() {
            let message = format!("outside the scope, `{}` is needed by {}", service.name, outside.join(", "));
            return Err(errors::conflict("needed", message));
        }
        self.change(cx, &call.name, &service, Job::Stop { also }, wait).await
    }

    async fn restart_service(&self, cx: &Context, call: &RestartService) -> Result<Change, Error> {
        let wait = check_wait(call.wait_ms)?;
        let service = self.target(cx, &call.name).await?;
        check_not_masked(&service)?;
        self.change(cx, &call.name, &service, Job::Restart, wait).await
    }

    async fn reload_service(&self, cx: &Context, call: &ReloadService) -> Result<Change, Error> {
        let service = self.target(cx, &call.name).await?;
        if attribute(&service, "reload").is_none() {
            return Err(errors::unsupported("reload", format!("`{}` cannot reload: restart it", service.name)));
        }
        if matches!(service.state, ServiceState::Stopped | ServiceState::Failed) {
            return Err(errors::conflict("not-running", format!("`{}` is {}", service.name, service.state.word())));
        }
        self.manager.perform(cx, &service, &Job::Reload, within(cx, WAIT_DEFAULT)).await?;
        let state = Some(service.state.word().to_owned());
        Ok(Change::new(Effect::Changed, state.clone(), state))
    }

    async fn set_start_type(&self, cx: &Context, call: &SetStartType) -> Result<Change, Error> {
        let service = self.target(cx, &call.name).await?;
        let (before, after) = (service.start_type, call.start_type);
        if before == after && after != StartType::Other {
            return Ok(Change::unchanged(Some(before.word().into())));
        }
        check_start_type(&service, after)?;
        self.manager.set_start_type(cx, &service, after).await?;
        self.leave_undo(cx, &call.name, &service, Reverse::StartType { before, after });
        Ok(Change::new(Effect::Changed, Some(before.word().into()), Some(after.word().into())))
    }
}

#[async_trait::async_trait]
impl Undoer for Services {
    async fn undo(&self, cx: &Context, undo: &Undo) -> Result<Change, Error> {
        let token: Token = serde_json::from_value(undo.token.clone())
            .map_err(|error| errors::failed("undo-token", error.to_string()))?;
        let service = self.manager.get(cx, &token.service).await?;
        self.check_own(&service)?;
        match token.effect {
            Reverse::State { was_up, also } => self.undo_state(cx, &service, was_up, &also).await,
            Reverse::StartType { after, .. } if service.start_type != after => {
                Err(changed_since(&service.name, service.start_type.word()))
            }
            Reverse::StartType { before, after } => {
                self.manager.set_start_type(cx, &service, before).await?;
                Ok(Change::new(Effect::Changed, Some(after.word().into()), Some(before.word().into())))
            }
        }
    }
}
