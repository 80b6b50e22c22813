use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use trust::Name;
use trust::statement::Policy;

use crate::context::Context;
use crate::keys;
use crate::output;
use crate::written::Written;

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
        /// `expires`, `client`, `class-max`, `modes`, `publishers`, and perhaps `never` with interfaces, `people` (`never`, `masked`, `shown`) and `serial`
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
            let policy = policy(file, context)?;
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

fn policy(file: &Path, context: &Context) -> anyhow::Result<Policy> {
    let mut written = Written::read(file)?;
    let client: Option<Name> = written.text("client").map(str::parse).transpose()?;
    let believed = keys::believed(context)?;
    let before = believed.as_ref().zip(client.as_ref()).and_then(|(trust, client)| trust.policy(client));
    written.or("serial", before.map_or(1, |it| it.serial + 1).cast_signed());
    written.body()
}
