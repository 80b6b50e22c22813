use std::time::Duration;

use contract::Context;
use contract::process::ProcessInfo;
use contract::types::Error;
use model::Scope;

/// What knows the processes. It is asked to end only what may be ended.
#[async_trait::async_trait]
pub(super) trait Table: Send + Sync {
    /// The processes in the scope, in any order.
    async fn list(&self, cx: &Context, scope: &Scope) -> Result<Vec<ProcessInfo>, Error>;

    /// The one that has this pid now, inside the scope or not.
    async fn get(&self, cx: &Context, pid: u32) -> Result<Option<ProcessInfo>, Error>;

    /// Ends it, if it is still there, and says which signal did.
    async fn end(&self, cx: &Context, process: &ProcessInfo, grace: Duration) -> Result<Option<&'static str>, Error>;
}
