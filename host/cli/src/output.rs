//! The one place that prints: data to standard output, talk to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the module that prints")]

use std::borrow::Cow;
use std::fmt::Display;
use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;
use tabled::settings::object::Rows;
use tabled::settings::{Alignment, Modify, Style};
use tabled::{Table, Tabled};

#[cfg(target_os = "linux")]
use crate::context::Context;

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For a person.
    Table,
    /// For a program: one JSON value, or one a line.
    Json,
}

/// Talk.
pub(crate) fn say(text: &str) {
    eprintln!("{}", plain(text));
}

/// Talk after a mark of this program's own, which may have a colour.
pub(crate) fn say_marked(mark: impl Display, text: &str) {
    eprintln!("{mark} {}", plain(text));
}

/// Data for a person.
pub(crate) fn text(text: &str) {
    println!("{}", plain(text));
}

/// Data for a person after a mark of this program's own, which may have a colour.
pub(crate) fn text_marked(mark: impl Display, text: &str) {
    println!("{mark} {}", plain(text));
}

/// Text that steers no terminal: plugins, file names and servers write into what is shown, and an escape sequence among it could
/// move the cursor, retitle the window, or turn around what a line seems to say.
fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, |character| steers(character) && !matches!(character, '\n' | '\t'))
}

/// The same for what is one line, and must not look like two.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        // Writing to a string cannot fail.
        let _ = match is_escaped(character) {
            true => write!(shown, "{}", character.escape_default()),
            false => write!(shown, "{character}"),
        };
    }
    Cow::Owned(shown)
}

/// Control characters, separators of lines, and marks that change the direction of what follows.
fn steers(character: char) -> bool {
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns || matches!(character, '\u{2028}' | '\u{2029}')
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

/// Data for a program that reads line by line.
pub(crate) fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// A time for a person.
pub(crate) fn time(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map(|at| format!("{at:.0}")).unwrap_or_default()
}

/// Rows for a person.
pub(crate) fn table<T: Tabled>(rows: &[T]) {
    text(&self::rows(rows));
}

/// The same, not yet printed.
pub(crate) fn rows<T: Tabled>(rows: &[T]) -> String {
    let mut table = Table::new(rows);
    table.with(Style::blank()).with(Modify::new(Rows::first()).with(Alignment::left()));
    table.to_string()
}

/// Rows of a fleet for whoever asked, in the form that they asked for. The value is what a program gets.
#[cfg(target_os = "linux")]
pub(crate) fn listed<T: Tabled>(rows: &[T], value: &impl Serialize, context: &Context) -> anyhow::Result<()> {
    match context.output {
        Format::Json => json(value)?,
        Format::Table if context.is_csv => text(&csv(rows)),
        Format::Table => table(rows),
    }
    Ok(())
}

/// Rows whose columns nobody knows before, in the form that was asked for. A cell is one line: a device may have written anything.
#[cfg(target_os = "linux")]
pub(crate) fn grid(columns: &[String], rows: Vec<Vec<String>>, context: &Context) {
    if context.is_csv {
        let line = |cells: &[String]| cells.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(",");
        text(&[line(columns)].into_iter().chain(rows.iter().map(|row| line(row))).collect::<Vec<_>>().join("\n"));
        return;
    }
    let mut builder = tabled::builder::Builder::default();
    builder.push_record(columns.iter().map(|it| one_line(it).into_owned()));
    rows.iter().for_each(|row| builder.push_record(row.iter().map(|it| one_line(it).into_owned())));
    let mut table = builder.build();
    table.with(Style::blank()).with(Modify::new(Rows::first()).with(Alignment::left()));
    text(&table.to_string());
}

/// Rows as RFC 4180 has them, but for how lines end: as everywhere here. What a device wrote is text: a spreadsheet computes none of it.
#[cfg(target_os = "linux")]
pub(crate) fn csv<T: Tabled>(rows: &[T]) -> String {
    let line = |cells: Vec<Cow<'_, str>>| cells.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(",");
    let head = line(T::headers());
    [head].into_iter().chain(rows.iter().map(|row| line(row.fields()))).collect::<Vec<_>>().join("\n")
}

#[cfg(target_os = "linux")]
fn csv_cell(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    match guarded.contains(['"', ',', '\n', '\r']) || guarded.starts_with('\'') {
        true => format!("\"{}\"", guarded.replace('"', "\"\"")),
        false => guarded,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use super::csv_cell;
    use super::{one_line, plain};

    #[cfg(target_os = "linux")]
    #[test]
    fn a_cell_is_text_whatever_a_device_wrote() {
        for (text, cell) in [
            ("web-1", "web-1"),
            ("a, b", "\"a, b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=HYPERLINK(1)", "\"'=HYPERLINK(1)\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }

    #[test]
    fn what_steers_a_terminal_is_shown_and_not_done() {
        for (text, shown) in [
            ("\u{1b}[2J\u{1b}]0;owned\u{7}", "\\u{1b}[2J\\u{1b}]0;owned\\u{7}"),
            ("100 %\r  0 %", "100 %\\r  0 %"),
            ("a\u{8}b\u{9b}31m\u{7f}", "a\\u{8}b\\u{9b}31m\\u{7f}"),
            ("txt.\u{202e}exe", "txt.\\u{202e}exe"),
        ] {
            assert_eq!(plain(text), shown);
            assert_eq!(one_line(text), shown);
        }
        assert_eq!(plain("two\nlines\tand é, 日本, 🦀"), "two\nlines\tand é, 日本, 🦀");
        assert_eq!(one_line("two\nlines"), "two\\nlines");
    }
}
