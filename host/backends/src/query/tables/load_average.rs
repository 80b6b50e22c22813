use contract::types::Error;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let text = source.text("proc/loadavg")?;
    let averages = ["1m", "5m", "15m"].into_iter().zip(text.split_whitespace());
    Ok(averages.map(|(period, average)| Row::default().text("period", period).text("average", average)).collect())
}
