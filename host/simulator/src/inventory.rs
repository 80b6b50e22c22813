//! What devices are like: by template and seed.

use fleet::{Agent, Facts, Hardware, Interface, Memory, Os, Packages, Reboot, Volume};
use rand::RngExt as _;

use crate::nature::Nature;

/// What a device of some kind is like.
struct Template {
    name: &'static str,
    family: &'static str,
    os: &'static str,
    versions: [&'static str; 2],
    mounts: &'static [(&'static str, &'static str, u64)],
    memory_gib: [u64; 2],
    packages: u64,
    is_virtual: bool,
}

/// One in so many is of each: what is listed oftener is there oftener.
const TEMPLATES: [&Template; 6] = [&WEB, &DATABASE, &LAPTOP, &LAPTOP, &DESK, &WEB];

const WEB: Template = Template {
    name: "web",
    family: "debian",
    os: "Debian GNU/Linux",
    versions: ["12.7", "13.1"],
    mounts: &[("/", "ext4", 40), ("/var/log", "ext4", 20)],
    memory_gib: [4, 8],
    packages: 600,
    is_virtual: true,
};

const DATABASE: Template = Template {
    name: "db",
    family: "rhel",
    os: "Rocky Linux",
    versions: ["9.4", "9.6"],
    mounts: &[("/", "xfs", 60), ("/srv", "xfs", 900)],
    memory_gib: [32, 128],
    packages: 900,
    is_virtual: true,
};

const LAPTOP: Template = Template {
    name: "laptop",
    family: "windows",
    os: "Windows 11 Pro",
    versions: ["10.0.22631", "10.0.26100"],
    mounts: &[("C:", "ntfs", 480)],
    memory_gib: [8, 16],
    packages: 140,
    is_virtual: false,
};

const DESK: Template = Template {
    name: "desk",
    family: "ubuntu",
    os: "Ubuntu",
    versions: ["22.04", "24.04"],
    mounts: &[("/", "ext4", 240), ("/home", "ext4", 700)],
    memory_gib: [16, 32],
    packages: 2_100,
    is_virtual: false,
};

/// What a device says of itself when it is first asked.
pub fn facts(nature: &Nature, number: u32) -> Facts {
    let mut draw = nature.draw(number, "facts");
    let at = draw.random_range(0..TEMPLATES.len());
    let Some(it) = TEMPLATES.get(at) else { return Facts::default() };
    let version = if draw.random() { it.versions[0] } else { it.versions[1] };
    let memory = if draw.random() { it.memory_gib[0] } else { it.memory_gib[1] };
    let volume = |&(mount, filesystem, gib): &(&str, &str, u64), free: u64| {
        Volume::new(mount.to_owned(), filesystem.to_owned(), gib << 30, (gib << 30) / 100 * free, false)
    };
    let volumes = it.mounts.iter().map(|mount| volume(mount, draw.random_range(2..95))).collect();
    let [_, b, c, d] = number.to_be_bytes();
    Facts {
        hostname: Some(format!("{}-{number}", it.name)),
        os: Some(Os {
            family: it.family.to_owned(),
            name: it.os.to_owned(),
            version: version.to_owned(),
            arch: "x86_64".to_owned(),
            kernel: None,
        }),
        agent: Some(Agent { version: env!("CARGO_PKG_VERSION").to_owned() }),
        hardware: Some(Hardware {
            vendor: "simulated".to_owned(),
            model: it.name.to_owned(),
            cpu_brand: "simulated".to_owned(),
            cpu_logical_cores: 1 << draw.random_range(1..6),
            is_virtual: it.is_virtual,
        }),
        memory: Some(Memory { total_bytes: memory << 30, swap_bytes: 0 }),
        volumes: Some(volumes),
        interfaces: Some(vec![Interface {
            name: "eth0".to_owned(),
            mac: format!("02:00:00:{b:02x}:{c:02x}:{d:02x}"),
            addresses: vec![format!("10.{b}.{c}.{d}/8")],
            up: true,
        }]),
        packages: Some(Packages {
            count: it.packages + draw.random_range(0..50),
            updates: Some(draw.random_range(0..40)),
            security_updates: Some(draw.random_range(0..5)),
        }),
        reboot: Some(Reboot { pending: draw.random_range(0..10) == 0, reasons: Vec::new() }),
        people: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_makes_the_same_fleet_of_all_kinds() {
        let nature = Nature::default();
        let all: Vec<Facts> = (0..200).map(|number| facts(&nature, number)).collect();
        assert_eq!(all, (0..200).map(|number| facts(&nature, number)).collect::<Vec<_>>());
        assert_ne!(all[0], facts(&Nature { seed: 2, ..nature }, 0));
        let families: BTreeSet<&str> = all.iter().filter_map(|it| Some(it.os.as_ref()?.family.as_str())).collect();
        assert_eq!(families.into_iter().collect::<Vec<_>>(), ["debian", "rhel", "ubuntu", "windows"]);
        assert!(all.iter().all(|it| it.clone().bounded() == *it), "what would not fit would be left out");
    }
}
