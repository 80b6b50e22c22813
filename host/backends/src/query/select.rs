//! What is asked of a table, checked; then rows filtered, projected and cut.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use contract::query::{Comparison, Condition, QueryTable, Rows};
use contract::types::{Error, ErrorKind};
use contract::{Context, Footprint};
use globset::{GlobBuilder, GlobMatcher};

use crate::errors;

use super::schema::{self, Table, Type};
use super::{COLUMNS_MAX, CONDITION_BYTES_MAX, CONDITIONS_MAX, ROWS_BYTES_MAX, ROWS_MAX};

/// A row by column; what is left out is NULL.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row(pub(crate) BTreeMap<&'static str, Value>);

/// A value, in the form in which it compares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// The table, if this host has it and the scope names it. A table that reveals people must be named: `*` was granted by
/// somebody who thought of machines.
pub(super) fn granted_table(cx: &Context, name: &str) -> Result<&'static Table, Error> {
    let table = schema::table(name)
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, "table", format!("this host has no table `{name}`")))?;
    let is_named = cx.scope.iter().any(|entry| entry == name);
    if is_named || (!table.reveals_people && cx.scope.iter().any(|entry| entry == "*")) {
        return Ok(table);
    }
    let message = match table.reveals_people {
        true => format!("`{name}` reveals people: the scope must name it"),
        false => format!("the scope does not name `{name}`"),
    };
    Err(Error::new(ErrorKind::Denied, "scope", message))
}

/// A question that makes sense.
pub(super) struct Select {
    pub(super) table: &'static Table,
    columns: Vec<&'static str>,
    conditions: Vec<Test>,
    limit: usize,
}

impl Select {
    pub(super) fn new(cx: &Context, call: &QueryTable) -> Result<Self, Error> {
        let table = granted_table(cx, &call.table)?;
        let column = |name: &String| {
            table
                .column(name)
                .ok_or_else(|| errors::invalid("column", format!("`{}` has no column `{name}`", table.name)))
        };
        check("columns", call.columns.len(), 1..=COLUMNS_MAX)?;
        check("conditions", call.conditions.len(), 0..=CONDITIONS_MAX)?;
        let limit = usize::try_from(call.limit).unwrap_or(usize::MAX);
        check("limit", limit, 1..=ROWS_MAX)?;
        let columns = call.columns.iter().map(|name| Ok(column(name)?.name)).collect::<Result<_, Error>>()?;
        let conditions = call
            .conditions
            .iter()
            .map(|condition| Test::new(column(&condition.column)?, condition))
            .collect::<Result<_, Error>>()?;
        Ok(Self { table, columns, conditions, limit })
    }

    /// The rows that match, as far as they fit.
    pub(super) fn answer(&self, rows: Vec<Row>) -> Rows {
        let mut values: Vec<Vec<Option<String>>> = Vec::new();
        let mut bytes = 0;
        for row in rows.into_iter().filter(|row| self.conditions.iter().all(|test| test.holds(row))) {
            let projected: Vec<_> =
                self.columns.iter().map(|&column| row.0.get(column).map(Value::to_string)).collect();
            bytes += projected.footprint();
            if values.len() == self.limit || bytes > ROWS_BYTES_MAX {
                return Rows { values, truncated: true };
            }
            values.push(projected);
        }
        Rows { values, truncated: false }
    }
}

fn check(what: &str, found: usize, allowed: std::ops::RangeInclusive<usize>) -> Result<(), Error> {
    if allowed.contains(&found) {
        return Ok(());
    }
    let message = format!("`{what}` may be {} to {}, this is {found}", allowed.start(), allowed.end());
    Err(errors::invalid(what, message))
}

/// A condition, ready to be asked.
struct Test {
    column: &'static str,
    how: How,
}

enum How {
    Compared(Value, fn(Ordering) -> bool),
    Like(Vec<char>),
    Glob(GlobMatcher),
}

impl Test {
    fn new(column: &'static schema::Column, condition: &Condition) -> Result<Self, Error> {
        check("condition-value", condition.value.len(), 0..=CONDITION_BYTES_MAX)?;
        let compared = |holds| Ok(How::Compared(typed(column, &condition.value)?, holds));
        let how = match condition.comparison {
            Comparison::Equals => compared(Ordering::is_eq),
            Comparison::NotEquals => compared(Ordering::is_ne),
            Comparison::Less => compared(Ordering::is_lt),
            Comparison::LessOrEqual => compared(Ordering::is_le),
            Comparison::Greater => compared(Ordering::is_gt),
            Comparison::GreaterOrEqual => compared(Ordering::is_ge),
            Comparison::Like => Ok(How::Like(condition.value.chars().collect())),
            Comparison::Glob => GlobBuilder::new(&condition.value)
                .build()
                .map(|glob| How::Glob(glob.compile_matcher()))
                .map_err(|error| errors::invalid("glob", format!("`{}`: {}", condition.value, error.kind()))),
        }?;
        Ok(Self { column: column.name, how })
    }

    /// As in SQL, nothing holds of NULL.
    fn holds(&self, row: &Row) -> bool {
        let Some(value) = row.0.get(self.column) else { return false };
        match &self.how {
            How::Compared(with, holds) => compare(value, with).is_some_and(holds),
            How::Like(pattern) => like(pattern, &value.to_string()),
            How::Glob(glob) => glob.is_match(value.to_string()),
        }
    }
}

/// The condition's value in the column's type.
fn typed(column: &schema::Column, value: &str) -> Result<Value, Error> {
    let number = match column.ty {
        Type::Text => Some(Value::Text(value.to_owned())),
        Type::Integer | Type::BigInt => value.trim().parse().ok().map(Value::Number),
    };
    number.ok_or_else(|| {
        errors::invalid("condition-value", format!("`{}` is {}, `{value}` is not", column.name, column.ty.word()))
    })
}

fn compare(value: &Value, with: &Value) -> Option<Ordering> {
    match (value, with) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// SQLite's LIKE: `%` is anything, `_` one character, letters of ASCII in either case. Going back only to the last `%` keeps
/// it from growing beyond pattern × text.
fn like(pattern: &[char], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut in_pattern) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while let Some(&character) = text.get(at) {
        match pattern.get(in_pattern) {
            Some('%') => {
                in_pattern += 1;
                last_any = Some((in_pattern, at));
            }
            Some(&wanted) if wanted == '_' || wanted.eq_ignore_ascii_case(&character) => {
                at += 1;
                in_pattern += 1;
            }
            _ => match last_any {
                Some((after, from)) => {
                    (in_pattern, at) = (after, from + 1);
                    last_any = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(in_pattern..).unwrap_or_default().iter().all(|&rest| rest == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_that_of_sqlite() {
        let check = |pattern: &str, text: &str| like(&pattern.chars().collect::<Vec<_>>(), text);
        for (pattern, text) in
            [("", ""), ("%", ""), ("a%c", "abbc"), ("A_c", "aBC"), ("%b%", "abc"), ("%a%b", "xaxbab"), ("_", "ü")]
        {
            assert!(check(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("_", ""), ("a%c", "abcd"), ("a*", "ab"), ("Ü", "ü"), ("a_", "a")] {
            assert!(!check(pattern, text), "{pattern} {text}");
        }
        assert!(!check(&"%a".repeat(500), &"a".repeat(499)), "and comes to an end");
    }
}
