//! What technicians ask in SQL of their own: read-only, the rows of one scope by construction, and bounded in all that it may use.
//!
//! The connections are those of [`super::readers`], with other views: of each table of `fleet::tables` one, whose rows are made of the
//! file's tables by a view that begins with what nobody can guess ([`views`]). A text that has that in it is refused, as is
//! `EXPLAIN`, which would tell it; functions are those of a list; and everything that SQLite can bound is bounded.

mod functions;
mod views;

use std::path::Path;

use fleet::tables::{TABLES, Table};
use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};
use serde_json::{Value, json};

use super::readers::{IsLate, Readers, View, authorize};
use super::schema::TABLES as FILE_TABLES;
use crate::{Error, Scope};

/// So many are answered at once: one that takes its whole time keeps a processor busy.
pub(crate) const AT_ONCE_MAX: usize = 2;

/// The most bytes of a query.
pub(crate) const SQL_BYTES_MAX: usize = 16 << 10;

/// The most semicolons in one: in its texts.
const SEMICOLONS_MAX: usize = 64;

/// So long a query may take.
pub(crate) const QUERY_MS_MAX: u64 = 5_000;

/// The most rows of an answer: what a person reads is less, and what a program reads it asks for by site.
pub(crate) const ROWS_MAX: usize = 10_000;

/// The most bytes of an answer: a technician's machine takes four times as many.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 << 20;

/// What SQLite may have in memory for all its connections in this process together. Those of a hub of 10,000 devices take 16 MiB; a
/// query that sorts what it multiplied would take all there is.
const HEAP_BYTES_MAX: i64 = 256 << 20;

/// The most bytes of a text: a fact is as large as all of a device's may be.
const TEXT_BYTES_MAX: i32 = 300_000;

/// What SQLite itself bounds.
const LIMITS: [(Limit, i32); 9] = [
    (Limit::SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX),
    (Limit::SQLITE_LIMIT_COLUMN, 200),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 20),
    // What is in one row is worked out without a look at the clock.
    (Limit::SQLITE_LIMIT_VDBE_OP, 10_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    // That with which a reader is kept to its scope. A query that has one is refused.
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// What a query may call. None of these reads a file, a setting, or anything but what it is given, and none takes longer than its
/// arguments are long: those that SQLite has and that do are ours ([`functions`]), or are not here (`json_patch`, `unhex`).
const FUNCTIONS: &str = " abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos cosh \
    count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor format glob \
    group_concat hex if ifnull iif instr json json_array json_array_length json_each json_error_position json_extract \
    json_group_array json_group_object json_insert json_object json_pretty json_quote json_remove json_replace json_set \
    json_tree json_type json_valid julianday lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim max min \
    mod nth_value ntile nullif octet_length percent_rank pi pow power printf quote radians random rank replace round row_number rtrim \
    sign sin sinh sqrt strftime string_agg substr substring sum tan tanh time timediff total trim trunc typeof unicode \
    unixepoch unistr unistr_quote unlikely upper -> ->> ";

/// Whether a device is there, which is in no table: what views may call, and no query.
const PRESENCE: &str = "presence_of";

/// The rows that came, and whether there would be more.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// The columns, in order.
    pub(crate) columns: Vec<String>,
    /// A value a column.
    pub(crate) rows: Vec<Vec<Value>>,
    /// Why there are not all of them.
    pub(crate) truncated: Option<String>,
}

/// The connections.
pub(crate) struct Queries(Readers);

impl Queries {
    pub(crate) fn open(file: &Path) -> Result<Self, Error> {
        Readers::with(file, AT_ONCE_MAX, rules, ready).map(Self)
    }

    /// What the views of each connection begin with.
    #[cfg(test)]
    pub(crate) fn guards(&self) -> Vec<String> {
        self.0.guards()
    }

    /// Answers a query with what a scope shows. It blocks. Who is there, is asked of `presence`.
    pub(crate) fn ask(
        &self,
        scope: &Scope,
        sql: &str,
        presence: impl Fn(&str) -> String + Send + 'static,
    ) -> Result<Answer, Error> {
        self.0.read_guarded(scope, Some(QUERY_MS_MAX), |view, guard| {
            let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
            let of = move |context: &rusqlite::functions::Context<'_>| Ok(presence(&context.get::<String>(0)?));
            view.0.create_scalar_function(PRESENCE, 1, flags, of)?;
            let answer = answer(view, sql, guard);
            let forgotten = view.0.remove_function(PRESENCE, 1);
            answer.and_then(|answer| Ok(forgotten.map(|()| answer)?))
        })
    }
}

/// The views and the functions, and then the limits.
fn ready(connection: &Connection, guard: &str, is_late: &IsLate) -> Result<(), Error> {
    functions::put(connection, is_late)?;
    connection.execute_batch(&TABLES.iter().map(|table| views::view(table, guard)).collect::<String>())?;
    for (limit, most) in LIMITS {
        connection.set_limit(limit, most)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, i32::try_from(SQL_BYTES_MAX).unwrap_or(i32::MAX))?;
    connection.query_row(&format!("PRAGMA hard_heap_limit = {HEAP_BYTES_MAX}"), [], |_| Ok(()))?;
    Ok(())
}

/// What any reader may do, and no function beyond the list.
fn rules(guard: &str, context: &AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Function { function_name: PRESENCE } => match context.accessor {
            Some(view) if view.starts_with(guard) => Authorization::Allow,
            _ => Authorization::Deny,
        },
        AuthAction::Function { function_name } => {
            let named = format!(" {} ", function_name.to_ascii_lowercase());
            if FUNCTIONS.contains(&named) { Authorization::Allow } else { Authorization::Deny }
        }
        // Whom a reader is kept to is for the views alone.
        AuthAction::Read { table_name: "in_scope", .. } => match context.accessor {
            Some(view) if view.starts_with(guard) => Authorization::Allow,
            _ => Authorization::Deny,
        },
        // Something of which no column is used: what the query itself names, and none of the file's tables, which would be counted.
        AuthAction::Read { table_name, column_name: "" } if context.database_name.is_none() => {
            match is_of_file(table_name) {
                true => Authorization::Deny,
                false => Authorization::Allow,
            }
        }
        _ => authorize(guard, context),
    }
}

/// Whether a name may be that of a table of the file, or of one that SQLite makes up.
fn is_of_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let made_up = ["sqlite_", "pragma_", "fts", "rtree", "dbstat", "bytecode", "tables_used"];
    FILE_TABLES.iter().any(|(table, _)| *table == name) || made_up.iter().any(|it| name.starts_with(it))
}

fn answer(view: &View<'_>, sql: &str, guard: &str) -> Result<Answer, Error> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(wrong(format!("the query has {} bytes: at most {SQL_BYTES_MAX} are read", sql.len())));
    }
    // What follows a statement is prepared by a function that calls itself for each.
    if sql.trim_end_matches([';', ' ', '\t', '\n', '\r']).matches(';').count() > SEMICOLONS_MAX {
        return Err(wrong("only one `SELECT` is answered".to_owned()));
    }
    let sql = sql.trim_end_matches([';', ' ', '\t', '\n', '\r']);
    // Nobody knows it; and should it be told anywhere, it serves nothing.
    if sql.to_ascii_lowercase().contains(guard) {
        return Err(wrong("only tables are read: `remit query --schema` lists them".to_owned()));
    }
    let said = |error: rusqlite::Error| explained(&error, sql, guard);
    let mut statement = view.0.prepare(sql).map_err(said)?;
    if statement.is_explain() != 0 || !statement.readonly() || statement.column_count() == 0 {
        return Err(wrong("only one `SELECT` is answered".to_owned()));
    }
    if statement.parameter_count() > 0 {
        return Err(wrong("a query has no parameters: write values into it".to_owned()));
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut answer = Answer { columns, rows: Vec::new(), truncated: None };
    let mut bytes = 0;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(said)? {
        let cells = (0..answer.columns.len()).map(|at| Ok(plain(row.get_ref(at)?)));
        let cells = cells.collect::<Result<Vec<Value>, rusqlite::Error>>()?;
        bytes += cells.iter().map(size).sum::<usize>();
        let why = match () {
            () if answer.rows.len() == ROWS_MAX => format!("there are more than {ROWS_MAX} rows"),
            () if bytes > ANSWER_BYTES_MAX => format!("the rows have more than {ANSWER_BYTES_MAX} bytes"),
            () => {
                answer.rows.push(cells);
                continue;
            }
        };
        answer.truncated = Some(why);
        break;
    }
    Ok(answer)
}

fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(it) => it.into(),
        ValueRef::Real(it) => it.into(),
        ValueRef::Text(it) => String::from_utf8_lossy(it).into(),
        ValueRef::Blob(it) => json!(hex::encode(it)),
    }
}

/// As JSON, and a little more.
fn size(value: &Value) -> usize {
    value.as_str().map_or(8, |text| text.len() + 3)
}

fn wrong(what: String) -> Error {
    Error::Invalid(vec![what])
}

/// What is wrong, where, and what would be right.
fn explained(error: &rusqlite::Error, sql: &str, guard: &str) -> Error {
    let tables = || TABLES.iter().map(|it| it.name).collect::<Vec<_>>().join(", ");
    let what = match (error, error.sqlite_error_code()) {
        (_, Some(ErrorCode::OperationInterrupted)) => {
            return wrong(format!("the query took longer than {QUERY_MS_MAX} ms: ask for less, such as one client"));
        }
        (_, Some(ErrorCode::OutOfMemory)) => {
            return wrong(format!(
                "the query needs more than {} MiB of memory: sort or join less",
                HEAP_BYTES_MAX >> 20
            ));
        }
        (_, Some(ErrorCode::TooBig)) => {
            return wrong(format!("a text of the query has more than {TEXT_BYTES_MAX} bytes"));
        }
        (rusqlite::Error::SqlInputError { msg, offset, .. }, _) => match usize::try_from(*offset) {
            Ok(offset) => format!("{}: {msg}", place(sql, offset)),
            Err(_) => msg.clone(),
        },
        (rusqlite::Error::SqliteFailure(_, Some(msg)), _) => msg.clone(),
        (rusqlite::Error::MultipleStatement, _) => "only one `SELECT` is answered".to_owned(),
        (other, Some(ErrorCode::DatabaseCorrupt | ErrorCode::SystemIoFailure | ErrorCode::NotADatabase)) => {
            return Error::Corrupt { why: other.to_string() };
        }
        (other, _) => other.to_string(),
    };
    if what.contains("to use function") && !what.contains(guard) {
        return wrong(format!("{what}: a query calls what computes from its arguments alone"));
    }
    if what.contains(guard) || what.contains("prohibited") || what.contains("not authorized") {
        let tables = tables();
        return wrong(format!("a query only reads, calls plain functions, and reads these tables: {tables}"));
    }
    let mut all = vec![what.clone()];
    if what.contains("no such table") {
        all.push(format!("these tables there are: {}", tables()));
    }
    if what.contains("no such column") {
        let is_named = |table: &&Table| {
            let mut words = sql.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
            words.any(|word| word.eq_ignore_ascii_case(table.name))
        };
        let columns = |table: &Table| table.all_columns().map(|it| it.name).collect::<Vec<_>>().join(", ");
        all.extend(TABLES.iter().filter(is_named).map(|it| format!("`{}` has {}", it.name, columns(it))));
    }
    Error::Invalid(all)
}

/// Where in a text a byte is, for people.
fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}
