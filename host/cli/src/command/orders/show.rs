use std::process::ExitCode;

use serde::Serialize;
use trust::Kind;
use trust::statement::Order;

use crate::context::Context;
use crate::output::{self, Format};
use crate::technician::Desk;

/// Show what an order says, and whose signatures on it hold
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit orders show order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --output json")]
pub(crate) struct Args {
    /// Its id, or its digest
    order: String,
}

/// What a program is told.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    digest: model::Digest,
    signers: Vec<String>,
    /// Why nobody would carry it out now; empty where devices would.
    against: Vec<String>,
    order: Order,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let digest = desk.client.find_order(&args.order).await?;
    let (signed, order) = desk.client.order(digest).await?;
    let signers = signed.signers(Kind::Order).keys.iter().map(trust::Key::fingerprint).collect();
    let given = desk.trust.given(&signed, desk.client.now());
    let against = given.err().unwrap_or_default().iter().map(crate::keys::with_code).collect();
    let shown = Shown { digest, signers, against, order };
    match context.output {
        Format::Json => output::json(&shown)?,
        Format::Table => {
            output::text(&String::from_utf8_lossy(signed.statement()));
            shown.signers.iter().for_each(|it| output::say(&format!("signed with {it}")));
            shown.against.iter().for_each(|it| output::say(&format!("it is not carried out: {it}")));
        }
    }
    Ok(ExitCode::SUCCESS)
}
