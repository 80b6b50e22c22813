//! What the hub has of what this technician believes: taken where it verifies against the pinned root, and not otherwise.

use std::collections::BTreeSet;

use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use trust::{Kind, Refusal, Signed, Taken, Trust};

use crate::client::Client;
use crate::error::Error;

/// What decides who may order what, each after what it stands on. Whose a device is, each device works out for itself.
const KINDS: [Kind; 8] =
    [Kind::Root, Kind::Roster, Kind::Key, Kind::Revocation, Kind::Hub, Kind::Policy, Kind::Approval, Kind::Pause];

/// A document of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    /// Of the statement.
    pub digest: Digest,
    /// What it is.
    pub kind: String,
    /// Which one of its kind.
    pub subject: String,
}

/// A signed document, as it is asked for and handed over.
#[derive(Debug, Serialize, Deserialize)]
struct Whole {
    signed: String,
}

/// What became of a document that was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Handed {
    /// Of the statement.
    pub digest: Digest,
    /// Whether it was not there before.
    pub is_new: bool,
}

/// What came of asking the hub for what there is to believe.
#[derive(Debug, Default)]
pub struct Synced {
    /// What is believed now and was not before; to be kept in this order.
    pub taken: Vec<(Taken, Signed)>,
    /// What is not believed, and why.
    pub refused: Vec<(Digest, Vec<Refusal>)>,
}

impl Client {
    /// A signed document.
    pub async fn document(&self, digest: Digest) -> Result<Signed, Error> {
        let whole: Whole = self.get(&format!("/v1/documents/{digest}")).await?;
        let signed = Signed::from_text(whole.signed.as_bytes())?;
        match Digest::of(signed.statement()) == digest {
            true => Ok(signed),
            false => Err(Error::Garbled(format!("it gives another document for {digest}"))),
        }
    }

    /// Hands over what was signed.
    pub async fn hand_over(&self, signed: &Signed) -> Result<Handed, Error> {
        let body = json!({ "signed": String::from_utf8_lossy(&signed.to_text()) });
        let handed: Handed = self.post("/v1/documents", &body).await?;
        match handed.digest == Digest::of(signed.statement()) {
            true => Ok(handed),
            false => Err(Error::Garbled("it took another document than it was given".to_owned())),
        }
    }

    /// Has this technician believe what the hub has and they do not know yet.
    pub async fn sync(&self, trust: &mut Trust, known: &BTreeSet<Digest>) -> Result<Synced, Error> {
        let mut synced = Synced::default();
        for kind in KINDS {
            let listed: Vec<Listed> = self.list("/v1/documents", &[("kind", kind.word())]).await?;
            for it in listed.into_iter().filter(|it| !known.contains(&it.digest)) {
                let signed = self.document(it.digest).await?;
                match trust.take(&signed, self.now()) {
                    Ok(taken) if taken.is_new => synced.taken.push((taken, signed)),
                    Ok(_) => {}
                    Err(refusals) => synced.refused.push((it.digest, refusals)),
                }
            }
        }
        Ok(synced)
    }
}
