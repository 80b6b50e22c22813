//! SQL over what devices said, answered by the hub: nobody signed these rows, and they decide nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trust::Name;

use crate::client::Client;
use crate::error::Error;

/// What the hub answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// The columns, in order.
    pub columns: Vec<String>,
    /// A value a column.
    pub rows: Vec<Vec<Value>>,
    /// Why these are not all rows, where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<String>,
}

impl Client {
    /// Asks one `SELECT`, of these clients alone, or of all that this technician is for. What is wrong with it is an error that says
    /// where, and which tables and columns there are.
    pub async fn query(&self, sql: &str, clients: &[Name]) -> Result<Answer, Error> {
        let clients: Vec<&str> = clients.iter().map(Name::as_str).collect();
        self.post("/v1/query", &json!({ "sql": sql, "clients": clients })).await
    }
}
