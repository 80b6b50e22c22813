//! Host policy, as far as backends read it: one field an interface.

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
