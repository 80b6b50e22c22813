use std::time::Duration;

use contract::Context;
use contract::process::{self, GetProcess, ListProcesses, ProcessInfo};
use contract::process_control::{self, TerminateProcess};
use contract::types::{Change, Effect, Error};

use crate::errors;

use super::{GRACE_MS_MAX, PROCESSES_MAX, Table, attribute, scope};

/// What both interfaces promise, over a table of processes.
pub struct Processes {
    table: Box<dyn Table>,
}

impl Processes {
    pub(super) fn new(table: Box<dyn Table>) -> Self {
        Self { table }
    }
}

/// Only now is it known what the pid names: the gate cannot check it.
fn check_scope(cx: &Context, process: &ProcessInfo) -> Result<(), Error> {
    match scope(cx)?.allows(&process.name) {
        true => Ok(()),
        false => Err(errors::denied("scope", format!("process {} is outside the scope", process.pid))),
    }
}

fn gone() -> Change {
    Change::unchanged(Some("ended".into()))
}

#[async_trait::async_trait]
impl process::Backend for Processes {
    async fn list_processes(&self, cx: &Context, _: &ListProcesses) -> Result<Vec<ProcessInfo>, Error> {
        let mut processes = self.table.list(cx, &scope(cx)?).await?;
        processes.sort_by_key(|process| process.pid);
        processes.truncate(PROCESSES_MAX);
        Ok(processes)
    }

    async fn get_process(&self, cx: &Context, call: &GetProcess) -> Result<ProcessInfo, Error> {
        let process = self.table.get(cx, call.pid).await?;
        let process = process.ok_or_else(|| errors::not_found(format!("there is no process {}", call.pid)))?;
        check_scope(cx, &process)?;
        Ok(process)
    }
}

#[async_trait::async_trait]
impl process_control::Backend for Processes {
    async fn terminate_process(&self, cx: &Context, call: &TerminateProcess) -> Result<Change, Error> {
        let TerminateProcess { pid, started_ms, grace_ms } = *call;
        if grace_ms > GRACE_MS_MAX {
            return Err(errors::invalid("grace-ms", format!("at most {GRACE_MS_MAX} ms are given, not {grace_ms}")));
        }
        let Some(process) = self.table.get(cx, pid).await? else { return Ok(gone()) };
        check_scope(cx, &process)?;
        if process.started_ms != started_ms {
            let message = format!("process {pid} started at {}, not at {started_ms}", process.started_ms);
            return Err(errors::conflict("started", message));
        }
        if let Some(reason) = attribute(&process, "protected") {
            return Err(errors::denied("protected", format!("process {pid} is never ended: {reason}")));
        }
        match self.table.end(cx, &process, Duration::from_millis(grace_ms.into())).await? {
            None => Ok(gone()),
            Some(signal) => {
                let change = Change::new(Effect::Changed, Some("running".into()), Some("ended".into()));
                Ok(change.with("signal", signal))
            }
        }
    }
}
