use contract::types::Error;

use crate::facts::utmp;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let people = source.pseudonyms.open(&source.root)?;
    let records = utmp::records(&source.root, "var/log/wtmp").into_iter();
    Ok(records
        .map(|record| {
            Row::default()
                .number("type", record.kind)
                .some_text("type_name", record.kind_name())
                .text(
                    "username",
                    if record.kind == utmp::USER_PROCESS { people.user(&record.user) } else { record.user },
                )
                .text("tty", record.line)
                .number("pid", record.pid)
                .number("time", record.at_seconds)
                .text("host", record.host)
        })
        .collect())
}
