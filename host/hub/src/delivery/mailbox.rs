//! What lies in a device's mailbox: the documents that count for it, and the orders that are for it. Nobody believes it for being
//! there: it only says what there is to look at.

use std::collections::{BTreeMap, BTreeSet};

use fleet::{Mailbox, ORDERS_MAX, Posted, Proof, Seat};
use model::Digest;
use serde::Deserialize;
use trust::statement::{self, Approval, Pause};
use trust::{Key, Signed, Statement};

use crate::Error;
use crate::db::{Seated, View};

/// The most trust documents, and the most pauses: as many as crate `fleet` reads.
const DIGESTS_MAX: usize = 256;

/// What all devices of a client have in common.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Who may sign, what no longer holds, what the client allows, where the hub is.
    first: Vec<Digest>,
    /// What was approved, and which plugins; the newest first.
    approvals: Vec<(Digest, BTreeSet<Digest>)>,
    /// What may be installed from where.
    last: Vec<Digest>,
    pauses: Vec<Digest>,
}

impl Shared {
    /// Of a client; without one, what everybody has.
    pub(super) fn read(view: &View<'_>, client: Option<&str>, now_ms: u64) -> Result<Self, Error> {
        let mut shared = Self::default();
        // The order in which they came in; of what does not fit, the older is left out.
        for it in view.counting(client)? {
            let Ok(file) = it.file.parse::<Digest>() else { continue };
            match it.kind.as_str() {
                "approval" => {
                    let plugins = body::<Approval>(&it.bytes).map(|it| it.plugins.into_iter().collect());
                    shared.approvals.push((file, plugins.unwrap_or_default()));
                }
                // Nobody takes up a word that is over; what was stopped stays stopped.
                "pause" => {
                    let holds = body::<Pause>(&it.bytes).is_some_and(|it| crate::ms(it.expires) > now_ms);
                    shared.pauses.extend(holds.then_some(file));
                }
                "index" => shared.last.push(file),
                _ => shared.first.push(file),
            }
        }
        shared.last.reverse();
        shared.pauses.reverse();
        shared.approvals.reverse();
        shared.pauses.truncate(DIGESTS_MAX);
        Ok(shared)
    }

    /// What fits, those first without which nothing else is believed, and then what its orders need.
    fn trust(&self, own: &[Digest], wanted: &BTreeSet<Digest>) -> Vec<Digest> {
        let is_wanted = |it: &&(Digest, BTreeSet<Digest>)| !it.1.is_disjoint(wanted);
        let needed = self.approvals.iter().filter(is_wanted).map(|it| &it.0);
        let others = self.approvals.iter().filter(|it| !is_wanted(it)).map(|it| &it.0);
        let all = self.first.iter().chain(own).chain(needed).chain(others).chain(&self.last);
        let mut once = BTreeSet::new();
        all.filter(|it| once.insert(**it)).take(DIGESTS_MAX).copied().collect()
    }
}

/// What says whose a device is, an assignment or the rule and what it joined with; and what is sealed to it.
pub(super) fn own(view: &View<'_>, device: &str, key: &str) -> Result<Vec<Digest>, Error> {
    let file = |found: Option<(String, Vec<u8>)>| found.and_then(|it| it.0.parse().ok());
    let secrets = view.secret_files(device)?.into_iter().filter_map(|file| file.parse().ok());
    if let Some(assignment) = file(view.current("assignment", &subject(key))?) {
        return Ok([assignment].into_iter().chain(secrets).collect());
    }
    let Some(enrolled) = view.current("enrolment", device)? else { return Ok(Vec::new()) };
    let rule =
        token_of(&enrolled.1).map(|token| view.current("admission", &subject(&token.to_string()))).transpose()?;
    Ok(file(rule.flatten()).into_iter().chain(file(Some(enrolled))).chain(secrets).collect())
}

/// With which token a device joined. All of the statement was read when it was taken.
fn token_of(enrolment: &[u8]) -> Option<Key> {
    #[derive(Deserialize)]
    struct Joined {
        token: Key,
    }
    let statement = enrolment.split(|&byte| byte == b'\n').next()?;
    serde_json::from_slice::<Joined>(statement).ok().map(|it| it.token)
}

/// What documents about a key are filed under.
fn subject(key: &str) -> String {
    Digest::of(key.as_bytes()).hex()
}

fn body<T: Statement>(text: &[u8]) -> Option<T> {
    let signed = Signed::from_text(text).ok()?;
    Some(statement::read::<T>(signed.statement()).ok()?.body)
}

/// The mailbox, and the documents that its device may therefore read. Orders that do not fit are left out, those first that are
/// done, and then the newest: they are posted when there is room.
pub(super) fn write(
    shared: &Shared,
    own: &[Digest],
    seated: &[Seated],
    plugins: &BTreeMap<String, Digest>,
    restored: Option<Digest>,
) -> Result<(Vec<u8>, Vec<String>), Error> {
    let wanted: BTreeSet<Digest> = seated.iter().filter_map(|it| plugins.get(&it.order)).copied().collect();
    let mut orders: Vec<Posted> = seated.iter().take(ORDERS_MAX).filter_map(posted).collect();
    loop {
        let (trust, pauses) = (shared.trust(own, &wanted), shared.pauses.clone());
        let mailbox = Mailbox { trust, orders: orders.clone(), pauses, restored };
        match mailbox.write() {
            Ok(bytes) => return Ok((bytes, names(&mailbox))),
            Err(bad) => {
                orders.pop().ok_or_else(|| Error::unreadable("a mailbox")(&bad))?;
            }
        }
    }
}

fn posted(it: &Seated) -> Option<Posted> {
    let path = it.path.chunks(32).map(|hash| <[u8; 32]>::try_from(hash).ok().map(Digest::from));
    let path: Option<Vec<Digest>> = path.collect();
    let proof = Proof { leaf: it.leaf, path: path? };
    let parse = |text: &Option<String>| text.as_ref().and_then(|it| it.parse().ok());
    Some(Posted {
        order: it.file.parse().ok()?,
        ring: it.ring.map(|ring| Seat { ring, proof }),
        gate: parse(&it.certificate),
        parcel: parse(&it.parcel),
    })
}

/// What is named once for all who have an order, the parts of its plugin, is read where it is asked for.
fn names(mailbox: &Mailbox) -> Vec<String> {
    let of_orders = mailbox.orders.iter().flat_map(|it| [Some(it.order), it.gate]).flatten();
    let all = mailbox.trust.iter().chain(&mailbox.pauses).copied().chain(of_orders);
    all.collect::<BTreeSet<Digest>>().iter().map(ToString::to_string).collect()
}
