use std::process::ExitCode;

use serde_json::Value;

use crate::context::Context;
use crate::keys::SigningKeys;
use crate::output;
use crate::technician::{self, Desk};

/// Cancel an order: a signed stop of it, which devices believe, and its withdrawal, which the hub does
///
/// Devices that have begun end what they do. Going on takes two technicians, or a new order.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  remit fleet cancel order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --reason 'it fills the disks'"
)]
pub(crate) struct Args {
    /// Its id, or its digest
    order: String,

    #[command(flatten)]
    stop: Stop,
}

/// How a stop is signed.
#[derive(clap::Args)]
pub(super) struct Stop {
    /// Why, for whoever waits
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,

    /// Sign without being asked
    #[arg(long)]
    pub(super) yes: bool,

    #[command(flatten)]
    pub(super) keys: SigningKeys,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let digest = desk.client.find_order(&args.order).await?;
    let (_, order) = desk.client.order(digest).await?;
    let Stop { reason, yes, keys } = &args.stop;
    let pause = desk::pause(true, order.clients.clone(), vec![order.id], reason.clone(), context.clock.now_ms());
    let signed = technician::sign(&pause, &mut desk.signers(keys, context)?, *yes, context)?;
    // First what devices believe: a hub that is owned would withdraw nothing.
    desk.client.hand_over(&signed).await?;
    match desk.client.delete::<Value>(&format!("/v1/orders/{digest}/rollout")).await {
        Ok(_) => output::say(&format!("{} is stopped and withdrawn", order.id)),
        Err(missing) if missing.is_missing() => output::say(&format!("{} is stopped; it was not handed out", order.id)),
        Err(other) => return Err(other.into()),
    }
    Ok(ExitCode::SUCCESS)
}
