//! The system waits for a reboot: as its packages noted, as a newer kernel in /boot says, as services that still run what was
//! replaced show, and as the package manager's own backend remembers.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use contract::device::GetRebootState;
use contract::patch::ListSources;
use contract::types::ErrorKind;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::sink::{Level, data};
use crate::{Asked, Error, Sink, Surroundings};

use super::settle::Settling;
use super::updates_available::{QUIET, STATUS};

/// What Debian's packages leave when they want one.
const REQUIRED: &str = "/run/reboot-required";
/// Where kernels are.
const BOOT: &str = "/boot";
/// How often it is asked where nothing that is watched changed: restarting a service may be all that was waited for.
const ASK: Duration = Duration::from_hours(1);
/// When to ask again where the answer was an error.
const AGAIN: Duration = Duration::from_mins(1);

/// Why it waits, in words; nothing, where it does not.
#[derive(Debug)]
pub(super) struct Wait {
    reasons: Vec<String>,
    said: Map<String, Value>,
}

pub(super) async fn watch(around: &Surroundings, sink: &Sink) -> Result<(), Error> {
    let mut watched = Settling::new(&[REQUIRED, STATUS, BOOT].map(Path::new), QUIET)?;
    let mut level = Level::default();
    let mut since = Instant::now();
    loop {
        let answer = around.shared.reboot.since(since, async |_| ask(&around.asked).await).await;
        let again = match &*answer {
            Ok(wait) => {
                level.tell(sink, !wait.reasons.is_empty(), around, "", || wait.said.clone()).await;
                ASK
            }
            Err(error) if error.kind == ErrorKind::Unsupported => {
                return Err(Error::Unsupported { what: format!("reboots that are waited for: {}", error.message) });
            }
            // What was raised stays until it is known.
            Err(_) => AGAIN,
        };
        since = tokio::time::timeout(again, watched.changed()).await.unwrap_or_else(|_| Ok(Instant::now()))?;
    }
}

async fn ask(asked: &Asked) -> Result<Wait, contract::types::Error> {
    let state = asked.device.get_reboot_state(&Asked::context(&[]), &GetRebootState {}).await?;
    let mut reasons: BTreeSet<String> = state.reasons.into_iter().collect();
    let attribute = |attributes: &[(String, String)], name: &str| {
        let found = attributes.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.clone())
    };
    // Without a package manager, the device alone knows.
    let sources = asked.patch.list_sources(&Asked::context(&["*"]), &ListSources {}).await.unwrap_or_default();
    let wanted = sources.iter().find_map(|source| attribute(&source.attributes, "reboot-required"));
    if wanted.is_some() {
        reasons.insert("package-manager".to_owned());
    }
    let of_device = |name| attribute(&state.attributes, name).filter(|value| !value.is_empty());
    let said = data([
        ("reasons", json!(reasons)),
        ("packages", json!(of_device("packages").or(wanted))),
        ("services", json!(of_device("services"))),
        ("running-kernel", json!(of_device("running-kernel"))),
        ("installed-kernel", json!(of_device("installed-kernel"))),
        ("booted-ms", json!(state.booted_ms)),
    ]);
    Ok(Wait { reasons: reasons.into_iter().collect(), said })
}
