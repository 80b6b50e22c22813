use std::process::ExitCode;

use trust::Name;
use trust::statement::Assignment;

use super::list::Row;
use crate::context::Context;
use crate::keys::SigningKeys;
use crate::technician::{self, Desk};
use crate::{keys, output};

/// Say whose a device is: the signed statement that it, the hub and every order go by
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit device assign 3f9a01c2d4e5 --client acme --site berlin --tag server --tag ring1")]
pub(crate) struct Args {
    /// Its host name, its name here or the beginning of that, or its key's fingerprint
    device: String,

    /// Its client
    #[arg(long, value_name = "NAME")]
    client: Name,

    /// The place
    #[arg(long, value_name = "NAME")]
    site: Name,

    /// What it is counted among; repeat for more
    #[arg(long = "tag", value_name = "NAME")]
    tags: Vec<Name>,

    #[command(flatten)]
    how: How,
}

/// How an assignment is signed.
#[derive(clap::Args)]
pub(super) struct How {
    /// For so many days; past them the device may only be looked at
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    days: u32,

    /// Sign without being asked
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    keys: SigningKeys,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let found = desk.client.device(&args.device).await?;
    args.how
        .assign(
            &desk,
            found.device,
            |it| {
                (it.client, it.site, it.tags) = (args.client.clone(), args.site.clone(), args.tags.clone());
            },
            context,
        )
        .await
}

impl How {
    /// Signs what is to be said of a device, and hands it over.
    pub(super) async fn assign(
        &self,
        desk: &Desk,
        device: desk::DeviceRow,
        change: impl FnOnce(&mut Assignment),
        context: &Context,
    ) -> anyhow::Result<ExitCode> {
        let name = |text: &str| text.parse::<Name>();
        let mut body = Assignment {
            serial: context.clock.now_ms(),
            expires: keys::now(context).plus_days(self.days),
            device: device.key.parse()?,
            client: name(&device.client)?,
            site: name(&device.site)?,
            tags: device.tags.iter().map(|tag| name(tag)).collect::<Result<_, _>>()?,
        };
        change(&mut body);
        let signed = technician::sign(&body, &mut desk.signers(&self.keys, context)?, self.yes, context)?;
        desk.client.hand_over(&signed).await?;
        let now = desk.client.device(&device.device).await?;
        output::listed(&[Row::from(&now)], &now, context)?;
        Ok(ExitCode::SUCCESS)
    }
}
