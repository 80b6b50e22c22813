use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use hub::{Error, Hub};
use trust::Name;

use crate::context::Context;
use crate::output;

/// Write all there is of a client into one new file, a line of JSON a row; the hub goes on working
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which client
    client: Name,

    /// Which file: nobody else may read it
    file: PathBuf,
}

pub(crate) fn run(args: &Args, folder: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    let hub = Hub::open(folder, context.clock.clone())?;
    let told = || format!("cannot write {}", args.file.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file).with_context(told)?;
    let mut file = BufWriter::new(file);
    let mut rows = 0_u64;
    hub.export(&args.client, |row| {
        rows += 1;
        serde_json::to_writer(&mut file, row)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(|error| Error::Io(args.file.clone(), error))
    })?;
    file.into_inner().map_err(|error| error.into_error()).and_then(|file| file.sync_all()).with_context(told)?;
    output::say(&format!("{} has {rows} rows of {}", args.file.display(), args.client));
    Ok(ExitCode::SUCCESS)
}
