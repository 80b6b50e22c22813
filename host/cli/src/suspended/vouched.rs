//! Who vouched for the plugin of a suspended run: asked again before it goes on, because days may have passed.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use artifact::Plugin;
use model::{RunId, Started};
use serde::{Deserialize, Serialize};
use store::whole;

use crate::context::Context;
use crate::fault::Refused;
use crate::keys;
use crate::vouched::{Device, Statements};

/// What the question is asked with.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    device: Device,
    statements: Vec<String>,
}

pub(super) fn file(folder: &Path, run: RunId) -> PathBuf {
    folder.join(format!("{run}.vouched"))
}

pub(super) fn leave(folder: &Path, run: RunId, statements: &Statements, device: &Device) -> anyhow::Result<()> {
    let kept = Kept { device: device.clone(), statements: statements.to_texts() };
    let file = file(folder, run);
    whole::write(&file, &serde_json::to_vec(&kept)?).with_context(|| format!("{}", file.display()))
}

/// What it was granted then is what it needs now.
pub(super) fn ask(
    folder: &Path,
    run: RunId,
    plugin: Plugin,
    started: &Started,
    context: &Context,
) -> anyhow::Result<Result<Plugin, Refused>> {
    let because = |reason: &str| Ok(Err(Refused::because(vec![reason.to_owned()])));
    let Ok(bytes) = std::fs::read(file(folder, run)) else {
        return because("what was signed about its plugin is no longer there");
    };
    let kept: Kept = serde_json::from_slice(&bytes).context("what was signed about its plugin")?;
    let Some(trust) = keys::believed(context)? else { return because("this machine no longer pins a root (no-root)") };
    let statements = Statements::from_texts(&kept.statements)?;
    let about = (&plugin, &statements);
    let decision = kept.device.decide(about, &started.grants, started.mode, &trust, context)?;
    match decision.approved.clone() {
        None => Ok(Err(keys::refused(decision.refusals()))),
        Some(approved) => Ok(Ok(plugin.approved(approved).context("another plugin was approved")?)),
    }
}
