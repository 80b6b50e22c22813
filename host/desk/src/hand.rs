//! An order on its way to the hub: the document, the plugin in parts, and who is in which ring.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fleet::{Device, PARCEL_BYTES_MAX, Parcel, Tree};
use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trust::statement::{self, Order};
use trust::{Given, Signed, Trust, file};

use crate::client::Client;
use crate::error::Error;
use crate::hub_file::read_at_most;

/// The most bytes of what stands beside an order: a million devices at 70 bytes each.
const BESIDE_BYTES_MAX: u64 = 128 << 20;

/// A signed order with all that the hub needs to have it carried out.
#[derive(Clone, Debug)]
pub struct Parcelled {
    /// The order.
    pub signed: Signed,
    /// The devices of each ring, or all of them.
    pub rings: Vec<Vec<Device>>,
    /// The plugin's bytes.
    pub plugin: Vec<u8>,
    /// What was signed about it.
    pub attachments: Vec<Signed>,
}

/// Who is in which ring, and where the plugin is: what the hub is told, and tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rollout {
    /// The devices of each ring, by their fingerprints in hex.
    pub rings: Vec<Vec<String>>,
    /// The list of the plugin's parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parcel: Option<Digest>,
    /// Orders whose place it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Digest>,
}

/// What stands beside an order's file, until all have signed it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Beside {
    rings: Vec<Vec<Device>>,
    attachments: Vec<String>,
}

/// A part that was handed over.
#[derive(Debug, Deserialize)]
struct Part {
    digest: Digest,
}

/// A part, as it is read again.
#[derive(Debug, Deserialize)]
struct PartBytes {
    /// In base64.
    bytes: String,
}

impl Parcelled {
    /// The order, if those signed it who may, and these are its devices.
    pub fn given(&self, trust: &Trust, client: &Client) -> Result<Given, Error> {
        let given = trust.given(&self.signed, client.now()).map_err(Error::NotBelieved)?;
        check_rings(given.order(), &self.rings)?;
        if Digest::of(&self.plugin) != given.order().plugin.digest {
            return Err(Error::Garbled("the plugin is not the one that was ordered".to_owned()));
        }
        Ok(given)
    }

    /// Writes it to a file: others sign that with `remit sign`. What the hub needs beside it lies beside it.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let texts = self.attachments.iter().map(|it| String::from_utf8_lossy(&it.to_text()).into_owned());
        let beside = Beside { rings: self.rings.clone(), attachments: texts.collect() };
        let io = |path: PathBuf| move |error| Error::Io(path, error);
        let (plugin, rollout) = beside_of(path);
        store::whole::write(&plugin, &self.plugin).map_err(io(plugin.clone()))?;
        store::whole::write(&rollout, &serde_json::to_vec(&beside).unwrap_or_default()).map_err(io(rollout.clone()))?;
        file::write(path, &self.signed).map_err(|error| wrong(path, &error))
    }

    /// Takes away what [`Parcelled::write`] wrote, the order last: what is left of one would be read as none.
    pub(crate) fn forget(path: &Path) {
        let (plugin, rollout) = beside_of(path);
        let mut signatures = path.as_os_str().to_owned();
        signatures.push(".sig");
        for path in [rollout.as_path(), &plugin, Path::new(&signatures), path] {
            // Done again with the next order.
            let _ = std::fs::remove_file(path);
        }
    }

    /// What [`Parcelled::write`] wrote, and others signed.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let signed = file::read(path).map_err(|error| wrong(path, &error))?;
        let (plugin, rollout) = beside_of(path);
        let beside: Beside = serde_json::from_slice(&read_at_most(&rollout, BESIDE_BYTES_MAX)?)
            .map_err(|error| wrong(&rollout, &error))?;
        let attachments = beside.attachments.iter().map(|text| Signed::from_text(text.as_bytes()));
        Ok(Self {
            signed,
            rings: beside.rings,
            plugin: read_at_most(&plugin, PARCEL_BYTES_MAX as u64)?,
            attachments: attachments.collect::<Result<_, _>>()?,
        })
    }
}

fn wrong(path: &Path, error: &dyn std::error::Error) -> Error {
    let mut problem = error.to_string();
    if let Some(source) = error.source() {
        problem = format!("{problem}: {source}");
    }
    Error::File { path: path.to_owned(), problem }
}

fn beside_of(path: &Path) -> (PathBuf, PathBuf) {
    let with = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    (with(".plugin"), with(".rollout"))
}

/// Whether these are the devices of an order's rings, each in the order of its tree. One without rings has one list.
pub(crate) fn check_rings(order: &Order, rings: &[Vec<Device>]) -> Result<(), Error> {
    let is_its = match order.rings.as_slice() {
        [] => rings.len() == 1,
        signed => {
            signed.len() == rings.len()
                && signed.iter().zip(rings).all(|(signed, ring)| {
                    let tree = Tree::new(ring);
                    (tree.devices(), tree.root()) == (signed.devices, signed.root)
                })
        }
    };
    match is_its {
        true => Ok(()),
        false => Err(Error::Garbled("the devices are not those of the order's rings".to_owned())),
    }
}

impl Client {
    /// Hands over an order with everything that belongs to it. What was there already is there once, so it may be done again.
    pub async fn submit(&self, it: &Parcelled, trust: &Trust) -> Result<Given, Error> {
        self.submit_replacing(it, trust, Vec::new()).await
    }

    /// The same, in the place of another order.
    pub async fn submit_in_place(&self, it: &Parcelled, trust: &Trust, of: Digest) -> Result<Given, Error> {
        self.submit_replacing(it, trust, vec![of]).await
    }

    async fn submit_replacing(&self, it: &Parcelled, trust: &Trust, replaces: Vec<Digest>) -> Result<Given, Error> {
        let given = it.given(trust, self)?;
        self.hand_over(&it.signed).await?;
        let mut attachments = Vec::new();
        for signed in &it.attachments {
            attachments.push(self.hand_over_part(signed.to_text()).await?);
        }
        let (parcel, parts) = Parcel::of(&it.plugin, attachments)?;
        for part in parts {
            self.hand_over_part(part.to_vec()).await?;
        }
        let parcel = Some(self.hand_over_part(parcel.write()).await?);
        let rings = it.rings.iter().map(|ring| ring.iter().map(Device::hex).collect()).collect();
        let path = format!("/v1/orders/{}/rollout", given.digest());
        let _: Value = self.put(&path, &Rollout { rings, parcel, replaces }).await?;
        Ok(given)
    }

    async fn hand_over_part(&self, bytes: Vec<u8>) -> Result<Digest, Error> {
        let digest = Digest::of(&bytes);
        let part: Part = self.post_bytes("/v1/parts", Bytes::from(bytes)).await?;
        match part.digest == digest {
            true => Ok(digest),
            false => Err(Error::Garbled("it took another part than it was given".to_owned())),
        }
    }

    /// Who is in which ring of an order, as the hub says and the signed order shows. An order whose devices it does not say is of
    /// whoever answers.
    pub async fn rings(&self, order: &Order, digest: Digest) -> Result<Option<Vec<Vec<Device>>>, Error> {
        let rollout: Rollout = match self.get(&format!("/v1/orders/{digest}/rollout")).await {
            // A hub that does not tell knows, and may not be asked.
            Err(missing) if missing.is_missing() || missing.is_unknown() => return Ok(None),
            rollout => rollout?,
        };
        let device = |text: &String| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).ok().map(|()| Device::from(bytes))
        };
        let rings = rollout
            .rings
            .iter()
            .map(|ring| ring.iter().map(device).collect::<Option<Vec<_>>>())
            .collect::<Option<Vec<_>>>();
        let rings = rings.ok_or_else(|| Error::Garbled("it names a device that is none".to_owned()))?;
        check_rings(order, &rings).map(|()| Some(rings))
    }

    /// The plugin of an order and what was signed about it, put together from the parts that the hub has.
    pub async fn plugin_of(&self, order: Digest) -> Result<(Vec<u8>, Vec<Signed>), Error> {
        let rollout: Rollout = self.get(&format!("/v1/orders/{order}/rollout")).await?;
        let missing = || Error::Garbled("it has no plugin for that order".to_owned());
        let parcel = Parcel::read(&self.part(rollout.parcel.ok_or_else(missing)?).await?)?;
        let mut parts = Vec::new();
        for part in &parcel.parts {
            parts.push(self.part(*part).await?);
        }
        let plugin = parcel.join(parts.iter().map(Vec::as_slice))?;
        let mut attachments = Vec::new();
        for attachment in &parcel.attachments {
            attachments.push(Signed::from_text(&self.part(*attachment).await?)?);
        }
        Ok((plugin, attachments))
    }

    async fn part(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        let part: PartBytes = self.get(&format!("/v1/parts/{digest}")).await?;
        let bytes = STANDARD.decode(&part.bytes).map_err(|error| Error::Garbled(error.to_string()))?;
        match Digest::of(&bytes) == digest {
            true => Ok(bytes),
            false => Err(Error::Garbled(format!("it gives another part for {digest}"))),
        }
    }

    /// A signed order, with what it says. Whoever reads it knows nothing yet of who may have signed it.
    pub async fn order(&self, digest: Digest) -> Result<(Signed, Order), Error> {
        let signed = self.document(digest).await?;
        let order = statement::read::<Order>(signed.statement())?.body;
        Ok((signed, order))
    }
}
