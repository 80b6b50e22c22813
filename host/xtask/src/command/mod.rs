//! One file a command.

mod bench;
mod check;
mod declarations;
mod demo;
mod dist;
mod golden;
mod new_plugin;
mod plugins;
mod redteam;
mod script_runtime;
mod soak;
mod test;

use std::process::ExitCode;

/// The repository's own commands
#[derive(clap::Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) enum Command {
    Demo(demo::Args),
    Check(check::Args),
    Test(test::Args),
    Soak(soak::Args),
    Plugins(plugins::Args),
    NewPlugin(new_plugin::Args),
    Bench(bench::Args),
    Redteam(redteam::Args),
    ScriptRuntime(script_runtime::Args),
    Declarations(declarations::Args),
    Golden(golden::Args),
    Dist(dist::Args),
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Demo(args) => demo::run(&args),
            Self::Check(args) => check::run(&args),
            Self::Test(args) => test::run(&args),
            Self::Soak(args) => soak::run(&args),
            Self::Plugins(args) => plugins::run(&args),
            Self::NewPlugin(args) => new_plugin::run(&args),
            Self::Bench(args) => bench::run(&args),
            Self::Redteam(args) => redteam::run(&args),
            Self::ScriptRuntime(args) => script_runtime::run(&args),
            Self::Declarations(args) => declarations::run(&args),
            Self::Golden(args) => golden::run(&args),
            Self::Dist(args) => dist::run(&args),
        }
    }
}
