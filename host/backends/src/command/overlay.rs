use std::sync::Arc;

use contract::Context;
use contract::command_change::{Backend, Ran, RunCommand};
use contract::types::Error;

use crate::{Policy, Shared};

use super::commands::{check, ran};

/// Runs nothing, and refuses what would be refused.
pub struct Overlay {
    policy: Arc<Policy>,
}

impl Overlay {
    /// Over the templates of host policy.
    pub fn new(shared: &Shared) -> Self {
        Self { policy: Arc::clone(&shared.policy) }
    }
}

#[async_trait::async_trait]
impl Backend for Overlay {
    async fn run_command(&self, cx: &Context, call: &RunCommand) -> Result<Ran, Error> {
        check(self.policy.command.templates(), cx, &call.template, &call.arguments, call.timeout_ms)?;
        Ok(ran(None))
    }
}
