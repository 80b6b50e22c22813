//! Orders go on their way: whoever asks says which devices are in which ring, and that is held against what was signed.

use std::collections::BTreeSet;

use fleet::{Counters, Device, Judged, Parcel, SAMPLE_MAX, Tree};
use model::Digest;
use serde_json::json;
use trust::statement::{self, Order};
use trust::{Name, Names, Signed, Time};

use crate::db::{
    Actor, Began, Change, NewEntry, NewRollout, NewSeat, RingStands, Rollout, RolloutRing, RolloutState, View,
};
use crate::{Asker, Error, Hub, Scope};

/// The most devices of a rollout: five times what one hub is made for, in 3 MB.
pub(crate) const DEVICES_MAX: usize = 50_000;

/// The most orders whose place one takes.
const REPLACES_MAX: usize = 32;

/// So much of what is wrong is told one by one.
const TOLD_MAX: usize = 20;

/// What whoever asks says of a rollout.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The devices of each ring, in the order of its tree, in hex.
    pub(crate) rings: Vec<Vec<String>>,
    pub(crate) parcel: Option<String>,
    pub(crate) replaces: Vec<String>,
}

/// What is wrong, as far as it is told.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn add(&mut self, what: String) {
        self.0.push(what);
    }

    fn told(mut self) -> Result<(), Error> {
        let found = self.0.len();
        self.0.truncate(TOLD_MAX);
        if found > TOLD_MAX {
            self.0.push(format!("and {} more", found - TOLD_MAX));
        }
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

impl Hub {
    /// Has an order go on its way to these devices. Everything that is wrong with it is told at once.
    pub(crate) async fn put_rollout(
        self: &std::sync::Arc<Self>,
        order: &str,
        wish: Wish,
        asker: &Asker,
    ) -> Result<(), Error> {
        let (hub, scope, name) = (std::sync::Arc::clone(self), asker.scope.clone(), order.to_owned());
        let checked = tokio::task::spawn_blocking(move || {
            let checked = hub.db.read(&scope, |view| hub.checked(view, &name, &wish))?;
            Ok::<_, Error>(checked)
        });
        let (new, clients) = checked.await.unwrap_or(Err(Error::Lost))?;
        let (now_ms, actor) = (self.clock.now_ms(), asker.actor.clone());
        let replaced = new.replaces.clone();
        self.db
            .write(move |change| {
                let began = change.put_rollout(&new, now_ms)?;
                let devices: usize = new.rings.iter().map(Vec::len).sum();
                let (rings, parcel) = (new.rings.len(), &new.parcel);
                let body = json!({ "order": new.order, "devices": devices, "rings": rings, "parcel": parcel, "replaces": new.replaces });
                match began {
                    Began::Same => Ok(()),
                    Began::New | Began::Changed => note(change, now_ms, actor.clone(), "rollout-put", &clients, body),
                }
            })
            .await?;
        replaced.iter().for_each(|order| self.stirs.order(order));
        self.stirs.order(order);
        Ok(())
    }

    /// The same of whoever has the hub's own folder: to these devices, with the plugin of this list. It is held against what was
    /// signed as any other is.
    pub async fn put_own_rollout(
        self: &std::sync::Arc<Self>,
        order: &Digest,
        rings: &[Vec<Device>],
        parcel: &Digest,
    ) -> Result<(), Error> {
        let rings = rings.iter().map(|ring| ring.iter().map(Device::hex).collect()).collect();
        let wish = Wish { rings, parcel: Some(parcel.to_string()), replaces: Vec::new() };
        self.put_rollout(&order.to_string(), wish, &Asker::own()).await
    }

    /// Takes an order back: no device that has not begun begins. One that is over already is as it is.
    pub(crate) async fn withdraw_rollout(self: &std::sync::Arc<Self>, order: &str, asker: &Asker) -> Result<(), Error> {
        let (hub, scope, name) = (std::sync::Arc::clone(self), asker.scope.clone(), order.to_owned());
        let read = move || hub.db.read(&scope, |view| Ok(order_of(view, &name)?.1.clients));
        let clients = tokio::task::spawn_blocking(read).await.unwrap_or(Err(Error::Lost))?;
        let (now_ms, actor, name) = (self.clock.now_ms(), asker.actor.clone(), order.to_owned());
        self.db
            .write(move |change| {
                if !change.has_rollout(&name)? {
                    return Err(Error::Missing { what: "rollout" });
                }
                let body = json!({ "order": name });
                match change.end_rollout(&name, RolloutState::Withdrawn, now_ms)? {
                    true => note(change, now_ms, actor.clone(), "rollout-withdrawn", &clients, body),
                    false => Ok(()),
                }
            })
            .await?;
        self.stirs.order(order);
        Ok(())
    }

    /// Holds what is asked against what was signed, and against what whoever asks may see.
    fn checked(&self, view: &View<'_>, name: &str, wish: &Wish) -> Result<(NewRollout, Names), Error> {
        let (signed, order) = order_of(view, name)?;
        let state = view.rollout(name)?.map(|it| it.state);
        if let Some(state) = state.filter(|it| *it != RolloutState::Running) {
            let state = crate::word(&state);
            return Err(Error::Conflict(format!("its rollout is {state}: what is to run again is a new order")));
        }
        let given = self.trust().given(&signed, self.now())?;
        let mut wrong = Wrong::default();
        let rings = seats(view, &given.digest(), &order, &wish.rings, &mut wrong)?;
        let parts = match &wish.parcel {
            None => Vec::new(),
            Some(list) => parts_of(view, list, order.plugin.digest, &mut wrong)?,
        };
        if wish.replaces.len() > REPLACES_MAX {
            wrong.add(format!("`replaces`: at most {REPLACES_MAX}"));
        }
        for replaced in wish.replaces.iter().take(REPLACES_MAX) {
            let is_there = replaced != name && view.order(replaced).is_ok() && view.rollout(replaced)?.is_some();
            if !is_there {
                wrong.add(format!("`replaces`: no other order `{}` is on its way", short(replaced)));
            }
        }
        wrong.told()?;
        let new = NewRollout {
            order: name.to_owned(),
            parcel: wish.parcel.clone(),
            parts,
            expires_ms: crate::ms(order.expires),
            rings,
            is_ringed: !order.rings.is_empty(),
            replaces: wish.replaces.clone(),
        };
        Ok((new, order.clients))
    }
}

/// An order that the scope shows, as it was signed.
pub(crate) fn order_of(view: &View<'_>, name: &str) -> Result<(Signed, Order), Error> {
    view.order(name)?;
    let unreadable = Error::unreadable("an order");
    let signed = Signed::from_text(&view.document(name)?).map_err(|refusal| unreadable(&refusal))?;
    let read = statement::read::<Order>(signed.statement()).map_err(|refusal| unreadable(&refusal))?;
    Ok((signed, read.body))
}

/// The devices of each ring. A ring that is not the one that was signed is told, and so is each device that is not meant.
fn seats(
    view: &View<'_>,
    digest: &Digest,
    order: &Order,
    lists: &[Vec<String>],
    wrong: &mut Wrong,
) -> Result<Vec<Vec<NewSeat>>, Error> {
    let (found, wanted) = (lists.len(), order.rings.len().max(1));
    if found != wanted {
        wrong.add(format!("`rings`: {found} lists of devices, and the order has {wanted}"));
    }
    if lists.iter().map(Vec::len).sum::<usize>() > DEVICES_MAX {
        wrong.add(format!("`rings`: at most {DEVICES_MAX} devices"));
        return Ok(Vec::new());
    }
    let (mut seen, mut rings) = (BTreeSet::new(), Vec::new());
    for (at, list) in lists.iter().enumerate() {
        if list.is_empty() {
            wrong.add(format!("`rings[{at}]`: nobody is in it"));
        }
        let mut devices = Vec::with_capacity(list.len());
        let mut seats = Vec::with_capacity(list.len());
        for text in list {
            let mut bytes = [0; 32];
            let is_device = hex::decode_to_slice(text, &mut bytes).is_ok() && hex::encode(bytes) == *text;
            let meant = if is_device { view.meant(text)? } else { None };
            let is_of = |client: &str| client.parse::<Name>().is_ok_and(|client| order.clients.has(Some(&client)));
            let device = short(text);
            match meant {
                _ if !is_device => wrong.add(format!("`rings[{at}]`: `{device}` is no device: 64 hex digits are")),
                _ if !seen.insert(bytes) => wrong.add(format!("`rings[{at}]`: the device {device} is there twice")),
                None => wrong.add(format!("`rings[{at}]`: there is no device {device}")),
                Some(it) if !it.is_member => wrong.add(format!("`rings[{at}]`: the device {device} is no member")),
                Some(it) if !is_of(&it.client) => {
                    wrong.add(format!("`rings[{at}]`: the order is not for the client of the device {device}"));
                }
                Some(it) => {
                    let (path, is_drawn) = (Vec::new(), false);
                    seats.push(NewSeat { device: text.clone(), client: it.client, path, is_drawn });
                }
            }
            devices.push(Device::from(bytes));
        }
        if let Some(signed) = order.rings.get(at) {
            let tree = Tree::new(&devices);
            if tree.root() != signed.root || tree.devices() != signed.devices {
                wrong.add(format!(
                    "`rings[{at}]`: these {} devices are not the {} of the ring that was signed, or not in its order",
                    devices.len(),
                    signed.devices
                ));
            }
            place(&mut seats, &tree, *digest, u32::try_from(at).unwrap_or(u32::MAX));
        }
        rings.push(seats);
    }
    Ok(rings)
}

/// Where each is in the tree of its ring, and whether the ring is judged by it.
fn place(seats: &mut [NewSeat], tree: &Tree, order: Digest, ring: u32) {
    let drawn: BTreeSet<u32> = fleet::sample(order, ring, tree.devices(), SAMPLE_MAX).into_iter().collect();
    for (leaf, seat) in (0_u32..).zip(seats) {
        let path = tree.prove(leaf).map(|proof| proof.path).unwrap_or_default();
        seat.path = path.iter().flat_map(|it| *it.as_bytes()).collect();
        seat.is_drawn = drawn.contains(&leaf);
    }
}

/// The list, and all that it lists: whoever asks, or somebody of the same clients, has handed it over.
fn parts_of(view: &View<'_>, list: &str, plugin: Digest, wrong: &mut Wrong) -> Result<Vec<String>, Error> {
    let Some(bytes) = view.part(list)? else {
        wrong.add("`parcel`: there is no such part: `POST /v1/parts` takes the list too".to_owned());
        return Ok(Vec::new());
    };
    let parcel = match Parcel::read(&bytes) {
        Ok(parcel) => parcel,
        Err(bad) => {
            wrong.add(format!("`parcel`: {bad}"));
            return Ok(Vec::new());
        }
    };
    if parcel.plugin != plugin {
        wrong.add(format!("`parcel`: it is the plugin {}, and the order is for {plugin}", parcel.plugin));
    }
    let mut parts = vec![list.to_owned()];
    for part in parcel.documents() {
        let part = part.to_string();
        if !view.has_part(&part)? {
            wrong.add(format!("`parcel`: its part {part} was not handed over"));
        }
        parts.push(part);
    }
    Ok(parts)
}

/// What somebody wrote, in so many characters that an answer cannot be filled with it.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Writes down what was done about an order. One that is about several clients is shown to nobody who is for one of them.
pub(crate) fn note(
    change: &Change<'_>,
    at_ms: u64,
    actor: Actor,
    action: &'static str,
    clients: &Names,
    body: serde_json::Value,
) -> Result<(), Error> {
    let client = match clients {
        Names::These(names) => match names.as_slice() {
            [one] => Some(Scope::of_hub().hold(one)?),
            _ => None,
        },
        Names::All => None,
    };
    change.audit(&NewEntry { at_ms, actor, client, action, body })
}

/// A ring as it is judged.
pub(crate) fn counters(ring: &RolloutRing) -> Counters {
    let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let answered = ring.completed + ring.failed + ring.refused + ring.not_meant;
    Counters {
        devices: number(ring.devices),
        well: number(ring.completed),
        badly: number(ring.failed + ring.refused),
        aside: number(ring.not_meant),
        last: (answered > 0).then(|| Time::from_ms(ring.last_ms)),
        ..Counters::default()
    }
}

/// Says of the first ring that waits why it does, for people; of the others, that they wait for it.
pub(crate) fn say_why(rollout: &mut Rollout, order: &Order, now: Time) {
    let Some(gate) = order.gate.filter(|_| rollout.state == RolloutState::Running) else { return };
    let mut before: Option<RolloutRing> = None;
    for ring in &mut rollout.rings {
        if ring.state == RingStands::Waiting {
            ring.waits = before.as_ref().map(|before| {
                let called = before.ring + 1;
                if before.state == RingStands::Waiting {
                    return format!("ring {called} comes first");
                }
                match fleet::judge(&gate, order.from, &counters(before), now) {
                    Judged::Met => "what the hub counts is enough; the sample, and those that beat, decide".to_owned(),
                    Judged::TooFew { missing, absent } => {
                        format!("{missing} of ring {called} are missing, and count as failed until {absent}")
                    }
                    Judged::TooEarly { until } => format!("ring {called} is watched until {until}"),
                    Judged::TooMany { failed, most } => {
                        format!("{failed} of ring {called} failed, at most {most} may")
                    }
                }
            });
        }
        before = Some(ring.clone());
    }
}
