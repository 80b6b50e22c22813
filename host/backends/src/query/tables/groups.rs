use contract::types::Error;

use crate::facts::accounts;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let people = source.pseudonyms.open(&source.root)?;
    let groups = accounts::groups(&source.root).into_iter();
    Ok(groups
        .map(|group| {
            Row::default()
                .number("gid", group.gid)
                .number("gid_signed", group.gid.cast_signed())
                .text("groupname", people.group(&group.name))
        })
        .collect())
}
