//! Bytes become a plugin that may run, or do not.
//!
//! In go bytes from anywhere, out comes a [`Plugin`], which nothing else can make, or everything that is wrong with them. It
//! compiles nothing and runs nothing.

mod cache;
mod component;
mod pack;
pub mod script;

use std::fmt;
use std::sync::Arc;

use model::parameters::{self, BadParameters};
use model::{Digest, Manifest, Package, manifest, packages};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trust::statement::{self, Form};
use trust::{Approved, NotAName};

pub use cache::{Cache, CacheError, Entry};
pub use component::{Import, Need};
pub use pack::embed;
pub use script::Script;

/// The most bytes of a component: Python's come to 18 MB.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;

/// A component whose manifest was read, whose imports are declared in it, and whose origin is known. There is no other way
/// to get one than [`verify_local`].
#[derive(Clone)]
pub struct Plugin {
    label: Arc<Label>,
    digest: Digest,
    bytes: Arc<Vec<u8>>,
    trust: Trust,
}

/// What verifying comes to: the same for the same bytes and the same host.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Label {
    manifest: Manifest,
    imports: Vec<Import>,
    has_remediation: bool,
    /// The parameters of a run that is given none; absent where it must be given some.
    defaults: Option<Map<String, Value>>,
    /// What the host's script runtime runs, where it is no component of its own.
    script: Option<Script>,
    /// Of the section, as it lies in the file.
    manifest_digest: Digest,
    contract: Option<semver::Version>,
}

/// Who vouches for a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nobody: a local file that somebody runs by hand.
    Unsigned,
    /// Its publisher, and a reviewer who approved it for this.
    Approved(Arc<Approved>),
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("unsigned"),
            Self::Approved(it) => {
                let publisher = &it.plugin().publisher;
                write!(f, "signed by {publisher}, approved by {} in {}", it.reviewer(), it.approval())
            }
        }
    }
}

impl Plugin {
    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.label.manifest
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The component.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it imports of the contract, with the functions that it really uses.
    pub fn imports(&self) -> &[Import] {
        &self.label.imports
    }

    /// Whether it can put right what it finds.
    pub fn has_remediation(&self) -> bool {
        self.label.has_remediation
    }

    /// The parameters of a run that is given these: checked against the label's schema, defaults filled in.
    pub fn parameters(&self, given: Map<String, Value>) -> Result<Map<String, Value>, BadParameters> {
        match &self.label.defaults {
            // Reading a schema takes longer than starting a guest.
            Some(defaults) if given.is_empty() => Ok(defaults.clone()),
            _ => parameters::resolve(&self.manifest().parameters, given),
        }
    }

    /// All that it needs of its host's contract, what is linked for every plugin too.
    pub fn needs(&self) -> Vec<Need> {
        let shape = component::read(&self.bytes).ok();
        let of_script =
            |script: &Script| script.imports.iter().map(|it| Need { import: it.clone(), version: None }).collect();
        // It was read when the plugin was made.
        self.script().map(of_script).unwrap_or_else(|| shape.map(|shape| shape.needs).unwrap_or_default())
    }

    /// The packages that were linked into it, as its build listed them.
    pub fn packages(&self) -> Vec<Package> {
        let section = component::section(&self.bytes, packages::SECTION);
        // It was read when the plugin was made.
        section.and_then(|section| packages::from_section(section).ok()).unwrap_or_default()
    }

    /// What the host's script runtime runs, where it is no component of its own.
    pub fn script(&self) -> Option<&Script> {
        self.label.script.as_ref()
    }

    /// Who vouches for it.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// What its publisher signs, and a host compares with what was signed.
    pub fn statement(&self) -> Result<statement::Plugin, NotAName> {
        let about = &self.manifest().plugin;
        Ok(statement::Plugin {
            form: if self.script().is_some() { Form::Script } else { Form::Component },
            publisher: about.publisher.parse()?,
            name: about.name.parse()?,
            version: about.version.clone(),
            digest: self.digest,
            size_bytes: self.bytes.len() as u64,
            manifest: self.label.manifest_digest,
            contract: self.label.contract.clone(),
        })
    }

    /// The same plugin, with those who vouch for it; none where it is another one that was approved.
    pub fn approved(self, approved: Approved) -> Option<Self> {
        let is_it = approved.plugin().digest == self.digest;
        is_it.then(|| Self { trust: Trust::Approved(Arc::new(approved)), ..self })
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = &self.manifest().plugin;
        write!(f, "Plugin({} {} {})", about.name, about.version, self.digest)
    }
}

/// Why bytes are no plugin: everything at once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too large to look at.
    #[error("the file has {0} bytes or more: a component has at most {COMPONENT_BYTES_MAX}")]
    TooLarge(usize),
    /// Too much to be read.
    #[error("its types, imports, tables and modules come to {0} bytes: at most {most} are read", most = component::PARTS_BYTES_MAX)]
    TooManyParts(usize),
    /// Not a WebAssembly component, or an invalid one.
    #[error("not a valid WebAssembly component")]
    Component(#[source] wasmparser::BinaryReaderError),
    /// There is no manifest in it.
    #[error("the component has no manifest (custom section `{}`): build it with `remit build`", manifest::SECTION)]
    NoManifest,
    /// It says that it is a script, and is none.
    #[error("not a valid script (custom section `remit:script`): {0}")]
    Script(String),
    /// There are two of what there is one of.
    #[error("it has two custom sections `{0}`: which of them holds?")]
    Twice(&'static str),
    /// The list of what was linked is wrong.
    #[error("the list of its packages is wrong (custom section `{}`): {problem}", packages::SECTION)]
    Packages {
        /// What is wrong.
        problem: String,
    },
    /// The manifest is wrong.
    #[error("the manifest is wrong")]
    Manifest(#[source] manifest::BadManifest),
    /// The component does not fit this host or its own manifest.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Misfit(Vec<Misfit>),
}

/// One way in which a component does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It uses an interface that its manifest does not declare.
    #[error("it imports `{interface}` ({}), which its manifest does not declare", functions.join(", "))]
    Undeclared {
        /// The interface.
        interface: String,
        /// The functions that it uses.
        functions: Vec<String>,
    },
    /// It imports something that no host gives.
    #[error(
        "it imports `{0}`, which no host gives: a plugin reaches what msp:automation has, and WASI 0.2, which gives nothing"
    )]
    Unknown(String),
    /// It imports an interface that this version of the contract does not have.
    #[error(
        "it imports `{name}` ({}), an interface that msp:automation@{} does not have: {}",
        functions.join(", "), contract::VERSION, component::NEWER
    )]
    NoInterface {
        /// The import.
        name: String,
        /// The functions that it uses.
        functions: Vec<String>,
    },
    /// It imports functions that an interface does not have in this version of the contract.
    #[error(
        "it imports {} of `{name}`, which msp:automation@{} does not have there: {}",
        functions.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", "), contract::VERSION, component::NEWER
    )]
    NoFunction {
        /// The import.
        name: String,
        /// What is not there.
        functions: Vec<String>,
    },
    /// It was built for another contract.
    #[error("it {way} `{name}`, this host speaks msp:automation@{}: {advice}", contract::VERSION)]
    Version {
        /// Whether it imports or exports it.
        way: &'static str,
        /// The import or export.
        name: String,
        /// What to do.
        advice: &'static str,
    },
    /// It lacks what every plugin has.
    #[error("it does not export `msp:automation/detection`")]
    NoDetection,
    /// This host is too old for it.
    #[error("it wants at least remit {wanted}, this is {}", env!("CARGO_PKG_VERSION"))]
    MinimumHost {
        /// What it wants.
        wanted: semver::Version,
    },
}

/// A plugin out of a local file, for a run by hand. Nobody vouches for it, and its record will say so.
///
/// What the bytes come to is kept in the cache, where there is one, and read there the next time: by the digest of these very
/// bytes.
pub fn verify_local(bytes: Vec<u8>, cache: Option<&Cache>) -> Result<Plugin, Error> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(Error::TooLarge(bytes.len()));
    }
    let digest = Digest::of(&bytes);
    // Whatever else decides about a label is this host's version and its contract's.
    let name = format!("{}-{}-{}.label", digest.hex(), env!("CARGO_PKG_VERSION"), contract::VERSION);
    let kept = cache.and_then(|cache| cache.read(&name));
    let label = match kept.and_then(|kept| serde_json::from_slice(&kept).ok()) {
        Some(label) => label,
        None => {
            let label = verify(&bytes)?;
            if let (Some(cache), Ok(text)) = (cache, serde_json::to_vec(&label)) {
                // Where it cannot be kept, it is worked out again.
                let _ = cache.write(&name, &text);
            }
            label
        }
    };
    Ok(Plugin { label: Arc::new(label), digest, trust: Trust::Unsigned, bytes: Arc::new(bytes) })
}

fn verify(bytes: &[u8]) -> Result<Label, Error> {
    let parts = component::parts_bytes(bytes).map_err(Error::Component)?;
    if parts > component::PARTS_BYTES_MAX {
        return Err(Error::TooManyParts(parts));
    }
    let mut shape = component::read(bytes).map_err(Error::Component)?;
    let script = script::read(bytes)?;
    if let Some(script) = &script {
        shape.be(script);
    }
    if let Some(name) = shape.twice {
        return Err(Error::Twice(name));
    }
    packages::from_section(shape.packages.unwrap_or(b"[]")).map_err(|problem| Error::Packages { problem })?;
    let section = shape.manifest.ok_or(Error::NoManifest)?;
    let manifest = Manifest::from_section(section).map_err(Error::Manifest)?;
    let misfits = component::misfits(&shape, &manifest);
    if !misfits.is_empty() {
        return Err(Error::Misfit(misfits));
    }
    let defaults = parameters::resolve(&manifest.parameters, Map::new()).ok();
    Ok(Label {
        manifest_digest: Digest::of(section),
        contract: shape.contract.take(),
        manifest,
        imports: shape.imports,
        has_remediation: shape.has_remediation,
        defaults,
        script,
    })
}

/// The imports of a component that may not have a manifest yet: what `remit build` compares with `plugin.toml`.
pub fn check_against(bytes: &[u8], manifest: &Manifest) -> Result<Vec<Misfit>, Error> {
    let shape = component::read(bytes).map_err(Error::Component)?;
    Ok(component::misfits(&shape, manifest))
}
