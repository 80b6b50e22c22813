use std::process::ExitCode;

use desk::{Chosen, Listed};
use fleet::{Facts, Target};
use tabled::Tabled;
use trust::Name;

use crate::context::Context;
use crate::fault::Refused;
use crate::output;
use crate::technician::Desk;

/// List devices: those that an expression means, or all
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit device list --client acme
  remit device list --where 'os.family == \"debian\" && volumes.exists(v, v.free_pct < 10.0)' --output csv
  remit device list --where 'packages.security_updates > 0' --undecided")]
pub(crate) struct Args {
    /// Only those of which this is true, in CEL over their facts, `client`, `site` and `tags`
    #[arg(long = "where", value_name = "EXPR", default_value = "")]
    target: String,

    /// Of this client; repeat for more
    #[arg(long = "client", value_name = "NAME")]
    clients: Vec<Name>,

    /// Those of which nobody can say whether it is true, in place of those of which it is
    #[arg(long)]
    undecided: bool,
}

#[derive(Tabled)]
pub(super) struct Row {
    device: String,
    host: String,
    client: String,
    site: String,
    tags: String,
    os: String,
    agent: String,
    state: String,
    presence: String,
    seen: String,
}

impl From<&Listed> for Row {
    fn from(it: &Listed) -> Self {
        let facts = Facts::read(&it.facts);
        Self {
            device: it.device.device.get(..12).unwrap_or(&it.device.device).to_owned(),
            host: facts.hostname.unwrap_or_default(),
            client: it.device.client.clone(),
            site: it.device.site.clone(),
            tags: it.device.tags.join(" "),
            os: facts.os.map(|os| format!("{} {}", os.family, os.version)).unwrap_or_default(),
            agent: facts.agent.map(|agent| agent.version).unwrap_or_default(),
            state: if it.device.cloned_ms.is_some() { "cloned".to_owned() } else { it.device.state.clone() },
            presence: it.presence.clone(),
            seen: it.seen_ms.map(output::time).unwrap_or_default(),
        }
    }
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let target = Target::read(&args.target)
        .map_err(|problems| Refused::because(problems.iter().map(|it| format!("--where: {it}")).collect()))?;
    let mut devices = Desk::open(context).await?.client.inventory(&args.clients).await?;
    if !args.target.is_empty() || args.undecided {
        let chosen = Chosen::of(devices, &target);
        if !args.undecided && !chosen.undecided.is_empty() {
            let count = chosen.undecided.len();
            output::say(&format!("note: {count} devices cannot be decided: `--undecided` lists them"));
        }
        devices = match args.undecided {
            false => chosen.meant.into_iter().map(|it| it.listed).collect(),
            true => chosen.undecided.into_iter().map(|it| it.seen.listed).collect(),
        };
    }
    output::listed(&devices.iter().map(Row::from).collect::<Vec<_>>(), &devices, context)?;
    Ok(ExitCode::SUCCESS)
}
