use contract::process::{GetProcess, ListProcesses};
use contract::process_control::TerminateProcess;

use super::Adapter;

/// It lists what is in the scope.
impl Adapter for ListProcesses {}

/// What the scope has is names, and only the kernel knows what a pid is called: the backend asks the scope.
impl Adapter for GetProcess {}

impl Adapter for TerminateProcess {
    /// A service whose process would end has another state, and may no longer run what was replaced.
    const UNSEEN_BY: &'static [&'static str] = &["device", "service", "query"];

    fn targets(&self) -> Vec<String> {
        vec![format!("{} started {}", self.pid, self.started_ms)]
    }
}
