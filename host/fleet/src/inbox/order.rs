use model::Digest;
use trust::statement::{self, Order};
use trust::{Ordered, Read, Refusal, Replays, SIGNED_BYTES_MAX, Signed};

use super::{Against, Look, Wait};
use crate::gate::Question;
use crate::{Answer, Counters, Device, Posted, Shut, Target};

/// An order as it was fetched.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Digest of its statement; of the document, where that is none.
    pub(super) order: Digest,
    read: Result<Box<Known>, Refusal>,
}

#[derive(Clone, Debug)]
struct Known {
    signed: Signed,
    body: Order,
    asked: Asked,
}

/// How often an order was believed. Most begin with the first time; the signatures of one that waits, and is asked about again and
/// again, are looked at once for all of these times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Never,
    Once,
    Often,
}

impl Held {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let read = || {
            if bytes.len() > SIGNED_BYTES_MAX {
                return Err(Refusal::TooLarge { bytes: bytes.len(), most: SIGNED_BYTES_MAX });
            }
            let signed = Signed::from_text(bytes)?;
            // One order in two documents would be two, for whoever goes by their digests.
            if signed.to_text() != bytes {
                let problem = "something stands between or behind the signatures".to_owned();
                return Err(Refusal::NotASignature { problem });
            }
            let Read { body, digest, .. } = statement::read::<Order>(signed.statement())?;
            Ok((digest, Box::new(Known { signed, body, asked: Asked::Never })))
        };
        match read() {
            Ok((order, known)) => Self { order, read: Ok(known) },
            Err(refusal) => Self { order: Digest::of(bytes), read: Err(refusal) },
        }
    }

    /// What it says, where it is an order.
    pub(super) fn body(&self) -> Option<&Order> {
        self.read.as_ref().ok().map(|known| &known.body)
    }

    /// The document that is to be kept of it, where it stands.
    pub(super) fn standing(&self) -> Option<String> {
        let known = self.read.as_ref().ok().filter(|known| known.body.standing.is_some())?;
        String::from_utf8(known.signed.to_text()).ok()
    }

    /// The device's ring, where the order has rings.
    pub(super) fn ring(&self, posted: &Posted, look: Look<'_>) -> Result<Option<u32>, Against> {
        let known = self.read.as_ref().map_err(not_believed)?;
        if known.body.rings.is_empty() {
            return Ok(None);
        }
        let seat = posted.ring.as_ref().ok_or(Against::NotInRing)?;
        let ring = usize::try_from(seat.ring).ok().and_then(|at| known.body.rings.get(at)).ok_or(Against::NotInRing)?;
        match seat.proof.holds(&Device::of(look.device), ring.devices, ring.root) {
            true => Ok(Some(seat.ring)),
            false => Err(Against::NotInRing),
        }
    }

    /// Whether whoever signed it may order that of this device, and it is not an old one.
    pub(super) fn ordered(&mut self, look: Look<'_>, replays: &Replays) -> Result<Ordered, Against> {
        let known = self.read.as_mut().map_err(|refusal| not_believed(refusal))?;
        if known.asked == Asked::Once {
            known.signed = known.signed.clone().looked_at();
            known.asked = Asked::Often;
        }
        let asked = trust::Asked { order: &known.signed, device: look.device, replays, now: look.now };
        let ordered = look.trust.order(&asked).map_err(|refusals| Against::NotBelieved { refusals })?;
        if known.asked == Asked::Never {
            known.asked = Asked::Once;
        }
        Ok(ordered)
    }

    /// What a certificate shows of the ring before.
    pub(super) fn counted(&self, posted: &Posted, bytes: &[u8], look: Look<'_>) -> Result<Counters, Shut> {
        let nothing = || Shut::NotRead { problem: "there is no ring before".to_owned() };
        self.question(posted, look).ok_or_else(nothing)?.counted(bytes)
    }

    fn question<'a>(&'a self, posted: &Posted, look: Look<'a>) -> Option<Question<'a>> {
        let body = self.body().filter(|body| !body.rings.is_empty())?;
        let ring = posted.ring.as_ref()?.ring.checked_sub(1)?;
        Some(Question { trust: look.trust, order: self.order, body, ring })
    }

    /// Whether the ring before has gone well, where there is one: else what is waited for.
    pub(super) fn gate(
        &self,
        posted: &Posted,
        shown: Option<&Result<Counters, Shut>>,
        look: Look<'_>,
    ) -> Result<Option<Wait>, Against> {
        let Some(question) = self.question(posted, look) else { return Ok(None) };
        let judged = match shown {
            None => return Ok(Some(Wait::Gate)),
            Some(Ok(counted)) => question.judged(counted, look.trust.time(look.now)),
            Some(Err(shut)) => Err(shut.clone()),
        };
        match judged {
            Ok(()) => Ok(None),
            Err(shut) if shut.is_forged() => Err(Against::ForgedGate { shut }),
            Err(shut) => Ok(Some(Wait::Shut(shut))),
        }
    }

    /// Whether the device is among those that are meant. What stands is asked that at each of its runs.
    pub(super) fn meant(&self, look: Look<'_>) -> Result<(), Against> {
        let Some(body) = self.body() else { return Err(Against::NotMeant) };
        let bad_where = |problems: Vec<expression::Problem>| {
            let problem = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Against::BadWhere { problem }
        };
        let target = Target::read(&body.r#where).map_err(bad_where)?;
        if body.standing.is_some() {
            return Ok(());
        }
        let place = look.trust.place(look.device, look.now).ok();
        match target.ask(&look.facts.asked(place.as_ref())) {
            Answer::Yes => Ok(()),
            Answer::No => Err(Against::NotMeant),
            Answer::Undecided { absent, why } => Err(Against::Undecided { absent, why }),
        }
    }
}

fn not_believed(refusal: &Refusal) -> Against {
    Against::NotBelieved { refusals: vec![refusal.clone()] }
}

/// What an order that is believed waits for.
pub(super) fn waits(ordered: &Ordered) -> Option<Wait> {
    // Whoever waits for a date looks again then; what is stopped goes on by a word.
    let waits = ordered.waits();
    let dated = waits.iter().find(|it| matches!(it, Refusal::NotYetDue { .. }));
    dated.or_else(|| waits.first()).cloned().map(Wait::Said)
}

/// Goes up with each order of a key.
pub(super) fn counter(held: Option<&Held>) -> u64 {
    held.and_then(Held::body).map_or(0, |body| body.counter)
}
