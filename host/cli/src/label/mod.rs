//! The label: what a technician reads of a plugin before anything of it runs.
//!
//! Most of it was written by its publisher, whom nobody need believe: it is text, and steers nothing.

mod difference;
mod granting;
mod shown;
#[cfg(test)]
mod tests;

use artifact::Plugin;
use contract::{Class, ScopeGrammar};
use model::{Limits, Package, capability};
use serde::Serialize;
use serde_json::Value;

pub(crate) use difference::Difference;
pub(crate) use granting::{Granted, Granting};

/// What a plugin is, what it may touch and why, and who allows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) publisher: String,
    pub(crate) description: String,
    pub(crate) license: String,
    /// Where to ask.
    pub(crate) support: Option<String>,
    /// What changed: an address or a text.
    pub(crate) changelog: Option<String>,
    pub(crate) digest: String,
    pub(crate) size_bytes: usize,
    /// `component` or `script`.
    pub(crate) form: &'static str,
    /// Who vouches for these bytes.
    pub(crate) trust: String,
    pub(crate) remediates: bool,
    /// The highest class of its capabilities.
    pub(crate) class: Option<Class>,
    pub(crate) reveals_people: bool,
    pub(crate) capabilities: Vec<Asked>,
    pub(crate) parameters: Value,
    pub(crate) limits: Limits,
    /// What was linked into it.
    pub(crate) packages: Vec<Package>,
}

/// A capability that it asks for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Asked {
    /// As people write it: `service-control [nginx]`.
    pub(crate) capability: String,
    pub(crate) interface: &'static str,
    pub(crate) scope: Vec<String>,
    pub(crate) class: Class,
    pub(crate) reveals_people: bool,
    /// The functions that it really imports.
    pub(crate) functions: Vec<String>,
    /// The publisher's.
    pub(crate) reason: String,
    pub(crate) granted: Vec<Granted>,
    /// It is declared, and never imported.
    pub(crate) unused: bool,
    /// Its scope is all that there is.
    pub(crate) unbounded: bool,
}

impl Label {
    /// The label of a plugin, with who grants what it asks for here.
    pub(crate) fn of(plugin: &Plugin, granting: &Granting) -> Self {
        let (manifest, granted) = (plugin.manifest(), granting.of(plugin));
        let asked = manifest.capabilities.iter().filter_map(|(name, wish)| {
            let row = capability::interface(name)?;
            let import = plugin.imports().iter().find(|import| import.interface == *name);
            Some(Asked {
                capability: capability::Capability { interface: row.name, scope: wish.scope.clone() }.to_string(),
                interface: row.name,
                scope: wish.scope.clone(),
                class: row.class,
                reveals_people: row.people,
                functions: import.map(|import| import.functions.clone()).unwrap_or_default(),
                reason: wish.reason.clone(),
                granted: granted(row),
                unused: import.is_none(),
                unbounded: wish.scope.iter().any(|entry| is_everything(row.scope, entry)),
            })
        });
        let capabilities: Vec<Asked> = asked.collect();
        let about = &manifest.plugin;
        Self {
            name: about.name.clone(),
            version: about.version.to_string(),
            publisher: about.publisher.clone(),
            description: about.description.clone(),
            license: about.license.clone(),
            support: about.support.clone(),
            changelog: about.changelog.clone(),
            digest: plugin.digest().to_string(),
            size_bytes: plugin.bytes().len(),
            form: if plugin.script().is_some() { "script" } else { "component" },
            trust: plugin.trust().to_string(),
            remediates: plugin.has_remediation(),
            class: capabilities.iter().map(|it| it.class).max(),
            reveals_people: capabilities.iter().any(|it| it.reveals_people),
            capabilities,
            parameters: manifest.parameters.clone(),
            limits: manifest.limits.clone(),
            packages: plugin.packages(),
        }
    }
}

/// Whether an entry leaves nothing out. Origins have no such entry.
fn is_everything(grammar: ScopeGrammar, entry: &str) -> bool {
    match grammar {
        ScopeGrammar::Names => entry == "*",
        ScopeGrammar::Globs => !entry.is_empty() && entry.chars().all(|it| it == '*'),
        ScopeGrammar::None | ScopeGrammar::Origins | ScopeGrammar::Methods => false,
    }
}
