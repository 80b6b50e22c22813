use std::sync::Arc;
use std::time::Instant;

use contract::Context;
use contract::query::{Backend, Column, DescribeTable, QueryTable, Rows};
use contract::types::{Error, ErrorKind};
use procfs::FromRead;
use tokio_util::sync::CancellationToken;

use crate::device_people::Pseudonyms;
use crate::facts::Root;
use crate::{Shared, errors};

use super::select::{Row, Select, Value};
use super::tables;

/// This machine, or the recorded files of one.
pub(super) struct Linux {
    root: Root,
    pseudonyms: Arc<Pseudonyms>,
}

/// What a table's rows are made from.
pub(super) struct Source {
    pub(super) root: Root,
    /// What people are called.
    pub(super) pseudonyms: Arc<Pseudonyms>,
    deadline: Instant,
    cancel: CancellationToken,
}

impl Source {
    #[cfg(test)]
    pub(super) fn for_tests(root: Root, shared: &Shared) -> Self {
        let deadline = Instant::now() + std::time::Duration::from_secs(60);
        Self { root, pseudonyms: Arc::new(Pseudonyms::new(shared)), deadline, cancel: CancellationToken::new() }
    }

    /// Asked now and then by what takes long.
    pub(super) fn check_time(&self) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "cancelled", "the run is being cancelled"));
        }
        match Instant::now() >= self.deadline {
            true => Err(Error::new(ErrorKind::Timeout, "timeout", "the time for this call ran out")),
            false => Ok(()),
        }
    }

    /// A file of /proc, parsed by the crate that knows them all.
    pub(super) fn proc<T: FromRead>(&self, path: &str) -> Result<T, Error> {
        T::from_file(self.root.path(path)).map_err(|error| errors::failed("proc", error.to_string()))
    }

    /// A file of text.
    pub(super) fn text(&self, path: &str) -> Result<String, Error> {
        self.root.text(path).map_err(|error| errors::io(&format!("/{path}"), &error))
    }
}

impl Linux {
    /// This machine, or the system under `shared.root`.
    pub(super) fn new(shared: &Shared) -> Self {
        Self::at(Root::new(&shared.root), shared)
    }

    /// Files below a folder.
    pub(super) fn at(root: Root, shared: &Shared) -> Self {
        Self { root, pseudonyms: Arc::new(Pseudonyms::new(shared)) }
    }
}

#[async_trait::async_trait]
impl Backend for Linux {
    async fn query_table(&self, cx: &Context, call: &QueryTable) -> Result<Rows, Error> {
        let select = Select::new(cx, call)?;
        let source = Source {
            root: self.root.clone(),
            pseudonyms: Arc::clone(&self.pseudonyms),
            deadline: cx.deadline,
            cancel: cx.cancel.clone(),
        };
        let work = move || {
            let rows = tables::rows(select.table.name, &source)?;
            Ok(select.answer(rows))
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| errors::failed("panic", format!("reading `{}`: {error}", call.table)))?
    }

    async fn describe_table(&self, cx: &Context, call: &DescribeTable) -> Result<Vec<Column>, Error> {
        super::describe(cx, call)
    }
}

/// How tables make their rows.
impl Row {
    pub(crate) fn text(mut self, column: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(column, Value::Text(value.into()));
        self
    }

    /// A number; one that does not fit into 64 signed bits is NULL, not another number.
    pub(crate) fn number(mut self, column: &'static str, value: impl TryInto<i64>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.insert(column, Value::Number(value));
        }
        self
    }

    pub(crate) fn some_text(self, column: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.text(column, value),
            None => self,
        }
    }

    pub(crate) fn some_number(self, column: &'static str, value: Option<impl TryInto<i64>>) -> Self {
        match value {
            Some(value) => self.number(column, value),
            None => self,
        }
    }
}
