use std::process::ExitCode;

use tabled::Tabled;

use crate::agent::client;
use crate::agent::protocol::Ask;
use crate::agent::report::{self, Against, Explained, OrderRow, Times};
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
    match &it.stands {
        Some(is) => {
            let OrderRow { order, plugin, mode, occasion, state, is_by_clock, .. } = is;
            let on = if *is_by_clock { "at" } else { "on" };
            output::text(&format!("`{order}` is {state}: `{plugin}`, {mode}, {on} `{occasion}`"));
            output::text(&next(is, it.looks_ms));
        }
        None => output::text(&format!("`{}` does not stand: its file is gone, or it cannot be", it.order)),
    }
    if let Some(most) = it.runs_today_max {
        output::text(&format!("{} of {most} runs began today (UTC)", it.runs_today));
    }
    for Against { detail, until_ms, .. } in &it.against {
        let until = until_ms.map(|ms| format!(", until {}", time(ms))).unwrap_or_default();
        output::text(&format!("now it would not run: {detail}{until}"));
    }
    output::text("");
    let row = |it: report::Row| Row {
        at: time(it.at_ms),
        what: it.code,
        why: it.of.map_or_else(|| it.detail.clone(), |of| format!("{}: {}", times(&of), it.detail)),
        run: it.run.map(|run| run.to_string()).unwrap_or_default(),
    };
    output::table(&it.decided.into_iter().map(row).collect::<Vec<_>>());
    if !it.advice.is_empty() {
        output::text("");
        it.advice.iter().for_each(|(code, advice)| output::text(&format!("{code}: {advice}")));
    }
    let coming: Vec<Next> =
        it.coming.into_iter().map(|it| Next { due: time(it.due_ms), but: it.refused.unwrap_or_default() }).collect();
    if !coming.is_empty() {
        output::text("");
        output::table(&coming);
    }
    Ok(ExitCode::SUCCESS)
}

fn time(ms: i64) -> String {
    output::time(ms.try_into().unwrap_or(0))
}

/// When it runs next, as far as anybody knows.
fn next(is: &OrderRow, looks_ms: Option<i64>) -> String {
    let looks = looks_ms.map(|ms| format!("; it is looked at next at {}", time(ms))).unwrap_or_default();
    match (is.state.as_str(), is.next_ms) {
        ("expired", _) => "it never runs again".to_owned(),
        ("tripped", _) => "it runs no more until somebody has looked".to_owned(),
        ("paused", _) => "it runs no more until somebody lets it go on".to_owned(),
        (_, Some(ms)) => format!("it runs next at {}", time(ms)),
        (_, None) if is.is_by_clock => format!("none of the next times would run{looks}"),
        (_, None) => format!("it runs when that is noticed{looks}"),
    }
}

/// `2026-11-22 01:00:00Z to 2026-11-22 05:00:00Z, 5 times`
fn times(of: &Times) -> String {
    let Times { count, first_ms, last_ms } = *of;
    match (count, first_ms == last_ms) {
        (1, _) => time(first_ms),
        (count, true) => format!("{}, {count} times", time(first_ms)),
        (count, false) => format!("{} to {}, {count} times", time(first_ms), time(last_ms)),
    }
}
