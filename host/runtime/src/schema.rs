//! The JSON Schema of a plugin's parameters: asked of the plugin itself when it is built.

use std::time::Duration;

use model::Limits;
use wasmtime::Store;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::compile::note_compiled;
use crate::engine::{Engine, Needs, Options};
use crate::limiter::Limiter;
use crate::{Error, Refusal, link};

/// How long the plugin may take to say it.
const TIME_MAX: Duration = Duration::from_secs(10);

/// A store that gives nothing at all.
struct Nothing {
    limiter: Limiter,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Nothing {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The schema; none where the plugin exports none. The plugin has no host: whatever it calls traps.
pub async fn parameters_schema(component: &[u8]) -> Result<Option<serde_json::Value>, Error> {
    let engine = Engine::new(Options { pooled: false, ..Options::default() })?;
    note_compiled();
    let component = Component::new(&engine.wasmtime, component).map_err(Error::Engine)?;
    let Some(interface) = component.get_export_index(None, link::name("parameters")) else { return Ok(None) };
    let Some(function) = component.get_export_index(Some(&interface), "get-schema") else { return Ok(None) };
    let mut linker: Linker<Nothing> = Linker::new(&engine.wasmtime);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(Error::Engine)?;
    linker.define_unknown_imports_as_traps(&component).map_err(Error::Engine)?;
    let limits = Limits::default();
    let nothing =
        Nothing { limiter: Limiter::new(&limits), wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
    let mut store = Store::new(&engine.wasmtime, nothing);
    store.limiter(|nothing| &mut nothing.limiter);
    store.set_hostcall_fuel(usize::try_from(limits.call_bytes).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| Ok(wasmtime::UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
    let _slot = engine.enter(Needs::of(&component)).await;
    let ask = async {
        let instance = linker.instantiate_async(&mut store, &component).await?;
        let get = instance.get_typed_func::<(), (String,)>(&mut store, &function)?;
        Ok::<_, wasmtime::Error>(get.call_async(&mut store, ()).await?.0)
    };
    let unfit = |reason: String| Error::Refused(vec![Refusal::NotLinked { reason }]);
    let text = tokio::time::timeout(TIME_MAX, ask).await.map_err(|_| unfit("its schema takes too long".to_owned()))?;
    let text = text.map_err(|error| unfit(format!("{error:#}")))?;
    serde_json::from_str(&text).map(Some).map_err(|error| unfit(format!("its schema is not JSON: {error}")))
}
