//! What tests stand on.

mod measured;
pub(crate) mod world;

use trust::{Name, Place, Time};

use crate::{Agent, Device, Facts, Interface, Memory, Os, Packages, Reboot, Volume};

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub(crate) fn device(number: u32) -> Device {
    Device::from(*model::Digest::of(&number.to_be_bytes()).as_bytes())
}

/// Numbers that are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

pub(crate) fn facts() -> Facts {
    let volume = |mount: &str, size_bytes: u64, free_bytes: u64| {
        Volume::new(mount.to_owned(), "ext4".to_owned(), size_bytes, free_bytes, false)
    };
    Facts {
        hostname: Some("web-1".to_owned()),
        os: Some(Os {
            family: "debian".to_owned(),
            name: "Debian GNU/Linux".to_owned(),
            version: "12.7".to_owned(),
            arch: "x86_64".to_owned(),
            kernel: None,
        }),
        agent: Some(Agent { version: "0.1.0".to_owned() }),
        hardware: None,
        memory: Some(Memory { total_bytes: 8 << 30, swap_bytes: 0 }),
        volumes: Some(vec![
            volume("/", 50_000_000_000, 20_000_000_000),
            volume("/srv", 900_000_000_000, 60_000_000_000),
        ]),
        interfaces: Some(vec![Interface {
            name: "eth0".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            addresses: vec!["10.1.2.3/24".to_owned(), "fe80::1/64".to_owned()],
            up: true,
        }]),
        packages: Some(Packages { count: 612, updates: None, security_updates: None }),
        reboot: Some(Reboot::default()),
        people: None,
    }
}

pub(crate) fn place() -> Place {
    Place {
        client: name("acme"),
        site: name("hq"),
        tags: vec![name("server"), name("ring1")],
        until: time("2027-01-01T00:00:00Z"),
    }
}
