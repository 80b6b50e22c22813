use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use contract::Context;
use contract::process::{self, GetProcess, ListProcesses, ProcessInfo};
use contract::types::{Error, ErrorKind};
use model::Scope;
use tokio::sync::Mutex;

use super::Table;

/// The processes of `base` without those that are planned to end.
pub(super) struct Planned {
    base: Arc<dyn process::Backend>,
    /// By pid and start.
    ended: Mutex<BTreeSet<(u32, u64)>>,
}

impl Planned {
    pub(super) fn new(base: Arc<dyn process::Backend>) -> Self {
        Self { base, ended: Mutex::default() }
    }
}

#[async_trait::async_trait]
impl Table for Planned {
    async fn list(&self, cx: &Context, _: &Scope) -> Result<Vec<ProcessInfo>, Error> {
        let mut processes = self.base.list_processes(cx, &ListProcesses {}).await?;
        let ended = self.ended.lock().await;
        processes.retain(|process| !ended.contains(&(process.pid, process.started_ms)));
        Ok(processes)
    }

    async fn get(&self, cx: &Context, pid: u32) -> Result<Option<ProcessInfo>, Error> {
        // Whether it is inside the scope is asked of whatever comes back.
        let found = self.base.get_process(&cx.with_scope(vec!["*".into()]), &GetProcess { pid }).await;
        let ended = self.ended.lock().await;
        match found {
            Ok(process) if ended.contains(&(pid, process.started_ms)) => Ok(None),
            Ok(process) => Ok(Some(process)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn end(&self, _: &Context, process: &ProcessInfo, _: Duration) -> Result<Option<&'static str>, Error> {
        self.ended.lock().await.insert((process.pid, process.started_ms));
        Ok(Some("SIGTERM"))
    }
}
