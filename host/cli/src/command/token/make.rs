use std::process::ExitCode;

use anyhow::Context as _;
use desk::{NewToken, TokenRow};
use serde::Serialize;
use trust::{Name, Token};

use crate::context::Context;
use crate::keys::SigningKeys;
use crate::output::{self, Format};
use crate::technician::{self, Desk};

/// Make a token that devices join with; it is shown once
///
/// The key is made here: the hub gets its public half. Unless each device is to be accepted, whoever signs says once whose all of
/// them are; that statement is shown before.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit token make --client acme --site berlin --tag server --uses 20 --expires 7d
  remit token make --client acme --site berlin --accept")]
pub(crate) struct Args {
    /// Devices that come with it are of this client
    #[arg(long, value_name = "NAME")]
    client: Name,

    /// At this site
    #[arg(long, value_name = "NAME")]
    site: Name,

    /// Counted among these; repeat for more
    #[arg(long = "tag", value_name = "NAME")]
    tags: Vec<Name>,

    /// So many devices may
    #[arg(long, default_value_t = 1, value_name = "N")]
    uses: u32,

    /// For so long, at most 30 days
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = technician::seconds)]
    expires: u32,

    /// Have a technician sign for each device: `remit device assign`
    #[arg(long)]
    accept: bool,

    /// Sign without being asked
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    keys: SigningKeys,
}

/// What a program is told.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Made<'a> {
    #[serde(flatten)]
    row: TokenRow,
    /// What devices are given.
    text: &'a str,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let authority = desk.client.authority();
    let token = Token::new(desk.trust.pin(), authority, &desk::seed());
    let new = NewToken {
        key: token.key(),
        client: args.client.clone(),
        site: args.site.clone(),
        tags: args.tags.clone(),
        uses: args.uses,
        hours: args.expires.div_ceil(3_600).max(1),
        needs_accept: args.accept,
    };
    let admission = match args.accept {
        true => None,
        false => {
            let body = new.admission(context.clock.now_ms());
            Some(technician::sign(&body, &mut desk.signers(&args.keys, context)?, args.yes, context)?)
        }
    };
    let row = desk.client.make_token(&new, admission.as_ref()).await.context("the token was not made")?;
    let text = token.to_text();
    match context.output {
        Format::Json => output::json(&Made { row, text: &text })?,
        Format::Table => {
            output::text(&text);
            output::say("this is the only time it is shown; whoever has it joins: `remit agent join URL TOKEN`");
        }
    }
    Ok(ExitCode::SUCCESS)
}
