use std::cmp::Ordering;
use std::fmt;
use std::process::ExitCode;

use distribution::{Fetcher, Package, Source};
use model::outcome::exit;
use serde::Serialize;
use tabled::Tabled;

use super::Wire;
use super::install::{Held, Target};
use super::offer::Offer;
use crate::context::Context;
use crate::fault::Refused;
use crate::installed::{Kept, Wanted};
use crate::label::{Difference, Granting, Label};
use crate::output::{self, Format, say};
use crate::way::Way;

/// Ask for newer versions of what is installed. One becomes what its name means when it is approved here; until then the old one
/// runs
#[derive(clap::Args)]
pub(super) struct Args {
    /// Of these plugins only
    names: Vec<String>,

    /// Show what there is, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    held: Held,

    #[command(flatten)]
    way: Way,
}

/// What became of one name.
#[derive(Serialize, Tabled)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: String,
    /// What the name means now.
    means: String,
    /// What there is beyond it; empty where there is nothing.
    newer: String,
    became: Became,
    /// Whether that may do more.
    grows: bool,
    /// What is different.
    #[tabled(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    #[tabled(skip)]
    missing: Vec<String>,
    /// What a reviewer types.
    #[tabled(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Became {
    /// There is none that is newer.
    Newest,
    /// The newer one is what the name means.
    Upgraded,
    /// It would be.
    Upgradable,
    /// It is not approved here, or not what its publisher signed.
    Refused,
    /// Its source could not be asked.
    Failed,
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newest => "newest",
            Self::Upgraded => "upgraded",
            Self::Upgradable => "upgradable",
            Self::Refused => "refused",
            Self::Failed => "failed",
        })
    }
}

pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (fetcher, network) = args.way.open(context)?;
    let target = args.held.open(context)?;
    let mut names = args.names.clone();
    if names.is_empty() {
        names = target.plugins.folder.list()?.into_iter().map(|entry| entry.name).collect();
        names.dedup();
    }
    let mut upgrade = Upgrade { target, fetcher, is_dry: args.dry_run };
    let mut rows = Vec::new();
    for name in &names {
        rows.push(upgrade.one(name, context).await?);
    }
    Wire::from(network.traffic()).say();
    match context.output {
        Format::Json => output::json(&rows)?,
        Format::Table => output::table(&rows),
    }
    let became = |what: Became| rows.iter().any(|row| row.became == what);
    Ok(match (became(Became::Failed), became(Became::Refused)) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(exit::REFUSED),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// What a plugin's source has.
struct Answer {
    same: Option<Offer>,
    newer: Option<Offer>,
}

struct Upgrade<'a> {
    target: Target<'a>,
    fetcher: Fetcher,
    is_dry: bool,
}

impl Upgrade<'_> {
    /// One that cannot be asked about is in the way of no other.
    async fn one(&mut self, name: &str, context: &Context) -> anyhow::Result<Row> {
        let wanted = Wanted { device: self.target.device, ..Wanted::to_look() };
        let current = self.target.plugins.meant(name, &wanted, context)?;
        let mut row = Row {
            name: current.entry.name.clone(),
            means: current.entry.version.to_string(),
            newer: String::new(),
            became: Became::Newest,
            grows: false,
            difference: None,
            missing: Vec::new(),
            next: None,
        };
        match self.ask(&current, context).await {
            Ok(Answer { same, newer }) => {
                if let Some(same) = same.filter(|_| !self.is_dry) {
                    self.keep_up(&current, &same, context)?;
                }
                if let Some(newer) = newer {
                    self.consider(&current, &newer, &mut row, context)?;
                }
            }
            Err(error) => {
                row.became = Became::Failed;
                row.missing = error.chain().map(ToString::to_string).collect();
                say(&format!("{name}: {}", row.missing.join(": ")));
            }
        }
        Ok(row)
    }

    /// The newest version beyond this one that is no preview and was not retired; and this one, with what is signed about it by
    /// now.
    async fn ask(&mut self, current: &Kept, context: &Context) -> anyhow::Result<Answer> {
        let (entry, source) = (&current.entry, current.entry.source.parse::<Source>()?);
        let mut answer = Answer { same: None, newer: None };
        if let Source::File(path) | Source::Archive(path) = &source
            && !path.exists()
        {
            say(&format!("note: {} came from {source}, which is not here", entry.name));
            return Ok(answer);
        }
        let Source::Oci(reference) = &source else {
            let offer = Offer::fetch(&source, &source, &self.fetcher).await?;
            offer.take(&mut self.target.plugins, !self.is_dry, context)?;
            match offer.plugin.manifest().plugin.version.cmp(&entry.version) {
                Ordering::Equal => answer.same = Some(offer),
                Ordering::Greater if !self.is_retired(&offer)? => answer.newer = Some(offer),
                _ => {}
            }
            return Ok(answer);
        };
        let versions = self.fetcher.versions(reference).await?;
        // This one first: it may say that something ended.
        if let Some((_, source)) = versions.iter().find(|(version, _)| *version == entry.version) {
            answer.same = Some(self.fetch(&entry.name, source, context).await?);
        }
        for (version, source) in versions.into_iter().take_while(|(version, _)| *version > entry.version) {
            if !version.pre.is_empty() && entry.version.pre.is_empty() {
                continue;
            }
            let offer = self.fetch(&entry.name, &source, context).await?;
            if !self.is_retired(&offer)? {
                answer.newer = Some(offer);
                break;
            }
            say(&format!("note: {} {version} is passed over: its publisher retired it", entry.name));
        }
        Ok(answer)
    }

    /// What is signed about this one by now stays with it, and the lock says that it is what its name means.
    fn keep_up(&mut self, current: &Kept, same: &Offer, context: &Context) -> anyhow::Result<()> {
        let entry = same.entry(context)?;
        if entry.digest != current.entry.digest {
            let (name, version, found) = (&entry.name, &entry.version, entry.digest);
            say(&format!(
                "note: {} now has {name} {version} as {found}: what is installed stays (other-bytes)",
                same.source
            ));
            return Ok(());
        }
        same.install(&self.target.plugins, context)?;
        let is_locked = self.target.lock.lock.get(&entry.name).is_some_and(|it| it.component == entry.digest);
        match !is_locked && !self.modes_of(current, context)?.is_empty() {
            true => self.target.lock.put(&same.source, &entry, same.manifest),
            false => Ok(()),
        }
    }

    /// Without the bytes of what lies here already.
    async fn fetch(&mut self, name: &str, source: &Source, context: &Context) -> anyhow::Result<Offer> {
        let offer = self.fetch_what_is_missing(name, source).await?;
        offer.take(&mut self.target.plugins, !self.is_dry, context)?;
        Ok(offer)
    }

    async fn fetch_what_is_missing(&self, name: &str, source: &Source) -> anyhow::Result<Offer> {
        let there = match (source, source.version()) {
            (Source::Oci(reference), Some(version)) => {
                let there = self.target.plugins.folder.find_all(&format!("{name}@{version}"))?;
                there.into_iter().next().map(|entry| (reference, entry))
            }
            _ => None,
        };
        let Some((reference, entry)) = there else { return Offer::fetch(source, source, &self.fetcher).await };
        let (resolved, attachments) = self.fetcher.statements(reference).await?;
        if resolved.component != entry.digest {
            return Offer::fetch(source, source, &self.fetcher).await;
        }
        let component = self.target.plugins.folder.load(&entry)?.component;
        Offer::new(source, Package { component, attachments }, Some(resolved.manifest))
    }

    fn is_retired(&self, offer: &Offer) -> anyhow::Result<bool> {
        let Some(trust) = &self.target.plugins.trust else { return Ok(false) };
        Ok(trust.retired(&offer.plugin.statement()?).is_some())
    }

    /// Whether the newer one takes the place of this one.
    fn consider(&mut self, current: &Kept, offer: &Offer, row: &mut Row, context: &Context) -> anyhow::Result<()> {
        let about = &offer.plugin.manifest().plugin;
        row.newer = about.version.to_string();
        let mut reasons: Vec<String> = self.target.lock.other(&offer.entry(context)?).into_iter().collect();
        if about.name != current.entry.name {
            reasons.push(format!("it is called `{}`, and not `{}` (relabelled)", about.name, current.entry.name));
        }
        let standing = offer.look(&self.target.plugins, self.target.device, reasons, context);
        let old = Label::of(&current.plugin, &Granting::here(context)?.by_approval());
        let new = offer.label(&self.target.plugins, self.target.device, context)?;
        let difference = Difference::between(&old, &new);
        say(&format!("{}\n\n{}", new.shown(), difference.shown()));
        row.grows = difference.grows();
        row.difference = Some(difference);
        let standing = match standing {
            Ok(standing) => standing,
            Err(error) => {
                let refused = error.downcast::<Refused>()?;
                row.became = Became::Refused;
                row.missing = refused.reasons;
                say(&format!("refused: {}", row.missing.join("\n  ")));
                return Ok(());
            }
        };
        if !self.is_dry {
            offer.install(&self.target.plugins, context)?;
        }
        // It takes the place of another one in every mode in which that runs, or in none.
        let before = self.modes_of(current, context)?;
        let is_approved = !standing.modes.is_empty() && before.iter().all(|mode| standing.modes.contains(mode));
        if is_approved {
            row.became = if self.is_dry { Became::Upgradable } else { Became::Upgraded };
            if !self.is_dry {
                row.means.clone_from(&row.newer);
                self.target.lock.put(&offer.source, &offer.entry(context)?, offer.manifest)?;
            }
            return Ok(());
        }
        row.became = Became::Refused;
        row.next = Some(self.target.device.approve_line(&offer.plugin));
        row.missing = standing.missing;
        let still = match before.is_empty() {
            true => format!("{} is not approved here either", row.means),
            false => format!("`{}` still means {}", row.name, row.means),
        };
        say(&format!("{} {} is not approved here, and {still}: {}", about.name, about.version, row.missing.join("; ")));
        row.next.iter().for_each(|next| say(next));
        Ok(())
    }

    fn modes_of(&self, kept: &Kept, context: &Context) -> anyhow::Result<Vec<model::Mode>> {
        let Some(trust) = &self.target.plugins.trust else { return Ok(Vec::new()) };
        Ok(self.target.device.modes((&kept.plugin, &kept.statements), trust, context)?.0)
    }
}
