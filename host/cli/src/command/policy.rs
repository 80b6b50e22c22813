use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use trust::Name;
use trust::statement::Policy;

use crate::context::Context;
use crate::keys;
use crate::output;

/// Look after what a client allows on its devices, whatever the MSP approves
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a policy out of a description in TOML, and sign it with the client's key, or with those of the root
    Make {
        /// `serial`, `expires`, `client`, `class-max`, `modes`, `publishers`, and perhaps `never` with interfaces
        file: PathBuf,
        #[command(flatten)]
        key: keys::SigningKey,
    },
    /// Show the policy of a client that is believed here, as JSON
    Show {
        /// Whose
        client: Name,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Make { file, key } => {
            let policy: Policy = keys::written(file)?;
            key.make(&policy, &file.with_extension("statement"), context)?;
        }
        Command::Show { client } => {
            let trust = keys::root(context)?;
            let policy = trust.policy(client).with_context(|| format!("no policy of `{client}` was taken here"))?;
            output::json(policy)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
