use std::sync::{Mutex, PoisonError};

use contract::device::LoadInfo;
use contract::types::Error;
use procfs::{LoadAverage, Meminfo, MemoryPressure, Uptime};

use crate::attributes;
use crate::errors;
use crate::facts::Root;

use super::proc;

/// Ticks of all cores since boot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    busy: u64,
    total: u64,
}

pub(super) fn read(root: &Root, last_sample: &Mutex<Option<Sample>>) -> Result<LoadInfo, Error> {
    let memory: Meminfo = proc(root, "proc/meminfo")?;
    let uptime: Uptime = proc(root, "proc/uptime")?;
    let load: LoadAverage = proc(root, "proc/loadavg")?;
    let pressure: Option<MemoryPressure> = proc(root, "proc/pressure/memory").ok();
    let available = memory.mem_available.unwrap_or(memory.mem_free + memory.cached);
    Ok(LoadInfo {
        cpu_percent: cpu_percent(root, last_sample)?,
        load_average: (f64::from(load.one) * 100.0).round() / 100.0,
        memory_used_bytes: memory.mem_total.saturating_sub(available),
        memory_total_bytes: memory.mem_total,
        swap_used_bytes: memory.swap_total.saturating_sub(memory.swap_free),
        uptime_seconds: uptime.uptime_duration().as_secs(),
        attributes: attributes::known([
            ("swap-total-bytes", Some(memory.swap_total.to_string())),
            ("pressure-memory", pressure.map(|pressure| pressure.some.avg10.to_string())),
            ("processes", Some(processes(root).to_string())),
        ]),
    })
}

fn cpu_percent(root: &Root, last_sample: &Mutex<Option<Sample>>) -> Result<f64, Error> {
    let now = sample(root)?;
    let last = last_sample.lock().unwrap_or_else(PoisonError::into_inner).replace(now).unwrap_or_default();
    let (busy, total) = (now.busy.saturating_sub(last.busy), now.total.saturating_sub(last.total));
    // Ticks since boot stay far below what a double holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "2^53 ticks are three million years")]
    let percent = if total == 0 { 0.0 } else { busy as f64 / total as f64 * 100.0 };
    Ok((percent * 10.0).round().clamp(0.0, 1_000.0) / 10.0)
}

/// The first line of /proc/stat. Time of guests is in user time already; time stolen by the hypervisor is time in which this
/// machine wanted to work.
fn sample(root: &Root) -> Result<Sample, Error> {
    let text = root.text("proc/stat").map_err(|error| errors::io("/proc/stat", &error))?;
    let ticks: Vec<u64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .take(8)
        .map(|field| field.parse().unwrap_or_default())
        .collect();
    let idle = ticks.get(3..5).unwrap_or_default().iter().sum::<u64>();
    let total = ticks.iter().sum::<u64>();
    Ok(Sample { busy: total - idle, total })
}

fn processes(root: &Root) -> usize {
    root.names("proc").iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count()
}
