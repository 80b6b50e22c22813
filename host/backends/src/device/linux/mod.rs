mod hardware;
mod identity;
mod load;
mod network;
mod os;
mod reboot;
mod stale;
mod virt;
mod volumes;

use std::sync::{Arc, Mutex};

use contract::Context;
use contract::device::{
    Backend, GetHardware, GetIdentity, GetLoad, GetOs, GetRebootState, HardwareInfo, Identity, ListNetworkInterfaces,
    ListVolumes, LoadInfo, NetworkInterface, OsInfo, RebootState, Volume,
};
use contract::types::Error;

use crate::facts::Root;
use crate::{Shared, errors};

/// This machine, or the recorded files of one.
pub(super) struct Linux {
    root: Root,
    shared: Shared,
    last_sample: Arc<Mutex<Option<load::Sample>>>,
}

impl Linux {
    /// This machine, or the system under `shared.root`.
    pub(super) fn new(shared: &Shared) -> Self {
        Self::at(Root::new(&shared.root), shared)
    }

    /// Files below a folder.
    pub(super) fn at(root: Root, shared: &Shared) -> Self {
        Self { root, shared: shared.clone(), last_sample: Arc::default() }
    }

    /// Runs what blocks where it may.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || work(&root))
            .await
            .map_err(|error| errors::failed("panic", format!("reading facts: {error}")))?
    }
}

#[async_trait::async_trait]
impl Backend for Linux {
    async fn get_identity(&self, _: &Context, _: &GetIdentity) -> Result<Identity, Error> {
        let device_id = super::device_id(&self.shared)?;
        self.blocking(move |root| Ok(identity::read(root, device_id))).await
    }

    async fn get_os(&self, _: &Context, _: &GetOs) -> Result<OsInfo, Error> {
        self.blocking(os::read).await
    }

    async fn get_hardware(&self, _: &Context, _: &GetHardware) -> Result<HardwareInfo, Error> {
        self.blocking(hardware::read).await
    }

    async fn list_volumes(&self, _: &Context, _: &ListVolumes) -> Result<Vec<Volume>, Error> {
        self.blocking(volumes::read).await
    }

    async fn list_network_interfaces(
        &self,
        _: &Context,
        _: &ListNetworkInterfaces,
    ) -> Result<Vec<NetworkInterface>, Error> {
        self.blocking(network::read).await
    }

    async fn get_load(&self, _: &Context, _: &GetLoad) -> Result<LoadInfo, Error> {
        let last_sample = Arc::clone(&self.last_sample);
        self.blocking(move |root| load::read(root, &last_sample)).await
    }

    async fn get_reboot_state(&self, _: &Context, _: &GetRebootState) -> Result<RebootState, Error> {
        self.blocking(reboot::read).await
    }
}

/// A file of /proc, parsed by the crate that knows them all.
fn proc<T: procfs::FromRead>(root: &Root, path: &str) -> Result<T, Error> {
    T::from_file(root.path(path)).map_err(|error| errors::failed("proc", error.to_string()))
}
