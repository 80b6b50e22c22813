use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use contract::Class;
use desk::{Composed, Composer, Parcelled, Wanted};
use fleet::Rings;
use model::capability::Capability;
use model::{Digest, Grants};
use serde::Serialize;
use serde_json::Value;
use trust::statement::Gate;
use trust::{Key, Name, Signed};

use super::show::Preview;
use super::watch;
use crate::command::run::{Given, RunMode};
use crate::context::Context;
use crate::keys::SigningKeys;
use crate::meant::{self, Meant};
use crate::output::{self, Format};
use crate::technician::{self, Desk};
use crate::vouched::{self, Statements};

/// Have a plugin run on every device that an expression means: first on a few, then on more
///
/// Before anything is signed it is shown who is meant, who goes first, what it may do there, and who cannot be decided; and then the
/// exact statement. Each device asks the expression again, and everything else: the hub carries the order, and decides nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit fleet run disk-cleanup --where 'os.family == \"debian\" && \"ring1\" in tags' --rings 1,5%,25%,100% --soak 10m
  remit fleet run disk-cleanup --where 'client == \"acme\"' --mode enforce --allow 'files-write [scratch]' --max-failures 2% --watch
  remit fleet run wipe --where 'hostname == \"pc-7\"' --mode enforce --class-max L4 --to-file wipe.order
  remit fleet run updates --where '\"server\" in tags' --client acme --standing nightly.toml")]
pub(crate) struct Args {
    /// A built plugin, or `NAME` or `NAME@VERSION` of what is installed here
    #[arg(value_parser = meant::parser())]
    plugin: Meant,

    /// On devices of which this is true, in CEL over their facts, `client`, `site` and `tags`
    #[arg(long = "where", value_name = "EXPR")]
    target: String,

    /// Of this client; repeat for more
    #[arg(long = "client", value_name = "NAME")]
    clients: Vec<Name>,

    /// What it may do: look; look and say what it would change; or change it
    #[arg(long, value_enum, default_value = "detect")]
    mode: RunMode,

    #[command(flatten)]
    how: How,

    /// Until it begins on no further device
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = technician::seconds)]
    deadline: u32,

    /// Only while this says, beside the devices' own windows: calendars as in an agent's orders, in TOML
    #[arg(long, value_name = "FILE")]
    window: Option<PathBuf>,

    /// Do the plan of this digest, which a dry run came to, and nothing else
    #[arg(long, value_name = "DIGEST")]
    plan: Option<Digest>,

    #[command(flatten)]
    given: Given,

    /// Grant it this of its approval, and of what changes anything nothing else; repeat for more
    #[arg(long, value_name = "CAPABILITY")]
    allow: Vec<Capability>,

    /// And nothing above this class; what it needs, where it is left out
    #[arg(long, value_name = "CLASS", value_parser = class)]
    class_max: Option<Class>,

    /// Run again and again, on these occasions: an agent's order in TOML, without what is said here
    #[arg(long, value_name = "FILE")]
    standing: Option<PathBuf>,

    #[command(flatten)]
    end: End,
}

/// Who goes when.
#[derive(clap::Args)]
pub(super) struct How {
    /// Who goes when: so many devices, then so much of all. All at once where it is left out
    #[arg(long, value_name = "RINGS")]
    pub(super) rings: Option<Rings>,

    /// What a ring that went well is watched for, before the next one goes
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = technician::seconds)]
    pub(super) soak: u32,

    /// At most so many of a ring may fail
    #[arg(long, default_value = "2%", value_name = "SHARE", value_parser = technician::share)]
    pub(super) max_failures: u32,

    /// After so long, devices that said nothing no longer count as failed
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = technician::seconds)]
    pub(super) absent_after: u32,
}

/// How it is signed and handed over.
#[derive(clap::Args)]
pub(super) struct End {
    /// Why, for people
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(super) comment: String,

    /// Write the signed order to a file in place of handing it over: others `remit sign` it, and `remit fleet submit` it
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,

    /// Sign without being asked
    #[arg(long)]
    yes: bool,

    /// Look on until it is over
    #[arg(long, conflicts_with = "to_file")]
    watch: bool,

    #[command(flatten)]
    keys: SigningKeys,
}

/// What is ordered, as far as it was found.
pub(super) struct Ordered {
    pub(super) plugin: desk::Plugin,
    pub(super) bytes: Vec<u8>,
    pub(super) attachments: Vec<Signed>,
    /// What a reviewer types.
    pub(super) approve: String,
}

/// What a program is told.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct HandedOver {
    id: String,
    order: Digest,
    preview: desk::Preview,
}

/// The same of an order that others sign too.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Written<'a> {
    id: String,
    file: &'a std::path::Path,
    preview: desk::Preview,
}

impl How {
    pub(super) fn gate(&self) -> Gate {
        let How { soak, max_failures, absent_after, .. } = self;
        Gate { soak_seconds: *soak, failures_max_ppm: *max_failures, absent_after_seconds: *absent_after }
    }
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let given = args.given.read()?;
    let (plugin, package) = args.plugin.read(context)?;
    let parameters = plugin.parameters(given.clone())?;
    let statements = Statements::of(&package.attachments);
    let ordered = ordered(&plugin, &statements, plugin.manifest().wishes(&parameters)?, &desk, context)?;
    let is_standing = args.standing.is_some();
    let wanted = Wanted {
        r#where: args.target.clone(),
        clients: args.clients.clone(),
        only: None,
        rings: args.how.rings.clone().or_else(|| (!is_standing).then(desk::all_at_once)),
        gate: args.how.gate(),
        deadline_seconds: i64::from(args.deadline),
        windows: args.window.as_deref().map(windows).transpose()?,
        mode: args.mode.into(),
        plan: args.plan,
        allow: args.allow.clone(),
        class_max: args.class_max,
        parameters: Value::Object(given).to_string(),
        standing: args.standing.as_deref().map(standing).transpose()?,
        undoes: None,
        upgrade: None,
        comment: args.end.comment.clone(),
    };
    args.end.order(desk, &wanted, ordered, context).await
}

/// A plugin as an order means it, with who signed what about it.
pub(super) fn ordered(
    plugin: &artifact::Plugin,
    statements: &Statements,
    wishes: Grants,
    desk: &Desk,
    context: &Context,
) -> anyhow::Result<Ordered> {
    let mut attachments: Vec<Signed> = statements.all().to_vec();
    attachments.extend(desk.approvals_of(plugin.digest(), context)?);
    let mut seen = std::collections::BTreeSet::new();
    attachments.retain(|it| seen.insert(Digest::of(it.statement())));
    let is_plugin = |it: &&Signed| it.kind().is_ok_and(|kind| kind == trust::Kind::Plugin);
    let statement =
        plugin.statement().context("a publisher is named as its keys are in rosters: `plugin.publisher`")?;
    let signed = statements.all().iter().filter(is_plugin).cloned().map(Signed::looked_at).collect();
    Ok(Ordered {
        plugin: desk::Plugin { statement, signed, wishes },
        bytes: plugin.bytes().to_vec(),
        attachments,
        approve: vouched::Device::nobody_s().approve_line(plugin),
    })
}

impl End {
    /// Composes an order and shows it, has it signed, and hands it over. Where anything speaks against it, all of that is said, and
    /// nothing is signed.
    pub(super) async fn order(
        &self,
        desk: Desk,
        wanted: &Wanted,
        ordered: Ordered,
        context: &Context,
    ) -> anyhow::Result<ExitCode> {
        let mut signers = desk.signers(&self.keys, context)?;
        let by = signers.first().context("nobody signs")?.key()?;
        let composed = compose(&desk, &by, wanted, &ordered, context).await?;
        output::say(&Preview(&composed.preview).to_string());
        let statement = trust::statement::write(composed.created, &composed.order)?;
        let signed = technician::sign_all(Signed::new(statement, Vec::new()), &mut signers, self.yes)?;
        let Ordered { bytes, attachments, .. } = ordered;
        let parcelled = Parcelled { signed, rings: composed.rings, plugin: bytes, attachments };
        if let Some(path) = &self.to_file {
            parcelled.write(path)?;
            if context.output == Format::Json {
                let (id, file) = (composed.order.id.to_string(), path);
                output::json(&Written { id, file, preview: composed.preview })?;
            }
            output::say(&format!(
                "{} is written, and `.plugin` and `.rollout` beside it; next: `remit sign {}`, and `remit fleet submit` it",
                path.display(),
                path.display()
            ));
            return Ok(ExitCode::SUCCESS);
        }
        let given = desk.client.submit(&parcelled, &desk.trust).await?;
        parcelled.keep(&context.state)?;
        let id = given.order().id.to_string();
        match context.output {
            Format::Json => output::json(&HandedOver { id, order: given.digest(), preview: composed.preview })?,
            Format::Table => {
                output::text(&id);
                output::say(&format!("next: `remit fleet watch {}`", given.order().id));
            }
        }
        match self.watch {
            true => watch::look_on(&desk, given.digest(), context).await,
            false => Ok(ExitCode::SUCCESS),
        }
    }
}

/// An order by this key; or everything that speaks against it.
async fn compose(
    desk: &Desk,
    by: &Key,
    wanted: &Wanted,
    ordered: &Ordered,
    context: &Context,
) -> anyhow::Result<Composed> {
    let devices = desk.client.inventory(&wanted.clients).await?;
    let composer = Composer { trust: &desk.trust, by, now_ms: context.clock.now_ms() };
    let composed = composer.compose(wanted, &ordered.plugin, devices);
    let composed = composed.map_err(|against| technician::refused(&against, &ordered.approve))?;
    if composed.order.standing.is_some() {
        let form = composed.order.standing_form().context("--standing")?;
        serde_json::from_str::<agent::Order>(&form).context("--standing: no agent reads it")?;
    }
    Ok(composed)
}

fn class(text: &str) -> Result<Class, String> {
    let all = [Class::L0, Class::L1, Class::L2, Class::L3, Class::L4];
    all.into_iter().find(|it| it.to_string() == text).ok_or_else(|| "expected `L0` to `L4`".to_owned())
}

fn toml_of(path: &std::path::Path) -> anyhow::Result<toml::Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{}", path.display()))
}

/// Calendars as the agent reads them, as text.
fn windows(path: &std::path::Path) -> anyhow::Result<String> {
    let calendars: agent::Calendars = toml_of(path)?.try_into().with_context(|| format!("{}", path.display()))?;
    Ok(serde_json::to_string(&calendars)?)
}

/// Occasions, as text. That an agent reads them is asked of the whole order.
fn standing(path: &std::path::Path) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&toml_of(path)?)?)
}
