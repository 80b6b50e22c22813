use std::collections::HashMap;

use contract::types::Error;

use crate::facts::accounts;

use super::{Row, Source};

/// The most rows: a group with a million members is no group.
const ROWS_MAX: usize = 100_000;

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let accounts = accounts::accounts(&source.root);
    let uids: HashMap<&str, u32> = accounts.iter().rev().map(|it| (it.name.as_str(), it.uid)).collect();
    let mut pairs: Vec<(u32, u32)> = accounts.iter().map(|it| (it.uid, it.gid)).collect();
    for group in accounts::groups(&source.root) {
        let members = group.members.iter().filter_map(|member| uids.get(member.as_str()));
        pairs.extend(members.map(|&uid| (uid, group.gid)).take(ROWS_MAX));
    }
    pairs.sort_unstable();
    pairs.dedup();
    let rows = pairs.into_iter().take(ROWS_MAX);
    Ok(rows.map(|(uid, gid)| Row::default().number("uid", uid).number("gid", gid)).collect())
}
