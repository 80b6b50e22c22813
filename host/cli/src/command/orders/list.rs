use std::path::{Path, PathBuf};
use std::process::ExitCode;

use desk::OrderRow;
use tabled::Tabled;

use crate::context::Context;
use crate::technician::Desk;
use crate::{keys, output};

/// List orders; of one signer where one is named
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  remit orders list --signer SHA256:ZrXR5IHTXBLh287ODRNiIoMUDhxlpEeFBR8tJgxOJLo\n  remit orders list --signer tess.pub --output csv"
)]
pub(crate) struct Args {
    /// Signed with this key: its fingerprint, or its `.pub`
    #[arg(long, value_name = "KEY")]
    signer: Option<String>,
}

#[derive(Tabled)]
struct Row {
    id: String,
    plugin: String,
    mode: String,
    signer: String,
    signed: String,
    until: String,
}

impl From<&OrderRow> for Row {
    fn from(it: &OrderRow) -> Self {
        Self {
            id: it.id.clone(),
            plugin: it.plugin.clone(),
            mode: it.mode.clone(),
            signer: it.signer.clone(),
            signed: output::time(it.signed_ms),
            until: output::time(it.expires_ms),
        }
    }
}

/// A key's fingerprint, as it is typed or in a file.
pub(super) fn fingerprint(said: &str) -> anyhow::Result<String> {
    match said.starts_with("SHA256:") {
        true => Ok(said.to_owned()),
        false => Ok(keys::public_key(&PathBuf::from(Path::new(said)))?.fingerprint()),
    }
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let signer = args.signer.as_deref().map(fingerprint).transpose()?;
    let orders = Desk::open(context).await?.client.orders(signer.as_deref()).await?;
    output::listed(&orders.iter().map(Row::from).collect::<Vec<_>>(), &orders, context)?;
    Ok(ExitCode::SUCCESS)
}
