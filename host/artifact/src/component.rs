use model::{Manifest, capability, manifest, packages};
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
/// The line of WASI that is linked; what begins a newer one is another WASI.
const WASI: &str = "0.2.";

/// The most characters of a name in a refusal.
const NAME_CHARS_MAX: usize = 120;

/// An import of the contract, ambient ones too, with the version that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The interface, and the functions that are really imported.
    pub import: Import,
    /// Which version of it; none where a script imports it, which runs on whatever its host speaks.
    pub version: Option<Version>,
}

/// An interface of the contract that a component imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The interface.
    pub interface: String,
    /// The functions that it really uses, in the order of its imports.
    pub functions: Vec<String>,
}

/// What can be seen of a component without compiling it.
pub(crate) struct Shape<'a> {
    pub(crate) manifest: Option<&'a [u8]>,
    pub(crate) packages: Option<&'a [u8]>,
    /// A section that is there twice: whoever reads the one has not read the other.
    pub(crate) twice: Option<&'static str>,
    pub(crate) imports: Vec<Import>,
    pub(crate) needs: Vec<Need>,
    pub(crate) has_remediation: bool,
    /// The highest version of the contract that an import or export names; none where none does.
    pub(crate) contract: Option<Version>,
    has_detection: bool,
    /// Full names of what the contract does not have in the version of this host.
    strange: Vec<Misfit>,
}

/// What validating a component takes is up to forty times as much memory as its types, imports and tables have bytes. Python's have
/// 330 KB.
pub(crate) const PARTS_BYTES_MAX: usize = 4 << 20;

/// What a core module or a component inside counts for, however little is in it.
const PART_BYTES: usize = 1 << 10;

/// How many bytes a component has of what it takes to read it: all but code, data and custom sections. Nothing of it is decoded for
/// that, so that nobody's bytes have this process grow before anybody has said a word about them.
pub(crate) fn parts_bytes(bytes: &[u8]) -> Result<usize, BinaryReaderError> {
    let mut parts = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        parts = parts.saturating_add(match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => PART_BYTES,
            Payload::CodeSectionStart { .. } | Payload::DataSection(_) | Payload::CustomSection(_) => 0,
            part => part.as_section().map_or(0, |(_, range)| range.len()),
        });
    }
    Ok(parts)
}

/// Reads what a component is made of. All of it is validated but the bodies of functions, which nothing here stands on: they are
/// where they are compiled, and what is loaded was compiled.
pub(crate) fn read(bytes: &[u8]) -> Result<Shape<'_>, BinaryReaderError> {
    let mut validator = Validator::new();
    let mut types = None;
    let mut imports = Vec::new();
    let mut shape = Shape {
        manifest: None,
        packages: None,
        twice: None,
        imports: Vec::new(),
        needs: Vec::new(),
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
            Payload::CustomSection(section) if depth == 0 => shape.keep(section.name(), section.data()),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let name = export?.name.name;
                    shape.note_version("exports", name);
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

/// A section of this name: what a component says of itself, out of its own bytes.
pub(crate) fn section<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == name => return Some(section.data()),
            _ => {}
        }
    }
    None
}

impl<'a> Shape<'a> {
    fn keep(&mut self, name: &str, data: &'a [u8]) {
        let (name, kept) = match name {
            manifest::SECTION => (manifest::SECTION, &mut self.manifest),
            packages::SECTION => (packages::SECTION, &mut self.packages),
            _ => return,
        };
        if kept.replace(data).is_some() {
            self.twice = Some(name);
        }
    }

    /// The shape of a script's component is the script's.
    pub(crate) fn be(&mut self, script: &Script) {
        for import in &script.imports {
            self.hold(&format!("{PACKAGE}{}", import.interface), import.clone());
        }
        (self.has_detection, self.has_remediation) = (true, script.remediates);
    }

    /// Notes the version that a name has, and whether this host does not speak it.
    fn note_version(&mut self, way: &'static str, name: &str) -> bool {
        let Some((_, version)) = contract_name(name) else { return false };
        self.contract = self.contract.take().max(Version::parse(version).ok());
        let advice = wrong_version(version);
        self.strange.extend(advice.map(|advice| Misfit::Version { way, name: shown(name), advice }));
        advice.is_some()
    }

    fn add_import(&mut self, name: &str, types: Option<&Types>) {
        let wrong = self.note_version("imports", name);
        let Some((interface, version)) = contract_name(name) else {
            if !is_inert_wasi(name) {
                self.strange.push(Misfit::Unknown(shown(name)));
            }
            return;
        };
        let import = Import { interface: interface.to_owned(), functions: functions(name, types) };
        let version = Version::parse(version).ok();
        self.needs.push(Need { import: import.clone(), version });
        if wrong {
            return;
        }
        self.hold(name, import);
    }

    /// Keeps what is granted of what this version of the contract has, and says what it does not have.
    fn hold(&mut self, name: &str, import: Import) {
        let (name, all) = (shown(name), import.functions.iter());
        let Some(known) = known_functions(&import.interface) else {
            self.strange.push(Misfit::NoInterface { name, functions: all.map(|it| shown(it)).collect() });
            return;
        };
        let strange: Vec<String> = all.filter(|it| !known.contains(&it.as_str())).map(|it| shown(it)).collect();
        if !strange.is_empty() {
            self.strange.push(Misfit::NoFunction { name, functions: strange });
        }
        if !AMBIENT.contains(&import.interface.as_str()) {
            self.imports.push(import);
        }
    }
}

/// A name that somebody made up, in a sentence: short, and one line.
fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).flat_map(char::escape_debug).collect()
}

/// The functions of an interface that a plugin may import; none where this host has no such interface.
fn known_functions(interface: &str) -> Option<&'static [&'static str]> {
    let is_import = AMBIENT.contains(&interface) || capability::interface(interface).is_some();
    let row = contract::EVERYTHING.iter().find(|(name, _)| *name == interface && is_import);
    row.map(|(_, functions)| *functions)
}

/// WASI is linked and gives nothing; `wasi:http` is not linked, because HTTP is the contract's.
fn is_inert_wasi(name: &str) -> bool {
    let inert = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
    let is_linked = name.split_once('@').is_some_and(|(_, version)| version.starts_with(WASI));
    is_linked && inert.iter().any(|package| name.starts_with(package))
}

/// What to do about what a later contract has.
pub(crate) const NEWER: &str = "update remit, or ask its publisher for one that was built for this contract";

/// What to do about a version that this host does not speak; none where it does.
fn wrong_version(version: &str) -> Option<&'static str> {
    let (Ok(wanted), Ok(spoken)) = (Version::parse(version), Version::parse(contract::VERSION)) else {
        return Some("it is not a version");
    };
    if wanted.major > spoken.major || (wanted.major == spoken.major && wanted.minor > spoken.minor) {
        return Some(NEWER);
    }
    (wanted.major < spoken.major).then_some("ask its publisher for one that was built for this contract")
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
pub(crate) fn misfits(shape: &Shape<'_>, manifest: &Manifest) -> Vec<Misfit> {
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

#[cfg(test)]
mod tests {
    use wasm_encoder::{Component, Module, ModuleSection, TypeSection, ValType};

    use super::*;
    use crate::{Error, verify_local};

    fn of_modules(module: &Module, count: usize) -> Vec<u8> {
        let mut component = Component::new();
        for _ in 0..count {
            component.section(&ModuleSection(module));
        }
        component.finish()
    }

    /// What is not too much is read, and then something else is wrong with it: it is no plugin.
    fn is_too_much(bytes: Vec<u8>) -> bool {
        matches!(verify_local(bytes, None).unwrap_err(), Error::TooManyParts(_))
    }

    #[test]
    fn a_component_of_too_many_parts_is_not_read() {
        let most = PARTS_BYTES_MAX / PART_BYTES;
        assert!(is_too_much(of_modules(&Module::new(), most + 1)));
        assert!(
            !is_too_much(of_modules(&Module::new(), most)),
            "the control: nothing is in it, and that is what is wrong"
        );
        let of_types = |count: u32| {
            let mut types = TypeSection::new();
            (0..count).for_each(|at| types.ty().function(vec![ValType::I32; at as usize % 900], []));
            let mut module = Module::new();
            module.section(&types);
            module
        };
        assert!(is_too_much(of_modules(&of_types(20_000), 1)));
        assert!(!is_too_much(of_modules(&of_types(1_000), 1)), "the control");
    }
}
