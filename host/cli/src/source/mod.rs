//! What a person means by PLUGIN: a file that was built, or a folder with its source, which is built first.

mod dist_info;
mod javascript;
mod label;
mod python;
mod rust;
mod stage;
mod tool;
mod world;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use artifact::{Cache, Misfit, Plugin};
use model::{Manifest, Package};
use store::whole;

use label::Label;

use crate::fault::Refused;

/// Loads a plugin, and verifies it, unless the cache knows it. A folder is built first, if it has changed; a script is packed.
pub(crate) async fn load(path: &Path, cache: Option<&Cache>) -> anyhow::Result<Plugin> {
    if script::is_script(path) {
        return artifact::verify_local(pack(path)?, cache).map_err(|error| refused(error, None, path));
    }
    let (file, manifest) = match path.is_dir() {
        true => (build(path).await?, Some(path.join("plugin.toml"))),
        false => (path.to_owned(), None),
    };
    let bytes = read_bounded(&file).with_context(|| format!("{}", file.display()))?;
    artifact::verify_local(bytes, cache).map_err(|error| refused(error, manifest.as_deref(), &file))
}

/// A file of which no more is read than tells that it is too large: some have no end.
fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    let most = u64::try_from(artifact::COMPONENT_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(file)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A script as a plugin's bytes.
pub(crate) fn pack(path: &Path) -> anyhow::Result<Vec<u8>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    script::pack(&name, &text).map_err(|wrong| Refused::from(wrong).into())
}

/// Packs a script, and writes it beside its source.
pub(crate) fn build_script(path: &Path) -> anyhow::Result<PathBuf> {
    let file = path.with_extension("wasm");
    whole::write(&file, &pack(path)?).with_context(|| format!("{}", file.display()))?;
    Ok(file)
}

fn refused(error: artifact::Error, manifest: Option<&Path>, file: &Path) -> anyhow::Error {
    match error {
        artifact::Error::Misfit(misfits) => {
            Refused::because(misfits.iter().map(|misfit| explain(misfit, manifest)).collect()).into()
        }
        other => anyhow::Error::new(other).context(format!("{}", file.display())),
    }
}

/// A misfit with the line that would mend it.
fn explain(misfit: &Misfit, manifest: Option<&Path>) -> String {
    match (misfit, manifest) {
        (Misfit::Undeclared { interface, .. }, Some(path)) => format!("{misfit}; {}", label::to_add(interface, path)),
        _ => misfit.to_string(),
    }
}

/// The shim that is built into a plugin in another language than Rust.
fn shim() -> Package {
    Package::new("remit-sdk", env!("CARGO_PKG_VERSION"), Some(env!("CARGO_PKG_LICENSE")))
}

pub(crate) fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// What a plugin's folder is written in, by the file that its package manager knows it by.
enum Language {
    Rust,
    JavaScript,
    Python,
}

impl Language {
    fn of(folder: &Path) -> anyhow::Result<Self> {
        let all = [("Cargo.toml", Self::Rust), ("package.json", Self::JavaScript), ("pyproject.toml", Self::Python)];
        let found = all.into_iter().find(|(file, _)| folder.join(file).is_file()).map(|(_, language)| language);
        found.with_context(|| {
            format!("{}: a plugin's folder has a Cargo.toml, a package.json or a pyproject.toml", folder.display())
        })
    }
}

/// Builds a source folder, embeds its manifest, and gives the file.
pub(crate) async fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let toml = folder.join("plugin.toml");
    let text = label::text(&toml)?;
    let (bytes, packages, manifest, target) = match Language::of(folder)? {
        Language::Rust => {
            let built = rust::compile(folder)?;
            let component = &built.component;
            let bytes = std::fs::read(component).with_context(|| format!("{}", component.display()))?;
            let schema = runtime::parameters_schema(&bytes).await.context("the plugin's parameters")?;
            let manifest = Manifest::from_toml(&text, schema).with_context(|| format!("{}", toml.display()))?;
            (bytes, built.packages, manifest, built.target.join("remit"))
        }
        language @ (Language::JavaScript | Language::Python) => {
            let label = Label::read(folder)?;
            let _lock = tool::lock(&folder.join(".remit"))?;
            let (bytes, packages) = match language {
                Language::Python => python::build(folder, &label)?,
                _ => javascript::build(folder, &label)?,
            };
            (bytes, packages, label.manifest, folder.join("dist"))
        }
    };
    let misfits = artifact::check_against(&bytes, &manifest)?;
    if !misfits.is_empty() {
        let reasons = misfits.iter().map(|misfit| explain(misfit, Some(&toml))).collect();
        return Err(Refused::because(reasons).into());
    }
    let file = target.join(format!("{}.wasm", manifest.plugin.name));
    std::fs::create_dir_all(&target).with_context(|| format!("{}", target.display()))?;
    whole::write(&file, &artifact::embed(bytes, &manifest, &packages))
        .with_context(|| format!("{}", file.display()))?;
    Ok(file)
}
