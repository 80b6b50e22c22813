use std::collections::BTreeSet;

use contract::types::Error;
use procfs::{CpuInfo, FromRead, Meminfo};

use crate::errors;

use super::Root;

/// What processor and memory say of themselves.
pub(crate) struct Hardware {
    /// Of the firmware, else of the installation; may be empty.
    pub(crate) uuid: String,
    pub(crate) cpu_brand: String,
    pub(crate) physical_cores: usize,
    pub(crate) logical_cores: usize,
    pub(crate) sockets: usize,
    pub(crate) microcode: Option<String>,
    pub(crate) memory_bytes: u64,
}

impl Hardware {
    pub(crate) fn read(root: &Root) -> Result<Self, Error> {
        let proc = |error: procfs::ProcError| errors::failed("proc", error.to_string());
        let cpus = CpuInfo::from_file(root.path("proc/cpuinfo")).map_err(proc)?;
        let memory = Meminfo::from_file(root.path("proc/meminfo")).map_err(proc)?;
        let sockets: BTreeSet<u32> = (0..cpus.num_cores()).filter_map(|cpu| cpus.physical_id(cpu)).collect();
        Ok(Self {
            uuid: root.line("sys/class/dmi/id/product_uuid").or_else(|| machine_id(root)).unwrap_or_default(),
            cpu_brand: brand(&cpus),
            physical_cores: physical_cores(&cpus),
            logical_cores: cpus.num_cores(),
            sockets: sockets.len().max(1),
            microcode: cpus.get_field(0, "microcode").map(str::to_owned),
            memory_bytes: memory.mem_total,
        })
    }
}

/// The machine's id in the form of a UUID.
fn machine_id(root: &Root) -> Option<String> {
    let id = root.line("etc/machine-id").filter(|id| id.len() == 32 && id.is_ascii())?;
    let parts = [id.get(..8)?, id.get(8..12)?, id.get(12..16)?, id.get(16..20)?, id.get(20..)?];
    Some(parts.join("-"))
}

/// x86 says `model name`; ARM boards say `Model` or `Hardware` once, for all.
fn brand(cpus: &CpuInfo) -> String {
    let shared = ["model name", "Model", "Hardware", "cpu"].iter().find_map(|&name| cpus.get_field(0, name));
    shared.unwrap_or_default().to_owned()
}

/// Cores that are no mere threads; all of them where the processor does not tell.
fn physical_cores(cpus: &CpuInfo) -> usize {
    let core = |cpu: usize| Some((cpus.physical_id(cpu)?, cpus.get_field(cpu, "core id")?.to_owned()));
    let cores: Option<BTreeSet<_>> = (0..cpus.num_cores()).map(core).collect();
    cores.map_or(cpus.num_cores(), |cores| cores.len())
}
