//! SQL of a technician's own, over what devices said. Which rows there are is said by the scope, whatever is asked.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::endpoint::{Call, Endpoint, Nothing};
use super::limit::Rate;
use crate::Error;
use crate::db::{Answer, QUERIES_AT_ONCE_MAX};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let ask = Endpoint::new(Method::POST, "/v1/query", "Ask in SQL what devices said", ask);
    // A person who tries, and a report with a query for each of its pages.
    let rate = Rate { at_once: 20, per_second: 2 };
    vec![Endpoint { at_work_max: QUERIES_AT_ONCE_MAX, rate, ..ask }]
}

/// What is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Asked {
    /// One `SELECT`, at most 16 KiB.
    #[schemars(length(min = 1, max = 16_384))]
    sql: String,
    /// Of these clients alone; of all that the seat is for, where none is named.
    #[serde(default)]
    #[schemars(length(max = 500))]
    clients: Vec<String>,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Answered {
    /// The columns, in order.
    columns: Vec<String>,
    /// At most 10,000 rows and 8 MiB: a value a column.
    rows: Vec<Vec<Value>>,
    /// Why these are not all rows; left out where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<String>,
}

async fn ask(call: Call<Nothing, Asked>) -> Result<Answered, Error> {
    let Asked { sql, clients } = &call.body;
    let Answer { columns, rows, truncated } = call.query(sql.clone(), clients).await?;
    Ok(Answered { columns, rows, truncated })
}
