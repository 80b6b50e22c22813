//! A service that runs, does not, or has failed: as systemd says by itself, else as its init script answers.

use std::path::Path;
use std::time::Duration;

use agent::ServiceState;
use contract::service::{ListServices, ServiceInfo, ServiceState as Answer};
use contract::types::ErrorKind;
use serde_json::{Map, Value, json};

use crate::sink::{Level, data};
use crate::{Asked, Error, Sink, Surroundings};

use super::pidfd::Pidfd;
use super::settle::Settling;
use super::systemd::Listener;

/// systemd runs the machine where this is.
const SYSTEMD: &str = "/run/systemd/system";
/// When to try the bus again: it restarts in less.
const RECONNECT: Duration = Duration::from_secs(5);
/// How often an init script is asked where nothing says that it should be: it starts processes to answer.
const ASK: Duration = Duration::from_mins(1);
/// How long a daemon has to write its pid file when it has started, and to take it away when it has ended.
const SETTLE: Duration = Duration::from_millis(500);

pub(super) async fn watch(
    service: &str,
    wanted: ServiceState,
    around: &Surroundings,
    sink: &Sink,
) -> Result<(), Error> {
    if !Path::new(SYSTEMD).is_dir() {
        return scripts(service, wanted, around, sink).await;
    }
    let mut level = Level::default();
    loop {
        // What was raised stays until it is known to be otherwise: a bus that restarts is no service that does.
        match systemd(service, wanted, &mut level, around, sink).await {
            Ok(()) => {}
            Err(_) => tokio::time::sleep(RECONNECT).await,
        }
    }
}

/// Listens until the unit must be looked for anew.
async fn systemd(
    service: &str,
    wanted: ServiceState,
    level: &mut Level,
    around: &Surroundings,
    sink: &Sink,
) -> zbus::Result<()> {
    let (mut listener, mut seen) = Listener::new(&around.shared.bus, service).await?;
    loop {
        let is_raised = seen.state() == Some(wanted);
        if is_raised != level.is_raised() {
            let (active, sub) = seen.words();
            let (result, exit_status, restarts) = listener.end().await;
            let said = data([
                ("service", json!(service)),
                ("unit", json!(listener.unit())),
                ("state", json!(seen.state().map(|state| state.to_string()))),
                ("active-state", json!(active)),
                ("sub-state", json!(sub)),
                ("result", json!(result)),
                ("exit-status", json!(exit_status)),
                ("restarts", json!(restarts)),
            ]);
            level.tell(sink, is_raised, around, service, || said).await;
        }
        match listener.next(&seen).await? {
            Some(next) => seen = next,
            None => return Ok(()),
        }
    }
}

/// Asks the init script: when its main process ends, when the pid file that most of them have comes or goes, and now and then.
async fn scripts(service: &str, wanted: ServiceState, around: &Surroundings, sink: &Sink) -> Result<(), Error> {
    let mut level = Level::default();
    let pid_file = format!("/run/{service}.pid");
    let mut watched = Settling::new(&[Path::new(&pid_file)], SETTLE)?;
    loop {
        let mut main = None;
        // What cannot be asked for now is no other state: what was raised stays.
        if let Ok(found) = ask(&around.asked, service).await? {
            let state = found.as_ref().and_then(|found| state(found.state));
            main = found.as_ref().and_then(|found| found.pid).and_then(Pidfd::open);
            level.tell(sink, state == Some(wanted), around, service, || said(service, state, found.as_ref())).await;
        }
        let ended = async {
            match &main {
                Some(main) => main.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ended => tokio::time::sleep(SETTLE).await,
            changed = watched.changed() => drop(changed?),
            () = tokio::time::sleep(ASK) => {}
        }
    }
}

/// The service, where there is one. What is wrong for good is an error; what may be better the next time is the inner one.
async fn ask(asked: &Asked, service: &str) -> Result<Result<Option<ServiceInfo>, contract::types::Error>, Error> {
    // The question for one service also asks all others whether they need it.
    let call = ListServices {};
    match asked.service.list_services(&Asked::context(&[service]), &call).await {
        Ok(found) => Ok(Ok(found.into_iter().find(|found| found.name == service))),
        Err(error) if error.kind == ErrorKind::Unsupported => Err(Error::Unsupported { what: error.message }),
        Err(error) => Ok(Err(error)),
    }
}

fn state(answer: Answer) -> Option<ServiceState> {
    match answer {
        Answer::Running => Some(ServiceState::Running),
        Answer::Stopped => Some(ServiceState::Stopped),
        Answer::Failed => Some(ServiceState::Failed),
        Answer::StartPending | Answer::StopPending | Answer::Paused | Answer::Other => None,
    }
}

fn said(service: &str, state: Option<ServiceState>, found: Option<&ServiceInfo>) -> Map<String, Value> {
    data([
        ("service", json!(service)),
        ("state", json!(state.map(|state| state.to_string()))),
        ("pid", json!(found.and_then(|found| found.pid))),
    ])
}
