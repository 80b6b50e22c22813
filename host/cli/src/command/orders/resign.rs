use std::process::ExitCode;

use anyhow::{Context as _, bail};
use desk::Parcelled;
use trust::statement::Order;

use super::list::fingerprint;
use crate::context::Context;
use crate::keys::SigningKeys;
use crate::output;
use crate::technician::{self, Desk};

/// Sign a leaver's standing orders anew: each is shown, and takes the place of the old one
///
/// A standing order ends with the key that signed it. Whoever signs it anew reads it, and decides.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  remit orders resign --signer leaver.pub\n  remit orders resign --signer SHA256:ZrXR5IHTXBLh287ODRNiIoMUDhxlpEeFBR8tJgxOJLo order_01KB3P3M00E5V8CXJ6ZV8Y4R5T"
)]
pub(crate) struct Args {
    /// Signed with this key: its fingerprint, or its `.pub`
    #[arg(long, value_name = "KEY")]
    signer: String,

    /// These alone; all that stand, where none is named
    orders: Vec<String>,

    /// Sign without being asked
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    keys: SigningKeys,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let mut signers = desk.signers(&args.keys, context)?;
    let by = signers.first().context("nobody signs")?.key()?;
    let mut resigned = 0;
    for row in desk.client.orders(Some(&fingerprint(&args.signer)?)).await? {
        let is_named = args.orders.is_empty() || args.orders.contains(&row.id);
        let (_, old) = desk.client.order(row.digest).await?;
        if !is_named || old.standing.is_none() || old.expires <= desk.client.now() {
            continue;
        }
        let new: Order = desk::resigned(&old, &by, context.clock.now_ms() + resigned);
        let against = desk.trust.may_order(&by, &new, desk.client.now());
        if !against.is_empty() {
            return Err(crate::keys::refused(&against).into());
        }
        let (rings, plugin, attachments) = match Parcelled::kept(&context.state, row.digest) {
            Some(kept) => (kept.rings, kept.plugin, kept.attachments),
            None => {
                let Some(rings) = desk.client.rings(&old, row.digest).await? else {
                    output::say(&format!("note: the hub does not tell whose {} is: it is left as it is", old.id));
                    continue;
                };
                let (plugin, attachments) = desk.client.plugin_of(row.digest).await?;
                (rings, plugin, attachments)
            }
        };
        let signed = technician::sign(&new, &mut signers, args.yes, context)?;
        let given = desk
            .client
            .submit_in_place(&Parcelled { signed, rings, plugin, attachments }, &desk.trust, row.digest)
            .await?;
        output::text(&format!("{} takes the place of {}", given.order().id, old.id));
        resigned += 1;
    }
    if resigned == 0 {
        bail!("no standing order of that key is left");
    }
    Ok(ExitCode::SUCCESS)
}
