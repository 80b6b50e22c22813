//! Memory and tables of an instance, added over all of them: wasmtime's own limits are for each.

use model::Limits;
use wasmtime::ResourceLimiter;

use crate::stop::Stopped;

/// Counts what an instance has, and stops it where it wants more than it may have.
pub(crate) struct Limiter {
    memory_bytes: u64,
    memory_bytes_max: u64,
    memory_bytes_peak: u64,
    table_elements: u64,
    table_elements_max: u64,
    instances_max: usize,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes,
            memory_bytes_peak: 0,
            table_elements: 0,
            table_elements_max: limits.table_elements,
            instances_max: usize::try_from(limits.instances).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn memory_bytes_peak(&self) -> u64 {
        self.memory_bytes_peak
    }
}

fn grown(total: u64, current: usize, desired: usize) -> u64 {
    let by = desired.saturating_sub(current);
    total.saturating_add(u64::try_from(by).unwrap_or(u64::MAX))
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = grown(self.memory_bytes, current, desired);
        if total > self.memory_bytes_max {
            return Err(Stopped::Limit("memory-bytes").into());
        }
        self.memory_bytes = total;
        self.memory_bytes_peak = self.memory_bytes_peak.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = grown(self.table_elements, current, desired);
        if total > self.table_elements_max {
            return Err(Stopped::Limit("table-elements").into());
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }

    // Counted by their bytes and elements above; these only bound what an empty one costs the host.
    fn tables(&self) -> usize {
        4 * self.instances_max
    }

    fn memories(&self) -> usize {
        4 * self.instances_max
    }
}
