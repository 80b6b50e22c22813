use contract::device_people::Session;

use crate::attributes;
use crate::facts::{Root, logind, utmp};

use super::super::SESSIONS_MAX;
use super::People;

/// From here on nobody is taken to sit there.
const IDLE_SECONDS: u64 = 10 * 60;

/// Those of logind, and those that only utmp knows, as where there is no systemd.
pub(super) fn read(root: &Root, people: &People, now_ms: u64) -> Vec<Session> {
    let known = logind::sessions(root);
    let records = utmp::records(root, "run/utmp").into_iter().filter(|record| {
        let is_alive = root.has(&format!("proc/{}", record.pid));
        let is_known = known
            .iter()
            .any(|session| session.leader == record.pid || session.terminal.as_deref() == Some(record.line.as_str()));
        record.kind == utmp::USER_PROCESS && is_alive && !is_known
    });
    let of_utmp: Vec<Session> = records.map(|record| of_utmp(root, people, now_ms, record)).collect();
    let open = known.into_iter().filter(|session| session.state != "closing");
    let of_logind = open.map(|session| of_logind(root, people, now_ms, session));
    of_logind.chain(of_utmp).take(SESSIONS_MAX).collect()
}

fn of_logind(root: &Root, people: &People, now_ms: u64, session: logind::Session) -> Session {
    let idle_seconds = idle_seconds(root, session.terminal.as_deref(), now_ms);
    // `online` is logged in, and not in front: another one has the seat.
    let state = if session.state == "online" { "disconnected" } else { state(idle_seconds) };
    Session {
        user: people.user(&session.user),
        state: state.to_owned(),
        remote: session.is_remote,
        started_ms: session.started_ms,
        idle_seconds,
        attributes: attributes::known([
            ("terminal", session.terminal),
            ("remote-host", session.remote_host),
            ("session-id", Some(session.id)),
        ]),
    }
}

fn of_utmp(root: &Root, people: &People, now_ms: u64, record: utmp::Record) -> Session {
    let idle_seconds = idle_seconds(root, Some(&record.line), now_ms);
    Session {
        user: people.user(&record.user),
        state: state(idle_seconds).to_owned(),
        // A screen of this machine (`:0`) is no other host.
        remote: !record.host.is_empty() && !record.host.starts_with(':'),
        started_ms: record.at_ms(),
        idle_seconds,
        attributes: attributes::known([("terminal", Some(record.line)), ("remote-host", Some(record.host))]),
    }
}

fn state(idle_seconds: u64) -> &'static str {
    if idle_seconds < IDLE_SECONDS { "active" } else { "idle" }
}

/// Since the terminal was read, as `w` has it.
fn idle_seconds(root: &Root, terminal: Option<&str>, now_ms: u64) -> u64 {
    let terminal = terminal.filter(|terminal| !terminal.is_empty() && !terminal.contains(".."));
    let read_ms = terminal.and_then(|terminal| root.accessed_ms(&format!("dev/{terminal}")));
    read_ms.map_or(0, |read_ms| now_ms.saturating_sub(read_ms) / 1_000)
}
