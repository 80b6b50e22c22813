use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use trust::statement::Pause;
use trust::{Name, Names, file};

use super::cancel::Stop;
use crate::context::Context;
use crate::output;
use crate::technician::{self, Desk};

/// Have a scope go on that was stopped. Two technicians say so: with `--key` twice, or one after the other with `--to-file`
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit fleet resume order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --reason 'it was the disk' --key ann --key ben
  remit fleet resume --client acme --reason 'the incident is over' --to-file go-on.pause")]
pub(crate) struct Args {
    /// An order, by its id or its digest
    order: Option<String>,

    /// All that this client's devices are ordered; repeat for more, `*` for all
    #[arg(long = "client", value_name = "NAME", conflicts_with = "order")]
    clients: Vec<String>,

    /// Write it to a file: another technician signs it with `remit sign`, and hands it over with `remit fleet submit`
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,

    #[command(flatten)]
    stop: Stop,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let stopped: Vec<&Pause> = match &args.order {
        Some(named) => {
            let digest = desk.client.find_order(named).await?;
            let id = desk.client.order(digest).await?.1.id;
            desk.trust.pauses().filter(|it| it.orders.contains(&id)).collect()
        }
        None => {
            let clients = Names::try_from(args.clients.clone()).context("--client")?;
            desk.trust.pauses().filter(|it| it.orders.is_empty() && same(&it.clients, &clients)).collect()
        }
    };
    let Some(stopped) = stopped.first() else { bail!("nothing of that scope is stopped") };
    let Stop { reason, yes, keys } = &args.stop;
    let (clients, orders) = (stopped.clients.clone(), stopped.orders.clone());
    // A scope is what was stopped together: the same orders of the same clients.
    let pause = desk::pause(false, clients, orders, reason.clone(), context.clock.now_ms().max(stopped.serial + 1));
    let signed = technician::sign(&pause, &mut desk.signers(keys, context)?, *yes, context)?;
    if let Some(path) = &args.to_file {
        file::write(path, &signed)?;
        output::say(&format!(
            "next: another technician's `remit sign {}`, and `remit fleet submit` it",
            path.display()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    desk.client.hand_over(&signed).await?;
    output::say("it goes on");
    Ok(ExitCode::SUCCESS)
}

fn same(one: &Names, other: &Names) -> bool {
    let sorted = |names: &Names| -> Option<Vec<Name>> {
        let Names::These(names) = names else { return None };
        let mut names = names.clone();
        names.sort();
        Some(names)
    };
    sorted(one) == sorted(other)
}
