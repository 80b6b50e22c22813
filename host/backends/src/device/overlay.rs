use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use contract::Context;
use contract::device::{
    Backend, GetHardware, GetIdentity, GetLoad, GetOs, GetRebootState, HardwareInfo, Identity, ListNetworkInterfaces,
    ListVolumes, LoadInfo, NetworkInterface, OsInfo, RebootState, Volume,
};
use contract::types::Error;

/// Why a reboot would be pending after what a dry run has planned. Overlays of interfaces whose changes need a reboot write
/// it, the overlay of `device` reads it.
#[derive(Debug, Default)]
pub struct PlannedReboot {
    reasons: Mutex<Vec<&'static str>>,
    /// Services whose processes would end, or be new ones.
    renewed: Mutex<BTreeSet<String>>,
}

/// The reason of services that run what was replaced.
pub(super) const STALE: &str = "services-stale";

impl PlannedReboot {
    /// A planned change would leave a reboot pending, for this reason of `reboot-state`.
    pub fn plan(&self, reason: &'static str) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }

    /// A planned change would stop this service, or start it anew: it would no longer run what was replaced.
    pub fn renew(&self, service: &str) {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).insert(service.to_owned());
    }

    fn reasons(&self) -> Vec<&'static str> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state without the services that would run what is there now.
    fn without_renewed(&self, mut state: RebootState) -> RebootState {
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, services)) = state.attributes.iter_mut().find(|(name, _)| name == "services") else {
            return state;
        };
        let left: Vec<&str> = services.split(',').filter(|service| !renewed.contains(*service)).collect();
        *services = left.join(",");
        if services.is_empty() {
            state.attributes.retain(|(name, _)| name != "services");
            state.reasons.retain(|reason| reason != STALE);
            state.pending = !state.reasons.is_empty();
        }
        state
    }
}

/// The facts, with the reboots that planned changes would need.
pub struct Overlay {
    base: Arc<dyn Backend>,
    planned: Arc<PlannedReboot>,
}

impl Overlay {
    /// Over a backend, and what other overlays plan.
    pub fn new(base: Arc<dyn Backend>, planned: Arc<PlannedReboot>) -> Self {
        Self { base, planned }
    }
}

#[async_trait::async_trait]
impl Backend for Overlay {
    async fn get_identity(&self, cx: &Context, call: &GetIdentity) -> Result<Identity, Error> {
        self.base.get_identity(cx, call).await
    }

    async fn get_os(&self, cx: &Context, call: &GetOs) -> Result<OsInfo, Error> {
        self.base.get_os(cx, call).await
    }

    async fn get_hardware(&self, cx: &Context, call: &GetHardware) -> Result<HardwareInfo, Error> {
        self.base.get_hardware(cx, call).await
    }

    async fn list_volumes(&self, cx: &Context, call: &ListVolumes) -> Result<Vec<Volume>, Error> {
        self.base.list_volumes(cx, call).await
    }

    async fn list_network_interfaces(
        &self,
        cx: &Context,
        call: &ListNetworkInterfaces,
    ) -> Result<Vec<NetworkInterface>, Error> {
        self.base.list_network_interfaces(cx, call).await
    }

    async fn get_load(&self, cx: &Context, call: &GetLoad) -> Result<LoadInfo, Error> {
        self.base.get_load(cx, call).await
    }

    async fn get_reboot_state(&self, cx: &Context, call: &GetRebootState) -> Result<RebootState, Error> {
        let mut state = self.planned.without_renewed(self.base.get_reboot_state(cx, call).await?);
        let planned = self.planned.reasons();
        if !planned.is_empty() {
            state.pending = true;
            state.attributes.push(("planned".to_owned(), planned.join(",")));
        }
        for reason in planned {
            if !state.reasons.iter().any(|known| known == reason) {
                state.reasons.push(reason.to_owned());
            }
        }
        Ok(state)
    }
}
