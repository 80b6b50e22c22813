use contract::Context;
use contract::device::{
    Backend, GetHardware, GetIdentity, GetLoad, GetOs, GetRebootState, HardwareInfo, Identity, ListNetworkInterfaces,
    ListVolumes, LoadInfo, NetworkInterface, OsInfo, Platform, RebootState, Volume,
};
use contract::types::Error;
use serde::Deserialize;

use crate::fixture::{Example, Partial};

use super::ITEMS_MAX;

/// A device of a fixture. What is left out is a Debian server of 4 cores and 8 GiB that needs no reboot and has no volumes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Fixture {
    /// Who it is.
    pub identity: Partial<Identity>,
    /// Its operating system.
    pub os: Partial<OsInfo>,
    /// Its hardware.
    pub hardware: Partial<HardwareInfo>,
    /// Its volumes.
    pub volumes: Vec<Partial<Volume>>,
    /// Its network interfaces.
    pub network_interfaces: Vec<Partial<NetworkInterface>>,
    /// How busy it is.
    pub load: Partial<LoadInfo>,
    /// Whether it waits for a reboot.
    pub reboot_state: Partial<RebootState>,
}

/// The device that a fixture describes.
pub struct Memory(Fixture);

impl Memory {
    /// As described.
    pub fn new(fixture: Fixture) -> Self {
        Self(fixture)
    }
}

#[async_trait::async_trait]
impl Backend for Memory {
    async fn get_identity(&self, _: &Context, _: &GetIdentity) -> Result<Identity, Error> {
        Ok(self.0.identity.0.clone())
    }

    async fn get_os(&self, _: &Context, _: &GetOs) -> Result<OsInfo, Error> {
        Ok(self.0.os.0.clone())
    }

    async fn get_hardware(&self, _: &Context, _: &GetHardware) -> Result<HardwareInfo, Error> {
        Ok(self.0.hardware.0.clone())
    }

    async fn list_volumes(&self, _: &Context, _: &ListVolumes) -> Result<Vec<Volume>, Error> {
        Ok(self.0.volumes.iter().take(ITEMS_MAX).map(|volume| volume.0.clone()).collect())
    }

    async fn list_network_interfaces(
        &self,
        _: &Context,
        _: &ListNetworkInterfaces,
    ) -> Result<Vec<NetworkInterface>, Error> {
        Ok(self.0.network_interfaces.iter().take(ITEMS_MAX).map(|interface| interface.0.clone()).collect())
    }

    async fn get_load(&self, _: &Context, _: &GetLoad) -> Result<LoadInfo, Error> {
        Ok(self.0.load.0.clone())
    }

    async fn get_reboot_state(&self, _: &Context, _: &GetRebootState) -> Result<RebootState, Error> {
        Ok(self.0.reboot_state.0.clone())
    }
}

const GIB: u64 = 1 << 30;
/// 2026-01-01, when the machines of fixtures were started.
const BOOTED_MS: u64 = 1_767_225_600_000;

impl Example for Identity {
    fn example() -> Self {
        Self {
            device_id: "dev_01KDVDJR00000000000000000F".to_owned(),
            client_id: String::new(),
            site_id: String::new(),
            hostname: "fixture".to_owned(),
            role: "server".to_owned(),
            tags: Vec::new(),
            timezone: "Etc/UTC".to_owned(),
            attributes: Vec::new(),
        }
    }
}

impl Example for OsInfo {
    fn example() -> Self {
        Self {
            platform: Platform::Linux,
            name: "Debian GNU/Linux".to_owned(),
            version: "12.7".to_owned(),
            build: String::new(),
            arch: "x86_64".to_owned(),
            kernel: "6.1.0-25-amd64".to_owned(),
            attributes: vec![("id".to_owned(), "debian".to_owned()), ("codename".to_owned(), "bookworm".to_owned())],
        }
    }
}

impl Example for HardwareInfo {
    fn example() -> Self {
        Self {
            vendor: String::new(),
            model: String::new(),
            serial: String::new(),
            uuid: String::new(),
            cpu_brand: String::new(),
            physical_cores: 4,
            logical_cores: 4,
            memory_bytes: 8 * GIB,
            is_virtual: false,
            attributes: Vec::new(),
        }
    }
}

impl Example for Volume {
    fn example() -> Self {
        Self {
            mount: "/".to_owned(),
            device: "/dev/sda1".to_owned(),
            filesystem: "ext4".to_owned(),
            size_bytes: 100 * GIB,
            free_bytes: 50 * GIB,
            free_inodes: Some(1_000_000),
            read_only: false,
            attributes: Vec::new(),
        }
    }
}

impl Example for NetworkInterface {
    fn example() -> Self {
        Self {
            name: "eth0".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            addresses: vec!["192.0.2.10/24".to_owned()],
            up: true,
            attributes: Vec::new(),
        }
    }
}

impl Example for LoadInfo {
    fn example() -> Self {
        Self {
            cpu_percent: 5.0,
            load_average: 0.1,
            memory_used_bytes: 2 * GIB,
            memory_total_bytes: 8 * GIB,
            swap_used_bytes: 0,
            uptime_seconds: 86_400,
            attributes: Vec::new(),
        }
    }
}

impl Example for RebootState {
    fn example() -> Self {
        Self { pending: false, reasons: Vec::new(), booted_ms: BOOTED_MS, attributes: Vec::new() }
    }
}
