//! apt's own log of what it did, `/var/log/apt/history.log`.

use std::collections::BTreeMap;

use contract::patch::HistoryEntry;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Words of the log that say what was done to the packages listed after them, and the contract's words.
const OPERATIONS: [(&str, &str); 6] = [
    ("Install", "install"),
    ("Reinstall", "install"),
    ("Upgrade", "upgrade"),
    ("Downgrade", "downgrade"),
    ("Remove", "remove"),
    ("Purge", "remove"),
];

/// The operations of one log, oldest first, one entry a package. The log's times are local.
pub(super) fn entries(log: &str, zone: &TimeZone) -> Vec<HistoryEntry> {
    log.split("\n\n").flat_map(|block| operations(block, zone)).collect()
}

fn operations(block: &str, zone: &TimeZone) -> Vec<HistoryEntry> {
    let fields: BTreeMap<&str, &str> = block.lines().filter_map(|line| line.split_once(": ")).collect();
    let Some(at_ms) = fields.get("Start-Date").and_then(|date| parse_date(date, zone)) else { return Vec::new() };
    // An operation without its end was cut short.
    let success = fields.contains_key("End-Date") && !fields.contains_key("Error");
    let mut shared = Vec::new();
    for (field, name) in [("Commandline", "command-line"), ("Requested-By", "requested-by"), ("Error", "error")] {
        shared.extend(fields.get(field).map(|value| (name.to_owned(), (*value).to_owned())));
    }
    OPERATIONS
        .iter()
        .filter_map(|(word, operation)| Some((operation, fields.get(word)?)))
        .flat_map(|(operation, list)| packages(list).map(move |package| (operation, package)))
        .map(|(operation, package)| package.entry(operation, success, at_ms, &shared))
        .collect()
}

fn parse_date(date: &str, zone: &TimeZone) -> Option<u64> {
    let local = DateTime::strptime("%Y-%m-%d %H:%M:%S", date.split_whitespace().collect::<Vec<_>>().join(" ")).ok()?;
    u64::try_from(local.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()).ok()
}

struct Logged<'a> {
    name: &'a str,
    arch: &'a str,
    versions: Vec<&'a str>,
}

/// `libc6:amd64 (2.36, 2.37), new:amd64 (1.0, automatic)`.
fn packages(list: &str) -> impl Iterator<Item = Logged<'_>> {
    list.split("), ").filter_map(|item| {
        let (name, versions) = item.split_once(" (")?;
        let (name, arch) = name.split_once(':').unwrap_or((name, ""));
        Some(Logged { name, arch, versions: versions.trim_end_matches(')').split(", ").collect() })
    })
}

impl Logged<'_> {
    fn entry(&self, operation: &str, success: bool, at_ms: u64, shared: &[(String, String)]) -> HistoryEntry {
        let version = |at: usize| self.versions.get(at).filter(|word| **word != "automatic").copied();
        let (from, to) = match operation {
            "upgrade" | "downgrade" => (version(0), version(1)),
            "remove" => (version(0), None),
            _ => (None, version(0)),
        };
        let mut attributes = vec![("arch".to_owned(), self.arch.to_owned())];
        attributes.extend(from.map(|version| ("from-version".to_owned(), version.to_owned())));
        attributes.extend(to.map(|version| ("to-version".to_owned(), version.to_owned())));
        if self.versions.contains(&"automatic") {
            attributes.push(("automatic".to_owned(), "yes".to_owned()));
        }
        attributes.extend_from_slice(shared);
        HistoryEntry {
            id: super::super::id(self.name, to.or(from).unwrap_or_default()),
            product: self.name.to_owned(),
            operation: operation.to_owned(),
            success,
            at_ms,
            attributes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from apt 2.6.1; the last block is one that was killed.
    const LOG: &str = "
Start-Date: 2026-11-21  22:35:55
Commandline: apt-get -q -y install remit-app=2.0 remit-kept=2.0
Requested-By: tech (1000)
Install: remit-new:amd64 (1.0, automatic)
Upgrade: remit-kept:amd64 (1.0, 2.0), remit-app:amd64 (1.0, 2.0)
Error: Sub-process /usr/bin/dpkg returned an error code (1)
End-Date: 2026-11-21  22:36:00

Start-Date: 2026-11-21  22:40:00
Commandline: apt-get purge remit-app
Purge: remit-app:amd64 (2.0)
End-Date: 2026-11-21  22:40:01

Start-Date: 2026-11-21  22:41:00
Upgrade: remit-slow:amd64 (1.0, 1.1)
";

    #[test]
    fn each_package_of_each_operation_is_an_entry() {
        let entries = entries(LOG, &TimeZone::UTC);
        let short: Vec<_> = entries.iter().map(|it| (it.id.as_str(), it.operation.as_str(), it.success)).collect();
        assert_eq!(
            short,
            [
                ("apt:remit-new@1.0", "install", false),
                ("apt:remit-kept@2.0", "upgrade", false),
                ("apt:remit-app@2.0", "upgrade", false),
                ("apt:remit-app@2.0", "remove", true),
                ("apt:remit-slow@1.1", "upgrade", false),
            ]
        );
        assert_eq!(entries[3].at_ms, 1_795_300_800_000);
        assert!(entries[0].attributes.contains(&("automatic".into(), "yes".into())));
        assert!(entries[1].attributes.contains(&("requested-by".into(), "tech (1000)".into())));
        assert!(entries[1].attributes.contains(&("from-version".into(), "1.0".into())));
    }
}
