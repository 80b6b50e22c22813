use std::process::ExitCode;

use tabled::Tabled;

use crate::agent::client;
use crate::agent::protocol::Ask;
use crate::agent::report::Explained;
use crate::context::Context;
use crate::output::{self, Format};

/// Say why an order ran or did not, and what comes next
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The order
    order: String,

    /// How many decisions, the latest
    #[arg(long, default_value = "20", value_name = "NUMBER")]
    count: u32,
}

#[derive(Tabled)]
struct Row {
    at: String,
    what: String,
    why: String,
    run: String,
}

#[derive(Tabled)]
struct Next {
    due: String,
    but: String,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let value = client::ask(context, &Ask::Explain { order: args.order, count: args.count }).await?;
    if context.output == Format::Json {
        output::json(&value)?;
        return Ok(ExitCode::SUCCESS);
    }
    let it: Explained = serde_json::from_value(value)?;
    let time = |ms: i64| output::time(ms.try_into().unwrap_or(0));
    match it.stands {
        true => output::text(&format!("`{}` stands", it.order)),
        false => output::text(&format!("`{}` does not stand: its file is gone, or it cannot be", it.order)),
    }
    if let Some(most) = it.runs_today_max {
        output::text(&format!("{} of {most} runs began today (UTC)", it.runs_today));
    }
    it.against.iter().for_each(|reason| output::text(&format!("now it would not run: {reason}")));
    let row = |row: crate::agent::report::Row| Row {
        at: time(row.at_ms),
        what: row.code,
        why: row.detail,
        run: row.run.map(|run| run.to_string()).unwrap_or_default(),
    };
    output::table(&it.decided.into_iter().map(row).collect::<Vec<_>>());
    let coming: Vec<Next> =
        it.coming.into_iter().map(|it| Next { due: time(it.due_ms), but: it.refused.unwrap_or_default() }).collect();
    if !coming.is_empty() {
        output::text("");
        output::table(&coming);
    }
    Ok(ExitCode::SUCCESS)
}
