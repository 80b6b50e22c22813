use std::process::ExitCode;

use anyhow::Context as _;
use fleet::tables::{OF_DEVICE, TABLES, Told};
use serde_json::{Value, json};
use trust::Name;

use crate::context::Context;
use crate::output::{self, Format};
use crate::technician::Desk;

/// Ask in SQL what the devices of a fleet said of themselves, also those that are away
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit query \"SELECT hostname, version, seen FROM deb_packages WHERE name = 'openssl'\"
  remit query \"SELECT client, count(*) FROM devices WHERE reboot_pending GROUP BY client\" --output csv
  remit query --client acme \"SELECT hostname, path, free_pct FROM mounts WHERE free_pct < 10\"
  remit query --schema updates")]
pub(crate) struct Args {
    /// One `SELECT`, in SQLite's words. Of other clients than one's own there are no rows
    #[arg(value_name = "SQL", required_unless_present = "schema")]
    sql: Option<String>,

    /// Of this client alone; repeat for more
    #[arg(long = "client", value_name = "NAME")]
    clients: Vec<Name>,

    /// List the tables and their columns, of this one or of all, and ask nobody
    #[arg(long, value_name = "TABLE", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["sql", "clients"])]
    schema: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    if let Some(table) = &args.schema {
        return schema(table, context);
    }
    let sql = args.sql.as_deref().context("there is no query")?;
    let answer = Desk::open(context).await?.client.query(sql, &args.clients).await?;
    if let Some(why) = &answer.truncated {
        output::say(&format!("note: these are not all rows: {why}"));
    }
    match context.output {
        Format::Json => output::json(&answer)?,
        Format::Table => {
            let cells = answer.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
            output::grid(&answer.columns, cells, context);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A value for a person: nothing for NULL.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn schema(named: &str, context: &Context) -> anyhow::Result<ExitCode> {
    let tables: Vec<_> = TABLES.iter().filter(|table| named.is_empty() || table.name == named).collect();
    if tables.is_empty() {
        let all: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        anyhow::bail!("there is no table `{named}`: there are {}", all.join(", "));
    }
    if context.output == Format::Json {
        let column = |it: &fleet::tables::Column| json!({ "name": it.name, "type": it.ty.word(), "doc": it.doc });
        let all: Vec<Value> = tables
            .iter()
            .map(|table| {
                let columns: Vec<Value> = table.all_columns().map(column).collect();
                let people = table.told == Told::People;
                json!({ "name": table.name, "doc": table.doc, "reveals-people": people, "columns": columns })
            })
            .collect();
        output::json(&all)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = Vec::new();
    let mut row =
        |table: &str, name: &str, ty: &str, doc: &str| rows.push([table, name, ty, doc].map(str::to_owned).into());
    for column in &OF_DEVICE {
        row("(each)", column.name, column.ty.word(), column.doc);
    }
    for table in tables {
        let people = if table.told == Told::People { " Reveals people." } else { "" };
        row(table.name, "", "", &format!("{}{people}", table.doc));
        for column in table.columns {
            row(table.name, column.name, column.ty.word(), column.doc);
        }
    }
    output::grid(&["table", "column", "type", "what it is"].map(str::to_owned), rows, context);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is called as in osquery is what it is there, but for what nobody could tell twice alike.
    #[test]
    fn tables_that_devices_tell_are_osquery_s() {
        let own = ["services", "updates", "uptime"];
        for table in TABLES.iter().filter(|table| table.is_told() && !own.contains(&table.name)) {
            let theirs = backends::query::schema::table(table.name).unwrap();
            for column in table.columns {
                assert!(theirs.column(column.name).is_some(), "{}.{}", table.name, column.name);
            }
            assert_eq!(theirs.reveals_people, table.told == Told::People, "{}", table.name);
        }
    }
}
