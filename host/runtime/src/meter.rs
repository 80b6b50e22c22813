//! Processor time of a run, and the moments at which a spinning guest is looked at.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Processor time used so far, by whichever threads polled the run.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    used_ns: AtomicU64,
    /// The thread's clock when the poll under way began.
    polled_at_ns: AtomicU64,
}

impl CpuMeter {
    /// Of all polls that are over.
    pub(crate) fn used_ms(&self) -> u64 {
        self.used_ns.load(Ordering::Relaxed) / 1_000_000
    }

    /// With the poll under way: only for its own thread.
    pub(crate) fn used_now_ms(&self) -> u64 {
        let since = thread_cpu_ns().saturating_sub(self.polled_at_ns.load(Ordering::Relaxed));
        (self.used_ns.load(Ordering::Relaxed) + since) / 1_000_000
    }
}

/// A future whose polls are metered.
pub(crate) struct Metered<F> {
    inner: F,
    meter: Arc<CpuMeter>,
}

impl<F: Future + Unpin> Metered<F> {
    pub(crate) fn new(inner: F, meter: Arc<CpuMeter>) -> Self {
        Self { inner, meter }
    }
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let before = thread_cpu_ns();
        self.meter.polled_at_ns.store(before, Ordering::Relaxed);
        let polled = Pin::new(&mut self.inner).poll(cx);
        let used = thread_cpu_ns().saturating_sub(before);
        self.meter.used_ns.fetch_add(used, Ordering::Relaxed);
        polled
    }
}

#[cfg(unix)]
fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// Elsewhere wall time stands in: while a poll lasts, it is at least the processor time.
#[cfg(not(unix))]
fn thread_cpu_ns() -> u64 {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
