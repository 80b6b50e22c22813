//! The engine: one a process, shared by all runs.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::component::Component;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::Error;

/// How often a running guest is looked at: what a time limit may be late by.
const TICK: Duration = Duration::from_millis(10);

/// Instances at once. More wait: an agent starts runs faster than two cores end them.
const INSTANCES_MAX: u32 = 64;

/// Memories and tables of all instances at once. An instance waits until as many as it needs are free: one that has many
/// takes its time, and none from others.
const MEMORIES_MAX: u32 = INSTANCES_MAX * 2;
const TABLES_MAX: u32 = INSTANCES_MAX * 4;

/// Memories, tables and core instances of one component. One that has more is refused.
const COMPONENT_MEMORIES_MAX: u32 = 32;
const COMPONENT_TABLES_MAX: u32 = 64;
const COMPONENT_INSTANCES_MAX: u32 = 64;

/// The most that a memory may grow to; a run's own limit is below.
const MEMORY_BYTES_MAX: usize = 512 << 20;

/// What an engine is made with. Compiled code fits only engines made alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Keep a pool of instances: faster to start. Where address space is short the engine does without.
    pub pooled: bool,
    /// The guest's stack: what bounds recursion. One for all runs, because the engine has it and not the instance.
    pub stack_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { pooled: true, stack_bytes: 512 << 10 }
    }
}

/// The engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) options: Options,
    ticker: Arc<Ticker>,
    slots: Arc<Slots>,
}

/// What of the pool an instance takes beside its own place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    memories: u32,
    tables: u32,
}

impl Needs {
    pub(crate) fn of(component: &Component) -> Self {
        match component.resources_required() {
            Some(required) => Self { memories: required.num_memories, tables: required.num_tables },
            // Nobody can say before it is instantiated: as much as any may take.
            None => Self { memories: COMPONENT_MEMORIES_MAX, tables: COMPONENT_TABLES_MAX },
        }
    }
}

/// What is free in the pool.
struct Slots {
    instances: Semaphore,
    memories: Semaphore,
    tables: Semaphore,
}

impl Slots {
    fn new() -> Self {
        let semaphore = |permits: u32| Semaphore::new(usize::try_from(permits).unwrap_or(1));
        Self { instances: semaphore(INSTANCES_MAX), memories: semaphore(MEMORIES_MAX), tables: semaphore(TABLES_MAX) }
    }
}

impl Engine {
    /// Makes an engine, pooled where that is wanted and possible.
    pub fn new(options: Options) -> Result<Self, Error> {
        let wasmtime = match options.pooled {
            true => wasmtime::Engine::new(&config(options)).or_else(|_| on_demand(options)),
            false => on_demand(options),
        }
        .map_err(Error::Engine)?;
        let ticker = Ticker::start(&wasmtime);
        Ok(Self { wasmtime, options, ticker, slots: Arc::new(Slots::new()) })
    }

    /// wasmtime's own, for whoever measures what this crate adds to it: what is instantiated there meets no gate.
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// An engine with a pool, or why there is none.
    pub(crate) fn pooled(options: Options) -> Result<wasmtime::Engine, Error> {
        wasmtime::Engine::new(&config(options)).map_err(Error::Engine)
    }

    /// An engine that only compiles: it reserves nothing.
    pub(crate) fn for_compiling(options: Options) -> Result<wasmtime::Engine, Error> {
        on_demand(options).map_err(Error::Engine)
    }

    /// A place for one instance, and a ticker while it is held. All take in the same order, so none waits for one that waits
    /// for it.
    pub(crate) async fn enter(&self, needs: Needs) -> Slot<'_> {
        let Slots { instances, memories, tables } = &*self.slots;
        // No semaphore is ever closed.
        let permits = [
            instances.acquire().await.ok(),
            memories.acquire_many(needs.memories.min(COMPONENT_MEMORIES_MAX)).await.ok(),
            tables.acquire_many(needs.tables.min(COMPONENT_TABLES_MAX)).await.ok(),
        ];
        Slot { _permits: permits, _ticking: self.ticker.tick() }
    }
}

/// A place for one instance.
pub(crate) struct Slot<'a> {
    _permits: [Option<SemaphorePermit<'a>>; 3],
    _ticking: Ticking,
}

fn on_demand(options: Options) -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(config(options).allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

fn config(options: Options) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        // Only counted: they lie on the heap.
        .total_core_instances(INSTANCES_MAX * COMPONENT_INSTANCES_MAX)
        .total_memories(MEMORIES_MAX)
        .total_tables(TABLES_MAX)
        .total_stacks(INSTANCES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .max_memories_per_component(COMPONENT_MEMORIES_MAX)
        .max_tables_per_component(COMPONENT_TABLES_MAX)
        .max_core_instances_per_component(COMPONENT_INSTANCES_MAX)
        .table_elements(200_000)
        .max_unused_warm_slots(8)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(64 << 10);
    let mut config = Config::new();
    config
        .allocation_strategy(pool)
        .epoch_interruption(true)
        .max_wasm_stack(options.stack_bytes)
        // The host's part of a fiber: what a host call and wasmtime itself need below the guest.
        .async_stack_size(options.stack_bytes + (1 << 20))
        .memory_reservation(u64::try_from(MEMORY_BYTES_MAX).unwrap_or(u64::MAX))
        .memory_guard_size(64 << 10)
        // Only debuggers read it; wasmtime walks its own frames without, and loading registers it with the C library.
        .native_unwind_info(false)
        // Replays must not see another bit pattern for the same number.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    config
}

/// Moves the epoch while at least one guest runs, and sleeps otherwise.
struct Ticker {
    running: Mutex<usize>,
    wake: Condvar,
}

/// Ticks while it lives.
struct Ticking(Arc<Ticker>);

impl Ticker {
    fn start(engine: &wasmtime::Engine) -> Arc<Self> {
        let ticker = Arc::new(Self { running: Mutex::new(0), wake: Condvar::new() });
        let (weak_ticker, weak_engine) = (Arc::downgrade(&ticker), engine.weak());
        std::thread::spawn(move || {
            // Both go with the engine; the thread looks once a tick while guests run, and once a minute otherwise.
            while let (Some(ticker), Some(engine)) = (weak_ticker.upgrade(), weak_engine.upgrade()) {
                if ticker.wait_for_work() {
                    engine.increment_epoch();
                    drop((ticker, engine));
                    std::thread::sleep(TICK);
                }
            }
        });
        ticker
    }

    /// Whether a guest runs; waits a minute at most for one.
    fn wait_for_work(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(running, Duration::from_secs(60), |running| *running == 0);
        let (running, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *running > 0
    }

    fn tick(self: &Arc<Self>) -> Ticking {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.wake.notify_one();
        Ticking(Arc::clone(self))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}
