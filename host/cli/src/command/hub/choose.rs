use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use desk::HubFile;
use model::Digest;
use serde::Serialize;
use serde_json::Value;
use trust::{FirstUse, file};
use url::Url;

use crate::context::Context;
use crate::output::{self, Format};
use crate::{keys, technician};

/// Say which hub this technician asks, whom it shows itself as, and with which key
///
/// It is kept in `hub.toml` in the folder of state, beside what is believed: another MSP is another `--state`. The key signs a
/// session of 15 minutes for each command; the session's own key is in memory alone, and signs no order.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit hub use https://hub.example:8443 --authority sha256:5f2c… --key ~/.ssh/id_ed25519
  remit hub use https://hub.example:8443 --authority ca.pem --key ~/.ssh/id_ed25519_sk.pub --root-statement root.statement --fingerprint sha256:9a31…")]
pub(crate) struct Args {
    /// Where it is: `https://HOST:PORT`
    url: Url,

    /// Its authority: the digest that `remit hub init` showed, or the file `ca.pem` of the hub; repeat while it changes
    #[arg(long = "authority", value_name = "DIGEST|FILE", required = true)]
    authorities: Vec<String>,

    /// Ask with this private key, or with the one in `ssh-agent` whose `.pub` this is, instead of ~/.ssh/id_ed25519
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Pin this root, where none is pinned here
    #[arg(long = "root-statement", value_name = "FILE", requires = "fingerprint")]
    root: Option<PathBuf>,

    /// The fingerprint of that root, as the MSP told it
    #[arg(long)]
    fingerprint: Option<Digest>,
}

/// What is asked from now on.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Used {
    #[serde(flatten)]
    file: HubFile,
    /// Of the key that asks.
    fingerprint: String,
    /// Whether the hub lets that key ask.
    seat: bool,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let authorities = args.authorities.iter().map(|it| desk::authority(it)).collect::<Result<Vec<_>, _>>()?;
    let key = match &args.key {
        Some(key) => technician::absolute(key)?,
        None => std::env::home_dir().context("whose key? name it with `--key FILE`")?.join(".ssh/id_ed25519"),
    };
    if let (Some(root), Some(said)) = (&args.root, args.fingerprint) {
        let first = FirstUse::of(&file::read(root)?).map_err(|refusals| keys::refused(&refusals))?;
        let (trust, signed) = first.confirm(said).map_err(|refusal| keys::refused([&refusal]))?;
        keys::folder(context)?.pin(&trust, &signed)?;
    }
    let file = HubFile { url: args.url.clone(), authorities, key };
    let (client, _) = technician::client(&file, context)?;
    // Whoever is asked proves here that they are the hub; nothing is kept of one who does not.
    let asked = client.get::<Value>("/v1/clients?limit=1").await;
    let seat = match asked {
        Ok(_) => true,
        Err(desk::Error::Refused { status: 401 | 403 | 422, .. }) => false,
        Err(other) => return Err(other.into()),
    };
    store::make_private_folder(&context.state).with_context(|| format!("{}", context.state.display()))?;
    file.write(&context.state)?;
    let fingerprint = client.key().fingerprint();
    match context.output {
        Format::Json => output::json(&Used { file, fingerprint, seat })?,
        Format::Table => {
            output::say(&format!("{} is asked from now on, with {fingerprint}", file.url));
            if !seat {
                output::say("note: it lets that key ask nothing: a technician's seat in the roster does");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
