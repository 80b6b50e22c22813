use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use trust::{Read, Signed, file, statement};

use crate::context::Context;
use crate::keys;
use crate::output;

/// Sign a built plugin as its publisher, or a statement beside whoever signed it already
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin: `FILE.statement` and `FILE.statement.sig` are written beside it. Or a statement
    file: PathBuf,

    #[command(flatten)]
    key: keys::SigningKey,
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    if script::is_script(&args.file) {
        bail!("a packed plugin is signed: `remit build {}`, and sign what it writes", args.file.display());
    }
    let bytes = std::fs::read(&args.file).with_context(|| format!("{}", args.file.display()))?;
    if !bytes.starts_with(b"\0asm") {
        let mut signed = file::read(&args.file)?;
        args.key.sign(&mut signed)?;
        file::write(&args.file, &signed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let plugin = artifact::verify_local(bytes, None).with_context(|| format!("{}", args.file.display()))?;
    let about = plugin.statement().context("a publisher is named as its keys are in rosters: `plugin.publisher`")?;
    let path = file::statement_of(&args.file);
    // Who signs second signs the same bytes.
    let before = file::read(&path).ok().filter(|signed| is_about(signed, &about));
    match before {
        Some(mut signed) => {
            args.key.sign(&mut signed)?;
            file::write(&path, &signed)?;
            output::say(&format!("{} has {} signatures", path.display(), signed.signatures().len()));
        }
        None => drop(args.key.make(&about, &path, context)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn is_about(signed: &Signed, plugin: &statement::Plugin) -> bool {
    statement::read(signed.statement()).is_ok_and(|read: Read<statement::Plugin>| read.body == *plugin)
}
