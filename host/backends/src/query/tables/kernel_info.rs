use contract::types::Error;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let command_line = source.root.line("proc/cmdline").unwrap_or_default();
    let argument = |name: &str| {
        command_line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    Ok(vec![
        Row::default()
            .some_text("version", source.root.line("proc/sys/kernel/osrelease"))
            .text("path", argument("BOOT_IMAGE").unwrap_or_default())
            .text("device", argument("root").unwrap_or_default())
            .text("arguments", command_line),
    ])
}
