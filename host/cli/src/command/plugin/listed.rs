//! What a name means in the indexes that this machine knows.

use anyhow::{Context as _, bail};
use distribution::Source;
use model::Digest;
use semver::Version;
use trust::Trust;
use trust::statement::{Listed, Release};

use crate::context::Context;
use crate::keys;

/// Where an index says that `NAME` or `NAME@VERSION` is, and what it says is there.
pub(super) fn find(text: &str, context: &Context) -> anyhow::Result<(Source, Digest)> {
    let trust = keys::believed_with_indexes(context)?;
    let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
    let version: Option<Version> = version.map(str::parse).transpose()?;
    let mut found = offered(trust.as_ref(), name, version.as_ref(), context);
    found.dedup_by_key(|(_, release)| release.digest);
    match found.as_slice() {
        [] => bail!(
            "`{text}` is offered by no index that this machine knows; `remit plugin search --index https://…` takes one"
        ),
        [(_, release)] => Ok((release.source.parse().with_context(|| text.to_owned())?, release.digest)),
        several => {
            let line = |(listed, release): &(&Listed, &Release)| format!("{} by {}", release.source, listed.publisher);
            let lines: Vec<String> = several.iter().map(line).collect();
            bail!("`{text}` is offered more than once: name one of\n{}", lines.join("\n"))
        }
    }
}

fn offered<'a>(
    trust: Option<&'a Trust>,
    name: &str,
    version: Option<&Version>,
    context: &Context,
) -> Vec<(&'a Listed, &'a Release)> {
    let listed = trust.into_iter().flat_map(|trust| trust.indexes(keys::now(context))).flat_map(|it| &it.plugins);
    let listed = listed.filter(|it| it.name.as_str() == name);
    listed.filter_map(|it| Some((it, it.release(version)?))).collect()
}
