//! A script is a plugin whose component is empty: what it does stands in a section, and the host's script runtime runs it.

use std::borrow::Cow;

use model::{Manifest, manifest};
use serde::{Deserialize, Serialize};
use wasm_encoder::{Component, ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

use crate::{Error, Import};

/// The component's custom section that holds the script, as JSON.
pub const SECTION: &str = "remit:script";

/// The most bytes of a script's text: what is larger is a plugin with a build of its own.
pub const SCRIPT_BYTES_MAX: usize = 64 << 10;

/// The most bytes of a script's name.
const NAME_BYTES_MAX: usize = 128;

/// A script, and what was read of it when it was packed. None of it is trusted: what the script calls is held against the grant
/// each time that it calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Script {
    /// The file that its author wrote: every position in it begins with this.
    pub name: String,
    /// The JavaScript.
    pub text: String,
    /// What it imports of the contract.
    pub imports: Vec<Import>,
    /// Whether it can put right what it finds.
    pub remediates: bool,
}

impl Script {
    /// The plugin's bytes: from then on its digest covers script and manifest.
    pub fn embed(&self, manifest: &Manifest) -> Vec<u8> {
        let mut component = Component::new().finish();
        let script = serde_json::to_vec(self).unwrap_or_default();
        for (name, data) in [(manifest::SECTION, manifest.to_section()), (SECTION, script)] {
            let section = CustomSection { name: Cow::Borrowed(name), data: Cow::Owned(data) };
            section.append_to_component(&mut component);
        }
        component
    }

    fn checked(self) -> Result<Self, Error> {
        let problem = match () {
            () if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX => {
                format!("its name has {} bytes: expected 1 to {NAME_BYTES_MAX}", self.name.len())
            }
            () if self.name.contains(|it: char| it.is_control() || matches!(it, '/' | '\\' | ':')) => {
                "its name is no file name: it may have no `/`, `\\`, `:` or control character".to_owned()
            }
            () if self.text.len() > SCRIPT_BYTES_MAX => {
                format!("it has {} bytes: a script has at most {SCRIPT_BYTES_MAX}", self.text.len())
            }
            () => return Ok(self),
        };
        Err(Error::Script(problem))
    }
}

/// The script of a component; none where it is code of its own. One that is both is refused: only one of them would run.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Script>, Error> {
    let (mut script, mut has_code) = (None, false);
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(Error::Component)? {
            Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => (depth, has_code) = (depth + 1, true),
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                if script.replace(section.data()).is_some() {
                    return Err(Error::Script("it has two sections of that name".to_owned()));
                }
            }
            Payload::Version { .. } | Payload::CustomSection(_) => {}
            _ => has_code = true,
        }
    }
    let Some(section) = script else { return Ok(None) };
    if has_code {
        return Err(Error::Script("it has code of its own beside it".to_owned()));
    }
    let script: Script = serde_json::from_slice(section).map_err(|error| Error::Script(error.to_string()))?;
    script.checked().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Misfit, verify_local};

    const MANIFEST: &str = r#"{
        "plugin": { "name": "a", "version": "1.0.0", "publisher": "me", "description": "It looks.", "license": "MIT" },
        "capabilities": { "service": { "scope": ["cups"], "reason": "To look." } }
    }"#;

    fn script() -> Script {
        let import = Import { interface: "service".to_owned(), functions: vec!["get-service".to_owned()] };
        Script { name: "a.js".to_owned(), text: "1".to_owned(), imports: vec![import], remediates: false }
    }

    fn packed(script: &Script) -> Vec<u8> {
        script.embed(&Manifest::from_section(MANIFEST.as_bytes()).unwrap())
    }

    #[test]
    fn a_packed_script_is_a_plugin() {
        let plugin = verify_local(packed(&script()), None).unwrap();
        assert_eq!(plugin.script(), Some(&script()));
        assert_eq!((plugin.imports(), plugin.has_remediation()), (&*script().imports, false));
        let other = verify_local(packed(&Script { text: "2".to_owned(), ..script() }), None).unwrap();
        assert_ne!(plugin.digest(), other.digest(), "the digest covers the text");
    }

    #[test]
    fn a_script_imports_what_its_manifest_declares() {
        let files = Import { interface: "files".to_owned(), functions: Vec::new() };
        let Err(Error::Misfit(misfits)) = verify_local(packed(&Script { imports: vec![files], ..script() }), None)
        else {
            unreachable!("it is refused")
        };
        assert!(matches!(&misfits[..], [Misfit::Undeclared { interface, .. }] if interface == "files"), "{misfits:?}");
        let nothing = Import { interface: "nothing".to_owned(), functions: Vec::new() };
        assert!(verify_local(packed(&Script { imports: vec![nothing], ..script() }), None).is_err());
    }

    #[test]
    fn a_name_that_somebody_made_up_stays_in_its_line() {
        let made_up = format!("a\u{1b}[2J\nerror: {}", "x".repeat(500));
        let import = |interface: &str, function: &str| {
            let import = Import { interface: interface.to_owned(), functions: vec![function.to_owned()] };
            verify_local(packed(&Script { imports: vec![import], ..script() }), None).map_err(|error| error.to_string())
        };
        for said in [import(&made_up, "get-service"), import("service", &made_up)] {
            let said = said.unwrap_err();
            assert!(said.contains("a\\u{1b}[2J\\nerror: ") && said.lines().count() == 1 && said.len() < 500, "{said}");
        }
        assert!(import("service", "get-service").is_ok(), "the control");
    }

    #[test]
    fn what_is_no_script_is_refused() {
        let refused = |bytes| matches!(verify_local(bytes, None), Err(Error::Script(_)));
        for name in ["", "a/b.js", "a:1.js", "a\n.js", &"a".repeat(129)] {
            assert!(refused(packed(&Script { name: name.to_owned(), ..script() })), "{name:?}");
        }
        let text = |bytes| Script { text: "1".repeat(bytes), ..script() };
        assert!(refused(packed(&text(SCRIPT_BYTES_MAX + 1))) && !refused(packed(&text(SCRIPT_BYTES_MAX))));
        let mut twice = packed(&script());
        twice.extend(packed(&script()).split_off(8));
        assert!(refused(twice), "which of the two would run?");
        let mut code = packed(&script());
        // An empty core module.
        code.extend(b"\x01\x08\0asm\x01\0\0\0");
        assert!(refused(code));
    }
}
