//! Script runtimes that recorded runs of this host stand on: after an update, their records replay all the same.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use model::Digest;

use crate::context::Context;
use store::whole;

fn file(context: &Context, digest: Digest) -> PathBuf {
    context.state.join("script-runtimes").join(format!("{}.wasm", digest.hex()))
}

/// Keeps this host's own: 1.6 MB, once.
pub(crate) fn keep(context: &Context) -> anyhow::Result<()> {
    let file = file(context, *script::DIGEST);
    if file.exists() {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    whole::write(&file, script::COMPONENT).with_context(|| format!("{}", file.display()))
}

/// One that was kept. It is what its digest names: whoever changed it changed what a replay would show.
pub(crate) fn read(context: &Context, digest: Digest) -> anyhow::Result<Vec<u8>> {
    let file = file(context, digest);
    let bytes = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
    if Digest::of(&bytes) != digest {
        bail!("{} is not what its name says", file.display());
    }
    Ok(bytes)
}
