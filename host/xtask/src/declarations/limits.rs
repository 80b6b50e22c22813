//! The limits that a manifest may set, out of the one table that has them.

use std::path::Path;

use anyhow::{Context as _, bail};

/// The table.
const TABLE: &str = "host/model/src/limits.rs";

/// One of its rows.
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) default: u64,
    pub(super) ceiling: u64,
    pub(super) docs: String,
}

/// Reads the table as text: this crate is compiled first, and links nothing of the host.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<Limit>> {
    let text = std::fs::read_to_string(root.join(TABLE)).context(TABLE)?;
    let mut lines = text.lines().map(str::trim);
    let mut limits = Vec::new();
    while let Some(line) = lines.next() {
        let Some((head, ceiling)) = line.strip_suffix(';').and_then(|line| line.split_once(", at most ")) else {
            continue;
        };
        let Some((name, default)) = head.split_once(" = ") else { continue };
        let name = name.split('"').nth(1).with_context(|| format!("{TABLE}: {line}"))?.to_owned();
        let docs = lines.next().unwrap_or_default();
        let docs = docs.strip_prefix('"').and_then(|docs| docs.strip_suffix("\";"));
        let docs = docs.with_context(|| format!("{TABLE}: `{name}` has no documentation on its next line"))?.to_owned();
        limits.push(Limit { name, default: product(default)?, ceiling: product(ceiling)?, docs });
    }
    if limits.is_empty() {
        bail!("{TABLE} has no limits in the form that is read here");
    }
    Ok(limits)
}

fn product(text: &str) -> anyhow::Result<u64> {
    text.split(" * ").try_fold(1, |product, factor| {
        Ok(product
            * match factor {
                "KIB" => 1 << 10,
                "MIB" => 1 << 20,
                "SECOND" => 1_000,
                "MINUTE" => 60_000,
                digits => digits.replace('_', "").parse().with_context(|| format!("{TABLE}: {text}"))?,
            })
    })
}
