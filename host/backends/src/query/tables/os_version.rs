use contract::types::Error;

use crate::facts::os_release;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let release = os_release::read(&source.root);
    let field = |name: &str| release.get(name).cloned();
    let version_id = field("VERSION_ID").unwrap_or_default();
    let mut numbers = version_id.split('.').map(|number| number.parse::<i64>().unwrap_or_default());
    let mut number = || numbers.next().unwrap_or_default();
    Ok(vec![
        Row::default()
            .number("major", number())
            .number("minor", number())
            .number("patch", number())
            .some_text("name", field("NAME"))
            .text("version", field("VERSION").unwrap_or_else(|| version_id.clone()))
            .some_text("build", field("BUILD_ID"))
            .some_text("platform", field("ID"))
            .some_text("platform_like", field("ID_LIKE"))
            .some_text("codename", field("VERSION_CODENAME"))
            .text("arch", rustix::system::uname().machine().to_string_lossy()),
    ])
}
