use std::collections::BTreeMap;
use std::sync::Arc;

use contract::Context;
use contract::command_change::{Backend, Ran, RunCommand};
use contract::types::Error;

use crate::Shared;

use super::Template;
use super::commands::{check, ran};

/// Runs nothing, and refuses what would be refused.
pub struct Overlay {
    templates: Arc<BTreeMap<String, Template>>,
}

impl Overlay {
    /// Over the templates of host policy.
    pub fn new(shared: &Shared) -> Self {
        Self { templates: Arc::new(shared.policy.command.templates()) }
    }
}

#[async_trait::async_trait]
impl Backend for Overlay {
    async fn run_command(&self, cx: &Context, call: &RunCommand) -> Result<Ran, Error> {
        check(&self.templates, cx, &call.template, &call.arguments, call.timeout_ms)?;
        Ok(ran(None))
    }
}
