//! A technician at the hub: whom they ask, as whom, and what they believe.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bus::dial::Way;
use desk::{Against, Client, HubFile};
use trust::{Kind, Signed, Signer, Statement, Trust, statement};

use crate::context::Context;
use crate::fault::Refused;
use crate::keys::{self, SigningKey, SigningKeys};
use crate::output;

/// What of the hub's documents a technician keeps.
const KEPT: [Kind; 8] =
    [Kind::Root, Kind::Roster, Kind::Key, Kind::Revocation, Kind::Hub, Kind::Policy, Kind::Approval, Kind::Pause];

/// What is asked of the hub, and what is believed of it.
pub(crate) struct Desk {
    pub(crate) client: Client,
    pub(crate) trust: Trust,
    /// Where the key is that asks, and signs where no other is named.
    key: PathBuf,
    /// The same, opened.
    signer: Signer,
}

impl Desk {
    /// At the hub that was named with `remit hub use`, with all that it has of what this technician believes.
    pub(crate) async fn open(context: &Context) -> anyhow::Result<Self> {
        let file =
            HubFile::read(&context.state)?.context("no hub was named here: `remit hub use URL --authority DIGEST`")?;
        let trust = (*keys::root(context)?).clone();
        let (client, signer) = client(&file, context)?;
        let mut desk = Self { client, trust, key: file.key, signer };
        desk.sync(context).await?;
        Ok(desk)
    }

    /// Believes what the hub has and who may sign it signed.
    async fn sync(&mut self, context: &Context) -> anyhow::Result<()> {
        let folder = keys::folder(context)?;
        let synced = self.client.sync(&mut self.trust, &folder.digests(&KEPT)?).await?;
        for (taken, signed) in &synced.taken {
            folder.keep(taken, signed, &self.trust)?;
            output::say(&format!("the {} `{}` of the hub is believed", taken.kind, taken.subject));
        }
        for (digest, refusals) in &synced.refused {
            let why: Vec<String> = refusals.iter().map(keys::with_code).collect();
            output::say(&format!("note: the hub has {digest}, and it is not believed: {}", why.join("; ")));
        }
        Ok(())
    }

    /// Who signs: those who were named, or the one who asks. Each is asked for a passphrase here, and not again.
    pub(crate) fn signers(&self, keys: &SigningKeys, context: &Context) -> anyhow::Result<Vec<Signer>> {
        let one = |path: &PathBuf| match absolute(path)? == self.key {
            true => Ok(self.signer.clone()),
            false => SigningKey::of(path.clone(), context).signer(),
        };
        match keys.keys.as_slice() {
            [] => Ok(vec![self.signer.clone()]),
            keys => keys.iter().map(one).collect(),
        }
    }

    /// What was signed about a plugin here, for devices that do not have it.
    pub(crate) fn approvals_of(&self, plugin: model::Digest, context: &Context) -> anyhow::Result<Vec<Signed>> {
        let about = |signed: &Signed| crate::vouched::is_about(signed, plugin).unwrap_or_default();
        Ok(keys::folder(context)?.documents(Kind::Approval)?.into_iter().filter(about).collect())
    }
}

/// The hub of a file, asked with its key; and that.
pub(crate) fn client(file: &HubFile, context: &Context) -> anyhow::Result<(Client, Signer)> {
    let way = Way::new(&file.url, &file.authorities, None)?;
    let signer = SigningKey::of(file.key.clone(), context).signer()?;
    Ok((Client::new(way, signer.clone(), Arc::clone(&context.clock), Box::new(output::say))?, signer))
}

/// Shows a new statement, has it agreed to, and signs it with each of these keys.
pub(crate) fn sign<T: Statement>(
    body: &T,
    signers: &mut [Signer],
    is_agreed: bool,
    context: &Context,
) -> anyhow::Result<Signed> {
    let signed = Signed::new(statement::write(keys::now(context), body)?, Vec::new());
    sign_all(signed, signers, is_agreed)
}

/// The same for a statement that is written already.
pub(crate) fn sign_all(mut signed: Signed, signers: &mut [Signer], is_agreed: bool) -> anyhow::Result<Signed> {
    output::say(&String::from_utf8_lossy(signed.statement()));
    if !is_agreed {
        agree("Sign it?")?;
    }
    for key in signers {
        keys::sign_shown(&mut signed, key)?;
    }
    Ok(signed)
}

/// A person says yes. Who cannot be asked says so on the command line.
pub(crate) fn agree(question: &str) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked: `--yes` says that it is meant. Nothing was signed");
    }
    let terminal = console::Term::stderr();
    terminal.write_str(&format!("{question} Type `yes`: "))?;
    match terminal.read_line().context("standard input")?.trim() {
        "yes" => Ok(()),
        _ => bail!("nothing was signed"),
    }
}

/// Everything that speaks against an order, and what to do.
pub(crate) fn refused(against: &[Against], approve: &str) -> Refused {
    let reasons = against.iter().map(ToString::to_string).collect();
    let next = against.iter().any(Against::wants_approval).then(|| approve.to_owned());
    Refused { next, ..Refused::because(reasons) }
}

/// `90s`, `30m`, `4h` or `7d`, in seconds.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    let ms = agent::duration_ms(text)?;
    u32::try_from(ms / 1_000).map_err(|_| format!("`{text}` is too long"))
}

/// `2%`, in millionths.
pub(crate) fn share(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a share: expected `0%` to `100%`, such as `2%` or `0.5%`");
    let percent = text.strip_suffix('%').ok_or_else(wrong)?;
    let (whole, rest) = percent.split_once('.').unwrap_or((percent, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || rest.len() > 4 || !is_number(whole) || !is_number(rest) {
        return Err(wrong());
    }
    let parts = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    let ppm = parts(whole)? * 10_000 + parts(&format!("{rest:0<4}"))?;
    if ppm <= 1_000_000 { Ok(ppm) } else { Err(wrong()) }
}

/// A key as the file of a hub has it: found again from another folder.
pub(crate) fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{seconds, share};

    #[test]
    fn what_is_typed_is_a_share_or_a_time() {
        for (text, ppm) in [("0%", 0), ("2%", 20_000), ("0.5%", 5_000), ("100%", 1_000_000), ("12.3456%", 123_456)] {
            assert_eq!(share(text), Ok(ppm));
        }
        for wrong in ["2", "101%", "%", "-1%", "1.23456%", "1e1%", ".5%"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds("10m"), Ok(600));
        assert!(seconds("10").is_err() && seconds("99999999d").is_err());
    }
}
