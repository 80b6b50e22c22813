//! What searches a text, where SQLite takes the product of two lengths and looks at no clock meanwhile: these take the sum, or next
//! to it, and none begins once the query has had its time.

use std::borrow::Cow;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSql, ValueRef};
use rusqlite::{Connection, ffi};

use super::super::readers::IsLate;
use super::TEXT_BYTES_MAX;
use crate::Error;

/// The most bytes of a pattern of `LIKE` or `GLOB`: each may be compared with each place of a text.
const PATTERN_BYTES_MAX: usize = 256;

type Done<T> = rusqlite::Result<Option<T>>;

/// Has a connection use these in the place of SQLite's own.
pub(super) fn put(connection: &Connection, is_late: &IsLate) -> Result<(), Error> {
    let it = Put { connection, is_late };
    it.function("instr", 2, |of| Ok(both(of)?.map(|(text, part)| found(&text, &part))))?;
    it.function("replace", 3, replaced)?;
    it.function("trim", 2, |of| trimmed(of, true, true))?;
    it.function("ltrim", 2, |of| trimmed(of, true, false))?;
    it.function("rtrim", 2, |of| trimmed(of, false, true))?;
    it.function("like", 2, |of| like(of, None))?;
    it.function("like", 3, |of| match text(of, 2) {
        None => Ok(None),
        Some(escape) => match (escape.chars().next(), escape.chars().nth(1)) {
            (Some(one), None) => like(of, Some(one)),
            _ => Err(wrong("what ESCAPE names is one character".to_owned())),
        },
    })?;
    it.function("glob", 2, |of| {
        let Some((pattern, text)) = both(of)? else { return Ok(None) };
        Ok(Some(matches(&glob(bounded(&pattern)?), &text, |one, other| one == other)))
    })
}

struct Put<'a> {
    connection: &'a Connection,
    is_late: &'a IsLate,
}

impl Put<'_> {
    fn function<T: ToSql>(
        &self,
        name: &str,
        arguments: i32,
        work: impl Fn(&Context<'_>) -> Done<T> + Send + 'static,
    ) -> Result<(), Error> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
        let is_late = self.is_late.clone();
        let work = move |of: &Context<'_>| if is_late() { Err(failed(ffi::SQLITE_INTERRUPT)) } else { work(of) };
        Ok(self.connection.create_scalar_function(name, arguments, flags, work)?)
    }
}

fn failed(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

fn wrong(what: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(what))
}

/// An argument as text; none where it is NULL.
fn text<'a>(of: &'a Context<'_>, at: usize) -> Option<Cow<'a, str>> {
    match of.get_raw(at) {
        ValueRef::Null => None,
        ValueRef::Integer(it) => Some(it.to_string().into()),
        ValueRef::Real(it) => Some(format!("{it:?}").into()),
        ValueRef::Text(it) | ValueRef::Blob(it) => Some(String::from_utf8_lossy(it)),
    }
}

fn both<'a>(of: &'a Context<'_>) -> Done<(Cow<'a, str>, Cow<'a, str>)> {
    Ok(text(of, 0).zip(text(of, 1)))
}

/// At which character a part begins, from 1; 0 where it is not there.
fn found(text: &str, part: &str) -> i64 {
    let at = text.find(part).and_then(|at| text.get(..at));
    at.map_or(0, |before| i64::try_from(before.chars().count()).unwrap_or(i64::MAX).saturating_add(1))
}

fn replaced(of: &Context<'_>) -> Done<String> {
    let Some((all, part)) = both(of)? else { return Ok(None) };
    if part.is_empty() {
        return Ok(Some(all.into_owned()));
    }
    let Some(new) = text(of, 2) else { return Ok(None) };
    let bytes = all.len() + all.matches(&*part).count().saturating_mul(new.len().saturating_sub(part.len()));
    match bytes > usize::try_from(TEXT_BYTES_MAX).unwrap_or_default() {
        true => Err(failed(ffi::SQLITE_TOOBIG)),
        false => Ok(Some(all.replace(&*part, &new))),
    }
}

/// Without these characters at its ends.
fn trimmed(of: &Context<'_>, at_start: bool, at_end: bool) -> Done<String> {
    let Some((all, characters)) = both(of)? else { return Ok(None) };
    let these: std::collections::HashSet<char> = characters.chars().collect();
    let all = if at_start { all.trim_start_matches(|it| these.contains(&it)) } else { &*all };
    let all = if at_end { all.trim_end_matches(|it| these.contains(&it)) } else { all };
    Ok(Some(all.to_owned()))
}

fn like(of: &Context<'_>, escape: Option<char>) -> Done<bool> {
    let Some((pattern, text)) = both(of)? else { return Ok(None) };
    let mut characters = bounded(&pattern)?.chars();
    let mut parts = Vec::new();
    while let Some(it) = characters.next() {
        parts.push(match it {
            it if Some(it) == escape => Part::One(characters.next().unwrap_or(it)),
            '%' => Part::Many,
            '_' => Part::Any,
            it => Part::One(it),
        });
    }
    Ok(Some(matches(&parts, &text, |one, other| one.eq_ignore_ascii_case(&other))))
}

fn bounded(pattern: &str) -> rusqlite::Result<&str> {
    match pattern.len() <= PATTERN_BYTES_MAX {
        true => Ok(pattern),
        false => Err(wrong(format!("a pattern of LIKE or GLOB has at most {PATTERN_BYTES_MAX} bytes"))),
    }
}

/// A part of a pattern.
enum Part {
    /// However many characters.
    Many,
    /// Any one.
    Any,
    /// This one.
    One(char),
    /// One of these, or one of no other.
    Of(Vec<(char, char)>, bool),
}

/// As in a shell: `*`, `?`, `[a-z]`, `[^a-z]`. A bracket that nothing closes matches nothing.
fn glob(pattern: &str) -> Vec<Part> {
    let mut characters = pattern.chars().peekable();
    let mut parts = Vec::new();
    while let Some(it) = characters.next() {
        parts.push(match it {
            '*' => Part::Many,
            '?' => Part::Any,
            '[' => {
                let is_in = characters.next_if_eq(&'^').is_none();
                let mut ranges: Vec<(char, char)> = Vec::new();
                let mut is_closed = false;
                while let Some(from) = characters.next() {
                    // The first may be the bracket itself.
                    if from == ']' && !ranges.is_empty() {
                        is_closed = true;
                        break;
                    }
                    let mut after = characters.clone();
                    match (after.next(), after.next()) {
                        (Some('-'), Some(to)) if to != ']' => {
                            characters = after;
                            ranges.push((from, to));
                        }
                        _ => ranges.push((from, from)),
                    }
                }
                if is_closed { Part::Of(ranges, is_in) } else { Part::Of(Vec::new(), true) }
            }
            it => Part::One(it),
        });
    }
    parts
}

/// Whether a whole text is of this pattern. It goes back to the last `Many` alone: what comes before that is settled.
fn matches(parts: &[Part], text: &str, is_same: fn(char, char) -> bool) -> bool {
    let is_one = |part: &Part, it: char| match part {
        Part::Many => false,
        Part::Any => true,
        Part::One(one) => is_same(*one, it),
        Part::Of(ranges, is_in) => ranges.iter().any(|(from, to)| (from..=to).contains(&&it)) == *is_in,
    };
    let (mut at, mut rest, mut back) = (0, text.chars(), None);
    loop {
        let mut after = rest.clone();
        match (parts.get(at), after.next()) {
            (Some(Part::Many), _) => {
                at += 1;
                back = Some((at, rest.clone()));
            }
            (Some(part), Some(it)) if is_one(part, it) => (at, rest) = (at + 1, after),
            (None, None) => return true,
            // However much of it is passed over, what is left only gets shorter.
            (_, None) => return false,
            (_, Some(_)) => {
                let Some((begin, from)) = &mut back else { return false };
                from.next();
                (at, rest) = (*begin, from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const TEXTS: [&str; 20] = [
        "NULL",
        "''",
        "'a'",
        "'A'",
        "'ab'",
        "'abc'",
        "'aXbXc'",
        "'%'",
        "'_b%'",
        "'a%c'",
        "'%b%'",
        "'a*'",
        "'[a-c]b*'",
        "'[^a]*'",
        "'[]x]'",
        "'[a'",
        "'ä'",
        "'ÄÖ ä'",
        "12",
        "'1'",
    ];

    /// Each expression over each two texts, as SQLite says it and as these do.
    #[test]
    fn they_say_what_sqlite_s_say() {
        let (theirs, ours) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
        let never: IsLate = Arc::new(|| false);
        put(&ours, &never).unwrap();
        let said = |connection: &Connection, sql: &str| -> String {
            let value = connection.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0));
            format!("{:?}", value.ok())
        };
        for one in TEXTS {
            for other in TEXTS {
                for form in [
                    "instr(A, B)",
                    "replace(A, B, 'yy')",
                    "replace(A, B, NULL)",
                    "trim(A, B)",
                    "ltrim(A, B)",
                    "rtrim(A, B)",
                    "A LIKE B",
                    "A NOT LIKE B",
                    "A LIKE B ESCAPE 'X'",
                    "A LIKE B ESCAPE B",
                    "A GLOB B",
                ] {
                    let sql = format!("SELECT {}", form.replace('A', one).replace('B', other));
                    assert_eq!(said(&ours, &sql), said(&theirs, &sql), "{sql}");
                }
            }
        }
    }

    #[test]
    fn none_begins_when_time_is_over() {
        let connection = Connection::open_in_memory().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_over);
        let is_late: IsLate = Arc::new(move || asked.load(Ordering::Relaxed));
        put(&connection, &is_late).unwrap();
        let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0));
        let all = [
            "instr('a', 'a')",
            "replace('a', 'a', 'b')",
            "trim('a', 'a')",
            "ltrim('a', 'a')",
            "rtrim('a', 'a')",
            "'a' LIKE 'a'",
            "'a' LIKE 'a' ESCAPE 'x'",
            "'a' GLOB 'a'",
        ];
        for (over, is_good) in [(false, true), (true, false), (false, true)] {
            is_over.store(over, Ordering::Relaxed);
            for it in all {
                // Constants are worked out where a query is prepared.
                let said = ask(&format!("SELECT {it} WHERE random() IS NOT NULL"));
                assert_eq!(said.is_ok(), is_good, "{it}: {said:?}");
                let is_interrupt =
                    |it: &rusqlite::Error| it.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted);
                assert!(said.as_ref().err().is_none_or(is_interrupt), "{it}: {said:?}");
            }
        }
    }
}
