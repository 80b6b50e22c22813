//! Bare wasmtime: the same engine, component and bindings, a WASI context, and host functions with nothing behind them.

use std::path::Path;
use std::time::{Duration, Instant};

use contract::detection::Report;
use contract::device::OsInfo;
use contract::run::LogLevel;
use contract::types::{Attributes, Error};
use serde_json::Value;
use tokio::sync::mpsc;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable};
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::host::{Marks, Work};

/// The guest, linked with nothing.
pub(crate) struct Bare {
    engine: runtime::Engine,
    instance: InstancePre<State>,
    detect: ComponentExportIndex,
    os: OsInfo,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    parameters: String,
    os: OsInfo,
    lines: Vec<Instant>,
    holds: Option<mpsc::Sender<()>>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Bare {
    pub(crate) fn new(engine: &runtime::Engine, guest: &Path, os: OsInfo) -> Self {
        let component = Component::from_file(engine.wasmtime(), guest).unwrap();
        let mut linker = Linker::new(engine.wasmtime());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        link(&mut linker).unwrap();
        // What it imports and is never asked for here.
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let detection = component.get_export_index(None, name("detection")).unwrap();
        let detect = component.get_export_index(Some(&detection), "detect").unwrap();
        let instance = linker.instantiate_pre(&component).unwrap();
        Self { engine: engine.clone(), instance, detect, os }
    }

    /// One store, one instance, one call, and all of it dropped.
    pub(crate) async fn run(&self, work: Work, holds: Option<mpsc::Sender<()>>) -> Marks {
        let asked = Instant::now();
        let state = State {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            parameters: Value::Object(work.parameters()).to_string(),
            os: self.os.clone(),
            lines: Vec::new(),
            holds,
        };
        let mut store = Store::new(self.engine.wasmtime(), state);
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.instance.instantiate_async(&mut store).await.unwrap();
        let detect = instance.get_typed_func::<(), (Result<Report, Error>,)>(&mut store, self.detect).unwrap();
        let (report,) = detect.call_async(&mut store, ()).await.unwrap();
        report.unwrap();
        let lines = store.into_data().lines;
        Marks::new(asked, &lines, asked.elapsed())
    }
}

fn name(interface: &str) -> String {
    format!("msp:automation/{interface}@{}", contract::VERSION)
}

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut run = linker.instance(&name("run"))?;
    run.func_wrap("get-parameters", |store: StoreContextMut<'_, State>, ()| Ok((store.data().parameters.clone(),)))?;
    run.func_wrap("log", |mut store: StoreContextMut<'_, State>, (_, _, _): (LogLevel, String, Attributes)| {
        store.data_mut().lines.push(Instant::now());
        Ok(())
    })?;
    run.func_wrap_async("sleep", |store: StoreContextMut<'_, State>, (millis,): (u32,)| {
        if let Some(holds) = &store.data().holds {
            holds.try_send(()).unwrap();
        }
        Box::new(async move {
            tokio::time::sleep(Duration::from_millis(u64::from(millis))).await;
            Ok((true,))
        })
    })?;
    linker.instance(&name("device"))?.func_wrap_async("get-os", |store: StoreContextMut<'_, State>, ()| {
        let os = store.data().os.clone();
        Box::new(async move { Ok((Ok::<_, Error>(os),)) })
    })
}
