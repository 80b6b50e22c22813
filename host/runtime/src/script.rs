//! Scripts: one component runs them all. It has every import of the contract, and what was not granted answers `denied`; the
//! script itself is handed to it by an interface that no plugin is given.

use model::Grants;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower};

use crate::link;
use crate::state::Run;

/// What the runtime asks for its script.
const INTERFACE: &str = "remit:script/source@1.0.0";

#[derive(ComponentType, Lower)]
#[component(record)]
struct Source {
    name: String,
    text: String,
    seed: u64,
}

/// A linker for the script runtime: all interfaces, of which the gate lets through what was granted.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Run>> {
    let mut all = Grants::default();
    contract::INTERFACES.iter().for_each(|row| all.add(row.name, Vec::new()));
    let mut linker = link::linker(engine, &all)?;
    linker.instance(INTERFACE)?.func_wrap("load", |store: StoreContextMut<'_, Run>, ()| {
        let run = store.data();
        let script = run.told.script.as_ref();
        let script = script.ok_or_else(|| wasmtime::format_err!("this run is not a script's"))?;
        Ok((Source { name: script.name.clone(), text: script.text.clone(), seed: run.inputs.script_seed() },))
    })?;
    Ok(linker)
}
