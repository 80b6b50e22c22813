use std::collections::BTreeSet;
use std::process::ExitCode;

use serde::Serialize;
use tabled::Tabled;

use crate::context::Context;
use crate::installed::{Kept, Plugins};
use crate::keys;
use crate::output::{self, Format, one_line};
use crate::vouched::Device;

/// List what is installed, and what of it may run
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    device: Device,
}

/// One version that is installed, as it stands here and now.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Row {
    name: String,
    version: String,
    publisher: String,
    digest: String,
    pub(super) source: String,
    pub(super) installed: String,
    /// The modes in which it is approved.
    approved: Vec<&'static str>,
    /// Why not in the others.
    pub(super) missing: Vec<Missing>,
    /// Since when nobody takes it up any more, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<String>,
}

/// One reason.
#[derive(Serialize)]
pub(super) struct Missing {
    code: &'static str,
    pub(super) text: String,
}

#[derive(Tabled)]
struct Shown {
    name: String,
    version: String,
    publisher: String,
    approved: String,
    #[tabled(rename = "from")]
    source: String,
    digest: String,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let plugins = Plugins::open(keys::believed(context)?, context)?;
    let mut rows = Vec::new();
    for entry in plugins.folder.list()? {
        rows.push(Row::of(&plugins.load(entry, context)?, &plugins, &args.device, context)?);
    }
    match context.output {
        Format::Json => output::json(&rows)?,
        Format::Table if rows.is_empty() => output::say("nothing is installed: `remit plugin install`"),
        Format::Table => output::table(&rows.iter().map(Row::shown).collect::<Vec<_>>()),
    }
    Ok(ExitCode::SUCCESS)
}

impl Row {
    pub(super) fn of(kept: &Kept, plugins: &Plugins, device: &Device, context: &Context) -> anyhow::Result<Self> {
        let (mut approved, mut missing, mut retired) = (Vec::new(), Vec::new(), None);
        match &plugins.trust {
            None => missing.push(Missing { code: "no-root", text: "no root is pinned here".to_owned() }),
            Some(trust) => {
                let (modes, refusals) = device.modes((&kept.plugin, &kept.statements), trust, context)?;
                approved.extend(modes.into_iter().map(model::Mode::word));
                missing.extend(refusals.iter().map(|it| Missing { code: it.code(), text: it.to_string() }));
                retired = trust.retired(&kept.plugin.statement()?).map(|it| it.to_string());
            }
        }
        let entry = &kept.entry;
        Ok(Self {
            name: entry.name.clone(),
            version: entry.version.to_string(),
            publisher: entry.publisher.clone(),
            digest: entry.digest.to_string(),
            source: entry.source.clone(),
            installed: output::time(entry.installed_ms),
            approved,
            missing,
            retired,
        })
    }

    /// In which modes it may run, in a few words.
    pub(super) fn standing(&self) -> String {
        let codes: BTreeSet<&str> = self.missing.iter().map(|it| it.code).collect();
        let codes: Vec<&str> = codes.into_iter().collect();
        let retired = if self.retired.is_some() { " (retired)" } else { "" };
        match self.approved.is_empty() {
            true => format!("no: {}{retired}", codes.join(", ")),
            false => format!("{}{retired}", self.approved.join(", ")),
        }
    }

    fn shown(&self) -> Shown {
        Shown {
            name: self.name.clone(),
            version: self.version.clone(),
            publisher: one_line(&self.publisher).into_owned(),
            approved: self.standing(),
            source: one_line(&self.source).into_owned(),
            // As much as tells two of them apart.
            digest: self.digest.chars().take(19).collect(),
        }
    }
}
