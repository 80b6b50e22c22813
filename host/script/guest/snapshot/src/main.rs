//! `script-snapshot CORE OUT`: a component of the core module, in which `initialize` was called and what it left in memory is kept.
//! `cargo xtask script-runtime` starts it.

mod instance;

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};
use wasmtime_wizer::Wizer;

use instance::Initialized;

#[tokio::main(flavor = "current_thread")]
async fn main() -> wasmtime::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [core, out] = arguments.as_slice() else { wasmtime::bail!("script-snapshot CORE OUT") };
    let core = std::fs::read(core)?;
    let encoder = wit_component::ComponentEncoder::default().validate(true).module(&core);
    let component = encoder.and_then(|mut encoder| encoder.encode());
    let component = component.map_err(|error| wasmtime::format_err!("{error:#}"))?;
    std::fs::write(out, snapshot(&component).await?)?;
    Ok(())
}

/// The component as it is once `initialize` was called. It may call nothing of the host: every import traps.
async fn snapshot(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut wizer = Wizer::new();
    wizer.init_func("initialize").keep_init_func(true);
    let (cx, instrumented) = wizer.instrument_component(component)?;
    let engine = Engine::default();
    let component = Component::new(&engine, &instrumented)?;
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&component)?;
    let mut store = Store::new(&engine, ());
    // What wizer reads is the whole memory, at once.
    store.set_hostcall_fuel(1 << 30);
    let instance = linker.instantiate_async(&mut store, &component).await?;
    let initialize = instance.get_typed_func::<(), ()>(&mut store, "initialize")?;
    initialize.call_async(&mut store, ()).await?;
    wizer.snapshot_component(&cx, &mut Initialized { store: &mut store, instance }).await
}
