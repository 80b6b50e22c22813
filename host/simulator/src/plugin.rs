//! Plugins as simulated devices meet them: bytes that an order names by digest, and what was signed about them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bus::{Line, Trouble, courier};
use fleet::Parcel;
use model::{Capability, Digest, Grants};
use serde::{Deserialize, Serialize};
use trust::statement::{self, Form, Plugin};
use trust::{Kind, Name, Signed};

/// A plugin that only simulated devices run: its bytes are its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Label {
    /// The namespace of its publisher.
    pub publisher: Name,
    /// What it is called.
    pub name: Name,
    /// Which one of that name.
    pub version: semver::Version,
    /// What it asks for, as in `files-write [scratch]`.
    pub wishes: Vec<String>,
}

impl Label {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What its bytes come to.
    pub fn plugin(&self) -> Plugin {
        let bytes = self.bytes();
        Plugin {
            form: Form::Component,
            publisher: self.publisher.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            digest: Digest::of(&bytes),
            size_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            manifest: Digest::of(&bytes),
            contract: None,
        }
    }
}

/// A plugin that a device has.
#[derive(Clone, Debug)]
pub struct Carried {
    /// What its bytes come to. Of a real component, which nobody here reads, it is what its publisher signed.
    pub plugin: Plugin,
    /// What its publisher signed.
    pub statement: Signed,
    /// What it asks for.
    pub wishes: Grants,
    /// So that the bytes stay on the shelf.
    _bytes: Arc<[u8]>,
}

/// Bytes of plugins, kept once for all devices of a process. Each device fetches and compares for itself before it gets them.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<HashMap<Digest, Weak<[u8]>>>);

impl Shelf {
    fn keep(&self, bytes: Vec<u8>) -> Arc<[u8]> {
        let digest = Digest::of(&bytes);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = all.get(&digest).and_then(Weak::upgrade) {
            return kept;
        }
        all.retain(|_, it| it.strong_count() > 0);
        let kept: Arc<[u8]> = bytes.into();
        all.insert(digest, Arc::downgrade(&kept));
        kept
    }
}

/// Fetches a plugin by the list of its parts; none where not all of it is there, or it is not what the list says.
pub(crate) async fn fetch(line: &dyn Line, list: Digest, shelf: &Shelf) -> Result<Option<Carried>, Trouble> {
    let found = courier::fetch(line, &[list]).await?;
    let parcel = found.first().and_then(|(_, bytes)| Parcel::read(bytes).ok());
    let Some(parcel) = parcel else { return Ok(None) };
    let wanted: Vec<Digest> = parcel.documents().into_iter().collect();
    let found: HashMap<Digest, bytes::Bytes> = courier::fetch(line, &wanted).await?.into_iter().collect();
    let parts: Option<Vec<&[u8]>> = parcel.parts.iter().map(|it| found.get(it).map(AsRef::as_ref)).collect();
    let bytes = parts.and_then(|parts| parcel.join(parts).ok());
    let attached = || parcel.attachments.iter().filter_map(|it| Signed::from_text(found.get(it)?).ok());
    let statement = attached().find(|it| it.kind() == Ok(Kind::Plugin));
    Ok(bytes.zip(statement).and_then(|(bytes, statement)| Carried::of(bytes, statement, shelf)))
}

impl Carried {
    /// Of bytes and what was signed about them.
    pub fn of(bytes: Vec<u8>, statement: Signed, shelf: &Shelf) -> Option<Self> {
        let label: Option<Label> = serde_json::from_slice(&bytes).ok();
        let mut wishes = Grants::default();
        for text in label.iter().flat_map(|it| &it.wishes) {
            let wish: Capability = text.parse().ok()?;
            wishes.add(wish.interface, wish.scope);
        }
        let plugin = match label {
            Some(label) => label.plugin(),
            None => {
                let said = statement::read::<Plugin>(statement.statement()).ok()?.body;
                (said.digest == Digest::of(&bytes)).then_some(said)?
            }
        };
        // Each of its runs asks who signed that.
        let statement = statement.looked_at();
        Some(Self { plugin, statement, wishes, _bytes: shelf.keep(bytes) })
    }
}
