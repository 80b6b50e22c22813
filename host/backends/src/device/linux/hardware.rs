use contract::device::HardwareInfo;
use contract::types::Error;

use crate::attributes;
use crate::facts::{Root, hardware::Hardware};

use super::virt;

/// The variable in which UEFI says whether it checks what it boots.
const SECURE_BOOT: &str = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

pub(super) fn read(root: &Root) -> Result<HardwareInfo, Error> {
    let dmi = |name: &str| root.line(&format!("sys/class/dmi/id/{name}"));
    let hardware = Hardware::read(root)?;
    let hypervisor = virt::detect(root);
    Ok(HardwareInfo {
        vendor: dmi("sys_vendor").unwrap_or_default(),
        model: dmi("product_name").unwrap_or_default(),
        serial: dmi("product_serial").unwrap_or_default(),
        uuid: hardware.uuid,
        cpu_brand: hardware.cpu_brand,
        physical_cores: u32::try_from(hardware.physical_cores).unwrap_or(u32::MAX),
        logical_cores: u32::try_from(hardware.logical_cores).unwrap_or(u32::MAX),
        memory_bytes: hardware.memory_bytes,
        is_virtual: hypervisor.is_some(),
        attributes: attributes::known([
            ("tpm-version", root.line("sys/class/tpm/tpm0/tpm_version_major")),
            ("secure-boot", secure_boot(root)),
            ("bios-version", dmi("bios_version")),
            ("chassis", chassis(root).map(str::to_owned)),
            ("hypervisor", hypervisor),
        ]),
    })
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
