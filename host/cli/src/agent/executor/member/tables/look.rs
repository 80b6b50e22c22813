//! What the tables have, as this device's own backends say it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ::fleet::tables::{Column, TABLES, Table, Told, Type};
use ::fleet::{Cells, ROWS_MAX, Rows};
use backends::Shared;
use contract::patch::ListUpdates;
use contract::query::{Comparison, Condition, QueryTable};
use contract::service::ListServices;
use serde_json::{Value, json};
use trust::statement::People;

use crate::machine::Machine;

/// How long a table may take. apt works out what it would do in some seconds.
const TIME_MAX: Duration = Duration::from_secs(120);

/// What it is known by that a table is as it was: these files of the managed system. What is not here is cheap, and read each time.
const FILES: [(&str, &[&str]); 3] = [
    ("deb_packages", &["var/lib/dpkg/status"]),
    ("updates", &["var/lib/dpkg/status", "var/lib/apt/lists", "etc/apt/preferences", "etc/apt/preferences.d"]),
    ("users", &["etc/passwd"]),
];

/// What a table's files looked like, and for whom it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    files: Vec<Option<(SystemTime, u64)>>,
    people: People,
}

/// A table that was read.
#[derive(Debug)]
pub(in crate::agent::executor) struct Found {
    pub(super) table: &'static Table,
    pub(super) marks: Option<Marks>,
    /// What was to be told of people when it was read.
    pub(super) people: People,
    pub(super) rows: Rows,
}

/// What is looked at, and how.
pub(super) struct Look {
    pub(super) machine: Arc<Machine>,
    pub(super) people: People,
    pub(super) wants_updates: bool,
    /// What each table's files looked like when it was read last.
    pub(super) before: BTreeMap<&'static str, Option<Marks>>,
}

impl Look {
    /// The tables that are other than they were, as far as their files tell.
    pub(super) async fn all(&self) -> Vec<Found> {
        let mut all = Vec::new();
        for table in TABLES.iter().filter(|table| table.is_told()) {
            let is_late = table.name == "updates" && !self.wants_updates;
            let marks = self.marks(table);
            let is_same = marks.is_some() && self.before.get(table.name) == Some(&marks);
            if is_late || is_same {
                continue;
            }
            match self.rows(table).await {
                // What lacks a part would answer wrongly.
                Ok(rows) => all.push(Found { table, marks, people: self.people, rows: rows.unwrap_or_default() }),
                Err(error) => tracing::debug!(table = table.name, %error, "a table is not told"),
            }
        }
        all
    }

    fn root(&self) -> &Path {
        &self.machine.device.shared.root
    }

    fn marks(&self, table: &Table) -> Option<Marks> {
        let (_, files) = FILES.iter().find(|(name, _)| *name == table.name)?;
        let mark = |file: &&str| {
            let found = std::fs::metadata(self.root().join(file)).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        Some(Marks { files: files.iter().map(mark).collect(), people: self.people })
    }

    async fn rows(&self, table: &'static Table) -> Result<Option<Rows>, contract::types::Error> {
        if table.told == Told::People && self.people == People::Never {
            return Ok(None);
        }
        let of =
            |scope: &str| contract::Context::new("", "agent", "", vec![scope.to_owned()], Instant::now() + TIME_MAX);
        let backends = &self.machine.device.backends;
        let rows: Vec<Cells> = match table.name {
            "services" => {
                let services = backends.service.list_services(&of("*"), &ListServices {}).await?;
                let row = |it: contract::service::ServiceInfo| {
                    let (status, start) = (word(&it.state), word(&it.start_type));
                    cells([
                        ("name", json!(it.name)),
                        ("display_name", json!(it.display_name)),
                        ("status", status),
                        ("start_type", start),
                    ])
                };
                services.into_iter().map(row).collect()
            }
            "updates" => {
                let updates = backends.patch.list_updates(&of("*"), &ListUpdates {}).await?;
                let row = |it: contract::patch::Update| {
                    let (class, severity, state) = (word(&it.classification), word(&it.severity), word(&it.state));
                    cells([
                        ("name", json!(it.product)),
                        ("installed_version", json!(it.installed_version)),
                        ("available_version", json!(it.available_version)),
                        ("classification", class),
                        ("severity", severity),
                        ("state", state),
                        ("source", json!(it.source)),
                    ])
                };
                updates.into_iter().map(row).collect()
            }
            "uptime" => booted_at().map(|at| cells([("booted_at", json!(at))])).into_iter().collect(),
            _ => return self.asked(table, &of(table.name)).await,
        };
        Ok(Rows::of(rows))
    }

    /// Of osquery's tables; none where it has more rows than anybody takes.
    async fn asked(&self, table: &Table, cx: &contract::Context) -> Result<Option<Rows>, contract::types::Error> {
        let shared = &self.machine.device.shared;
        let is_masked = self.people != People::Shown || shared.policy.device_people.mask_people;
        let query = match table.told == Told::People && is_masked {
            true => backends::query::real(&masked(shared)),
            false => Arc::clone(&self.machine.device.backends.query),
        };
        let condition = |column: &str, comparison, value: &str| Condition {
            column: column.to_owned(),
            comparison,
            value: value.to_owned(),
        };
        let conditions = match table.name {
            // A socket of this machine alone is nobody's way in.
            "listening_ports" => vec![condition("family", Comparison::NotEquals, "1")],
            "logged_in_users" => vec![condition("type", Comparison::Equals, "user")],
            _ => Vec::new(),
        };
        let call = QueryTable {
            table: table.name.to_owned(),
            columns: table.columns.iter().map(|it| it.name.to_owned()).collect(),
            conditions,
            limit: u32::try_from(ROWS_MAX).unwrap_or(u32::MAX),
        };
        let answer = query.query_table(cx, &call).await?;
        // From where somebody came says who it is.
        let is_told = |column: &str| !(is_masked && (table.name, column) == ("logged_in_users", "host"));
        let row = |values: Vec<Option<String>>| -> Cells {
            let columns = table.columns.iter().zip(values).filter(|(column, _)| is_told(column.name));
            columns.filter_map(|(column, value)| Some((column.name.to_owned(), value_of(column, value?)?))).collect()
        };
        Ok(if answer.truncated { None } else { Rows::of(answer.values.into_iter().map(row)) })
    }
}

/// The same machine, on which names of people are pseudonyms.
fn masked(shared: &Shared) -> Shared {
    let mut policy = (*shared.policy).clone();
    policy.device_people.mask_people = true;
    Shared { policy: Arc::new(policy), ..shared.clone() }
}

/// As a column has it; nothing where there is nothing to say.
fn value_of(column: &Column, text: String) -> Option<Value> {
    match column.ty {
        Type::Text => (!text.is_empty()).then(|| text.into()),
        Type::Integer => text.parse::<i64>().ok().map(Value::from),
        Type::Real => None,
    }
}

fn cells<const N: usize>(cells: [(&str, Value); N]) -> Cells {
    let told = cells.into_iter().filter(|(_, value)| !value.is_null());
    told.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The word that the contract has for a case.
fn word(case: &impl serde::Serialize) -> Value {
    serde_json::to_value(case).unwrap_or_default()
}

/// When this machine started, in seconds since 1970, as the kernel says.
fn booted_at() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|it| it.trim().parse().ok())
}
