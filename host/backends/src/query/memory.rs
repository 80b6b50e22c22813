use std::collections::BTreeMap;

use contract::Context;
use contract::query::{Backend, Column, DescribeTable, QueryTable, Rows};
use contract::types::Error;
use serde::Deserialize;

use super::schema::{self, Type};
use super::select::{Row, Select, Value};

/// Rows by table: `[[query.processes]]` and `pid = 1`. Tables and columns must be known, values of the column's type; a column
/// that is left out is NULL, a table that is left out has no rows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<BTreeMap<String, serde_json::Value>>>")]
pub struct Fixture(BTreeMap<&'static str, Vec<Row>>);

impl TryFrom<BTreeMap<String, Vec<BTreeMap<String, serde_json::Value>>>> for Fixture {
    type Error = String;

    fn try_from(given: BTreeMap<String, Vec<BTreeMap<String, serde_json::Value>>>) -> Result<Self, String> {
        let mut tables = BTreeMap::new();
        for (name, rows) in given {
            let table = schema::table(&name).ok_or_else(|| format!("there is no table `{name}`"))?;
            let rows = rows.into_iter().map(|cells| row(table, cells)).collect::<Result<_, _>>()?;
            tables.insert(table.name, rows);
        }
        Ok(Self(tables))
    }
}

fn row(table: &schema::Table, cells: BTreeMap<String, serde_json::Value>) -> Result<Row, String> {
    let cells = cells.into_iter().map(|(name, value)| {
        let column = table.column(&name).ok_or_else(|| format!("`{}` has no column `{name}`", table.name))?;
        let value = match column.ty {
            Type::Text => value.as_str().map(|text| Value::Text(text.to_owned())),
            Type::Integer | Type::BigInt => value.as_i64().map(Value::Number),
        };
        Ok((column.name, value.ok_or_else(|| format!("`{}.{name}` is {}", table.name, column.ty.word()))?))
    });
    Ok(Row(cells.collect::<Result<_, String>>()?))
}

/// The tables that a fixture describes.
pub struct Memory(Fixture);

impl Memory {
    /// As described.
    pub fn new(fixture: Fixture) -> Self {
        Self(fixture)
    }
}

#[async_trait::async_trait]
impl Backend for Memory {
    async fn query_table(&self, cx: &Context, call: &QueryTable) -> Result<Rows, Error> {
        let select = Select::new(cx, call)?;
        Ok(select.answer(self.0.0.get(select.table.name).cloned().unwrap_or_default()))
    }

    async fn describe_table(&self, cx: &Context, call: &DescribeTable) -> Result<Vec<Column>, Error> {
        super::describe(cx, call)
    }
}
