//! What a device that joined a hub keeps of it on its disk: its own key, and where the hub is.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use model::Digest;
use serde::{Deserialize, Serialize};
use trust::{Signer, Trust};
use url::Url;
use zeroize::Zeroizing;

use super::identity::Identity;
use crate::context::Context;

/// The form of what is written.
const FORMAT: u32 = 1;

/// Where the hub is, as the token and whoever joined said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Joined {
    format: u32,
    pub(crate) address: String,
    /// The digest of the certificate of its authority.
    pub(crate) authority: Digest,
    /// The MSP's root, which was pinned.
    pub(crate) root: Digest,
    /// Which machine it was.
    pub(crate) machine: Identity,
}

impl Joined {
    pub(crate) fn new(address: &Url, authority: Digest, root: Digest, machine: Identity) -> Self {
        Self { format: FORMAT, address: address.to_string(), authority, root, machine }
    }

    /// What was kept; none where this device joined no hub.
    pub(crate) fn read(context: &Context) -> anyhow::Result<Option<Self>> {
        let path = file(context);
        let shown = || format!("{}", path.display());
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(shown)?,
        };
        let joined: Self = serde_json::from_slice(&text).with_context(shown)?;
        match joined.format {
            FORMAT => Ok(Some(joined)),
            other => bail!("{} has format {other}, this remit reads {FORMAT}: update remit", path.display()),
        }
    }

    /// Keeps it. Durable when it returns.
    pub(crate) fn keep(&self, context: &Context) -> anyhow::Result<()> {
        let path = file(context);
        store::whole::write(&path, &serde_json::to_vec_pretty(self)?).with_context(|| format!("{}", path.display()))
    }

    /// The device belongs to no hub any more; whether it did. Its key and the root stay: what it told before is of the same device.
    pub(crate) fn forget(context: &Context) -> anyhow::Result<bool> {
        let path = file(context);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true).with_context(|| format!("{}", path.display())),
        }
    }

    /// Where to call, and whose certificates to take: what the root's keys signed since, before what the token said.
    pub(crate) fn ways(&self, trust: &Trust) -> (Vec<String>, Vec<Digest>) {
        let (mut addresses, mut authorities) = (Vec::new(), Vec::new());
        if let Some(hub) = trust.hub() {
            addresses.extend(hub.addresses.iter().cloned());
            authorities.extend(hub.authorities.iter().copied());
        }
        if addresses.is_empty() {
            addresses.push(self.address.clone());
        }
        if authorities.is_empty() {
            authorities.push(self.authority);
        }
        (addresses, authorities)
    }
}

fn file(context: &Context) -> PathBuf {
    context.state.join("hub.json")
}

fn key_file(context: &Context) -> PathBuf {
    context.state.join("device.key")
}

/// The device's key; none where it never joined.
pub(crate) fn device_key(context: &Context) -> anyhow::Result<Option<Signer>> {
    let path = key_file(context);
    if !path.exists() {
        return Ok(None);
    }
    // Whoever reads it is this device.
    super::config::private_file(&path)?;
    let none = || Ok(Zeroizing::new(String::new()));
    Ok(Some(Signer::from_file(&path, none)?))
}

/// The same, made where there is none: by chance alone, and durable before it is used.
pub(crate) fn make_device_key(context: &Context) -> anyhow::Result<Signer> {
    if let Some(signer) = device_key(context)? {
        return Ok(signer);
    }
    let path = key_file(context);
    store::make_private_folder(&context.state).with_context(|| format!("{}", context.state.display()))?;
    let seed = Zeroizing::new(rand::random::<[u8; 32]>());
    let signer = Signer::from_seed(&seed);
    let text = signer.to_openssh()?.context("a key that was just made is in memory")?;
    store::whole::write_private(&path, text.as_bytes()).with_context(|| format!("{}", path.display()))?;
    Ok(signer)
}

/// Takes the device's key away: what joins next is another device. Whoever has a copy of it still has it, which `remit revoke` ends.
pub(crate) fn forget_device_key(context: &Context) -> anyhow::Result<()> {
    let path = key_file(context);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| format!("{}", path.display())),
    }
}
