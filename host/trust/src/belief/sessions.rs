//! Who asks. A session asks for whoever signed it, of one hub, for a while; it signs nothing, so nothing is ordered with one.

use model::Digest;

use super::authority::Role;
use super::{Document, Trust};
use crate::statement::{Seat, Session};
use crate::time::SKEW_SECONDS;
use crate::{Key, Refusal, Signed, Time};

/// The longest session of a technician: whoever takes the laptop has it for as long.
const TECHNICIAN_SECONDS_MAX: i64 = 900;

/// The longest session of a device, which makes a new one by itself.
const DEVICE_SECONDS_MAX: i64 = crate::statement::SESSION_SECONDS_MAX;

/// A session that holds. Only [`Trust::session`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    session: Session,
    key: Key,
    technician: Option<Seat>,
}

impl Opened {
    /// Which key proves its requests, and until when.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Who asks: the key that signed it.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The technician who asks, and whom they may ask about. None: it is a device, which asks for itself.
    pub fn technician(&self) -> Option<&Seat> {
        self.technician.as_ref()
    }
}

impl Trust {
    /// What the hub with this authority makes of a session. A key that it knows as a device's is that device; every other one is a
    /// technician's, now, or nobody's.
    pub fn session(
        &self,
        signed: &Signed,
        hub: Digest,
        is_device: impl FnOnce(&Key) -> bool,
        now: Time,
    ) -> Result<Opened, Vec<Refusal>> {
        let document = Document::<Session>::open(signed).map_err(|refusal| vec![refusal])?;
        let now = self.time(now);
        let (body, created) = (&document.read.body, document.read.created);
        let mut refusals = Vec::new();
        if body.hub != hub {
            refusals.push(Refusal::OtherHub { found: body.hub, wanted: hub });
        }
        let begins = body.from.max(created);
        if begins > now.plus_seconds(SKEW_SECONDS) {
            refusals.push(Refusal::NotYetValid { what: "the session".to_owned(), created: begins });
        }
        if now >= body.until {
            refusals.push(Refusal::TooLate { what: "the session".to_owned(), until: body.until });
        }
        // One signature: of two, nobody could say who asks.
        if signed.signatures().len() > 1 {
            refusals.push(Refusal::TooManySignatures { found: signed.signatures().len(), most: 1 });
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let signers = document.signers();
        let Some(key) = signers.keys.first() else { return Err(signers.refused.clone()) };
        let technician = match is_device(key) {
            true => self.ended.check_compromised(key).map(|()| None),
            false => {
                refusals.extend(self.roster_counts().err().into_iter().flatten());
                self.seat(Role::Technician, key, now).map(Some)
            }
        };
        refusals.extend(technician.as_ref().err().cloned());
        if body.key == *key {
            let problem = "its key is the signer's own: a session has one that is made for it".to_owned();
            refusals.push(Refusal::WrongContent { problem });
        }
        let most = if matches!(technician, Ok(None)) { DEVICE_SECONDS_MAX } else { TECHNICIAN_SECONDS_MAX };
        // Counted from when it was signed: one for next week would be a key that lies about until then.
        if body.until > created.plus_seconds(most) {
            refusals.push(Refusal::SessionTooLong { most_seconds: most });
        }
        match technician {
            Ok(technician) if refusals.is_empty() => {
                Ok(Opened { session: body.clone(), key: key.clone(), technician: technician.cloned() })
            }
            _ => Err(refusals),
        }
    }
}
