//! The one place that prints: data to standard output, talk to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the module that prints")]

use std::io::Write as _;

use serde::Serialize;
use tabled::settings::object::Rows;
use tabled::settings::{Alignment, Modify, Style};
use tabled::{Table, Tabled};

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For a person.
    Table,
    /// For a program: one JSON value, or one a line.
    Json,
}

/// Talk.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Data for a person.
pub(crate) fn text(text: &str) {
    println!("{text}");
}

/// Data as it is.
pub(crate) fn bytes(bytes: &[u8]) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(bytes)
}

/// Data for a program.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A time for a person.
pub(crate) fn time(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map(|at| format!("{at:.0}")).unwrap_or_default()
}

/// Rows for a person.
pub(crate) fn table<T: Tabled>(rows: &[T]) {
    let mut table = Table::new(rows);
    table.with(Style::blank()).with(Modify::new(Rows::first()).with(Alignment::left()));
    println!("{table}");
}
