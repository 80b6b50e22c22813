mod backup;
mod doctor;
mod init;
mod openapi;
mod restore;
mod run;

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
    Run(run::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Doctor(doctor::Args),
    Openapi(openapi::Args),
}

/// Not within a runtime: all of them wait for the disk, and the one that serves makes its own.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    match &args.command {
        Hub::Init(args) => init::run(args, folder, context),
        Hub::Run(args) => run::run(args, folder, context),
        Hub::Backup(args) => backup::run(args, folder, context),
        Hub::Restore(args) => restore::run(args, folder),
        Hub::Doctor(args) => doctor::run(args, folder, context),
        Hub::Openapi(args) => openapi::run(args),
    }
}
