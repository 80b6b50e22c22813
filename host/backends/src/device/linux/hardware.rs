use std::collections::BTreeSet;

use contract::device::HardwareInfo;
use contract::types::Error;
use procfs::{CpuInfo, Meminfo};

use crate::root::Root;

use super::{proc, virt};

/// The variable in which UEFI says whether it checks what it boots.
const SECURE_BOOT: &str = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

pub(super) fn read(root: &Root) -> Result<HardwareInfo, Error> {
    let dmi = |name: &str| root.line(&format!("sys/class/dmi/id/{name}"));
    let cpus: CpuInfo = proc(root, "proc/cpuinfo")?;
    let memory: Meminfo = proc(root, "proc/meminfo")?;
    let hypervisor = virt::detect(root);
    let logical = cpus.num_cores();
    Ok(HardwareInfo {
        vendor: dmi("sys_vendor").unwrap_or_default(),
        model: dmi("product_name").unwrap_or_default(),
        serial: dmi("product_serial").unwrap_or_default(),
        uuid: dmi("product_uuid").or_else(|| machine_id(root)).unwrap_or_default(),
        cpu_brand: brand(&cpus),
        physical_cores: u32::try_from(physical_cores(&cpus)).unwrap_or(u32::MAX),
        logical_cores: u32::try_from(logical).unwrap_or(u32::MAX),
        memory_bytes: memory.mem_total,
        is_virtual: hypervisor.is_some(),
        attributes: super::super::attributes([
            ("tpm-version", root.line("sys/class/tpm/tpm0/tpm_version_major")),
            ("secure-boot", secure_boot(root)),
            ("bios-version", dmi("bios_version")),
            ("chassis", chassis(root).map(str::to_owned)),
            ("hypervisor", hypervisor),
        ]),
    })
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

/// The variable's fifth byte; the first four are its attributes.
fn secure_boot(root: &Root) -> Option<String> {
    let (bytes, _) = root.read(SECURE_BOOT, 16).ok()?;
    bytes.get(4).map(|&byte| (byte == 1).to_string())
}

/// SMBIOS 3.7, 7.4.1: what kind of box it is.
pub(super) fn chassis(root: &Root) -> Option<&'static str> {
    let number: u8 = root.line("sys/class/dmi/id/chassis_type")?.parse().ok()?;
    match number {
        3..=7 | 13 | 15 | 16 | 24 | 35 | 36 => Some("desktop"),
        8..=10 | 14 | 31 | 32 => Some("laptop"),
        11 => Some("handset"),
        17 | 23 | 25 | 28 | 29 => Some("server"),
        30 => Some("tablet"),
        33 | 34 => Some("embedded"),
        _ => None,
    }
}
