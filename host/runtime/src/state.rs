use std::sync::Arc;

use artifact::Script;
use contract::run::{Context, Trigger};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::gate::Gate;
use crate::limiter::Limiter;
use crate::wasi::Inputs;

/// WASI resources open at once: a few streams and pollables. A guest that wants more is up to no good.
const WASI_RESOURCES_MAX: usize = 1_024;

/// What the run itself tells the guest; the same in all phases.
pub(crate) struct Told {
    pub(crate) context: Context,
    pub(crate) parameters: String,
    pub(crate) trigger: Trigger,
    /// The last checkpoint, where the run goes on after a reboot.
    pub(crate) resumed: Option<Vec<u8>>,
    /// What the script runtime runs.
    pub(crate) script: Option<Script>,
}

/// What a store holds: one phase of one run.
pub(crate) struct Run {
    pub(crate) gate: Gate,
    pub(crate) told: Arc<Told>,
    pub(crate) inputs: Inputs,
    pub(crate) limiter: Limiter,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) checkpoints: u32,
    pub(crate) progress: Progress,
    wasi: WasiCtx,
    table: ResourceTable,
}

/// How often a waiting person was told how far it is.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) second: u64,
    pub(crate) told_in_second: u32,
}

impl Run {
    pub(crate) fn new(gate: Gate, told: Arc<Told>, inputs: Inputs) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(WASI_RESOURCES_MAX);
        Self {
            limiter: Limiter::new(&gate.facts().limits),
            wasi: crate::wasi::inert(&inputs, &gate.journal),
            gate,
            told,
            inputs,
            checkpoint: None,
            checkpoints: 0,
            progress: Progress::default(),
            table,
        }
    }
}

impl WasiView for Run {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
