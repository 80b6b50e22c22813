use std::borrow::Cow;

use contract::kv::{GetValue, ListKeys};
use contract::kv_write::{PutValue, RemoveValue};

use super::{Adapter, Charges, bytes_of};

impl Adapter for GetValue {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.key)]
    }
}

/// The keys in the answer are no secret, their values are.
impl Adapter for ListKeys {}

impl Adapter for PutValue {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.key)]
    }

    fn charges(&self) -> Charges {
        Charges { kv_bytes: bytes_of(self.key.len() + self.value.len()), ..Charges::default() }
    }
}

impl Adapter for RemoveValue {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.key)]
    }
}
