use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use model::Digest;
use semver::Version;
use trust::file;
use trust::statement::AgentRelease;

use crate::context::Context;
use crate::{keys, stamp};

/// How long a release can be ordered: a fleet has the next one by then.
const DAYS: u32 = 180;

/// Release versions of the agent: who has a seat among the roster's `releases` says which program may take the place of one that runs
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Sign a program: `FILE.statement` and `FILE.statement.sig` are written beside it, for `remit fleet upgrade FILE`
    ///
    /// Version and machine are read out of the program, which is not started.
    Sign {
        /// A `remit` for Linux, as `cargo xtask dist` makes it
        file: PathBuf,

        /// The oldest version whose place it takes; any, where it is left out
        #[arg(long, value_name = "VERSION", default_value = "0.0.0")]
        from: Version,

        /// For so long it can be ordered, in days
        #[arg(long, value_name = "DAYS", default_value_t = DAYS)]
        days: u32,

        /// What is new, for people
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,

        #[command(flatten)]
        key: keys::SigningKey,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Command::Sign { file: path, from, days, comment, key } = &args.command;
    let release = AgentRelease {
        from: from.clone(),
        expires: keys::now(context).plus_days(*days),
        comment: comment.clone(),
        ..read(path).with_context(|| format!("{}", path.display()))?
    };
    key.make(&release, &file::statement_of(path), context)?;
    Ok(ExitCode::SUCCESS)
}

/// What a program says of itself.
fn read(path: &Path) -> anyhow::Result<AgentRelease> {
    let program = std::fs::read(path)?;
    let told = stamp::of(&program)?;
    Ok(AgentRelease {
        version: told.version,
        target: stamp::target_of(&program)?.parse()?,
        digest: Digest::of(&program),
        size_bytes: u64::try_from(program.len())?,
        state: told.state,
        from: Version::new(0, 0, 0),
        expires: trust::Time::from_ms(0),
        comment: String::new(),
    })
}
