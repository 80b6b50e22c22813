//! What a person signs with, and what this machine believes.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use trust::{Folder, Key, Loaded, Signed, Signer, Statement, Time, Trust, file, statement};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::fault::Refused;
use crate::output;

pub(crate) const NO_ROOT: &str = "no root is pinned on this machine: `remit root pin FILE`";

/// Which key signs.
#[derive(clap::Args)]
pub(crate) struct SigningKey {
    /// Sign with this private key, or with the one in `ssh-agent` whose `.pub` this is, instead of ~/.ssh/id_ed25519
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Where `ssh-agent` listens
    #[arg(long, env = "SSH_AUTH_SOCK", hide_env_values = true, value_name = "SOCKET")]
    agent: Option<PathBuf>,
}

impl SigningKey {
    /// The one in this file.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(key: PathBuf, context: &Context) -> Self {
        Self { key: Some(key), agent: context.ssh_agent.clone() }
    }

    /// It is asked for its passphrase here, where it has one: what is signed several times with it is signed with what this gives.
    pub(crate) fn signer(&self) -> anyhow::Result<Signer> {
        let path = match &self.key {
            Some(path) => path.clone(),
            None => std::env::home_dir().context("whose key? name it with `--key FILE`")?.join(".ssh/id_ed25519"),
        };
        if path.extension() != Some("pub".as_ref()) {
            return Ok(Signer::from_file(&path, || ask_passphrase(&path))?);
        }
        let socket = self.agent.as_deref().context("no `ssh-agent`: start one, or name a private key")?;
        Ok(Signer::from_agent(socket, public_key(&path)?))
    }

    /// Shows what is signed, and signs it.
    pub(crate) fn sign(&self, signed: &mut Signed) -> anyhow::Result<()> {
        output::say(&String::from_utf8_lossy(signed.statement()));
        sign_shown(signed, &mut self.signer()?)
    }

    /// Writes a new statement, shows it, and signs it.
    pub(crate) fn make<T: Statement>(&self, body: &T, path: &Path, context: &Context) -> anyhow::Result<Signed> {
        let mut signed = Signed::new(statement::write(now(context), body)?, Vec::new());
        self.sign(&mut signed)?;
        file::write(path, &signed)?;
        output::say(&format!("{} and its `.sig` are written", path.display()));
        Ok(signed)
    }
}

/// Signs what was shown.
pub(crate) fn sign_shown(signed: &mut Signed, signer: &mut Signer) -> anyhow::Result<()> {
    let key = signer.key()?;
    if signed.signers(signed.kind()?).keys.contains(&key) {
        bail!("{} has signed it already", key.fingerprint());
    }
    if key.is_hardware() {
        output::say(&format!("touch the key {}", key.fingerprint()));
    }
    signed.sign(signer)?;
    output::say(&format!("signed with {}", key.fingerprint()));
    Ok(())
}

/// Which keys sign: of several people, where it takes several.
#[cfg(target_os = "linux")]
#[derive(clap::Args)]
pub(crate) struct SigningKeys {
    /// Sign with this private key, or with the one in `ssh-agent` whose `.pub` this is, instead of the one that asks the hub;
    /// repeat where it takes two people
    #[arg(long = "key", value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
}

/// From a person without echo; who has no terminal has an agent.
fn ask_passphrase(path: &Path) -> std::io::Result<Zeroizing<String>> {
    if !std::io::stdin().is_terminal() {
        return Err(std::io::Error::other(
            "it has a passphrase, and nobody can be asked: `ssh-add` it, and name its `.pub`",
        ));
    }
    let terminal = console::Term::stderr();
    terminal.write_str(&format!("passphrase of {}: ", path.display()))?;
    Ok(Zeroizing::new(terminal.read_secure_line()?))
}

/// A line of a `.pub` file.
pub(crate) fn public_key(path: &Path) -> anyhow::Result<Key> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    text.parse().with_context(|| format!("{}", path.display()))
}

pub(crate) fn now(context: &Context) -> Time {
    Time::from_ms(context.clock.now_ms())
}

/// Where this machine keeps what it believes.
pub(crate) fn folder(context: &Context) -> anyhow::Result<Folder> {
    let path = context.state.join("trust");
    // Whoever may write there decides who is believed.
    store::make_private_folder(&path).with_context(|| format!("{}", path.display()))?;
    Ok(Folder::new(path))
}

/// What this machine believes; none where no root is pinned.
pub(crate) fn believed(context: &Context) -> anyhow::Result<Option<Arc<Trust>>> {
    let folder = folder(context)?;
    context.believed(&folder, || Ok(told(folder.load()?, context)?.map(Arc::new)))
}

/// The same, with what there is to install.
pub(crate) fn believed_with_indexes(context: &Context) -> anyhow::Result<Option<Trust>> {
    told(folder(context)?.load_with_indexes()?, context)
}

fn told(loaded: Option<Loaded>, context: &Context) -> anyhow::Result<Option<Trust>> {
    let Some(Loaded { mut trust, left_out }) = loaded else { return Ok(None) };
    note_time(&mut trust, context)?;
    for (path, refusals) in left_out {
        let why: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        output::say(&format!("note: {} is not believed: {}", path.display(), why.join("; ")));
    }
    Ok(Some(trust))
}

/// Keeps what time it is, and tells whoever's clock was set back.
fn note_time(trust: &mut Trust, context: &Context) -> anyhow::Result<()> {
    let (folder, clock) = (folder(context)?, now(context));
    folder.note_time(trust, clock)?;
    let seen = trust.time(clock);
    if seen != clock {
        output::say(&format!(
            "note: the clock says {clock}, and said {seen} before: for what expires, that is what counts. Where that was wrong, \
             remove {}",
            folder.clock_file().display()
        ));
    }
    Ok(())
}

/// The same, for what makes no sense without.
pub(crate) fn root(context: &Context) -> anyhow::Result<Arc<Trust>> {
    believed(context)?.context(NO_ROOT)
}

/// Takes a document into what this machine believes, where it believes anything.
pub(crate) fn take(signed: &Signed, context: &Context) -> anyhow::Result<()> {
    let mut trust = believed_with_indexes(context)?.context(NO_ROOT)?;
    let taken = trust.take(signed, now(context)).map_err(|refusals| refused(&refusals))?;
    folder(context)?.keep(&taken, signed, &trust)?;
    let word = if taken.is_new { "is believed from now on" } else { "was known" };
    output::say(&format!("the {} `{}` {word}", taken.kind, taken.subject));
    Ok(())
}

pub(crate) fn refused<'a>(refusals: impl IntoIterator<Item = &'a trust::Refusal>) -> Refused {
    Refused::because(refusals.into_iter().map(with_code).collect())
}

/// For a person, and with what a program reads.
pub(crate) fn with_code(refusal: &trust::Refusal) -> String {
    format!("{refusal} ({})", refusal.code())
}
