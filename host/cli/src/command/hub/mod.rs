mod announce;
mod backup;
mod choose;
mod doctor;
mod erase;
mod export;
mod init;
mod openapi;
mod restore;
mod run;
mod take;
mod ways;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::context::Context;

/// Run the control plane: where devices join, orders wait for them, and results come back
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Hub,

    /// Keep the hub in this folder instead of /var/lib/remit-hub
    #[arg(long, global = true, env = "REMIT_HUB", value_name = "DIR", default_value = "/var/lib/remit-hub")]
    folder: PathBuf,
}

#[derive(clap::Subcommand)]
enum Hub {
    Init(init::Args),
    Take(take::Args),
    Run(run::Args),
    #[command(name = "use")]
    Choose(choose::Args),
    Announce(announce::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Doctor(doctor::Args),
    Export(export::Args),
    Erase(erase::Args),
    Openapi(openapi::Args),
}

/// Not within a runtime: all of them wait for the disk, and the one that serves makes its own.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    match &args.command {
        Hub::Init(args) => init::run(args, folder, context),
        Hub::Take(args) => take::run(args, folder, context),
        Hub::Run(args) => run::run(args, folder, context),
        Hub::Choose(args) => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(choose::run(args, context))
        }
        Hub::Announce(args) => announce::run(args, context),
        Hub::Backup(args) => backup::run(args, folder, context),
        Hub::Restore(args) => restore::run(args, folder),
        Hub::Export(args) => export::run(args, folder, context),
        Hub::Erase(args) => erase::run(args, folder, context),
        Hub::Doctor(args) => doctor::run(args, folder, context),
        Hub::Openapi(args) => openapi::run(args),
    }
}
