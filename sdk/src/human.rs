//! Numbers as a person reads them.

/// A size in decimal units: `999 B`, `1.5 kB`, `2.0 GB`.
///
/// ```
/// use remit_sdk::human::bytes;
///
/// assert_eq!([bytes(0), bytes(999), bytes(1_500), bytes(2_000_000_000)], ["0 B", "999 B", "1.5 kB", "2.0 GB"]);
/// assert_eq!(bytes(999_999), "1.0 MB");
/// ```
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1_000.0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    // What one decimal rounds up to a thousand is one of the next unit.
    while value >= 999.95 {
        let Some(next) = units.next() else { break };
        value /= 1_000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}
