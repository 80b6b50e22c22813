use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::Class;
use desk::Wanted;
use flate2::{Compression, GzBuilder};
use model::{Digest, Grants, Mode};
use trust::statement::{AgentRelease, Plugin, Upgrade};
use trust::{Name, Signed, file};

use super::run::{End, How, Ordered};
use crate::context::Context;
use crate::keys;
use crate::technician::{self, Desk};

/// What an agent is called where plugins have a name.
const NAME: &str = "remit";

/// Replace the agent on every device that an expression means, ring by ring, by a release that was signed
///
/// Each device asks who released it, and whether it is newer; lays it beside what runs; has it started; and looks at it: the new one has to
/// answer, with what the old one remembered, and to hear the hub. Where it does not, the old one is put back, and the device says why: that
/// counts as failed. A device that does not come back counts as failed too.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  remit fleet upgrade remit-0.2.0 --where '\"ring1\" in tags' --rings 1,5%,100% --soak 1h --max-failures 0%
  remit fleet upgrade remit-0.1.9 --where 'hostname == \"pc-7\"' --downgrade --key ann --key ben")]
pub(crate) struct Args {
    /// A program that was released: its statement is in `FILE.statement`
    file: PathBuf,

    /// On devices of which this is true, in CEL over their facts, `client`, `site` and `tags`; those that have this version are left out
    #[arg(long = "where", value_name = "EXPR")]
    target: String,

    /// Of this client; repeat for more
    #[arg(long = "client", value_name = "NAME")]
    clients: Vec<Name>,

    #[command(flatten)]
    how: How,

    /// Until it begins on no further device
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = technician::seconds)]
    deadline: u32,

    /// It may be older than what runs: of class L4, so two people sign, and half an hour goes by
    #[arg(long)]
    downgrade: bool,

    #[command(flatten)]
    end: End,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let signed = file::read(&file::statement_of(&args.file)).context("a release has its statement beside it")?;
    let now = keys::now(context);
    let released = desk.trust.released(&signed, now).map_err(|refusals| keys::refused(&refusals))?;
    let release = released.release().clone();
    let program = std::fs::read(&args.file).with_context(|| format!("{}", args.file.display()))?;
    released.is(&program).map_err(|refusal| keys::refused([&refusal]))?;
    let wanted = Wanted {
        r#where: meant(&args.target, &release)?,
        clients: args.clients.clone(),
        only: None,
        rings: Some(args.how.rings.clone().unwrap_or_else(desk::all_at_once)),
        gate: args.how.gate(),
        deadline_seconds: i64::from(args.deadline),
        windows: None,
        mode: Mode::Enforce,
        plan: None,
        allow: Vec::new(),
        class_max: Some(if args.downgrade { Class::L4 } else { Class::L3 }),
        parameters: "{}".to_owned(),
        standing: None,
        undoes: None,
        upgrade: Some(Upgrade { release: released.digest(), downgrade: args.downgrade }),
        comment: args.end.comment.clone(),
    };
    let ordered = ordered(&release, &program, signed)?;
    args.end.order(desk, &wanted, ordered, context).await
}

/// Those that have it are not meant: a device that got it otherwise meanwhile speaks neither for nor against.
fn meant(target: &str, release: &AgentRelease) -> anyhow::Result<String> {
    let (arch, system) = release.target.as_str().split_once('-').context("the release is for no machine")?;
    if system != "linux" {
        bail!("the release is for `{system}`, and agents of Linux replace themselves");
    }
    Ok(format!("({target}) && agent.version != \"{}\" && os.arch == \"{arch}\"", release.version))
}

/// A release, as an order carries it: its program packed, and its statement beside it.
fn ordered(release: &AgentRelease, program: &[u8], signed: Signed) -> anyhow::Result<Ordered> {
    // No time and no name in it: what is packed twice is the same.
    let mut packer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
    packer.write_all(program)?;
    let bytes = packer.finish()?;
    let statement = Plugin {
        form: trust::statement::Form::Component,
        publisher: NAME.parse()?,
        name: NAME.parse()?,
        version: release.version.clone(),
        digest: Digest::of(&bytes),
        size_bytes: u64::try_from(bytes.len())?,
        manifest: Digest::of(b""),
        contract: None,
    };
    let plugin = desk::Plugin { statement, signed: Vec::new(), wishes: Grants::default() };
    Ok(Ordered { plugin, bytes, attachments: vec![signed], approve: String::new() })
}

/// The same once more, of an order that was given.
pub(super) fn of_order(
    upgrade: Upgrade,
    bytes: Vec<u8>,
    signed: &[Signed],
    desk: &Desk,
    context: &Context,
) -> anyhow::Result<Ordered> {
    let signed =
        signed.iter().find(|it| Digest::of(it.statement()) == upgrade.release).context("its release is gone")?;
    let released = desk.trust.released(signed, keys::now(context)).map_err(|refusals| keys::refused(&refusals))?;
    let mut ordered = ordered(released.release(), &[], signed.clone())?;
    (ordered.plugin.statement.digest, ordered.bytes) = (Digest::of(&bytes), bytes);
    Ok(ordered)
}
