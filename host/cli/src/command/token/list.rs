use std::process::ExitCode;

use desk::TokenRow;
use tabled::Tabled;

use crate::context::Context;
use crate::output;
use crate::technician::Desk;

/// List tokens: whose devices come with each, how many did, and until when
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit token list\n  remit token list --output json")]
pub(crate) struct Args {}

#[derive(Tabled)]
pub(super) struct Row {
    token: String,
    client: String,
    site: String,
    tags: String,
    used: String,
    accept: String,
    #[tabled(rename = "made by")]
    made_by: String,
    expires: String,
}

impl From<&TokenRow> for Row {
    fn from(it: &TokenRow) -> Self {
        Self {
            token: it.token.get(..12).unwrap_or(&it.token).to_owned(),
            client: it.client.clone(),
            site: it.site.clone(),
            tags: it.tags.join(" "),
            used: format!("{} of {}", it.used, it.uses_max),
            accept: if it.needs_accept { "each".to_owned() } else { "by rule".to_owned() },
            made_by: it.made_by.clone(),
            expires: output::time(it.expires_ms),
        }
    }
}

pub(crate) async fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let tokens = Desk::open(context).await?.client.tokens().await?;
    output::listed(&tokens.iter().map(Row::from).collect::<Vec<_>>(), &tokens, context)?;
    Ok(ExitCode::SUCCESS)
}
