use std::collections::BTreeMap;
use std::sync::Arc;

use artifact::{Cache, Plugin};
use model::{Digest, Grants, Scope, capability};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::compile::{self, Compiler};
use crate::engine::{Engine, Needs};
use crate::link;
use crate::state::Run;
use crate::{Error, Refusal};

/// A plugin that is compiled and linked with what it was granted: what is left to do for each run is to instantiate it.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) plugin: Plugin,
    pub(crate) grants: Grants,
    pub(crate) scopes: Scopes,
    pub(crate) engine: Engine,
    pub(crate) needs: Needs,
    pub(crate) instance: InstancePre<Run>,
    pub(crate) detect: ComponentExportIndex,
    pub(crate) remediate: Option<ComponentExportIndex>,
}

impl Prepared {
    /// Whether it is this plugin, which the same people vouch for, with these grants.
    pub fn is_of(&self, plugin: &Plugin, grants: &Grants) -> bool {
        self.plugin.digest() == plugin.digest()
            && self.plugin.trust().to_string() == plugin.trust().to_string()
            && self.grants == *grants
    }
}

/// The scopes of what is granted, ready to be asked: once for all runs, because a glob takes longer to read than a guest to start.
pub(crate) type Scopes = Arc<BTreeMap<&'static str, Scope>>;

/// Compiles and links. A plugin that imports what was not granted is refused before anything is compiled.
pub async fn prepare(
    engine: &Engine,
    plugin: &Plugin,
    grants: &Grants,
    cache: Option<&Cache>,
    compiler: &Compiler,
) -> Result<Prepared, Error> {
    prepare_on(engine, plugin, grants, cache, compiler, script::COMPONENT, *script::DIGEST).await
}

/// The same; where it is a script, on this runtime instead of the host's own: its component, and that component's digest.
pub async fn prepare_on(
    engine: &Engine,
    plugin: &Plugin,
    grants: &Grants,
    cache: Option<&Cache>,
    compiler: &Compiler,
    script_runtime: &[u8],
    script_digest: Digest,
) -> Result<Prepared, Error> {
    let missing: Vec<Refusal> = plugin
        .imports()
        .iter()
        .filter(|import| grants.get(&import.interface).is_none())
        .map(|import| Refusal::NotGranted { interface: import.interface.clone() })
        .collect();
    if !missing.is_empty() {
        return Err(Error::Refused(missing));
    }
    let is_script = plugin.script().is_some();
    let (digest, bytes) = match is_script {
        // One component for all scripts: what one of them compiled, the next one finds.
        true => (script_digest, script_runtime),
        false => (plugin.digest(), plugin.bytes()),
    };
    let component = compile::component(engine, digest, bytes, cache, compiler).await?;
    let unfit = |error: wasmtime::Error| Error::Refused(vec![Refusal::NotLinked { reason: other_types(&error) }]);
    let linker = match is_script {
        true => crate::script::linker(&engine.wasmtime),
        false => link::linker(&engine.wasmtime, grants),
    };
    let instance = linker.map_err(Error::Engine)?.instantiate_pre(&component).map_err(unfit)?;
    let export = |interface: &str, function: &str| export(&component, interface, function);
    let detect = export("detection", "detect")
        .ok_or_else(|| Error::Refused(vec![Refusal::NotLinked { reason: "it does not export `detect`".to_owned() }]))?;
    Ok(Prepared {
        plugin: plugin.clone(),
        grants: grants.clone(),
        scopes: scopes(grants)?,
        engine: engine.clone(),
        needs: Needs::of(&component),
        detect,
        remediate: export("remediation", "remediate").filter(|_| plugin.has_remediation()),
        instance,
    })
}

/// What a linker says, in words of the contract: names and functions were looked at when the plugin was read, so what is left is
/// that types differ.
fn other_types(error: &wasmtime::Error) -> String {
    let said: Vec<String> = error.chain().map(ToString::to_string).collect();
    let mut named = said.iter().flat_map(|text| text.split('`').skip(1).step_by(2));
    let Some(interface) = named.next() else { return said.join(": ") };
    let function = named.next().map(|it| format!(", first in `{it}`")).unwrap_or_default();
    format!(
        "`{interface}` has other types in it than on this host{function}: it was built against a draft, or against somebody \
         else's msp:automation@{}; it has to be built anew",
        contract::VERSION
    )
}

fn scopes(grants: &Grants) -> Result<Scopes, Error> {
    let rows = grants.iter().filter_map(|(name, entries)| Some((capability::interface(name)?, entries)));
    let scopes: Result<BTreeMap<_, _>, Error> = rows
        .map(|(row, entries)| {
            let scope = Scope::new(row.scope, entries).map_err(|error| Error::BadRecord(error.to_string()))?;
            Ok((row.name, scope))
        })
        .collect();
    scopes.map(Arc::new)
}

fn export(component: &Component, interface: &str, function: &str) -> Option<ComponentExportIndex> {
    let interface = component.get_export_index(None, link::name(interface))?;
    component.get_export_index(Some(&interface), function)
}
