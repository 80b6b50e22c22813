//! WASI as a guest sees it: linked, because every toolchain's standard library imports it, and inert. No folders, sockets,
//! environment or arguments; clocks and random numbers are the run's, and where time is virtual a sleep returns at once; what
//! is written to standard output and error becomes lines in the log.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use contract::run::LogLevel;
use model::Clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::clocks::{WasiClocksCtxView, WasiClocksView};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use crate::journal::Journal;
use crate::state::Run;

/// The most bytes of random numbers in one answer.
const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// The longest line before it is cut into two.
const LINE_BYTES_MAX: usize = 8 << 10;

/// What the run's clocks and random numbers are made of: the machine's, or a record's.
#[derive(Clone)]
pub(crate) struct Inputs {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

struct State {
    started: std::time::Instant,
    seed: [u8; 32],
    /// What the clocks said, in order; kept in recordings only.
    said: Option<Vec<u64>>,
    /// What the clocks will say, in a replay.
    replay: Option<VecDeque<u64>>,
    /// For how long nobody waited, because time is virtual.
    skipped: Duration,
}

impl Inputs {
    /// The machine's clocks, and a new seed.
    pub(crate) fn live(clock: Arc<dyn Clock>, recording: bool) -> Self {
        let said = recording.then(Vec::new);
        Self::new(clock, rand::random(), said, None)
    }

    /// A record's.
    pub(crate) fn replay(clock: Arc<dyn Clock>, seed: [u8; 32], said: Vec<u64>) -> Self {
        Self::new(clock, seed, None, Some(said.into()))
    }

    fn new(clock: Arc<dyn Clock>, seed: [u8; 32], said: Option<Vec<u64>>, replay: Option<VecDeque<u64>>) -> Self {
        let state = State { started: std::time::Instant::now(), seed, said, replay, skipped: Duration::ZERO };
        Self { state: Arc::new(Mutex::new(state)), clock }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        self.say(|_| self.clock.now_ms() * 1_000_000) / 1_000_000
    }

    /// Whether time is virtual: it has then moved on by so much, and a sleep returns at once.
    pub(crate) fn skip(&self, by: Duration) -> bool {
        let mut state = self.state();
        if state.replay.is_some() {
            return true;
        }
        let by_ms = u64::try_from(by.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let is_virtual = self.clock.skip(by_ms);
        if is_virtual {
            state.skipped = state.skipped.saturating_add(by);
        }
        is_virtual
    }

    /// What a script's random numbers begin with.
    pub(crate) fn script_seed(&self) -> u64 {
        self.state().seed.iter().fold(0, |seed, &byte| seed.rotate_left(8) ^ u64::from(byte))
    }

    /// What a recording keeps.
    pub(crate) fn take(&self) -> Option<(Vec<u64>, Vec<u8>)> {
        let mut state = self.state();
        let seed = state.seed.to_vec();
        state.said.take().map(|said| (said, seed))
    }

    fn say(&self, now_ns: impl FnOnce(&State) -> u64) -> u64 {
        let mut state = self.state();
        // A record that runs out of times goes on with its last one; the calls around it tell of the divergence.
        if let Some(replay) = &mut state.replay {
            let next = replay.pop_front().unwrap_or_default();
            if replay.is_empty() {
                replay.push_back(next);
            }
            return next;
        }
        let now = now_ns(&state);
        if let Some(said) = &mut state.said {
            said.push(now);
        }
        now
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostWallClock for Inputs {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.say(|_| self.clock.now_ms() * 1_000_000))
    }
}

impl HostMonotonicClock for Inputs {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.say(|state| {
            let since = state.started.elapsed().saturating_add(state.skipped);
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
    }
}

/// All that a toolchain's standard library imports of WASI. Its clock that can be waited for is ours: wasmtime's own waits for
/// the machine's, also in a replay.
pub(crate) fn link(linker: &mut Linker<Run>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<Run, Waits>(linker, |run| Waits {
        inputs: run.inputs.clone(),
        wasi: run.clocks(),
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// WASI's clock that can be waited for, in the run's own time.
struct Waits<'a> {
    inputs: Inputs,
    wasi: WasiClocksCtxView<'a>,
}

impl HasData for Waits<'static> {
    type Data<'a> = Waits<'a>;
}

impl monotonic_clock::Host for Waits<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.wasi.now()
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        self.wasi.resolution()
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = self.wasi.now()?;
        self.subscribe_duration(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let is_over = self.inputs.skip(Duration::from_nanos(nanos));
        self.wasi.subscribe_duration(if is_over { 0 } else { nanos })
    }
}

/// A context that gives nothing.
pub(crate) fn inert(inputs: &Inputs, journal: &Journal) -> WasiCtx {
    let seed = inputs.state().seed;
    let mut insecure = seed;
    insecure.reverse();
    WasiCtx::builder()
        .stdout(Output { journal: journal.clone(), level: LogLevel::Info })
        .stderr(Output { journal: journal.clone(), level: LogLevel::Warn })
        .wall_clock(inputs.clone())
        .monotonic_clock(inputs.clone())
        .secure_random(StdRng::from_seed(seed))
        .insecure_random(StdRng::from_seed(insecure))
        .insecure_random_seed(u128::from_le_bytes(first_half(seed)))
        .max_random_size(RANDOM_BYTES_MAX)
        .build()
}

fn first_half(seed: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(seed).for_each(|(to, from)| *to = from);
    half
}

/// Standard output or error: lines in the log.
struct Output {
    journal: Journal,
    level: LogLevel,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { journal: self.journal.clone(), level: self.level, line: Vec::new() })
    }
}

struct Lines {
    journal: Journal,
    level: LogLevel,
    line: Vec<u8>,
}

impl Lines {
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.journal.log(self.level, String::from_utf8_lossy(&line).into_owned(), Vec::new());
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                _ => self.line.push(byte),
            }
            if self.line.len() >= LINE_BYTES_MAX {
                self.end_line();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }
}
