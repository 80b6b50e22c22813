//! What is not to begin. One technician stops it at once; that it goes on, two people say.
//!
//! A stop ends by a word and by nothing else. It does not lapse, because whoever holds back its renewal would have the harm go on
//! by waiting. It outlives its signer's key, because ending that key would be a way for one person to let it go on. So that is
//! not asked again of a stop that was taken once.

use model::OrderId;

use super::authority::{Act, for_clients};
use super::{Document, Taken, Trust, keep, open};
use crate::statement::{Pause, Standing};
use crate::{Key, Name, Refusal, Signed, Time};

/// The most stops of one key: a thief of one can stop everything that its seat is for, and fill no disk.
const STOPS_MAX: usize = 64;

/// The people that it takes to go on.
const PEOPLE_TO_RESUME: usize = 2;

impl Trust {
    /// Everything that is stopped.
    pub fn pauses(&self) -> impl Iterator<Item = &Pause> {
        self.pauses.values().map(|it| &it.read.body).filter(|it| it.is_paused)
    }

    /// What stops this order on the devices of this client.
    pub fn stops(&self, client: &Name, order: &OrderId) -> impl Iterator<Item = &Pause> {
        let is_meant = |it: &Pause| it.orders.is_empty() || it.orders.contains(order);
        self.pauses().filter(move |it| it.clients.has(Some(client)) && is_meant(it))
    }

    pub(super) fn put_pause(&mut self, signed: &Signed, now: Option<Time>) -> Result<Taken, Vec<Refusal>> {
        let new = open::<Pause>(signed, now)?;
        let kept = self.pauses.get(&new.read.body.subject());
        if let Some(now) = now.filter(|_| kept.is_none_or(|kept| kept.read.digest != new.read.digest)) {
            let mut refusals = self.by_pausers(&new, now).err().unwrap_or_default();
            let until = new.read.body.expires;
            if now >= until {
                refusals.push(Refusal::TooLate { what: "the pause".to_owned(), until });
            }
            let stopped = kept.filter(|kept| kept.read.body.is_paused).map(|kept| kept.read.created);
            // Else an old word to go on, which was about a stop before this one, could be brought up again.
            if let Some(stopped) = stopped.filter(|stopped| !new.read.body.is_paused && new.read.created < *stopped) {
                refusals.push(Refusal::ResumedBefore { created: new.read.created, stopped });
            }
            if new.read.body.is_paused && kept.is_none_or(|kept| !kept.read.body.is_paused) {
                refusals.extend(self.check_number_of_stops(&new.signers().keys).err());
            }
            if !refusals.is_empty() {
                return Err(refusals);
            }
        }
        let counts = kept.is_some_and(|kept| self.by_pausers(kept, kept.read.created).is_ok());
        keep(&mut self.pauses, new, counts)
    }

    fn by_pausers(&self, pause: &Document<Pause>, now: Time) -> Result<(), Vec<Refusal>> {
        let body = &pause.read.body;
        let people = if body.is_paused { 1 } else { PEOPLE_TO_RESUME };
        let fits = |seat: &_| for_clients(seat, &body.clients).err().into_iter().collect();
        self.by_technicians(pause, &Act { by: None, people, now }, fits).map(drop)
    }

    fn check_number_of_stops(&self, keys: &[Key]) -> Result<(), Refusal> {
        let stops = self.pauses.values().filter(|it| it.read.body.is_paused);
        let of_these = stops.filter(|it| it.signers().keys.iter().any(|key| keys.contains(key)));
        match of_these.count() < STOPS_MAX {
            true => Ok(()),
            false => Err(Refusal::TooManyPauses { most: STOPS_MAX }),
        }
    }
}
