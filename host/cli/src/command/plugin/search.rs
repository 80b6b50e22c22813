use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use distribution::{Address, Fetcher, Source};
use serde::Serialize;
use tabled::Tabled;
use trust::statement::{self, Index, Listed, Release, STATEMENT_BYTES_MAX};
use trust::{SIGNED_BYTES_MAX, Signed, file};

use crate::context::Context;
use crate::keys;
use crate::output::{self, Format};
use crate::way::Way;

/// Find plugins in indexes that publishers and the MSP sign and host anywhere
///
/// What was taken once is searched without a network.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Words that are in name, publisher or description; all plugins without them
    words: Vec<String>,

    /// Take this index first: `https://…/NAME.index.statement`, or a file, with its `.sig` beside it
    #[arg(long = "index", value_name = "INDEX")]
    indexes: Vec<String>,

    /// Take the newest of each index that is known here first, from where it says that it is
    #[arg(long)]
    refresh: bool,

    #[command(flatten)]
    way: Way,
}

/// A plugin that was found.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Hit<'a> {
    index: &'a str,
    #[serde(flatten)]
    listed: &'a Listed,
}

#[derive(Tabled)]
struct Row {
    name: String,
    version: String,
    publisher: String,
    classes: String,
    description: String,
    source: String,
}

pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut addresses = args.indexes.clone();
    let known = keys::believed_with_indexes(context)?;
    let now = keys::now(context);
    if args.refresh {
        for address in known.iter().flat_map(|trust| trust.indexes(now)).filter_map(|it| it.address.as_ref()) {
            addresses.push(address.clone());
        }
    }
    let mut unvouched: Vec<Index> = Vec::new();
    if !addresses.is_empty() {
        let (fetcher, _) = args.way.open(context)?;
        for address in &addresses {
            let signed = fetch(&fetcher, address).await?;
            match known {
                Some(_) => keys::take(&signed, context)?,
                None => {
                    output::say(&format!("note: nobody vouches for {address}: no root is pinned on this machine"));
                    let read = statement::read(signed.statement()).map_err(|refusal| keys::refused([&refusal]))?;
                    unvouched.push(read.body);
                }
            }
        }
    }
    let known = keys::believed_with_indexes(context)?;
    let indexes: Vec<&Index> = known.iter().flat_map(|trust| trust.indexes(now)).chain(&unvouched).collect();
    ensure!(!indexes.is_empty(), "no index is known here: `--index https://…` takes one");
    let hits: Vec<Hit<'_>> = indexes
        .iter()
        .flat_map(|index| index.search(&args.words).map(|listed| Hit { index: index.name.as_str(), listed }))
        .collect();
    match context.output {
        Format::Json => output::json(&hits)?,
        Format::Table => {
            output::table(&hits.iter().filter_map(Row::of).collect::<Vec<_>>());
            for hit in hits.iter().filter(|hit| hit.listed.release(None).is_none()) {
                output::say(&format!("note: {} has no version that is offered", hit.listed.name));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Row {
    fn of(hit: &Hit<'_>) -> Option<Self> {
        let Release { version, classes, source, .. } = hit.listed.release(None)?;
        Some(Self {
            name: hit.listed.name.to_string(),
            version: version.to_string(),
            publisher: hit.listed.publisher.to_string(),
            classes: classes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            description: hit.listed.description.clone(),
            source: source.clone(),
        })
    }
}

async fn fetch(fetcher: &Fetcher, from: &str) -> anyhow::Result<Signed> {
    if !from.contains("://") {
        return Ok(file::read(Path::new(from))?);
    }
    let Source::Url(Address { url, .. }) = from.parse()? else {
        bail!("{from} is a registry: an index is a file on a server");
    };
    let statement = fetcher.document(&url, "the index", STATEMENT_BYTES_MAX as u64).await?;
    let mut beside = url.clone();
    beside.set_path(&format!("{}.sig", url.path()));
    let signatures = fetcher.document(&beside, "its signatures", SIGNED_BYTES_MAX as u64).await?;
    let signatures = String::from_utf8_lossy(&signatures);
    let signed = Signed::detached(statement, &signatures).map_err(|refusal| keys::refused([&refusal]));
    signed.with_context(|| from.to_owned())
}
