//! What a device says of itself. Names are osquery's where it has one; in expressions they have no hyphens.

use expression::Shape;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use trust::Place;

/// The most bytes of a device's facts, as JSON.
pub const FACTS_BYTES_MAX: usize = 256 << 10;

/// The most volumes, and the most interfaces: as many as a plugin is told.
const LIST_MAX: usize = 256;

/// The most addresses of an interface, and the most words of another list.
const WORDS_MAX: usize = 16;

/// The longest text: a path, or what a maker calls a model.
const TEXT_BYTES_MAX: usize = 255;

/// The longest address, and the longest word of another list.
const WORD_BYTES_MAX: usize = 64;

/// The most tags of a device.
const TAGS_MAX: usize = 64;

/// What a device says of itself; what it does not know, or what would not fit, is left out and so cannot be decided. Whose it is
/// and what it is counted among is not for it to say: that is signed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// As the system says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Its operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// Its agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Its hardware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
    /// Its memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Its mounted file systems that hold data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<Volume>>,
    /// Its network interfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<Interface>>,
    /// What is installed, counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Packages>,
    /// Whether a reboot is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot: Option<Reboot>,
    /// What reveals people. A client's policy may have it left out or masked, and no expression asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<People>,
}

/// osquery's `os_version`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// `debian`, `ubuntu`, `rhel`, `windows`, `darwin`: osquery's `platform`, and of a system that is like a larger one, that.
    pub family: String,
    /// `Debian GNU/Linux`.
    pub name: String,
    /// `12.7`.
    pub version: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// The running kernel's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
}

/// The agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its version.
    pub version: String,
}

/// osquery's `system_info`, without what tells one machine from all others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// Maker; may be empty.
    pub vendor: String,
    /// Model; may be empty.
    pub model: String,
    /// Processor.
    pub cpu_brand: String,
    /// Hardware threads.
    pub cpu_logical_cores: u32,
    /// Whether a hypervisor or container runtime was recognised.
    pub is_virtual: bool,
}

/// Memory, as installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// osquery's `physical_memory`.
    pub total_bytes: u64,
    /// Swap.
    pub swap_bytes: u64,
}

/// A mounted file system (osquery's `mounts`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Mount point or drive letter.
    pub mount: String,
    /// `ext4`, `ntfs`, `apfs`.
    pub filesystem: String,
    /// Size.
    pub size_bytes: u64,
    /// What is left, to a thousandth of the size.
    pub free_bytes: u64,
    /// The same, in percent of the size, with one digit after the point.
    pub free_pct: f64,
    /// Whether nothing can be written.
    pub read_only: bool,
}

/// A network interface (osquery's `interface_details` and `interface_addresses`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// `eth0`, `Ethernet 2`.
    pub name: String,
    /// Lower-case, with colons; empty where there is none.
    pub mac: String,
    /// CIDR form, both families.
    pub addresses: Vec<String>,
    /// Whether it carries traffic.
    pub up: bool,
}

/// What is installed, counted: the list itself is large, and a query of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// Installed packages.
    pub count: u64,
    /// Updates that are known and not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<u64>,
    /// Of these, those that mend a weakness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_updates: Option<u64>,
}

/// Whether a reboot is due.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboot {
    /// Whether one is.
    pub pending: bool,
    /// Why, a word each.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// What reveals people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// Who is logged in (osquery's `logged_in_users`).
    pub logged_in_users: Vec<String>,
}

const OS: Shape = Shape::Record(&[
    ("family", Shape::Text),
    ("name", Shape::Text),
    ("version", Shape::Text),
    ("arch", Shape::Text),
    ("kernel", Shape::Text),
]);

const HARDWARE: Shape = Shape::Record(&[
    ("vendor", Shape::Text),
    ("model", Shape::Text),
    ("cpu_brand", Shape::Text),
    ("cpu_logical_cores", Shape::Number),
    ("is_virtual", Shape::Bool),
]);

const VOLUME: Shape = Shape::Record(&[
    ("mount", Shape::Text),
    ("filesystem", Shape::Text),
    ("size_bytes", Shape::Number),
    ("free_bytes", Shape::Number),
    ("free_pct", Shape::Number),
    ("read_only", Shape::Bool),
]);

const INTERFACE: Shape = Shape::Record(&[
    ("name", Shape::Text),
    ("mac", Shape::Text),
    ("addresses", Shape::List(&Shape::Text)),
    ("up", Shape::Bool),
]);

/// What an expression may ask of a device. A test holds it against what facts have.
pub(crate) const NAMES: &[(&str, Shape)] = &[
    ("client", Shape::Text),
    ("site", Shape::Text),
    ("tags", Shape::List(&Shape::Text)),
    ("hostname", Shape::Text),
    ("os", OS),
    ("agent", Shape::Record(&[("version", Shape::Text)])),
    ("hardware", HARDWARE),
    ("memory", Shape::Record(&[("total_bytes", Shape::Number), ("swap_bytes", Shape::Number)])),
    ("volumes", Shape::List(&VOLUME)),
    ("interfaces", Shape::List(&INTERFACE)),
    (
        "packages",
        Shape::Record(&[("count", Shape::Number), ("updates", Shape::Number), ("security_updates", Shape::Number)]),
    ),
    ("reboot", Shape::Record(&[("pending", Shape::Bool), ("reasons", Shape::List(&Shape::Text))])),
];

/// A device's facts with what was signed about it, as expressions see them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked(Map<String, Value>);

impl Asked {
    pub(crate) fn values(&self) -> Vec<(&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value)).collect()
    }
}

impl Volume {
    /// One of this size. What is left is told to a thousandth of it: nobody asks for more, and it would else be sent each minute.
    pub fn new(mount: String, filesystem: String, size_bytes: u64, free_bytes: u64, read_only: bool) -> Self {
        let step = (size_bytes / 1000).max(1);
        let steps = free_bytes.min(size_bytes) / step;
        let per_mille = u32::try_from(u128::from(free_bytes.min(size_bytes)) * 1000 / u128::from(size_bytes.max(1)));
        let free_pct = f64::from(per_mille.unwrap_or_default()) / 10.0;
        Self { mount, filesystem, size_bytes, free_bytes: steps * step, free_pct, read_only }
    }
}

impl Facts {
    /// Out of what a device sent, a section at a time: one that is of another version, or does not fit, is left out.
    pub fn read(sections: &Map<String, Value>) -> Self {
        fn section<T: serde::de::DeserializeOwned>(sections: &Map<String, Value>, name: &str) -> Option<T> {
            sections.get(name).and_then(|value| T::deserialize(value).ok())
        }
        let facts = Self {
            hostname: section(sections, "hostname"),
            os: section(sections, "os"),
            agent: section(sections, "agent"),
            hardware: section(sections, "hardware"),
            memory: section(sections, "memory"),
            volumes: section(sections, "volumes"),
            interfaces: section(sections, "interfaces"),
            packages: section(sections, "packages"),
            reboot: section(sections, "reboot"),
            people: section(sections, "people"),
        };
        facts.bounded()
    }

    /// With what fits. A list that is too long is left out whole: what lacks a part would answer wrongly.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        fn keep<T>(section: &mut Option<T>, fits: impl Fn(&T) -> bool) {
            section.take_if(|it| !fits(it));
        }
        let text = |text: &String| text.len() <= TEXT_BYTES_MAX;
        let words =
            |words: &Vec<String>| words.len() <= WORDS_MAX && words.iter().all(|word| word.len() <= WORD_BYTES_MAX);
        keep(&mut self.hostname, text);
        keep(&mut self.os, |it| [&it.family, &it.name, &it.version, &it.arch].into_iter().chain(&it.kernel).all(text));
        keep(&mut self.agent, |it| text(&it.version));
        keep(&mut self.hardware, |it| [&it.vendor, &it.model, &it.cpu_brand].into_iter().all(text));
        keep(&mut self.volumes, |it| {
            let fits = |it: &Volume| text(&it.mount) && text(&it.filesystem) && it.free_pct.is_finite();
            it.len() <= LIST_MAX && it.iter().all(fits)
        });
        keep(&mut self.interfaces, |it| {
            let fits = |it: &Interface| text(&it.name) && text(&it.mac) && words(&it.addresses);
            it.len() <= LIST_MAX && it.iter().all(fits)
        });
        keep(&mut self.reboot, |it| words(&it.reasons));
        keep(&mut self.people, |it| it.logged_in_users.len() <= LIST_MAX && it.logged_in_users.iter().all(text));
        self
    }

    /// The same without what reveals people.
    #[must_use]
    pub fn without_people(self) -> Self {
        Self { people: None, ..self }
    }

    /// What expressions see, with whose the device is. What nobody signed about it is absent.
    pub fn asked(&self, place: Option<&Place>) -> Asked {
        let facts = serde_json::to_value(self.clone().without_people());
        let Ok(Value::Object(mut values)) = facts else { return Asked::default() };
        if let Some(place) = place.filter(|place| place.tags.len() <= TAGS_MAX) {
            let tags: Vec<&str> = place.tags.iter().map(trust::Name::as_str).collect();
            values.insert("client".to_owned(), place.client.as_str().into());
            values.insert("site".to_owned(), place.site.as_str().into());
            values.insert("tags".to_owned(), json!(tags));
        }
        Asked(values)
    }

    /// The largest there are: what costs too much on them is refused where it is read.
    pub(crate) fn largest() -> Asked {
        let text = || "x".repeat(TEXT_BYTES_MAX);
        let words = || vec!["x".repeat(WORD_BYTES_MAX); WORDS_MAX];
        let volume = Volume::new(text(), text(), u64::MAX, u64::MAX, true);
        let interface = Interface { name: text(), mac: text(), addresses: words(), up: true };
        let facts = Self {
            hostname: Some(text()),
            os: Some(Os { family: text(), name: text(), version: text(), arch: text(), kernel: Some(text()) }),
            agent: Some(Agent { version: text() }),
            hardware: Some(Hardware {
                vendor: text(),
                model: text(),
                cpu_brand: text(),
                cpu_logical_cores: u32::MAX,
                is_virtual: true,
            }),
            memory: Some(Memory { total_bytes: u64::MAX, swap_bytes: u64::MAX }),
            volumes: Some(vec![volume; LIST_MAX]),
            interfaces: Some(vec![interface; LIST_MAX]),
            packages: Some(Packages { count: u64::MAX, updates: Some(u64::MAX), security_updates: Some(u64::MAX) }),
            reboot: Some(Reboot { pending: true, reasons: words() }),
            people: None,
        };
        let mut asked = facts.asked(None);
        // A name has at most 64 bytes.
        let name = "x".repeat(64);
        asked.0.insert("client".to_owned(), json!(name));
        asked.0.insert("site".to_owned(), json!(name));
        asked.0.insert("tags".to_owned(), json!(vec![name; TAGS_MAX]));
        asked
    }
}

#[cfg(test)]
mod tests;
