//! Who would have the second ring go, though the first one did not go well.

use fleet::{Certificate, Question, Shown, Tree, sample};
use model::{Digest, Mode, Outcome, Verdict};
use trust::statement::{Order, Report};
use trust::{Device as Name, Key, Signed, Time};

use super::Try;
use crate::msp::{self, Shipped, key};
use crate::range::Range;

/// An order in two rings, half of the devices each, the first of which is shown to its devices.
struct Two {
    signed: Signed,
    body: Order,
    plugin: Shipped,
    rings: [Vec<Name>; 2],
}

/// Signs and shows it. Where it is not to go well, every third device of the first ring is off; one in ten may fail.
async fn two_rings(range: &mut Range, goes_well: bool) -> Two {
    let names = range.names();
    let (first, second) = names.split_at(names.len() / 2);
    let plugin = range.approved.clone();
    let mut body = range.msp.order("boss", "*", &plugin, contract::Class::L2);
    msp::in_rings(&mut body, &[&Tree::new(first), &Tree::new(second)], 100_000);
    let signed = range.sign(&body, &["boss", "bea"]);
    let two = Two { signed, body, plugin, rings: [first.to_vec(), second.to_vec()] };
    range.stage.post_ring((&two.signed, &two.plugin), (0, &two.rings[0]), None);
    if !goes_well {
        for (name, at) in first.iter().zip(0..) {
            if at % 3 == 0 {
                range.stage.own.remove(name);
            }
        }
    }
    range.look().await;
    two
}

impl Two {
    fn order(&self) -> Digest {
        Digest::of(self.signed.statement())
    }

    /// Shows the second ring its place and this certificate; how many devices are changed from then on.
    async fn open(&self, range: &mut Range, certificate: Option<Vec<u8>>) -> usize {
        range.mark();
        let gate = certificate.map(|it| range.stage.put(it));
        range.stage.post_ring((&self.signed, &self.plugin), (1, &self.rings[1]), gate);
        range.hour().await;
        range.mutated()
    }

    /// As an honest hub makes it.
    fn honest(&self, range: &Range) -> Option<Vec<u8>> {
        let results = range.results();
        let trust = range.devices.first()?.member().trust();
        let question = Question { trust, order: self.order(), body: &self.body, ring: 0 };
        Some(Certificate::make(&question, &self.rings[0], |device| results.get(device).cloned())?.write())
    }

    /// One whose results are whatever somebody says, of whichever devices.
    fn made_up(&self, mut shown: impl FnMut(u32, Name) -> Option<(Name, Signed)>) -> Vec<u8> {
        let tree = Tree::new(&self.rings[0]);
        let drawn = sample(self.order(), 0, tree.devices(), 64);
        let of = |leaf: u32| {
            let (device, result) = shown(leaf, *self.rings[0].get(usize::try_from(leaf).ok()?)?)?;
            let result = String::from_utf8(result.to_text()).ok()?;
            Some(Shown { device, path: tree.prove(leaf)?.path, result })
        };
        Certificate { order: self.order(), ring: 0, sample: drawn.into_iter().map(of).collect() }.write()
    }

    /// That it went well there, as this key says.
    fn well(&self, range: &Range, device: &Key, by: &str) -> Signed {
        let now = Time::from_ms(range.now_ms);
        msp::signed(now, &report(range.msp.pin(), self.order(), device, now), &[by])
    }
}

fn report(tenant: Digest, order: Digest, device: &Key, ended: Time) -> Report {
    Report {
        tenant,
        order,
        device: device.clone(),
        run: None,
        attempt: 1,
        outcome: Outcome::Completed,
        verdict: Verdict::Fixed,
        refused: None,
        mode: Mode::Enforce,
        ended,
        plan: None,
        record: Digest::of(b"all is well"),
        sequence: 1,
        previous: None,
    }
}

/// Results in the names of the first ring's devices, which none of them signed.
pub(super) async fn forged(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let two = two_rings(range, !what.is_attack()).await;
    let certificate = match what {
        Try::Control => two.honest(range),
        Try::Attack => {
            let keys: std::collections::BTreeMap<Name, Key> =
                range.devices.iter().map(|it| (it.name(), it.member().device().clone())).collect();
            Some(two.made_up(|_, device| Some((device, two.well(range, keys.get(&device)?, "eve")))))
        }
    };
    Ok(two.open(range, certificate).await)
}

/// Only those of the first ring that went well: in the place of those that did not, and with these left out.
pub(super) async fn picked(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let two = two_rings(range, !what.is_attack()).await;
    if !what.is_attack() {
        let certificate = two.honest(range);
        return Ok(two.open(range, certificate).await);
    }
    let results = range.results();
    let mut well = results.iter().cycle();
    let others = two.made_up(|_, device| match results.get(&device) {
        Some(result) => Some((device, result.clone())),
        None => well.next().map(|(device, result)| (*device, result.clone())),
    });
    let left_out = two.made_up(|_, device| Some((device, results.get(&device)?.clone())));
    // Those that are left out count as failed; shown first, it leaves the devices waiting for more.
    let waiting = two.open(range, Some(left_out)).await;
    Ok(waiting + two.open(range, Some(others)).await)
}

/// Devices that nobody assigned, with keys of their own, say that it went well.
pub(super) async fn sybil(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let two = two_rings(range, !what.is_attack()).await;
    let certificate = match what {
        Try::Control => two.honest(range),
        Try::Attack => Some(two.made_up(|leaf, _| {
            let holder = format!("sybil {leaf}");
            let device = key(&holder);
            Some((Name::of(&device), two.well(range, &device, &holder)))
        })),
    };
    Ok(two.open(range, certificate).await)
}

/// One device of the first ring is its attacker's. It says whatever it likes to a hub that takes it for what it is.
pub(super) async fn rooted(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let two = two_rings(range, !what.is_attack()).await;
    if !what.is_attack() {
        let certificate = two.honest(range);
        return Ok(two.open(range, certificate).await);
    }
    // Results in its neighbours' names, with its own key: an honest hub keeps what it can verify, and this it cannot.
    let names = two.rings[0].clone();
    for device in range.devices.iter().map(|it| it.member().device().clone()).collect::<Vec<_>>() {
        let forged = two.well(range, &device, "rooted");
        let (kind, body) = (msp::name("result"), forged.to_text().into());
        let message = bus::Message { spool: bus::Spool(1), sequence: 1, kind, body };
        if let Some(name) = names.first() {
            range.stage.heard.push((*name, message));
        }
    }
    // Documents that it makes: an order, a roster, an assignment of its neighbours, in the mailboxes of a hub that is fooled.
    let plugin = range.approved.clone();
    let order = range.msp.order("rooted", "*", &plugin, contract::Class::L3);
    let order = range.sign(&order, &["rooted"]);
    range.stage.post(&order, &plugin);
    let certificate = two.honest(range);
    let neighbours = two.open(range, certificate).await;
    // Itself it may do anything to.
    Ok(neighbours + 1)
}
