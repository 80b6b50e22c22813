//! A release is laid beside what runs: verified against what this device believes, unpacked, and compared with what was signed.

use std::fmt;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};
use store::whole;
use trust::statement::Order;
use trust::{Kind, Name, Refusal, Released, Running, Signed, Time, Trust};

use super::place::{PROGRAM, Place, RELEASE};
use crate::stamp;

/// What is unpacked at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Why a release is not there.
#[derive(Debug)]
pub(in crate::agent) enum Missing {
    /// Nothing was laid down for it.
    NotHere,
    /// It cannot take the place of what runs, whatever comes.
    Refused(Vec<Refusal>),
}

/// Why what came is not laid down.
#[derive(Debug)]
pub(in crate::agent) struct Refusals(pub(in crate::agent) Vec<Refusal>);

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(crate::keys::with_code).collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for Refusals {}

/// Who released what an order wants, where that lies here, whole, and may take the place of what runs.
pub(in crate::agent) fn staged(order: &Order, client: &Name, trust: &Trust, now: Time) -> Result<Name, Missing> {
    let folder = Place::default().folder_of(&order.plugin.version);
    let signed = std::fs::read(folder.join(RELEASE)).ok().and_then(|text| Signed::from_text(&text).ok());
    let signed = signed.ok_or(Missing::NotHere)?;
    let wanted = order.upgrade.as_ref().map(|it| it.release);
    if wanted != Some(model::Digest::of(signed.statement())) {
        // Another release of this version was laid down before.
        return Err(Missing::NotHere);
    }
    let released = believed(&signed, order, client, trust, now).map_err(Missing::Refused)?;
    match digest_of(&folder.join(PROGRAM)) {
        Ok(found) if found == released.release().digest => Ok(released.by().clone()),
        _ => Err(Missing::NotHere),
    }
}

fn believed(signed: &Signed, order: &Order, client: &Name, trust: &Trust, now: Time) -> Result<Released, Vec<Refusal>> {
    let released = trust.released(signed, now)?;
    let own = stamp::own().map_err(|error| vec![Refusal::WrongContent { problem: format!("{error:#}") }])?;
    let running = Running { version: &own.version, target: &stamp::target(), state: own.state, client };
    match released.against(order, &running) {
        refusals if refusals.is_empty() => Ok(released),
        refusals => Err(refusals),
    }
}

/// Lays down what came for an order: a packed program, and what was signed about it.
pub(in crate::agent) fn stage(
    order: &Order,
    packed: &[u8],
    signed: &[Signed],
    client: &Name,
    trust: &Trust,
    now: Time,
) -> anyhow::Result<()> {
    let release = signed.iter().find(|it| it.kind() == Ok(Kind::Release)).context("no release came with it")?;
    let released = believed(release, order, client, trust, now).map_err(Refusals)?;
    let folder = Place::default().folder_of(&order.plugin.version);
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    unpack(packed, &folder.join(PROGRAM), &released).with_context(|| format!("{}", folder.display()))?;
    let path = folder.join(RELEASE);
    whole::write(&path, &release.to_text()).with_context(|| format!("{}", path.display()))?;
    tracing::info!(version = %order.plugin.version, by = %released.by(), "a release lies here");
    Ok(())
}

/// Writes the program, whole or not at all. What is packed is believed in nothing: it ends where the release says.
fn unpack(packed: &[u8], path: &Path, released: &Released) -> anyhow::Result<()> {
    let release = released.release();
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).open(&unfinished)?;
    let mut unpacked = GzDecoder::new(packed).take(release.size_bytes + 1);
    let (found, bytes) =
        hashed(&mut unpacked, |chunk| file.write_all(chunk)).context("what came is not packed as it should be")?;
    if bytes != release.size_bytes || found != release.digest {
        let _ = std::fs::remove_file(&unfinished);
        return Err(Refusals(vec![Refusal::OtherBytes { found, wanted: release.digest }]).into());
    }
    file.set_permissions(Permissions::from_mode(0o755))?;
    file.sync_all()?;
    store::fail::point("upgrade.before-program");
    std::fs::rename(&unfinished, path)?;
    store::fail::point("upgrade.after-program");
    let Some(folder) = path.parent() else { bail!("it has no folder") };
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn digest_of(path: &Path) -> std::io::Result<model::Digest> {
    Ok(hashed(&mut File::open(path)?, |_| Ok(()))?.0)
}

/// The digest of what is read, and how many bytes that is; each piece is handed on.
fn hashed(
    from: &mut impl Read,
    mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<(model::Digest, u64)> {
    let (mut hash, mut chunk, mut bytes) = (Sha256::new(), vec![0; CHUNK_BYTES], 0_u64);
    loop {
        let read = from.read(&mut chunk)?;
        let Some(read) = chunk.get(..read).filter(|it| !it.is_empty()) else { break };
        hash.update(read);
        each(read)?;
        bytes += u64::try_from(read.len()).unwrap_or(u64::MAX);
    }
    Ok((model::Digest::from(<[u8; 32]>::from(hash.finalize())), bytes))
}
