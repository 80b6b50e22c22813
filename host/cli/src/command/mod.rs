//! The commands, one file each.

#[cfg(target_os = "linux")]
mod agent;
mod approve;
#[cfg(target_os = "linux")]
mod audit;
mod build;
mod check;
mod compile_component;
mod completions;
mod dev;
#[cfg(target_os = "linux")]
mod device;
mod doctor;
#[cfg(target_os = "linux")]
mod emit;
#[cfg(target_os = "linux")]
mod fleet;
#[cfg(target_os = "linux")]
mod hub;
mod inspect;
mod new;
#[cfg(target_os = "linux")]
mod orders;
mod plugin;
mod policy;
#[cfg(target_os = "linux")]
mod query;
#[cfg(target_os = "linux")]
mod release;
mod replay;
mod resume;
mod revoke;
mod root;
mod roster;
mod run;
mod runs;
mod secret;
mod sign;
mod summary;
mod take;
mod test;
mod ticket;
#[cfg(target_os = "linux")]
mod token;
mod undo;
mod verify;

use std::process::ExitCode;

use anyhow::bail;

use crate::context::Context;

/// Threads of an agent: one that decides, and some that run. What blocks has its own.
#[cfg(target_os = "linux")]
const WORKERS: usize = 4;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    New(new::Args),
    Build(build::Args),
    Check(check::Args),
    Inspect(inspect::Args),
    Test(test::Args),
    Dev(dev::Args),
    Run(run::Args),
    Runs(runs::Args),
    Resume(resume::Args),
    Undo(undo::Args),
    Replay(replay::Args),
    Ticket(ticket::Args),
    Secret(secret::Args),
    Plugin(plugin::Args),
    Sign(sign::Args),
    Verify(verify::Args),
    Approve(approve::Args),
    Revoke(revoke::Args),
    Take(take::Args),
    Root(root::Args),
    Roster(roster::Args),
    Policy(policy::Args),
    #[cfg(target_os = "linux")]
    Agent(agent::Args),
    #[cfg(target_os = "linux")]
    Emit(emit::Args),
    #[cfg(target_os = "linux")]
    Hub(hub::Args),
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Token(token::Command),
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Device(device::Command),
    #[cfg(target_os = "linux")]
    Query(query::Args),
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Fleet(fleet::Command),
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Orders(orders::Command),
    #[cfg(target_os = "linux")]
    Release(release::Args),
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Audit(audit::Command),
    Doctor(doctor::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    CompileComponent(compile_component::Args),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        if context.is_csv && !self.has_rows() {
            bail!("`--output csv` is for lists of a fleet, such as `remit device list`: here it is `table` or `json`");
        }
        match self {
            Self::CompileComponent(args) => compile_component::run(&args),
            Self::Completions(args) => completions::run(&args),
            Self::New(args) => new::run(&args),
            // Many runs, one beside the other.
            #[cfg(target_os = "linux")]
            Self::Agent(args) if args.is_executor() => {
                let threads =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
                threads.block_on(agent::run(args, context))
            }
            #[cfg(target_os = "linux")]
            Self::Hub(args) => hub::run(&args, context),
            // One run at a time: threads beside this one would cost a cold start more than they save. What blocks has its own.
            command => {
                tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command.run_async(context))
            }
        }
    }

    /// Whether what it lists can be a table elsewhere.
    fn has_rows(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Token(_) | Self::Device(_) | Self::Query(_) | Self::Fleet(_) | Self::Orders(_) => true,
            Self::Ticket(args) => args.is_of_fleet(),
            Self::Secret(args) => args.is_of_fleet(),
            _ => false,
        }
    }

    async fn run_async(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::Build(args) => build::run(&args).await,
            Self::Check(args) => check::run(&args, context).await,
            Self::Inspect(args) => inspect::run(args, context).await,
            Self::Test(args) => test::run(&args, context).await,
            Self::Dev(args) => dev::run(&args, context).await,
            Self::Run(args) => run::run(args, context).await,
            Self::Runs(args) => runs::run(&args, context),
            Self::Resume(args) => resume::run(&args, context).await,
            Self::Undo(args) => undo::run(&args, context).await,
            Self::Replay(args) => replay::run(&args, context).await,
            Self::Secret(args) => secret::run(args, context).await,
            Self::Plugin(args) => plugin::run(&args, context).await,
            Self::Sign(args) => sign::run(&args, context),
            Self::Verify(args) => verify::run(&args, context).await,
            Self::Approve(args) => approve::run(&args, context).await,
            Self::Revoke(args) => revoke::run(&args, context),
            Self::Take(args) => take::run(&args, context),
            Self::Root(args) => root::run(&args, context),
            Self::Roster(args) => roster::run(&args, context),
            Self::Policy(args) => policy::run(&args, context),
            Self::Ticket(args) => ticket::run(&args, context).await,
            #[cfg(target_os = "linux")]
            Self::Agent(args) => agent::run(args, context).await,
            #[cfg(target_os = "linux")]
            Self::Emit(args) => emit::run(args, context).await,
            #[cfg(target_os = "linux")]
            Self::Hub(args) => hub::run(&args, context),
            #[cfg(target_os = "linux")]
            Self::Token(command) => token::run(&command, context).await,
            #[cfg(target_os = "linux")]
            Self::Device(command) => device::run(&command, context).await,
            #[cfg(target_os = "linux")]
            Self::Query(args) => query::run(&args, context).await,
            #[cfg(target_os = "linux")]
            Self::Fleet(command) => fleet::run(&command, context).await,
            #[cfg(target_os = "linux")]
            Self::Orders(command) => orders::run(&command, context).await,
            #[cfg(target_os = "linux")]
            Self::Release(args) => release::run(&args, context),
            #[cfg(target_os = "linux")]
            Self::Audit(command) => audit::run(&command, context).await,
            Self::Doctor(args) => doctor::run(&args, context).await,
            Self::New(args) => new::run(&args),
            Self::CompileComponent(args) => compile_component::run(&args),
            Self::Completions(args) => completions::run(&args),
        }
    }
}
