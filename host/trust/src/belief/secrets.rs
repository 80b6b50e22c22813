//! Secrets for this device: sealed by a technician of the client whose device it is.

use contract::Class;

use super::authority::{Act, for_client, out_of_scope};
use super::{Document, Taken, Trust, keep, open};
use crate::statement::{Seat, Secret, Standing};
use crate::{Key, Name, Refusal, Signed, Time};

/// The most that are kept: a device has some dozens. Beyond it, somebody posts those of others.
const SECRETS_MAX: usize = 512;

/// What it takes to set one: whoever may order nothing that uses a secret, sets none.
const CLASS: Class = Class::L2;

impl Trust {
    /// The secrets that a device has now: of the client whose it is, signed by who might when they did, not expired, not gone.
    pub fn secrets(&self, device: &Key, now: Time) -> Vec<&Secret> {
        let Ok(place) = self.place(device, now) else { return Vec::new() };
        let now = self.time(now);
        let counts = |it: &&Document<Secret>| {
            let body = &it.read.body;
            body.device == *device
                && body.client == place.client
                && !body.is_gone()
                && now < body.expires
                && self.by_keeper(it, &body.client, it.read.created).is_ok()
        };
        self.secrets.values().filter(counts).map(|it| &it.read.body).collect()
    }

    /// Reads a secret's statement, if whoever may sign it signed it, and takes nothing: for the hub, which keeps those of others.
    pub fn sealed(&self, signed: &Signed, now: Time) -> Result<Secret, Vec<Refusal>> {
        let now = self.time(now);
        let new = open::<Secret>(signed, Some(now))?;
        self.by_keeper(&new, &new.read.body.client, now)?;
        Ok(new.read.body)
    }

    pub(super) fn put_secret(&mut self, signed: &Signed, now: Option<Time>) -> Result<Taken, Vec<Refusal>> {
        let new = open::<Secret>(signed, now)?;
        let by = |it: &Document<Secret>| self.by_keeper(it, &it.read.body.client, it.read.created);
        if now.is_some() {
            by(&new)?;
        }
        let subject = new.read.body.subject();
        let kept = self.secrets.get(&subject);
        if kept.is_none() && self.secrets.len() >= SECRETS_MAX {
            let problem = format!("there are {SECRETS_MAX} already: at most as many are kept");
            return Err(vec![Refusal::WrongContent { problem }]);
        }
        let counts = kept.is_some_and(|kept| by(kept).is_ok());
        keep(&mut self.secrets, new, counts)
    }

    fn by_keeper(&self, document: &Document<Secret>, client: &Name, now: Time) -> Result<(), Vec<Refusal>> {
        let act = Act { by: None, people: 1, now };
        let fits = |seat: &Seat| {
            let low = (seat.class_max < CLASS)
                .then(|| out_of_scope(seat, format!("secrets are {CLASS}, and the seat ends at {}", seat.class_max)));
            for_client(seat, client).err().into_iter().chain(low).collect()
        };
        self.by_technicians(document, &act, fits).map(drop)
    }
}
