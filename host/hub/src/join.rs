//! Devices come: with a token, whose key and whose device's key sign that they do; and each for a session of its own.

use async_trait::async_trait;
use bus::Device;
use bus::server::{Admission, Admitted, NotAdmitted};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use trust::statement::{self, Enrolment};
use trust::{Kind, Signed};

use crate::db::{Actor, Document, Met, NewEntry, State};
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
                change.forget_identity(&device)?;
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
        let found = self.read_few(move |view| view.device(&named)).await;
        // A device whose assignment is still to come gets it as any other: by its mailbox.
        let is_served = found.is_ok_and(|device| device.state != State::Retired);
        let now = trust::Time::from_ms(now_ms);
        let opened = self.hub().trust().session(&signed, self.hub().ca.digest(), |_| is_served, now);
        let opened = opened.map_err(|refusals| not(Error::from(refusals).to_string()))?;
        if opened.technician().is_some() {
            return Err(not("it is a technician's: those begin at another address".to_owned()));
        }
        let session = opened.session();
        let device = Device::of(opened.key());
        let ends_others = self.identify(&device, session).await.map_err(|error| not(error.to_string()))?;
        Ok(Admitted { device, key: session.key.clone(), until_ms: crate::ms(session.until), ends_others })
    }
}

impl Post {
    /// Notes which machine asks with a device's key, and whether its other sessions end. A machine that is not the one that joined
    /// gets none; where two say that they are the same one, nobody here can tell which is right, and technicians are told.
    async fn identify(&self, device: &Device, session: &statement::Session) -> Result<bool, Error> {
        let (Some(machine), Some(process)) = (session.machine, session.process) else { return Ok(false) };
        let (name, now_ms) = (device.hex(), self.hub().clock.now_ms());
        let (machine, process) = (machine.to_string(), process.to_string());
        let asked = name.clone();
        let found = self
            .read_few(move |view| view.identity(&asked))
            .await
            .map_err(|fault| Error::unreadable("a device")(&fault))?;
        let met = found.as_ref().map_or(Met::New, |found| found.meets(&machine, &process));
        if met == Met::Same {
            return Ok(false);
        }
        let of_another = met == Met::OtherMachine;
        let before = found.and_then(|it| it.cloned_ms);
        self.hub()
            .db
            .write(move |change| {
                let client = change.client_served(&name)?.ok_or(Error::Missing { what: "device" })?;
                let client = client.parse().map_err(|error| Error::unreadable("a device")(&error))?;
                let held = Scope::of_hub().hold(&client)?;
                let is_news = change.identify(&held, &name, (&machine, &process), now_ms)?;
                if is_news {
                    let (actor, body) = (Actor::Device(name.clone()), json!({ "device": name }));
                    change.audit(&NewEntry {
                        at_ms: now_ms,
                        actor,
                        client: Some(held),
                        action: "device-cloned",
                        body,
                    })?;
                }
                Ok(())
            })
            .await?;
        match of_another {
            true => Err(Error::Denied(
                "another machine joined with this key: on a copy of its disk, `remit agent join --as-new` makes it a device of its own"
                    .to_owned(),
            )),
            // Once it is known, they are let be: each would have the other begin anew for ever.
            false => Ok(before.is_none()),
        }
    }
}
