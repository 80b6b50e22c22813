use std::process::ExitCode;

use model::{Digest, Mode};
use serde::Serialize;
use serde_json::Map;
use trust::{Check, Signed};

use super::list::Row;
use crate::command::verify;
use crate::context::Context;
use crate::installed::{Plugins, Wanted};
use crate::keys;
use crate::label::{Granting, Label};
use crate::output::{self, Format};
use crate::vouched::{self, Device};

/// Show what is installed under a name: its label, whether it may run, and what was signed about it
#[derive(clap::Args)]
pub(super) struct Args {
    /// `NAME`, or `NAME@VERSION`
    name: String,

    #[command(flatten)]
    device: Device,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    label: Label,
    installed: Row,
    /// All that is looked at before a run that only looks; none where no root is pinned.
    checks: Vec<Check>,
    statements: Vec<About>,
}

/// A statement that came with it, or that this machine believes of it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct About {
    kind: String,
    digest: Digest,
    /// The keys that signed; who they are says the roster.
    keys: Vec<String>,
    is_believed: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let plugins = Plugins::open(keys::believed(context)?, context)?;
    let kept = plugins.meant(&args.name, &Wanted { device: &args.device, ..Wanted::to_look() }, context)?;
    let believed = plugins.trust.as_ref().map(|trust| trust.about(kept.plugin.digest())).unwrap_or_default();
    let mut statements: Vec<About> = believed.iter().map(|signed| About::of(signed, true)).collect();
    let is_new = |it: &&Signed| believed.iter().all(|one| one.statement() != it.statement());
    statements.extend(kept.statements.all().iter().filter(is_new).map(|signed| About::of(signed, false)));
    let mut checks = Vec::new();
    if let Some(trust) = &plugins.trust {
        let wishes = vouched::wishes(&kept.plugin, Map::new());
        let about = (&kept.plugin, &kept.statements);
        checks = args.device.decide(about, &wishes, Mode::Detect, trust, context)?.checks;
    }
    let installed = Row::of(&kept, &plugins, &args.device, context)?;
    let mut label = Label::of(&kept.plugin, &Granting::here(context)?.by_approval());
    label.trust = args.device.who_vouches((&kept.plugin, &kept.statements), plugins.trust.as_deref(), context)?;
    let shown = Shown { label, installed, checks, statements };
    match context.output {
        Format::Json => output::json(&shown)?,
        Format::Table => shown.print(),
    }
    Ok(ExitCode::SUCCESS)
}

impl About {
    fn of(signed: &Signed, is_believed: bool) -> Self {
        let kind = signed.kind();
        let signers = kind.as_ref().ok().map(|&kind| signed.signers(kind).keys).unwrap_or_default();
        Self {
            kind: kind.map_or_else(|refusal| refusal.code().to_owned(), |kind| kind.to_string()),
            digest: Digest::of(signed.statement()),
            keys: signers.iter().map(trust::Key::fingerprint).collect(),
            is_believed,
        }
    }
}

impl Shown {
    fn print(&self) {
        output::text(&self.label.shown());
        output::text(&format!("approved here: {}\n", self.installed.standing()));
        match self.checks.is_empty() {
            true => self.installed.missing.iter().for_each(|it| output::text(&it.text)),
            false => output::table(&verify::rows(&self.checks)),
        }
        output::text(&format!("from {}, installed {}", self.installed.source, self.installed.installed));
        for it in &self.statements {
            let word = if it.is_believed { ", believed" } else { "" };
            output::text(&format!("{} {}{word}, signed by {}", it.kind, it.digest, it.keys.join(", ")));
        }
    }
}
