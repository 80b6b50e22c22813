//! Lists come in pages: each says where the next one begins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The most entries of a page: with the largest rows, some 500 KiB.
pub(crate) const ROWS_MAX: u32 = 500;

/// So many where nothing is said.
const ROWS: u32 = 100;

/// The most bytes of a cursor.
const CURSOR_BYTES_MAX: usize = 512;

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Page {
    /// `next` of the page before; left out, the list begins.
    pub after: Option<String>,
    /// At most so many entries: 1 to 500, and 100 where it is left out.
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Paged<T> {
    /// What is in it.
    pub items: Vec<T>,
    /// What to hand over as `after` for what comes next; left out at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Page {
    /// One more than goes into the page: whether there is one says whether the list goes on.
    pub(super) fn rows(&self) -> Result<u32, Error> {
        match self.limit.unwrap_or(ROWS) {
            limit @ 1..=ROWS_MAX => Ok(limit + 1),
            _ => Err(Error::Invalid(vec![format!("`limit`: expected 1 to {ROWS_MAX}")])),
        }
    }

    /// After this text; the empty one is before all.
    pub(super) fn after_text(&self) -> Result<&str, Error> {
        match self.after.as_deref() {
            Some(text) if text.len() > CURSOR_BYTES_MAX => Err(not_a_cursor()),
            text => Ok(text.unwrap_or_default()),
        }
    }

    /// After this number.
    pub(super) fn after_number(&self) -> Result<i64, Error> {
        self.after_text()?.parse().or_else(|_| self.after.as_ref().map_or(Ok(0), |_| Err(not_a_cursor())))
    }

    /// The rows of a page, with where the next one begins.
    pub(super) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Result<Paged<T>, Error> {
        let most = self.rows()? as usize - 1;
        let goes_on = items.len() > most;
        items.truncate(most);
        let next = items.last().filter(|_| goes_on).map(key);
        Ok(Paged { items, next })
    }
}

fn not_a_cursor() -> Error {
    Error::Invalid(vec!["`after`: expected what `next` of a page said".to_owned()])
}
