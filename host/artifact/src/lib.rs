//! Bytes become a plugin that may run, or do not.
//!
//! In go bytes from anywhere, out comes a [`Plugin`], which nothing else can make, or everything that is wrong with them. It
//! compiles nothing and runs nothing.

mod component;
mod pack;

use std::fmt;
use std::sync::Arc;

use model::{Digest, Manifest, manifest};

pub use component::Import;
pub use pack::embed;

/// The most bytes of a component: Python's come to 18 MB.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;

/// A component whose manifest was read, whose imports are declared in it, and whose origin is known. There is no other way
/// to get one than [`verify_local`].
#[derive(Clone)]
pub struct Plugin {
    manifest: Manifest,
    digest: Digest,
    bytes: Arc<[u8]>,
    imports: Vec<Import>,
    has_remediation: bool,
    trust: Trust,
}

/// Who vouches for a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nobody: a local file that somebody runs by hand.
    Unsigned,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("unsigned"),
        }
    }
}

impl Plugin {
    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The component.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// What it imports of the contract, with the functions that it really uses.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// Whether it can put right what it finds.
    pub fn has_remediation(&self) -> bool {
        self.has_remediation
    }

    /// Who vouches for it.
    pub fn trust(&self) -> Trust {
        self.trust
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({} {} {})", self.manifest.plugin.name, self.manifest.plugin.version, self.digest)
    }
}

/// Why bytes are no plugin: everything at once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too large to look at.
    #[error("the file has {0} bytes: a component has at most {COMPONENT_BYTES_MAX}")]
    TooLarge(usize),
    /// Not a WebAssembly component, or an invalid one.
    #[error("not a valid WebAssembly component")]
    Component(#[source] wasmparser::BinaryReaderError),
    /// There is no manifest in it.
    #[error("the component has no manifest (custom section `{}`): build it with `remit build`", manifest::SECTION)]
    NoManifest,
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
    #[error("it imports `{0}`, which this host does not have")]
    Unknown(String),
    /// It was built for another contract.
    #[error("it imports `{name}`, this host speaks msp:automation@{}: {advice}", contract::VERSION)]
    Version {
        /// The import.
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
pub fn verify_local(bytes: Vec<u8>) -> Result<Plugin, Error> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(Error::TooLarge(bytes.len()));
    }
    let shape = component::read(&bytes).map_err(Error::Component)?;
    let section = shape.manifest.as_deref().ok_or(Error::NoManifest)?;
    let manifest = Manifest::from_section(section).map_err(Error::Manifest)?;
    let misfits = component::misfits(&shape, &manifest);
    if !misfits.is_empty() {
        return Err(Error::Misfit(misfits));
    }
    Ok(Plugin {
        manifest,
        digest: Digest::of(&bytes),
        imports: shape.imports,
        has_remediation: shape.has_remediation,
        trust: Trust::Unsigned,
        bytes: bytes.into(),
    })
}

/// The imports of a component that may not have a manifest yet: what `remit build` compares with `plugin.toml`.
pub fn check_against(bytes: &[u8], manifest: &Manifest) -> Result<Vec<Misfit>, Error> {
    let shape = component::read(bytes).map_err(Error::Component)?;
    Ok(component::misfits(&shape, manifest))
}
