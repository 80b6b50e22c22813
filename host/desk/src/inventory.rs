//! The devices, as the hub and they themselves tell. Which of them an order means is worked out here; each of them does it again.

use fleet::{Answer, Device, Facts, Target};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trust::{Key, Name, Place, Time};

use crate::client::{Client, target};
use crate::error::Error;

/// How many devices with their facts are asked for at once.
const PAGE: u32 = 100;

/// A device, as the hub has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// Its key's SHA-256, in hex.
    pub device: String,
    /// Its public key.
    pub key: String,
    /// Whose it is.
    pub client: String,
    /// Where.
    pub site: String,
    /// What it is counted among.
    pub tags: Vec<String>,
    /// `member`, `pending` or `retired`.
    pub state: String,
    /// The digest of what says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<String>,
    /// When it joined, in milliseconds since 1970.
    pub joined_ms: u64,
    /// Since when the hub knows of two machines with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloned_ms: Option<u64>,
}

/// A device with what it says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    /// The device.
    pub device: Row,
    /// What it says.
    #[serde(default)]
    pub facts: Map<String, Value>,
    /// `online`, `offline`, or `unknown` where nobody listened for long enough.
    pub presence: String,
    /// When it last said how it is, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_ms: Option<u64>,
}

/// A device that the hub tells of, as far as it can be one.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which.
    pub id: Device,
    /// Its key.
    pub key: Key,
    /// Whose, and where.
    pub place: Place,
    /// What it says of itself.
    pub facts: Facts,
    /// All of that.
    pub listed: Listed,
}

/// Which devices are meant.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// These.
    pub meant: Vec<Seen>,
    /// Of these nobody can say, and why: they will refuse.
    pub undecided: Vec<Undecided>,
    /// So many are not meant.
    pub others: usize,
    /// So many would be asked, and are not members: nobody has said whose they are, or they are retired.
    pub no_members: usize,
}

/// A device of which nobody can say whether it is meant.
#[derive(Clone, Debug)]
pub struct Undecided {
    /// Which.
    pub seen: Seen,
    /// The facts that it lacks.
    pub absent: Vec<String>,
    /// What the expression failed at.
    pub why: String,
}

impl Client {
    /// All devices of these clients, with their facts; of all clients that this technician is for, where none is named.
    pub async fn inventory(&self, clients: &[Name]) -> Result<Vec<Listed>, Error> {
        let mut all: Vec<Listed> = Vec::new();
        match clients {
            [] => all = self.list_by("/v1/inventory", &[], PAGE).await?,
            clients => {
                for client in clients {
                    let listed: Vec<Listed> =
                        self.list_by("/v1/inventory", &[("client", client.as_str())], PAGE).await?;
                    all.extend(listed.into_iter().filter(|it| it.device.client == client.as_str()));
                }
            }
        }
        Ok(all)
    }

    /// What plugins keep on a device, by its name here.
    pub async fn kept(&self, device: &str) -> Result<Vec<KeptKey>, Error> {
        self.list(&format!("/v1/devices/{device}/kv"), &[]).await
    }

    /// A device, by what it is called or the beginning of that, by its fingerprint or by its host name. Or that it is none, or several.
    pub async fn device(&self, named: &str) -> Result<Listed, Error> {
        let wrong = |title: String| Error::Refused { status: 404, title, wrong: Vec::new() };
        let hex = named.parse::<Device>().map_or_else(|_| named.to_owned(), |it| it.hex());
        if hex.len() == 64 {
            let path = format!("/v1/devices/{hex}");
            let shown: Shown = self.get(&target(&path, &[])).await?;
            if shown.device.device != hex {
                return Err(wrong(format!("the hub was asked for {hex}, and answers with {}", shown.device.device)));
            }
            let facts = shown.facts.into_iter().map(|it| (it.name, it.value)).collect();
            let presence = shown.presence.unwrap_or_else(|| "unknown".to_owned());
            return Ok(Listed { device: shown.device, facts, presence, seen_ms: shown.seen_ms });
        }
        let is_it = |it: &Listed| {
            (named.len() >= 8 && it.device.device.starts_with(named))
                || Facts::read(&it.facts).hostname.as_deref() == Some(named)
        };
        let mut found = self.inventory(&[]).await?.into_iter().filter(is_it);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(wrong(format!("no device is called `{named}`"))),
            (Some(one), Some(other)) => {
                let (one, other) = (one.device.device, other.device.device);
                Err(wrong(format!("several devices are called `{named}`, such as {one} and {other}")))
            }
        }
    }
}

/// A key of a plugin on a device, as that told it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeptKey {
    /// Whose it is.
    pub plugin: String,
    /// What it is called.
    pub key: String,
    /// How long its value is.
    pub bytes: u64,
    /// The value; none where it is too long to go along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it was written on the device, in milliseconds since 1970.
    pub written_ms: u64,
    /// When it goes there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Fact {
    name: String,
    value: Value,
}

#[derive(Debug, Deserialize)]
struct Shown {
    device: Row,
    facts: Vec<Fact>,
    presence: Option<String>,
    #[serde(default, rename = "seen-ms")]
    seen_ms: Option<u64>,
}

impl Listed {
    /// The device, if what the hub says of it can be: its name is its key's, and it is somebody's.
    pub fn seen(self) -> Option<Seen> {
        let key: Key = self.device.key.parse().ok()?;
        let id = Device::of(&key);
        if id.hex() != self.device.device {
            return None;
        }
        let tags = self.device.tags.iter().map(|tag| tag.parse()).collect::<Result<Vec<Name>, _>>().ok()?;
        let place = Place {
            client: self.device.client.parse().ok()?,
            site: self.device.site.parse().ok()?,
            tags,
            until: Time::from_ms(u64::MAX),
        };
        let facts = Facts::read(&self.facts);
        (id.hex() == self.device.device).then_some(Seen { id, key, place, facts, listed: self })
    }
}

impl Seen {
    /// What people know it by.
    pub fn called(&self) -> String {
        let hex = self.id.hex();
        let short = hex.get(..12).unwrap_or_default();
        match &self.facts.hostname {
            Some(hostname) => format!("{hostname} ({short})"),
            None => short.to_owned(),
        }
    }
}

impl Chosen {
    /// Those of these devices that the expression means.
    pub fn of(devices: Vec<Listed>, target: &Target) -> Self {
        let mut chosen = Self::default();
        for listed in devices {
            if listed.device.state != "member" {
                chosen.no_members += 1;
                continue;
            }
            // What cannot be a device is none.
            let Some(seen) = listed.seen() else { continue };
            match target.ask(&seen.facts.asked(Some(&seen.place))) {
                Answer::Yes => chosen.meant.push(seen),
                Answer::No => chosen.others += 1,
                Answer::Undecided { absent, why } => chosen.undecided.push(Undecided { seen, absent, why }),
            }
        }
        chosen
    }
}
