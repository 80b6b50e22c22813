use std::borrow::Cow;

use contract::command::{ListTemplates, RunCommand};
use contract::command_change;

use super::Adapter;

/// It lists what is in the scope.
impl Adapter for ListTemplates {}

impl Adapter for RunCommand {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.template)]
    }
}

impl Adapter for command_change::RunCommand {
    /// Nobody knows what a command would do, so nothing that is read afterwards can know it.
    const UNSEEN_BY: &'static [&'static str] =
        &["command", "device", "device-people", "files", "http", "patch", "process", "query", "service", "software"];

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.template)]
    }
}
