use std::process::ExitCode;

use anyhow::{Context as _, bail};
use distribution::{Fetcher, Source};
use serde::Serialize;
use trust::statement::{self, End, Revocation};
use trust::{Kind, Signed};

use super::Wire;
use super::offer::Offer;
use crate::context::Context;
use crate::keys::{self, SigningKey};
use crate::output::{self, Format, say};
use crate::vouched;
use crate::way::Way;

/// Retire a version that you published: nobody takes it up any more, and what was approved before goes on
#[derive(clap::Args)]
pub(super) struct Args {
    /// Where it is: such as `registry.example/path/name:1.2.3`, or the plugin's file
    from: Source,

    /// Why, in one line, for whoever would take it up
    #[arg(long)]
    reason: String,

    #[command(flatten)]
    key: SigningKey,

    #[command(flatten)]
    way: Way,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Yanked {
    name: String,
    version: String,
    digest: String,
    /// Where its revocation lies beside it now.
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<Wire>,
}

pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    if args.from.floats() {
        bail!("{}: which version? name its tag or its digest", args.from);
    }
    if let Source::Archive(_) | Source::Url(_) = &args.from {
        bail!("{}: what lies there is not changed from here; retire the plugin's file, and put both there", args.from);
    }
    let (fetcher, network) = args.way.open(context)?;
    let offer = Offer::fetch(&args.from, &args.from, &fetcher).await?;
    let digest = offer.plugin.digest();
    let revocation = Revocation {
        end: End::Retired,
        plugins: vec![digest],
        keys: vec![],
        statements: vec![],
        reason: args.reason.clone(),
    };
    let mut signed = Signed::new(statement::write(keys::now(context), &revocation)?, Vec::new());
    args.key.sign(&mut signed)?;
    // Where somebody is believed here, nothing is handed out that this machine would not believe.
    match keys::believed(context)? {
        Some(_) => keys::take(&signed, context)?,
        None => tell_of_other_key(&signed, &offer),
    }
    let at = attach(&offer, &signed, &fetcher).await?;
    let traffic = (!args.from.is_local()).then(|| network.traffic().into());
    let about = &offer.plugin.manifest().plugin;
    let yanked = Yanked {
        name: about.name.clone(),
        version: about.version.to_string(),
        digest: digest.to_string(),
        at,
        traffic,
    };
    match context.output {
        Format::Json => output::json(&yanked)?,
        Format::Table => {
            output::text(&format!("{} {} is retired at {}", yanked.name, yanked.version, yanked.at));
            yanked.traffic.iter().for_each(Wire::say);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts it where whoever takes the plugin takes it too.
async fn attach(offer: &Offer, signed: &Signed, fetcher: &Fetcher) -> anyhow::Result<String> {
    let attachment = vouched::attachment(signed);
    match &offer.source {
        Source::Oci(reference) => {
            let manifest = offer.manifest.context("what came from a registry has a manifest")?;
            fetcher.attach(reference, manifest, &[attachment]).await?;
            Ok(offer.source.to_string())
        }
        Source::File(path) => {
            let mut package = offer.package.clone();
            package.attachments.push(attachment);
            distribution::write_file(path, &package)?;
            Ok(path.display().to_string())
        }
        other => bail!("{other} is not changed from here"),
    }
}

/// Hosts believe a publisher of its own plugins only. Its key may be another by now, so nobody is refused here.
fn tell_of_other_key(signed: &Signed, offer: &Offer) {
    let publishers = offer.statements.all().iter().flat_map(|it| it.signers(Kind::Plugin).keys);
    let own = signed.signers(Kind::Revocation).keys;
    if !publishers.into_iter().any(|key| own.contains(&key)) {
        say(
            "note: another key signed the plugin: hosts believe this one where their roster has it as that publisher's",
        );
    }
}
