//! Devices come: with a token, whose key and whose device's key sign that they do; and each for a session of its own.

use async_trait::async_trait;
use bus::Device;
use bus::server::{Admission, Admitted, NotAdmitted};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use trust::statement::{self, Enrolment};
use trust::{Kind, Signed};

use crate::db::{Actor, Document, NewEntry, State};
use crate::{Error, Hub, Post, Scope, device_id};

/// What became of a device that joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Joined {
    /// What it is called here.
    pub device: String,
    /// Whether somebody still has to sign whose it is.
    pub state: State,
    /// The MSP's first root statement with its signatures, as one text: whoever joins knows its digest.
    pub root: String,
}

impl Hub {
    /// A device joins: the token's key and its own say so. Whose it is, a standing rule says that a technician signed, or a
    /// technician will. One that is there already is told so again.
    pub(crate) async fn join(&self, signed: Signed) -> Result<Joined, Error> {
        let read = statement::read::<Enrolment>(signed.statement()).map_err(|refusal| vec![refusal])?;
        let body = read.body;
        // Before anybody waits for it: what is believed is locked only while it is changed.
        let signed = signed.looked_at();
        let signers = signed.signers(Kind::Enrolment);
        let is_signed = signers.keys.contains(&body.token) && signers.keys.contains(&body.device);
        if !is_signed || body.tenant != self.trust().pin() {
            return Err(Error::Denied("it is not signed by the token and the device, or for another MSP".to_owned()));
        }
        let now = self.now();
        // A standing rule, where there is one; where there is none the hub can only note that somebody is there.
        let taken = self.trust_mut().take(&signed, now);
        let place = taken.and_then(|_| self.trust().place(&body.device, now));
        let (token, device, key) = (device_id(&body.token), device_id(&body.device), body.device.to_string());
        let (now_ms, digest, bytes) = (self.clock.now_ms(), read.digest.to_string(), signed.to_text());
        let named = device.clone();
        let state = self
            .db
            .write(move |change| {
                let used = change.use_token(&token, &device, &key, now_ms)?;
                let client = used.client.parse().map_err(|error| Error::unreadable("a token")(&error))?;
                let mut held = Scope::of_hub().hold(&client)?;
                let state = match &place {
                    Ok(place) => {
                        held = Scope::of_hub().hold(&place.client)?;
                        let tags: Vec<String> = place.tags.iter().map(ToString::to_string).collect();
                        change.assign(&held, (&device, &key), (place.site.as_str(), &tags), &digest, now_ms)?;
                        change.keep(
                            &Document {
                                digest: digest.clone(),
                                kind: Kind::Enrolment.word().to_owned(),
                                subject: device.clone(),
                                clients: vec![place.client.to_string()],
                                bytes: bytes.clone(),
                            },
                            now_ms,
                        )?;
                        State::Member
                    }
                    Err(_) if used.needs_accept => State::Pending,
                    Err(refusals) => return Err(refusals.clone().into()),
                };
                let body = json!({ "token": token, "enrolment": digest });
                let actor = Actor::Device(device.clone());
                change.audit(&NewEntry { at_ms: now_ms, actor, client: Some(held), action: "device-joined", body })?;
                Ok(state)
            })
            .await?;
        self.stirs.mailboxes();
        Ok(Joined { device: named, state, root: self.first_root.clone() })
    }
}

#[async_trait]
impl Admission for Post {
    async fn admit(&self, signed: &[u8], now_ms: u64) -> Result<Admitted, NotAdmitted> {
        let not = |why: String| NotAdmitted { why };
        let signed = Signed::from_text(signed).map_err(|refusal| not(refusal.to_string()))?.looked_at();
        let keys = signed.signers(Kind::Session).keys;
        let key = keys.first().ok_or_else(|| not("nobody signed it".to_owned()))?;
        let named = device_id(key);
        let found = self.read(move |view| view.device(&named)).await;
        // A device whose assignment is still to come gets it as any other: by its mailbox.
        let is_served = found.is_ok_and(|device| device.state != State::Retired);
        let now = trust::Time::from_ms(now_ms);
        let opened = self.hub().trust().session(&signed, self.hub().ca.digest(), |_| is_served, now);
        let opened = opened.map_err(|refusals| not(Error::from(refusals).to_string()))?;
        if opened.technician().is_some() {
            return Err(not("it is a technician's: those begin at another address".to_owned()));
        }
        let session = opened.session();
        Ok(Admitted { device: Device::of(opened.key()), key: session.key.clone(), until_ms: crate::ms(session.until) })
    }
}
