use std::process::ExitCode;

use desk::KeptKey;
use serde_json::Value;
use tabled::Tabled;

use crate::context::Context;
use crate::output::{self, Format};
use crate::technician::Desk;

/// Show a device: whose it is, and what it says of itself
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit device show web-1\n  remit device show 3f9a01c2d4e5 --output json")]
pub(crate) struct Args {
    /// Its host name, its name here or the beginning of that, or its key's fingerprint
    device: String,

    /// What plugins keep for themselves on it, in place of that
    #[arg(long)]
    kv: bool,
}

#[derive(Tabled)]
struct Row {
    plugin: String,
    key: String,
    bytes: u64,
    written: String,
    value: String,
}

impl From<&KeptKey> for Row {
    fn from(it: &KeptKey) -> Self {
        Self {
            plugin: it.plugin.clone(),
            key: it.key.clone(),
            bytes: it.bytes,
            written: output::time(it.written_ms),
            value: it.value.clone().unwrap_or_default(),
        }
    }
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let client = Desk::open(context).await?.client;
    let found = client.device(&args.device).await?;
    if args.kv {
        let kept = client.kept(&found.device.device).await?;
        output::listed(&kept.iter().map(Row::from).collect::<Vec<_>>(), &kept, context)?;
        return Ok(ExitCode::SUCCESS);
    }
    match context.output {
        Format::Json => output::json(&found)?,
        Format::Table => {
            let it = &found.device;
            output::text(&format!("device    {}", it.device));
            output::text(&format!("key       {}", it.key));
            output::text(&format!("client    {}, {}", it.client, it.site));
            output::text(&format!("tags      {}", it.tags.join(" ")));
            output::text(&format!("state     {}, {}", it.state, found.presence));
            output::text(&format!("joined    {}", output::time(it.joined_ms)));
            let seen = found.seen_ms.map_or_else(|| "it never said how it is".to_owned(), output::time);
            output::text(&format!("seen      {seen}"));
            if let Some(since_ms) = it.cloned_ms {
                let since = output::time(since_ms);
                output::text(&format!(
                    "cloned    {since}: two machines have its key. On the copy: `remit agent join --as-new`"
                ));
            }
            for (name, value) in &found.facts {
                lines(name, value).iter().for_each(|line| output::text(&output::one_line(line)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A fact for a person: of a list a line each.
fn lines(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) if all.is_empty() => vec![format!("{name:<9} none")],
        Value::Array(all) => {
            let names = std::iter::once(name).chain(std::iter::repeat(""));
            all.iter().zip(names).map(|(it, name)| format!("{name:<9} {}", said(it))).collect()
        }
        value => vec![format!("{name:<9} {}", said(value))],
    }
}

/// In one line, without the marks of JSON; what is empty is left out.
fn said(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(said).collect::<Vec<_>>().join(" "),
        Value::Object(map) => {
            let told = map.iter().map(|(name, value)| (name, said(value))).filter(|(_, value)| !value.is_empty());
            told.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lines;

    #[test]
    fn a_fact_is_read_without_knowing_json() {
        assert_eq!(lines("hostname", &json!("web-1")), ["hostname  web-1"]);
        assert_eq!(lines("os", &json!({ "name": "Debian", "kernel": "" })), ["os        name Debian"]);
        let volumes = json!([{ "mount": "/", "free_pct": 9.5 }, { "mount": "/srv", "free_pct": 80.0 }]);
        assert_eq!(
            lines("volumes", &volumes),
            ["volumes   free_pct 9.5, mount /", "          free_pct 80.0, mount /srv"]
        );
        assert_eq!(lines("volumes", &json!([])), ["volumes   none"]);
    }
}
