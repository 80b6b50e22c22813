use std::borrow::Cow;

use contract::secrets::{DescribeSecret, OpenBasic, OpenBearer, OpenHeader, OpenPassword};

use super::Adapter;

macro_rules! named {
    ($($call:ty),*) => {
        $(impl Adapter for $call {
            fn subjects(&self) -> Vec<Cow<'_, str>> {
                vec![Cow::Borrowed(&self.name)]
            }
        })*
    };
}

named!(DescribeSecret, OpenBasic, OpenBearer, OpenHeader, OpenPassword);
