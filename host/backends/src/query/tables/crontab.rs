use contract::types::Error;

use super::{Row, Source};

/// The most crontabs read.
const FILES_MAX: usize = 1_000;

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let folders = ["etc/cron.d", "var/spool/cron/crontabs", "var/spool/cron"];
    let in_folders = folders.into_iter().flat_map(|folder| {
        let names = source.root.names(folder).into_iter().filter(|name| is_read(folder, name));
        names.map(move |name| format!("{folder}/{name}"))
    });
    let files = std::iter::once("etc/crontab".to_owned()).chain(in_folders).take(FILES_MAX);
    let mut rows = Vec::new();
    for file in files {
        source.check_time()?;
        // A folder among them, or a file that went meanwhile, is no crontab.
        let text = source.root.text(&file).unwrap_or_default();
        rows.extend(text.lines().filter_map(|line| row(line, &file)));
    }
    Ok(rows)
}

/// cron(8): in /etc/cron.d only names of these characters count, so that a package's `.dpkg-old` does not run.
fn is_read(folder: &str, name: &str) -> bool {
    folder != "etc/cron.d" || name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn row(line: &str, file: &str) -> Option<Row> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') || is_assignment(line) {
        return None;
    }
    let row = Row::default().text("path", format!("/{file}"));
    if line.starts_with('@') {
        let (event, command) = line.split_once(char::is_whitespace)?;
        return Some(row.text("event", event).text("command", command.trim_start()));
    }
    let mut rest = line;
    let mut fields = [""; 5];
    for field in &mut fields {
        let (first, after) = rest.split_once(char::is_whitespace)?;
        (*field, rest) = (first, after.trim_start());
    }
    let [minute, hour, day, month, weekday] = fields;
    Some(
        row.text("event", "")
            .text("minute", minute)
            .text("hour", hour)
            .text("day_of_month", day)
            .text("month", month)
            .text("day_of_week", weekday)
            .text("command", rest),
    )
}

/// crontab(5): `name = value`, where no name begins like a time.
fn is_assignment(line: &str) -> bool {
    let name = line.split('=').next().unwrap_or_default().trim_end();
    line.contains('=')
        && !line.starts_with(|first: char| first.is_ascii_digit() || first == '*' || first == '@')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'"' | b'\''))
}
