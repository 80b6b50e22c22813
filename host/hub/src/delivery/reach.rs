//! How far one technician's orders reach while nobody else had the time to see them (decision 28).

use std::collections::BTreeMap;

use bus::Device;
use fleet::{Reach, WATCHED_MS};
use trust::Time;

use super::Delivery;
use crate::db::{Seated, View};
use crate::{Error, Scope};

/// Of orders that are watched now, who gave them, and whom that key reached.
#[derive(Default)]
pub(super) struct Watched {
    signers: BTreeMap<String, String>,
    reaches: BTreeMap<String, Reach>,
}

impl Delivery {
    /// Until when an order is watched: nothing where two technicians signed it, or it only looks.
    pub(super) fn watched_until(&mut self, order: &str, now_ms: u64) -> Result<Option<u64>, Error> {
        let (known, hub) = (self.known(order)?, &self.post.hub);
        let given = hub.trust().given(&known.signed, Time::from_ms(now_ms));
        // Of what nobody stands for any more, nobody can say that two do.
        if given.is_ok_and(|given| !Reach::bounds(&given)) {
            return Ok(None);
        }
        let (_, kept_ms) = hub.db.read(&Scope::of_hub(), |view| view.given(order))?;
        Ok(Some(kept_ms + WATCHED_MS))
    }

    /// Adds an order, where it is watched.
    pub(super) fn watch(&mut self, watched: &mut Watched, order: &str, now_ms: u64) -> Result<(), Error> {
        if self.watched_until(order, now_ms)?.is_none_or(|until_ms| now_ms >= until_ms) {
            return Ok(());
        }
        self.post.hub.db.read(&Scope::of_hub(), |view| watched.add(view, order, now_ms))
    }
}

impl Watched {
    fn add(&mut self, view: &View<'_>, order: &str, now_ms: u64) -> Result<(), Error> {
        let (signer, _) = view.given(order)?;
        if !self.reaches.contains_key(&signer) {
            let reached = view.reached(&signer, now_ms.saturating_sub(WATCHED_MS))?;
            let reached: Vec<Device> = reached.iter().filter_map(|it| super::device(it)).collect();
            let members = usize::try_from(view.members()?).unwrap_or(usize::MAX);
            self.reaches.insert(signer.clone(), Reach::new(members, reached));
        }
        self.signers.insert(order.to_owned(), signer);
        Ok(())
    }

    /// Leaves out what a device may not be shown yet, and says which of the others count. One that waits for its ring may know of
    /// it: without the certificate nothing begins.
    pub(super) fn keep(&mut self, device: &str, seated: Vec<Seated>) -> (Vec<Seated>, Vec<String>) {
        let (mut kept, mut counts) = (Vec::new(), Vec::new());
        for mut it in seated {
            let reach = self.signers.get(&it.order).and_then(|signer| self.reaches.get_mut(signer));
            let waits = it.ring.is_some_and(|ring| ring > 0) && it.certificate.is_none();
            let admits = reach.zip(super::device(device)).filter(|_| !waits).map(|(reach, name)| reach.admits(name));
            match admits {
                None => kept.push(it),
                Some(true) => {
                    counts.push(it.order.clone());
                    kept.push(it);
                }
                // It goes on waiting for its ring, as far as it knows.
                Some(false) if it.certificate.take().is_some() => kept.push(it),
                Some(false) => {}
            }
        }
        (kept, counts)
    }
}
