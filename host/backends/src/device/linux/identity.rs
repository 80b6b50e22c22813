use contract::device::Identity;
use model::DeviceId;

use crate::attributes;
use crate::facts::Root;

use super::{hardware, virt};

pub(super) fn read(root: &Root, device_id: DeviceId) -> Identity {
    Identity {
        device_id: device_id.to_string(),
        client_id: String::new(),
        site_id: String::new(),
        hostname: root.line("proc/sys/kernel/hostname").unwrap_or_default(),
        role: role(root).to_owned(),
        tags: Vec::new(),
        timezone: timezone(root),
        attributes: attributes::known([
            ("domain", root.line("proc/sys/kernel/domainname").filter(|name| name != "(none)")),
            ("agent-version", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ]),
    }
}

/// A guess, until the MSP says otherwise: what people sit at has a battery or a display manager.
fn role(root: &Root) -> &'static str {
    match hardware::chassis(root) {
        _ if virt::container(root).is_some() => "container",
        Some("laptop") => "laptop",
        _ if root.has("etc/pve") => "hypervisor",
        // A link to a unit, which a recorded root may lack: the link is what counts.
        _ if root.path("etc/systemd/system/display-manager.service").symlink_metadata().is_ok() => "workstation",
        _ => "server",
    }
}

/// The zone that /etc/localtime links to; its content names none.
fn timezone(root: &Root) -> String {
    let link = root.path("etc/localtime").read_link().ok();
    let linked = link.and_then(|target| {
        let target = target.to_str()?;
        target.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned())
    });
    linked.or_else(|| root.line("etc/timezone")).unwrap_or_else(|| "Etc/UTC".to_owned())
}
