use std::process::ExitCode;

use anyhow::{Context as _, bail};
use trust::Names;

use super::cancel::Stop;
use crate::context::Context;
use crate::output;
use crate::technician::{self, Desk};

/// Stop a scope at once: an order, or all that a client's devices are ordered. One technician does; going on takes two
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit fleet pause order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --reason 'look at ring 1 first'
  remit fleet pause --client acme --reason 'an incident'")]
pub(crate) struct Args {
    /// An order, by its id or its digest
    order: Option<String>,

    /// All that this client's devices are ordered; repeat for more, `*` for all
    #[arg(long = "client", value_name = "NAME", conflicts_with = "order")]
    clients: Vec<String>,

    #[command(flatten)]
    stop: Stop,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let (clients, orders) = match &args.order {
        Some(named) => {
            let digest = desk.client.find_order(named).await?;
            let (_, order) = desk.client.order(digest).await?;
            (order.clients, vec![order.id])
        }
        None if args.clients.is_empty() => bail!("what is to stop? an order, or `--client NAME`"),
        None => (Names::try_from(args.clients.clone()).context("--client")?, Vec::new()),
    };
    let Stop { reason, yes, keys } = &args.stop;
    let pause = desk::pause(true, clients, orders, reason.clone(), context.clock.now_ms());
    let signed = technician::sign(&pause, &mut desk.signers(keys, context)?, *yes, context)?;
    desk.client.hand_over(&signed).await?;
    output::say("it is stopped: nothing of it begins until two technicians say otherwise with `remit fleet resume`");
    Ok(ExitCode::SUCCESS)
}
