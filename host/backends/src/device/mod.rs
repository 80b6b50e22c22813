//! `device`: facts about this machine. On Linux they come from /proc, /sys, /etc and /run, read as files: nothing is
//! run, and nothing is written but the device's id, once.

#[cfg(target_os = "linux")]
mod linux;
mod memory;
mod overlay;

use std::sync::Arc;

use contract::device::Backend;
use contract::types::Error;
use model::DeviceId;
use store::Expected;

use crate::{Shared, errors};

pub use memory::{Fixture, Memory};
pub use overlay::{Overlay, PlannedReboot};

/// The most volumes and the most interfaces in one answer: the contract's figure, beyond what a device of a person has.
const ITEMS_MAX: usize = 256;

/// This machine's facts.
pub fn real(shared: &Shared) -> Arc<dyn Backend> {
    #[cfg(target_os = "linux")]
    return Arc::new(linux::Linux::new(shared));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = shared;
        Arc::new(contract::device::Unsupported)
    }
}

/// This device's id: made once, and kept in its store. Never derived from a name or a number of the hardware, which clones
/// share.
pub fn device_id(shared: &Shared) -> Result<DeviceId, Error> {
    let (store, now_ms) = (&shared.store, shared.clock.now_ms());
    let kept = store.get("device", "id", now_ms).map_err(|error| errors::store(&error))?;
    let id = match kept {
        Some(document) => document.value,
        None => {
            let fresh = DeviceId::new().to_string();
            let written = store.put("device", "id", &fresh, Expected::Absent, None, now_ms);
            match written.map_err(|error| errors::store(&error))? {
                Ok(document) => document.value,
                // Somebody else was first.
                Err(not_written) => not_written.found.map(|document| document.value).unwrap_or_default(),
            }
        }
    };
    id.parse().map_err(|error| errors::failed("device-id", format!("the store holds no device id: {error}")))
}

#[cfg(test)]
mod conformance;
