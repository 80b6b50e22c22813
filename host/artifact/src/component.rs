use model::{Manifest, capability, manifest};
use semver::Version;
use serde::{Deserialize, Serialize};
use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::Types;
use wasmparser::{BinaryReaderError, Parser, Payload, ValidPayload, Validator};

use crate::{Misfit, Script};

/// The contract's package, as imports name it.
const PACKAGE: &str = "msp:automation/";
/// Linked for every plugin.
const AMBIENT: [&str; 2] = ["types", "run"];

/// An interface of the contract that a component imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The interface.
    pub interface: String,
    /// The functions that it really uses, in the order of its imports.
    pub functions: Vec<String>,
}

/// What can be seen of a component without compiling it.
pub(crate) struct Shape {
    pub(crate) manifest: Option<Vec<u8>>,
    pub(crate) imports: Vec<Import>,
    pub(crate) has_remediation: bool,
    /// The highest version of the contract that an import or export names; none where none does.
    pub(crate) contract: Option<Version>,
    has_detection: bool,
    /// Full names of what the contract does not have in the version of this host.
    strange: Vec<Misfit>,
}

/// Reads what a component is made of. All of it is validated but the bodies of functions, which nothing here stands on: they are
/// where they are compiled, and what is loaded was compiled.
pub(crate) fn read(bytes: &[u8]) -> Result<Shape, BinaryReaderError> {
    let mut validator = Validator::new();
    let mut types = None;
    let mut imports = Vec::new();
    let mut shape = Shape {
        manifest: None,
        imports: Vec::new(),
        has_remediation: false,
        contract: None,
        has_detection: false,
        strange: Vec::new(),
    };
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let ValidPayload::End(ended) = validator.payload(&payload)? {
            types = Some(ended);
        }
        match payload {
            Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == manifest::SECTION => {
                shape.manifest = Some(section.data().to_vec());
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let name = export?.name.name;
                    shape.note_version(name);
                    shape.has_detection |= is_export(name, "detection");
                    shape.has_remediation |= is_export(name, "remediation");
                }
            }
            _ => {}
        }
    }
    // The last that ended is the component itself.
    for name in imports {
        shape.add_import(name, types.as_ref());
    }
    Ok(shape)
}

fn is_export(name: &str, interface: &str) -> bool {
    contract_name(name).is_some_and(|(found, _)| found == interface)
}

/// The interface and version of `msp:automation/<interface>@<version>`.
fn contract_name(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.split_once('@')
}

impl Shape {
    /// The shape of a script's component is the script's.
    pub(crate) fn be(&mut self, script: &Script) {
        let known = |import: &Import| capability::interface(&import.interface).is_some();
        self.imports = script.imports.iter().filter(|import| known(import)).cloned().collect();
        let unknown = script.imports.iter().filter(|import| !known(import));
        self.strange.extend(unknown.map(|import| Misfit::Unknown(format!("{PACKAGE}{}", import.interface))));
        (self.has_detection, self.has_remediation) = (true, script.remediates);
    }

    fn note_version(&mut self, name: &str) {
        let named = contract_name(name).and_then(|(_, version)| Version::parse(version).ok());
        self.contract = self.contract.take().max(named);
    }

    fn add_import(&mut self, name: &str, types: Option<&Types>) {
        self.note_version(name);
        let Some((interface, version)) = contract_name(name) else {
            if !is_inert_wasi(name) {
                self.strange.push(Misfit::Unknown(name.to_owned()));
            }
            return;
        };
        if let Some(advice) = wrong_version(version) {
            self.strange.push(Misfit::Version { name: name.to_owned(), advice });
        } else if AMBIENT.contains(&interface) {
        } else if capability::interface(interface).is_none() {
            self.strange.push(Misfit::Unknown(name.to_owned()));
        } else {
            let functions = functions(name, types);
            self.imports.push(Import { interface: interface.to_owned(), functions });
        }
    }
}

/// WASI is linked and gives nothing; `wasi:http` is not linked, because HTTP is the contract's.
fn is_inert_wasi(name: &str) -> bool {
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"]
        .iter()
        .any(|package| name.starts_with(package))
}

/// What to do about a version that this host does not speak; none where it does.
fn wrong_version(version: &str) -> Option<&'static str> {
    let (Ok(wanted), Ok(spoken)) = (Version::parse(version), Version::parse(contract::VERSION)) else {
        return Some("it is not a version");
    };
    if wanted.major > spoken.major || (wanted.major == spoken.major && wanted.minor > spoken.minor) {
        return Some("update remit");
    }
    (wanted.major < spoken.major).then_some("build the plugin against this contract")
}

fn functions(import: &str, types: Option<&Types>) -> Vec<String> {
    let Some(types) = types else { return Vec::new() };
    let Some(ComponentEntityType::Instance(id)) = types.component_item_for_import(import).map(|item| item.ty) else {
        return Vec::new();
    };
    let Some(instance) = types.as_ref().get(id) else { return Vec::new() };
    instance
        .exports
        .iter()
        .filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Everything in which a component does not fit this host or its manifest.
pub(crate) fn misfits(shape: &Shape, manifest: &Manifest) -> Vec<Misfit> {
    let mut misfits = shape.strange.clone();
    let undeclared = shape.imports.iter().filter(|import| !manifest.capabilities.contains_key(&import.interface));
    misfits.extend(
        undeclared.map(|import| Misfit::Undeclared {
            interface: import.interface.clone(),
            functions: import.functions.clone(),
        }),
    );
    if !shape.has_detection {
        misfits.push(Misfit::NoDetection);
    }
    if let Some(wanted) = manifest.plugin.minimum_host.as_ref().filter(|wanted| **wanted > host_version()) {
        misfits.push(Misfit::MinimumHost { wanted: wanted.clone() });
    }
    misfits
}

fn host_version() -> Version {
    Version::parse(env!("CARGO_PKG_VERSION")).unwrap_or_else(|_| Version::new(0, 0, 0))
}
