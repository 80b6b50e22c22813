//! What this machine runs in, by the signs that systemd-detect-virt goes by, and in its words.

use crate::facts::Root;

/// Begins of what the firmware calls maker, product and board, as in systemd's `src/basic/virt.c`.
const FIRMWARE: [(&str, &str); 18] = [
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Oracle Corporation", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
    ("Nutanix", "kvm"),
];

/// The hypervisor or container runtime; none on bare metal.
pub(super) fn detect(root: &Root) -> Option<String> {
    container(root).or_else(|| machine(root))
}

/// The container runtime; none where there is no container.
pub(super) fn container(root: &Root) -> Option<String> {
    if let Some(manager) = root.line("run/host/container-manager") {
        return Some(manager);
    }
    // What systemd found when it booted, and what the first process was given: both need no guess.
    let given = root.line("run/systemd/container").or_else(|| {
        let (environment, _) = root.read("proc/1/environ", 64 << 10).ok()?;
        let value = environment.split(|&byte| byte == 0).find_map(|pair| pair.strip_prefix(b"container="))?;
        Some(String::from_utf8_lossy(value).into_owned())
    });
    given
        .filter(|word| !word.is_empty())
        .or_else(|| root.has("run/.containerenv").then(|| "podman".to_owned()))
        .or_else(|| root.has(".dockerenv").then(|| "docker".to_owned()))
}

fn machine(root: &Root) -> Option<String> {
    let dmi = |name: &str| root.line(&format!("sys/class/dmi/id/{name}"));
    // EC2 sells bare metal too; its products say so.
    if dmi("product_name").is_some_and(|product| product.ends_with(".metal")) {
        return None;
    }
    if dmi("sys_vendor").as_deref() == Some("Microsoft Corporation")
        && dmi("product_name").as_deref() == Some("Virtual Machine")
    {
        return Some("microsoft".to_owned());
    }
    let names = ["product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"];
    let firmware = names.into_iter().filter_map(dmi).find_map(|name| {
        let (_, word) = FIRMWARE.iter().find(|(begin, _)| name.starts_with(begin))?;
        Some((*word).to_owned())
    });
    firmware.or_else(|| root.line("sys/hypervisor/type")).or_else(|| flagged(root).then(|| "vm-other".to_owned()))
}

/// Whether the processor says that a hypervisor is above it.
fn flagged(root: &Root) -> bool {
    let text = root.text("proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == "hypervisor")
}
