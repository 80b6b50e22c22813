use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::command::{self, ListTemplates, RunCommand};
use contract::command_change::{self, Ran};
use contract::types::{Attributes, Change, CommandOutput, Effect, Error, ErrorKind};
use contract::{Class, Context, ScopeGrammar};
use model::Scope;

use crate::{Policy, errors};

use super::{Run, Runner, TIMEOUT_MS_MAX, Template};

/// The templates of a device, and where they run.
pub struct Commands {
    policy: Arc<Policy>,
    runner: Box<dyn Runner>,
}

impl Commands {
    pub(super) fn new(policy: Arc<Policy>, runner: Box<dyn Runner>) -> Self {
        Self { policy, runner }
    }

    async fn run(&self, name: &str, given: &Attributes, checked: Checked<'_>) -> Result<CommandOutput, Error> {
        let Checked { template, arguments, deadline } = checked;
        self.runner.run(Run { name, template, given, arguments, deadline }).await
    }
}

/// A command that may run.
pub(super) struct Checked<'a> {
    template: &'a Template,
    arguments: Vec<String>,
    deadline: Instant,
}

/// What is asked, checked before anything runs. An overlay checks the same.
pub(super) fn check<'a>(
    templates: &'a BTreeMap<String, Template>,
    cx: &Context,
    name: &str,
    arguments: &Attributes,
    timeout_ms: u32,
) -> Result<Checked<'a>, Error> {
    let template =
        templates.get(name).ok_or_else(|| errors::not_found(format!("host policy has no template `{name}`")))?;
    if template.class() == Class::L4 && !cx.scope.iter().any(|entry| entry == name) {
        let message = format!("`{name}` is of class L4: a grant must name it, `*` is not enough");
        return Err(Error::new(ErrorKind::Denied, "class", message));
    }
    if timeout_ms > TIMEOUT_MS_MAX {
        return Err(errors::invalid("timeout", format!("`timeout-ms` is at most {TIMEOUT_MS_MAX}")));
    }
    let arguments = template.fill(arguments)?;
    let asked = if timeout_ms == 0 { TIMEOUT_MS_MAX } else { timeout_ms };
    let time = Duration::from_millis(u64::from(asked.min(template.timeout_ms())));
    Ok(Checked { template, arguments, deadline: cx.deadline.min(Instant::now() + time) })
}

/// What becomes of a machine by a command: the same words in a dry run, because nobody knows more.
pub(super) fn ran(output: Option<CommandOutput>) -> Ran {
    Ran { output, change: Change::new(Effect::Changed, None, Some("ran".to_owned())) }
}

#[async_trait::async_trait]
impl command::Backend for Commands {
    async fn list_templates(&self, cx: &Context, _: &ListTemplates) -> Result<Vec<command::Template>, Error> {
        let scope = Scope::new(ScopeGrammar::Names, cx.scope.clone());
        let scope = scope.map_err(|error| errors::invalid("scope", error.to_string()))?;
        let shown =
            self.policy.command.templates().iter().filter(|(name, it)| scope.allows(name) && self.runner.has(name, it));
        Ok(shown.map(|(name, template)| describe(name, template)).collect())
    }

    async fn run_command(&self, cx: &Context, call: &RunCommand) -> Result<CommandOutput, Error> {
        let checked = check(self.policy.command.templates(), cx, &call.template, &call.arguments, call.timeout_ms)?;
        if checked.template.changes() {
            let message = format!("`{}` changes something: run it by `command-change`", call.template);
            return Err(Error::new(ErrorKind::Denied, "template-changes", message));
        }
        self.run(&call.template, &call.arguments, checked).await
    }
}

#[async_trait::async_trait]
impl command_change::Backend for Commands {
    async fn run_command(&self, cx: &Context, call: &command_change::RunCommand) -> Result<Ran, Error> {
        let checked = check(self.policy.command.templates(), cx, &call.template, &call.arguments, call.timeout_ms)?;
        Ok(ran(Some(self.run(&call.template, &call.arguments, checked).await?)))
    }
}

fn describe(name: &str, template: &Template) -> command::Template {
    let attributes = [
        ("class", template.class().to_string()),
        ("binary", template.binary().display().to_string()),
        ("grammar", template.grammar()),
    ];
    command::Template {
        name: name.to_owned(),
        description: template.description().to_owned(),
        arguments: template.parameters(),
        attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}
