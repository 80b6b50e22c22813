//! `query`: osquery's tables. A table is a row of [`schema`] and, for each platform, one file that produces its rows; what is
//! asked of it is the same for all and for the twin in memory.

#[cfg(target_os = "linux")]
mod linux;
mod memory;
pub mod schema;
mod select;
#[cfg(target_os = "linux")]
mod tables;

use std::sync::Arc;

use contract::Context;
use contract::query::{Backend, Column, DescribeTable};
use contract::types::Error;

use crate::Shared;

pub use memory::{Fixture, Memory};

/// The most rows of an answer, by the contract.
const ROWS_MAX: usize = 10_000;
/// The most bytes of an answer, by the contract.
const ROWS_BYTES_MAX: usize = 1 << 20;
/// The most columns asked for: the widest table has 25, and each may be wanted twice.
const COLUMNS_MAX: usize = 64;
/// The most conditions: each is asked of every row.
const CONDITIONS_MAX: usize = 32;
/// The most bytes of a condition's value: a pattern's length times a value's is work.
const CONDITION_BYTES_MAX: usize = 1 << 10;

/// This machine's tables.
pub fn real(shared: &Shared) -> Arc<dyn Backend> {
    #[cfg(target_os = "linux")]
    return Arc::new(linux::Linux::new(shared));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = shared;
        Arc::new(contract::query::Unsupported)
    }
}

fn describe(cx: &Context, call: &DescribeTable) -> Result<Vec<Column>, Error> {
    let table = select::granted_table(cx, &call.table)?;
    let column =
        |column: &schema::Column| Column { name: column.name.to_owned(), column_type: column.ty.word().to_owned() };
    Ok(table.columns.iter().map(column).collect())
}

#[cfg(test)]
mod conformance;
