use contract::types::Error;

use crate::facts::accounts;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let people = source.pseudonyms.open(&source.root)?;
    let accounts = accounts::accounts(&source.root).into_iter();
    Ok(accounts
        .map(|account| {
            // What describes a person, and the home that is called like one, say who it is.
            let is_shown = people.shows(&account.name);
            Row::default()
                .number("uid", account.uid)
                .number("gid", account.gid)
                .number("uid_signed", account.uid.cast_signed())
                .number("gid_signed", account.gid.cast_signed())
                .text("username", people.user(&account.name))
                .some_text("description", is_shown.then_some(account.gecos))
                .some_text("directory", is_shown.then_some(account.home))
                .text("shell", account.shell)
        })
        .collect())
}
