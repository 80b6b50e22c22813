use std::process::ExitCode;

/// Compile a component from standard input to standard output, within limits (the host calls this)
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    stack_bytes: usize,
    #[arg(long)]
    memory_bytes_max: u64,
    #[arg(long)]
    seconds_max: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    runtime::compile_child(args.stack_bytes, args.memory_bytes_max, args.seconds_max)?;
    Ok(ExitCode::SUCCESS)
}
