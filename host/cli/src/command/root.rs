use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use model::Digest;
use serde::Serialize;
use trust::statement::Root;
use trust::{FirstUse, Signed, file};

use crate::context::Context;
use crate::keys;
use crate::output::{self, Format};
use crate::written::Written;

/// Look after the MSP's root: the keys that everything else follows from
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a root out of a description in TOML, and sign it; the others sign it with `remit sign`
    Make {
        /// `msp`, `threshold`, `expires`, and `[[keys]]` with `person` and `key`, a line or the name of a `.pub`; perhaps `serial`
        file: PathBuf,
        #[command(flatten)]
        key: keys::SigningKey,
    },
    /// Pin a root on this machine, once. Its fingerprint is compared with what the MSP says
    Pin {
        /// The root's statement, with its `.sig` beside it
        file: PathBuf,
        /// The fingerprint, as the MSP told it; without it, it is shown and asked for
        #[arg(long)]
        fingerprint: Option<Digest>,
    },
    /// Show the root that is pinned here
    Show,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown<'a> {
    fingerprint: Digest,
    root: &'a Root,
}

pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Make { file, key } => {
            let mut written = Written::read(file)?;
            let before = keys::believed(context)?;
            written.or("serial", before.map_or(1, |trust| trust.root().serial + 1).cast_signed());
            let root: Root = written.body()?;
            let signed = key.make(&root, &file.with_extension("statement"), context)?;
            output::say(&format!("its fingerprint is {}", Digest::of(signed.statement())));
        }
        Command::Pin { file, fingerprint } => pin(&file::read(file)?, *fingerprint, context)?,
        Command::Show => {
            let trust = keys::root(context)?;
            let (fingerprint, root) = (trust.pin(), trust.root());
            match context.output {
                Format::Json => output::json(&Shown { fingerprint, root })?,
                Format::Table => {
                    output::text(&format!("{} {fingerprint}", root.msp));
                    let people = format!("{} of these people, until {}", root.threshold, root.expires);
                    output::text(&format!("root {}: {people}", root.serial));
                    root.keys.iter().for_each(|it| output::text(&format!("  {} {}", it.person, it.key.fingerprint())));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pin(signed: &Signed, fingerprint: Option<Digest>, context: &Context) -> anyhow::Result<()> {
    let first = FirstUse::of(signed).map_err(|refusals| keys::refused(&refusals))?;
    let said = match fingerprint {
        Some(said) => said,
        None => ask(&first)?,
    };
    let (trust, signed) = first.confirm(said).map_err(|refusal| keys::refused([&refusal]))?;
    keys::folder(context)?.pin(&trust, &signed)?;
    output::say(&format!("the root of `{}` is pinned: {said}", trust.root().msp));
    Ok(())
}

/// A person compares; there is no other way to know.
fn ask(first: &FirstUse) -> anyhow::Result<Digest> {
    let fingerprint = first.fingerprint();
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked whether {fingerprint} is right: say so with `--fingerprint`");
    }
    output::say(&format!("`{}` has the fingerprint {fingerprint}", first.root().msp));
    let terminal = console::Term::stderr();
    terminal.write_str("Is it what the MSP told you? Type `yes`: ")?;
    match terminal.read_line().context("standard input")?.trim() {
        "yes" => Ok(fingerprint),
        _ => bail!("nothing is pinned"),
    }
}
