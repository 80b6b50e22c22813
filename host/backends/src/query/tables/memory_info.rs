use contract::types::Error;
use procfs::Meminfo;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let memory: Meminfo = source.proc("proc/meminfo")?;
    Ok(vec![
        Row::default()
            .number("memory_total", memory.mem_total)
            .number("memory_free", memory.mem_free)
            .some_number("memory_available", memory.mem_available)
            .number("buffers", memory.buffers)
            .number("cached", memory.cached)
            .number("swap_cached", memory.swap_cached)
            .number("active", memory.active)
            .number("inactive", memory.inactive)
            .number("swap_total", memory.swap_total)
            .number("swap_free", memory.swap_free),
    ])
}
