//! What logind keeps of its sessions in /run/systemd/sessions: one file each, of assignments.

use std::collections::BTreeMap;

use super::Root;

/// The most sessions read, of a machine where something opens them without end.
const SESSIONS_MAX: usize = 10_000;

/// A session of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user: String,
    /// `active`, `online` or `closing`.
    pub(crate) state: String,
    pub(crate) is_remote: bool,
    pub(crate) remote_host: Option<String>,
    /// The terminal, without `/dev/`.
    pub(crate) terminal: Option<String>,
    /// The process that opened it.
    pub(crate) leader: i32,
    pub(crate) started_ms: u64,
}

/// Sessions of people, by id: neither greeters nor what systemd or cron opens for its own use.
pub(crate) fn sessions(root: &Root) -> Vec<Session> {
    let names =
        root.names("run/systemd/sessions").into_iter().filter(|name| !name.ends_with(".ref")).take(SESSIONS_MAX);
    names.filter_map(|name| session(root, name)).collect()
}

fn session(root: &Root, id: String) -> Option<Session> {
    let text = root.line(&format!("run/systemd/sessions/{id}"))?;
    let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let field = |name: &str| fields.get(name).map(|value| (*value).to_owned()).filter(|value| !value.is_empty());
    if field("CLASS").is_some_and(|class| class != "user" && class != "user-early") {
        return None;
    }
    Some(Session {
        user: field("USER")?,
        state: field("STATE")?,
        is_remote: field("REMOTE").as_deref() == Some("1"),
        remote_host: field("REMOTE_HOST"),
        terminal: field("TTY").or_else(|| field("DISPLAY")),
        leader: field("LEADER").and_then(|pid| pid.parse().ok()).unwrap_or_default(),
        started_ms: field("REALTIME").and_then(|micros| micros.parse::<u64>().ok()).unwrap_or_default() / 1_000,
        id,
    })
}
