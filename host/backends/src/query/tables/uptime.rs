use contract::types::Error;
use procfs::Uptime;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let seconds = source.proc::<Uptime>("proc/uptime")?.uptime_duration().as_secs();
    Ok(vec![
        Row::default()
            .number("days", seconds / 86_400)
            .number("hours", seconds / 3_600 % 24)
            .number("minutes", seconds / 60 % 60)
            .number("seconds", seconds % 60)
            .number("total_seconds", seconds),
    ])
}
