use contract::types::Error;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    Ok(source.text("etc/hosts")?.lines().filter_map(row).collect())
}

fn row(line: &str) -> Option<Row> {
    let line = line.split('#').next()?;
    let mut words = line.split_whitespace();
    let address = words.next()?;
    let names: Vec<&str> = words.collect();
    (!names.is_empty()).then(|| Row::default().text("address", address).text("hostnames", names.join(" ")))
}
