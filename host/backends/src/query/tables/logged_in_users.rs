use contract::types::Error;

use crate::facts::{logind, utmp};

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let people = source.pseudonyms.open(&source.root)?;
    let records: Vec<_> =
        utmp::records(&source.root, "run/utmp").into_iter().filter(|record| record.kind != 0).collect();
    // Newer systems keep no utmp: there logind alone knows.
    let others = logind::sessions(&source.root).into_iter().filter(|session| {
        let is_same = |record: &utmp::Record| {
            record.pid == session.leader || session.terminal.as_deref().is_some_and(|terminal| terminal == record.line)
        };
        !records.iter().any(|record| record.kind == utmp::USER_PROCESS && is_same(record))
    });
    let of_logind: Vec<Row> = others
        .map(|session| {
            Row::default()
                .text("type", "user")
                .text("user", people.user(&session.user))
                .text("tty", session.terminal.unwrap_or_default())
                .text("host", session.remote_host.unwrap_or_default())
                .number("time", session.started_ms / 1_000)
                .number("pid", session.leader)
        })
        .collect();
    let of_utmp = records.into_iter().map(|record| {
        let user = if record.kind == utmp::USER_PROCESS { people.user(&record.user) } else { record.user.clone() };
        Row::default()
            .text("type", record_type(&record))
            .text("user", user)
            .text("tty", record.line)
            .text("host", record.host)
            .number("time", record.at_seconds)
            .number("pid", record.pid)
    });
    Ok(of_utmp.chain(of_logind).collect())
}

/// osquery's words for the kinds.
fn record_type(record: &utmp::Record) -> &'static str {
    match record.kind {
        1 => "runlevel",
        utmp::BOOT_TIME => "boot_time",
        3 => "new_time",
        4 => "old_time",
        5 => "init",
        6 => "login",
        utmp::USER_PROCESS => "user",
        utmp::DEAD_PROCESS => "dead",
        _ => "unknown",
    }
}
