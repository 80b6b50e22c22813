use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use model::Digest;
use trust::file;
use trust::statement::{End, Revocation};

use crate::context::Context;
use crate::keys;

/// Revoke plugins, keys or other statements: a publisher its own, a reviewer or the root anything
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Whether what was signed before still holds
    #[arg(long, value_enum)]
    end: EndOf,

    /// Why, in one line, for whoever is refused because of it
    #[arg(long)]
    reason: String,

    /// A plugin's file, or its digest; repeat for more
    #[arg(long = "plugin", value_name = "FILE")]
    plugins: Vec<String>,

    /// The `.pub` of a key; repeat for more
    #[arg(long = "public-key", value_name = "FILE")]
    keys: Vec<PathBuf>,

    /// A statement, such as an approval; repeat for more
    #[arg(long = "statement", value_name = "FILE")]
    statements: Vec<PathBuf>,

    /// Write the revocation into this file
    #[arg(long, value_name = "FILE", default_value = "revocation.statement")]
    out: PathBuf,

    #[command(flatten)]
    key: keys::SigningKey,
}

/// The ends, as the command line has them.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum EndOf {
    /// It does: the key was put away, the plugin is no longer taken up
    Retired,
    /// It does not: the key was stolen, the plugin does harm
    Compromised,
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let statements = args.statements.iter().map(|path| Ok(Digest::of(file::read(path)?.statement())));
    let revocation = Revocation {
        end: match args.end {
            EndOf::Retired => End::Retired,
            EndOf::Compromised => End::Compromised,
        },
        plugins: args.plugins.iter().map(|it| digest(it)).collect::<anyhow::Result<_>>()?,
        keys: args.keys.iter().map(|path| keys::public_key(path)).collect::<anyhow::Result<_>>()?,
        statements: statements.collect::<anyhow::Result<_>>()?,
        reason: args.reason.clone(),
    };
    let signed = args.key.make(&revocation, &args.out, context)?;
    if keys::believed(context)?.is_some() {
        keys::take(&signed, context)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn digest(text: &str) -> anyhow::Result<Digest> {
    if text.starts_with("sha256:") {
        return Ok(text.parse()?);
    }
    let bytes = std::fs::read(Path::new(text)).with_context(|| text.to_owned())?;
    Ok(Digest::of(&bytes))
}
