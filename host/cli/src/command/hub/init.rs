use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hub::{Config, Hub, Limits};
use model::Digest;
use serde::Serialize;
use trust::file;

use crate::context::Context;
use crate::output::{self, Format};

/// Make a hub: its folder, its authority for TLS, and the MSP's root, pinned for good
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The root's statement, with its `.sig` beside it
    #[arg(long = "root-statement", value_name = "FILE")]
    root: PathBuf,

    /// A name or an address that devices and technicians reach it by; perhaps several
    #[arg(long = "name", value_name = "NAME", required = true)]
    names: Vec<String>,

    /// Where it listens
    #[arg(long, default_value = "0.0.0.0:8443", value_name = "ADDRESS")]
    listen: SocketAddr,
}

/// What whoever joins compares.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Made<'a> {
    folder: &'a Path,
    /// Of the root that is pinned.
    root: Digest,
    /// Of the certificate of its authority.
    authority: Digest,
}

pub(crate) fn run(args: &Args, folder: &Path, context: &Context) -> anyhow::Result<ExitCode> {
    let (names, limits) = (args.names.clone(), Limits::default());
    let config = Config { listen: args.listen, names, certificate: None, limits };
    let root = Hub::init(folder, &config, &file::read(&args.root)?, &*context.clock)?;
    let authority = Hub::open(folder, context.clock.clone())?.ca().digest();
    match context.output {
        Format::Json => output::json(&Made { folder, root, authority })?,
        Format::Table => {
            output::text(&format!("the hub in {} believes the root {root}", folder.display()));
            output::text(&format!("its authority is {authority}"));
            output::say("next: `remit hub run`");
        }
    }
    Ok(ExitCode::SUCCESS)
}
