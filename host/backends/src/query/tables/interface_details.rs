use contract::types::Error;

use super::{Row, Source};

/// The most interfaces: a host of containers has thousands.
const INTERFACES_MAX: usize = 20_000;

/// Columns and the counters of sysfs behind them.
const COUNTERS: [(&str, &str); 9] = [
    ("ipackets", "rx_packets"),
    ("opackets", "tx_packets"),
    ("ibytes", "rx_bytes"),
    ("obytes", "tx_bytes"),
    ("ierrors", "rx_errors"),
    ("oerrors", "tx_errors"),
    ("idrops", "rx_dropped"),
    ("odrops", "tx_dropped"),
    ("collisions", "collisions"),
];

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let names = source.root.names("sys/class/net").into_iter();
    let names = names.filter(|name| source.root.has(&format!("sys/class/net/{name}/ifindex")));
    let mut rows = Vec::new();
    for name in names.take(INTERFACES_MAX) {
        source.check_time()?;
        rows.push(row(source, &name));
    }
    Ok(rows)
}

fn row(source: &Source, name: &str) -> Row {
    let file = |file: &str| source.root.line(&format!("sys/class/net/{name}/{file}"));
    let number = |name: &str| file(name).and_then(|text| text.parse::<i64>().ok());
    let flags = file("flags").and_then(|text| i64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    let row = Row::default()
        .text("interface", name)
        .some_text("mac", file("address"))
        .some_number("type", number("type"))
        .some_number("mtu", number("mtu"))
        .some_number("flags", flags)
        .some_number("link_speed", number("speed").filter(|&speed| speed >= 0));
    COUNTERS
        .iter()
        .fold(row, |row, (column, counter)| row.some_number(column, number(&format!("statistics/{counter}"))))
}
