use contract::types::Error;

use crate::errors;
use crate::facts::dpkg;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let packages = dpkg::packages(&source.root).map_err(|error| errors::io("/var/lib/dpkg/status", &error))?;
    Ok(packages.into_iter().map(row).collect())
}

fn row(package: dpkg::Package) -> Row {
    let source = if package.source == package.name { String::new() } else { package.source.clone() };
    Row::default()
        .text("revision", package.revision())
        .text("source", source)
        .some_number("size", package.size_kib)
        .text("name", package.name)
        .text("version", package.version)
        .text("arch", package.arch)
        .text("status", package.status)
        .text("maintainer", package.maintainer)
        .text("section", package.section)
        .text("priority", package.priority)
        .text("admindir", dpkg::ADMIN_DIR)
}
