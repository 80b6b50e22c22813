//! What a person writes of a statement, in TOML: what goes without saying may be left out, and a key may be the name of its file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::keys;

/// A description of a statement.
pub(crate) struct Written {
    path: PathBuf,
    table: Table,
}

impl Written {
    /// Out of a file. Files of keys are beside it.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let at = || format!("{}", path.display());
        let text = std::fs::read_to_string(path).with_context(at)?;
        let mut table: Table = toml::from_str(&text).with_context(at)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for (_, value) in &mut table {
            for entry in value.as_array_mut().into_iter().flatten().filter_map(Value::as_table_mut) {
                read_key(entry, folder).with_context(at)?;
            }
        }
        Ok(Self { path: path.to_owned(), table })
    }

    /// Says what goes without saying.
    pub(crate) fn or(&mut self, field: &str, value: impl Into<Value>) -> &mut Self {
        or(&mut self.table, field, value.into());
        self
    }

    /// Says what goes without saying in each entry of a list, and that the list is empty where it is left out.
    pub(crate) fn or_in_each(&mut self, list: &str, fields: &[(&str, Value)]) -> &mut Self {
        let list = self.table.entry(list).or_insert_with(|| Value::Array(Vec::new()));
        for entry in list.as_array_mut().into_iter().flatten().filter_map(Value::as_table_mut) {
            fields.iter().for_each(|(field, value)| or(entry, field, value.clone()));
        }
        self
    }

    /// What stands in a field as text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.table.get(field)?.as_str()
    }

    /// The content of the statement.
    pub(crate) fn body<T: DeserializeOwned>(self) -> anyhow::Result<T> {
        self.table.try_into().with_context(|| format!("{}", self.path.display()))
    }
}

fn or(table: &mut Table, field: &str, value: Value) {
    if !table.contains_key(field) {
        table.insert(field.to_owned(), value);
    }
}

/// A key is one line, or the file that it stands in.
fn read_key(entry: &mut Table, folder: &Path) -> anyhow::Result<()> {
    if let Some(Value::String(key)) = entry.get_mut("key")
        && !key.contains(' ')
    {
        *key = keys::public_key(&folder.join(&*key))?.to_string();
    }
    Ok(())
}
