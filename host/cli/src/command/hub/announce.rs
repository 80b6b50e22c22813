use std::path::PathBuf;
use std::process::ExitCode;

use model::Digest;
use trust::statement;
use url::Url;

use crate::context::Context;
use crate::keys;

/// Say where the hub is, or will be: signed by the root, because a hub moves no device
///
/// Devices try the addresses in their order, and take a certificate of each of these authorities for the hub's. Whoever moves a hub
/// hands this over to the old one first (`remit hub take`), with both addresses, and waits until devices have it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit hub announce https://new.example:8443 https://old.example:8443 --authority ca.pem --days 90 --key ann
  remit sign hub.statement --key ben
  remit hub take hub.statement")]
pub(crate) struct Args {
    /// Where it is, the first address first: `https://HOST:PORT`
    #[arg(required = true, value_name = "URL")]
    addresses: Vec<Url>,

    /// Its authority: the digest that `remit hub init` showed, or the file `ca.pem` of the hub; repeat while it changes
    #[arg(long = "authority", value_name = "DIGEST|FILE", required = true)]
    authorities: Vec<String>,

    /// By then there is a newer word; until that comes, devices go on trying these
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3_650))]
    days: u16,

    /// Its number, where another machine made the last one; else one more than is believed here
    #[arg(long)]
    serial: Option<u64>,

    /// Where to write it, with its `.sig` beside it
    #[arg(long, default_value = "hub.statement", value_name = "FILE")]
    to: PathBuf,

    #[command(flatten)]
    key: keys::SigningKey,
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let authorities: Vec<Digest> =
        args.authorities.iter().map(|it| desk::authority(it)).collect::<Result<_, desk::Error>>()?;
    let before = keys::believed(context)?.and_then(|trust| trust.hub().map(|it| it.serial));
    let hub = statement::Hub {
        serial: args.serial.unwrap_or_else(|| before.map_or(1, |before| before + 1)),
        expires: keys::now(context).plus_days(args.days.into()),
        addresses: args.addresses.iter().map(|it| it.as_str().trim_end_matches('/').to_owned()).collect(),
        authorities,
    };
    args.key.make(&hub, &args.to, context)?;
    Ok(ExitCode::SUCCESS)
}
