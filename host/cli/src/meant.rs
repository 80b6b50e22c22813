//! What a person means by PLUGIN: a file, what is installed under a name, or what lies elsewhere.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use artifact::Plugin;
use clap::builder::{OsStringValueParser, TypedValueParser};
use distribution::{Package, Source};
use model::manifest;
use semver::Version;
use trust::Trust;

use crate::context::Context;
use crate::installed::{self, Plugins, Wanted};
use crate::output::say;
use crate::vouched::Statements;
use crate::{keys, source};

/// Not yet looked for.
#[derive(Clone, Debug)]
pub(crate) enum Meant {
    /// A built plugin, a script, or a folder with source.
    Path(PathBuf),
    /// `NAME` or `NAME@VERSION`, of what is installed.
    Installed(String),
    /// A registry, an address or an archive.
    Elsewhere(Source),
}

/// What was found, unverified but for its bytes.
pub(crate) struct Found {
    pub(crate) plugin: Plugin,
    pub(crate) statements: Statements,
    /// Where its author's files may lie.
    pub(crate) path: PathBuf,
    pub(crate) origin: Origin,
}

/// Whose it is.
pub(crate) enum Origin {
    /// Of whoever runs it by hand.
    File,
    /// Installed: it runs as it was approved, and not by hand. With what this machine believes, none where no root is pinned.
    Installed(Option<Arc<Trust>>),
}

impl Origin {
    /// What this machine believes, read once.
    pub(crate) fn believed(self, context: &Context) -> anyhow::Result<Option<Arc<Trust>>> {
        match self {
            Self::File => keys::believed(context),
            Self::Installed(trust) => Ok(trust),
        }
    }

    pub(crate) fn is_installed(&self) -> bool {
        matches!(self, Self::Installed(_))
    }
}

/// For clap: a file's name need not be text.
pub(crate) fn parser() -> impl TypedValueParser<Value = Meant> {
    OsStringValueParser::new().map(Meant::of)
}

impl Meant {
    fn of(text: OsString) -> Self {
        let source = text.to_str().and_then(|text| text.parse::<Source>().ok());
        match (source, text.to_str()) {
            (Some(archive @ Source::Archive(_)), _) => Self::Elsewhere(archive),
            _ if Path::new(&text).exists() => Self::Path(text.into()),
            (_, Some(name)) if is_name(name) => Self::Installed(name.to_owned()),
            (Some(elsewhere @ (Source::Oci(_) | Source::Url(_))), _) => Self::Elsewhere(elsewhere),
            _ => Self::Path(text.into()),
        }
    }

    /// Loads it, to be looked at or to be run.
    pub(crate) async fn load(&self, wanted: &Wanted<'_>, context: &Context) -> anyhow::Result<Found> {
        match self {
            Self::Path(path) => {
                self.tell_of_other(path, context);
                let plugin = source::load(path, context.cache().ok().as_ref()).await?;
                Ok(Found { plugin, statements: Statements::beside(path)?, path: path.clone(), origin: Origin::File })
            }
            Self::Installed(name) => {
                let plugins = Plugins::open(keys::believed(context)?, context)?;
                let kept = plugins.meant(name, wanted, context)?;
                let (path, origin) = (PathBuf::from(name), Origin::Installed(plugins.trust));
                Ok(Found { plugin: kept.plugin, statements: kept.statements, path, origin })
            }
            Self::Elsewhere(source) => bail!("{source} is not on this machine: `remit plugin install {source}` first"),
        }
    }

    /// With everything beside it, to be sent on.
    pub(crate) fn read(&self, context: &Context) -> anyhow::Result<(Plugin, Package)> {
        match self {
            Self::Path(path) => {
                if path.is_dir() || script::is_script(path) {
                    bail!("{}: what travels is built: `remit build` says which file it wrote", path.display());
                }
                let package = distribution::read_file(path)?;
                Ok((package_s_plugin(&package, &path.display().to_string())?, package))
            }
            Self::Installed(name) => {
                let plugins = Plugins::open(keys::believed(context)?, context)?;
                let kept = plugins.meant(name, &Wanted::to_look(), context)?;
                Ok((kept.plugin, plugins.folder.load(&kept.entry)?))
            }
            Self::Elsewhere(source) => bail!("{source} is not on this machine: `remit plugin install {source}` first"),
        }
    }

    /// A file goes before what is installed; who thinks of the other is told.
    fn tell_of_other(&self, path: &Path, context: &Context) {
        let name = path.to_str().filter(|name| is_name(name));
        let others = name.and_then(|name| installed::folder(context).ok()?.find_all(name).ok());
        if let Some(other) = others.unwrap_or_default().last() {
            let (name, version) = (&other.name, &other.version);
            say(&format!("note: `{name}` here is meant, and not {name}@{version}, which is installed"));
        }
    }
}

/// What came has a label, or it is no plugin.
pub(crate) fn package_s_plugin(package: &Package, from: &str) -> anyhow::Result<Plugin> {
    use anyhow::Context as _;
    artifact::verify_local(package.component.clone(), None).with_context(|| from.to_owned())
}

/// `NAME` or `NAME@VERSION`: no file is called so unless somebody means to.
pub(crate) fn is_name(text: &str) -> bool {
    let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
    manifest::is_name(name) && version.is_none_or(|it| it.parse::<Version>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_file_a_name_or_elsewhere() {
        for (text, kind) in [
            ("disk-space", "installed"),
            ("disk-space@1.2.3", "installed"),
            ("disk-space@1", "path"),
            (&"a".repeat(64), "installed"),
            (&"a".repeat(65), "path"),
            ("disk-space.wasm", "path"),
            ("./disk-space", "path"),
            ("plugins/disk-space", "path"),
            ("look.js", "path"),
            // There is a folder of that name where tests of this crate run.
            ("src", "path"),
            ("a.example/disk-space:1.2.3", "elsewhere"),
            ("https://a.example/disk-space.wasm", "elsewhere"),
            ("site.tar", "elsewhere"),
        ] {
            let found = match Meant::of(text.into()) {
                Meant::Path(path) if path == Path::new(text) => "path",
                Meant::Installed(name) if name == text => "installed",
                Meant::Elsewhere(_) => "elsewhere",
                other => panic!("{text}: {other:?}"),
            };
            assert_eq!(found, kind, "{text}");
        }
    }
}
