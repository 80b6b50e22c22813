use std::borrow::Cow;

use contract::query::{DescribeTable, QueryTable};

use super::Adapter;

impl Adapter for QueryTable {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.table)]
    }
}

impl Adapter for DescribeTable {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.table)]
    }
}
