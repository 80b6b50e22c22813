use std::collections::BTreeMap;
use std::sync::Arc;

use contract::types::{Attributes, CommandOutput, Error};
use serde::Deserialize;

use crate::errors;

use super::{Commands, Policy, Run, Runner, Template};

/// The commands of a device in memory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Fixture {
    /// As in host policy.
    pub policy: Policy,
    /// What commands leave behind: `[[command.outputs]]`. The machine has those templates that have one.
    pub outputs: Vec<FixtureOutput>,
}

/// What one command leaves behind.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureOutput {
    /// The template.
    pub template: String,
    /// Its arguments, by name: all of them.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// The exit status.
    #[serde(default)]
    pub exit_code: i32,
    /// Standard output.
    #[serde(default)]
    pub stdout: String,
    /// Standard error.
    #[serde(default)]
    pub stderr: String,
}

struct Memory(Vec<FixtureOutput>);

impl Commands {
    /// The twin.
    pub fn in_memory(fixture: &Fixture) -> Self {
        let policy = crate::Policy { command: fixture.policy.clone(), ..crate::Policy::default() };
        Self::new(Arc::new(policy), Box::new(Memory(fixture.outputs.clone())))
    }
}

fn is_same(known: &BTreeMap<String, String>, given: &Attributes) -> bool {
    known.len() == given.len() && given.iter().all(|(name, value)| known.get(name) == Some(value))
}

fn cut(text: &str, bytes_max: usize) -> String {
    String::from_utf8_lossy(text.as_bytes().get(..bytes_max).unwrap_or(text.as_bytes())).into_owned()
}

#[async_trait::async_trait]
impl Runner for Memory {
    fn has(&self, name: &str, _: &Template) -> bool {
        self.0.iter().any(|output| output.template == name)
    }

    async fn run(&self, run: Run<'_>) -> Result<CommandOutput, Error> {
        let _ = (&run.arguments, run.deadline);
        let found = self.0.iter().find(|it| it.template == run.name && is_same(&it.arguments, run.given));
        let Some(found) = found else {
            return Err(errors::not_found(format!("the fixture has no output of `{}` with these arguments", run.name)));
        };
        let most = run.template.output_bytes();
        Ok(CommandOutput {
            exit_code: found.exit_code,
            stdout: cut(&found.stdout, most),
            stderr: cut(&found.stderr, most),
            truncated: found.stdout.len().max(found.stderr.len()) > most,
            elapsed_ms: 0,
            attributes: Vec::new(),
        })
    }
}
