//! `service`, `service-control`: what runs in the background, by systemd or SysV scripts.
//!
//! What the interfaces promise (names, scope, `before` and `after`, refusals, undo) is kept once, in [`Services`], over a
//! [`Manager`] that only knows how to ask and to act: systemd, SysV, the twin in memory, and what a dry run plans. So a dry run
//! answers as the real thing would because it is the same code that answers.

mod manager;
mod services;

#[cfg(target_os = "linux")]
mod linux;
mod memory;
#[cfg(not(target_os = "linux"))]
mod other;
mod overlay;

use std::sync::Arc;
use std::time::Duration;

use contract::service::{self, ServiceInfo, ServiceState};
use contract::types::Error;
use contract::{Context, ScopeGrammar};
use model::{Clock, Scope};

use crate::device::PlannedReboot;
use crate::{Shared, errors};

#[cfg(target_os = "linux")]
pub use linux::Settings;
#[cfg(target_os = "linux")]
pub(crate) use linux::service_of;
use manager::Manager;
pub use memory::Entry;
pub use services::Services;

/// The most services in one answer.
const SERVICES_MAX: usize = 2_000;
/// The most names in one answer of `list-dependencies`, and the most that are followed to find what needs a service.
const RELATED_MAX: usize = 256;
/// The longest that a call may wait for a service.
const WAIT_MS_MAX: u32 = 120_000;
/// How long `reload-service` and undoing wait: neither is told by its caller.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);
/// systemd's limit for the name of a unit, with its suffix.
const NAME_BYTES_MAX: usize = 255 - ".service".len();
/// The most bytes of an attribute's value.
const ATTRIBUTE_BYTES_MAX: usize = 4 << 10;
/// What this host's agent is called. Nobody stops it, also where it is not the one that runs the plugin.
const AGENT: &str = "remit-agent";

/// The services of this machine, or of the system under `shared.root`.
pub fn real(shared: &Shared) -> Services {
    #[cfg(target_os = "linux")]
    return linux(&Settings::of(&shared.root));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = shared;
        Services::new(Box::new(other::Other), vec![AGENT.to_owned()], true)
    }
}

/// The services of a Linux host, which may be another one whose bus and root can be reached from here.
#[cfg(target_os = "linux")]
pub fn linux(settings: &Settings) -> Services {
    let own = linux::own_service().into_iter().chain([AGENT.to_owned()]).collect();
    Services::new(Box::new(linux::Linux::new(settings)), own, true)
}

/// What a dry run sees: the services of `base`, which is only read, as they would be; `device` is told which would be renewed.
pub fn overlay(base: Arc<dyn service::Backend>, clock: Arc<dyn Clock>, planned_reboot: Arc<PlannedReboot>) -> Services {
    // Which services are the agent's own, only the real one knows: it says so in its answers.
    Services::new(Box::new(overlay::Planned::new(base, clock, planned_reboot)), vec![AGENT.to_owned()], false)
}

/// Services in memory.
pub fn memory(entries: Vec<Entry>, clock: Arc<dyn Clock>) -> Services {
    Services::new(Box::new(memory::Memory::new(entries, clock)), vec![AGENT.to_owned()], true)
}

/// A plain name: no path, no suffix of a unit, no template without its instance.
fn check_name(name: &str) -> Result<(), Error> {
    let bad = |problem: &str| Err(errors::invalid("name", format!("`{}` {problem}", name.escape_debug())));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\@-".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return bad("is no name of a service: it has 1 to 247 bytes");
    }
    if !name.bytes().all(is_plain) || name.starts_with(['.', '-', '@']) || name.ends_with('@') {
        return bad("is no name of a service");
    }
    match name.rsplit_once('.') {
        Some((
            _,
            "service" | "socket" | "target" | "device" | "mount" | "automount" | "swap" | "timer" | "path" | "slice"
            | "scope",
        )) => bad("is the name of a unit: services are named without their suffix"),
        _ => Ok(()),
    }
}

fn scope(cx: &Context) -> Result<Scope, Error> {
    Scope::new(ScopeGrammar::Globs, cx.scope.clone()).map_err(|error| errors::invalid("scope", error.to_string()))
}

fn attribute<'a>(service: &'a ServiceInfo, name: &str) -> Option<&'a str> {
    service.attributes.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
}

/// Whether it is there for who needs it, or on its way: what undoing goes by.
fn is_up(state: ServiceState) -> bool {
    matches!(state, ServiceState::Running | ServiceState::StartPending | ServiceState::Paused)
}

/// Names as one attribute, as many as fit.
fn joined(names: &[String]) -> String {
    let mut text = String::new();
    for name in names {
        if text.len() + name.len() + " *".len() >= ATTRIBUTE_BYTES_MAX {
            text.push_str(" *");
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(name);
    }
    text
}

#[cfg(test)]
mod conformance;
