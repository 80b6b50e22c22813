//! Host policy, as far as backends read it: one field an interface.

use contract::Class;
use model::{Grants, Mode, capability};
use serde::Deserialize;

use crate::{command, files, http, notify, patch, ticket};

/// What the machine's owner has decided. What is left out keeps its default, what is unknown is an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// `[command]`.
    pub command: command::Policy,
    /// `[files]`.
    pub files: files::Policy,
    /// `[notify]`.
    pub notify: notify::Policy,
    /// `[patch]`.
    pub patch: patch::Policy,
    /// `[http]`.
    pub http: http::Policy,
    /// `[ticket]`.
    pub ticket: ticket::Policy,
    /// `[device-people]`, which binds `query` too.
    pub device_people: crate::device_people::Policy,
}

impl Policy {
    /// What a run with these grants risks: its highest class, and what brings it. Without enforcing a mutator can only plan, and
    /// so risks nothing.
    pub fn class_of(&self, grants: &Grants, mode: Mode) -> (Class, &'static str) {
        let classes = grants.iter().filter_map(|(name, scope)| {
            let row = capability::interface(name)?;
            let is_planned_only = row.changes && mode != Mode::Enforce;
            (!is_planned_only).then(|| (self.with_templates(row, scope), row.name))
        });
        classes.max_by_key(|(class, _)| *class).unwrap_or((Class::L0, "nothing"))
    }

    /// A template may be of a higher class than the interface that runs it.
    fn with_templates(&self, row: &contract::Interface, scope: &[String]) -> Class {
        if row.name != contract::COMMAND_CHANGE.name {
            return row.class;
        }
        let named = scope.iter().filter_map(|name| self.command.templates().get(name));
        named.map(|template| template.class()).max().unwrap_or(row.class).max(row.class)
    }
}
