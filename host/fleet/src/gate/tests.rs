use std::collections::BTreeMap;

use model::{Digest, Mode, Outcome, Verdict};
use trust::statement::{Order, Report};
use trust::{Signed, Time, Trust};

use super::*;
use crate::tests::world::{World, order, pinned, report, revocation, time};
use crate::{Device, Tree};

/// A ring of devices with keys, an order about it, and what each device signed. The sample is all of a ring of up to 64.
struct Ring {
    world: World,
    trust: Trust,
    devices: Vec<Device>,
    order: Order,
    digest: Digest,
    results: BTreeMap<Device, Signed>,
    now: Time,
}

const FROM: &str = "2026-11-22T12:00:00Z";

impl Ring {
    fn new(devices: u8) -> Self {
        let world = World::new(devices);
        let devices = world.devices();
        let tree = Tree::new(&devices);
        let next = Tree::new(&[crate::tests::device(1), crate::tests::device(2)]);
        let (trust, _) = pinned();
        let order = Order { tenant: trust.pin(), ..order(&[&tree, &next]) };
        let digest = Digest::of(b"the signed order");
        let mut ring =
            Self { world, trust, devices, order, digest, results: BTreeMap::new(), now: time("2026-11-22T13:00:00Z") };
        for at in 0..ring.devices.len() {
            ring.end(at, Outcome::Completed, Verdict::Fixed, |_| ());
        }
        ring
    }

    /// A device signs a result.
    fn end(&mut self, at: usize, outcome: Outcome, verdict: Verdict, change: impl FnOnce(&mut Report)) {
        let mut body = report(self.digest, &self.world.key(at), outcome, verdict, "2026-11-22T12:10:00Z");
        body.tenant = self.trust.pin();
        change(&mut body);
        self.results.insert(self.devices[at], self.world.sign(at, &body));
    }

    fn question(&self) -> Question<'_> {
        Question { trust: &self.trust, order: self.digest, body: &self.order, ring: 0 }
    }

    fn certificate(&self) -> Certificate {
        Certificate::make(&self.question(), &self.devices, |device| self.results.get(device).cloned()).unwrap()
    }

    /// What a device of the next ring says to a certificate that was changed on its way.
    fn asked(&self, change: impl FnOnce(&mut Certificate)) -> Result<(), Shut> {
        let mut certificate = self.certificate();
        change(&mut certificate);
        self.question().answered(&certificate.write(), self.now)
    }

    /// The same with what is shown of the first device.
    fn with_first(&self, change: impl FnOnce(&mut Shown)) -> Result<(), Shut> {
        self.asked(|it| change(it.sample[0].as_mut().unwrap()))
    }
}

#[test]
fn a_ring_that_went_well_opens_the_next() {
    for devices in [1, 2, 5, 64, 70] {
        let ring = Ring::new(devices);
        assert_eq!(ring.asked(|_| ()), Ok(()), "{devices}");
        assert_eq!(ring.certificate().sample.len(), usize::from(devices.min(64)));
    }
}

#[test]
fn what_is_forged_opens_nothing() {
    let ring = Ring::new(5);
    let at_leaf = |leaf: u32| ring.devices[leaf as usize];
    let drawn = crate::sample(ring.digest, 0, 5, 64);
    let first = drawn[0] as usize;
    let signed_by_another = {
        let mut body = report(ring.digest, &ring.world.key(first), Outcome::Completed, Verdict::Fixed, FROM);
        body.tenant = ring.trust.pin();
        ring.world.sign((first + 1) % 5, &body)
    };
    let text = |signed: &Signed| String::from_utf8(signed.to_text()).unwrap();
    let forged = |outcome: Result<(), Shut>| {
        let Err(shut) = outcome else { panic!("it was opened") };
        assert!(shut.is_forged(), "{shut}");
        shut
    };

    // Somebody signs for the device, or changes what it signed, or nobody signs.
    forged(ring.with_first(|it| it.result = text(&signed_by_another)));
    forged(ring.with_first(|it| it.result = it.result.replace("\"sequence\":1", "\"sequence\":1 ")));
    forged(ring.with_first(|it| it.result = it.result.replace("fixed", "compliant")));
    forged(ring.with_first(|it| it.result = it.result.lines().next().unwrap().to_owned()));
    forged(ring.with_first(|it| it.result = "x".repeat(13 << 10)));
    // A Sybil: a device with a key and a result of its own, which is not in the ring.
    let sybil = World::new(6);
    let mut body = report(ring.digest, &sybil.key(5), Outcome::Completed, Verdict::Fixed, FROM);
    body.tenant = ring.trust.pin();
    let shut = forged(ring.with_first(|it| {
        (it.device, it.result) = (sybil.devices()[5], text(&sybil.sign(5, &body)));
    }));
    assert!(matches!(shut, Shut::NotDrawn { .. }), "{shut}");
    // Picked: another device of the ring in the place of one that was drawn, which would have been told of twice.
    let second = ring.certificate().sample[1].clone();
    let shut = forged(ring.asked(|it| it.sample[0] = second));
    assert!(matches!(shut, Shut::NotDrawn { .. }), "{shut}");
    // A result with another device's name on it.
    forged(ring.with_first(|it| it.device = at_leaf(drawn[1])));
    // Fewer or more than are drawn.
    forged(ring.asked(|it| drop(it.sample.pop())));
    forged(ring.asked(|it| it.sample.push(None)));
    // Of another ring, or of another order.
    forged(ring.asked(|it| it.ring = 1));
    forged(ring.asked(|it| it.order = Digest::of(b"another")));
    for bytes in [&b""[..], b"{}", b"null", &vec![b'['; CERTIFICATE_BYTES_MAX], &vec![b' '; CERTIFICATE_BYTES_MAX + 1]]
    {
        forged(ring.question().answered(bytes, ring.now));
    }
    let other = Question { ring: 7, ..ring.question() };
    forged(other.answered(&ring.certificate().write(), ring.now));
    assert_eq!(ring.with_first(|_| ()), Ok(()), "the control of all of them");
}

#[test]
fn a_device_whose_key_was_stolen_opens_nothing() {
    let mut ring = Ring::new(1);
    let certificate = ring.certificate().write();
    assert_eq!(ring.question().answered(&certificate, ring.now), Ok(()));
    let stolen = revocation(ring.world.key(0));
    ring.trust.take(&stolen, ring.now).unwrap();
    let answered = ring.question().answered(&certificate, ring.now);
    assert!(matches!(answered, Err(Shut::TooFew { missing: 1, .. })), "{answered:?}");
    assert!(matches!(ring.asked(|_| ()), Err(Shut::TooFew { missing: 1, .. })), "whoever makes one leaves it out");
}

#[test]
fn results_of_something_else_open_nothing() {
    let outcome = |change: fn(&mut Report)| {
        let mut ring = Ring::new(3);
        // What whoever makes one would leave out is put in by force.
        let mut shown = ring.certificate();
        ring.end(0, Outcome::Completed, Verdict::Fixed, change);
        for it in shown.sample.iter_mut().flatten().filter(|it| it.device == ring.devices[0]) {
            it.result = String::from_utf8(ring.results[&ring.devices[0]].to_text()).unwrap();
        }
        let made = ring.asked(|_| ());
        (ring.question().answered(&shown.write(), ring.now), made)
    };
    for change in [
        (|it| it.order = Digest::of(b"another order")) as fn(&mut Report),
        |it| it.tenant = Digest::of(b"another root"),
        |it| it.mode = Mode::Detect,
        |it| it.ended = time("2026-11-22T11:50:00Z"),
        |it| it.ended = time("2026-11-22T13:30:00Z"),
    ] {
        let (forced, made) = outcome(change);
        assert!(matches!(&forced, Err(shut) if shut.is_forged()), "{forced:?}");
        assert!(matches!(made, Err(Shut::TooFew { missing: 1, .. })), "whoever makes it leaves it out: {made:?}");
    }
    assert_eq!(outcome(|it| it.ended = time("2026-11-22T12:05:00Z")), (Ok(()), Ok(())), "the control");
}

#[test]
fn what_is_missing_counts_as_failed_until_it_is_absent_by_rule() {
    // One in four may fail; absent after a day.
    let mut ring = Ring::new(8);
    for at in 0..2 {
        ring.results.remove(&ring.devices[at]);
    }
    assert_eq!(ring.asked(|_| ()), Ok(()), "two of eight may fail");
    ring.results.remove(&ring.devices[2]);
    let absent = time("2026-11-23T12:00:00Z");
    assert_eq!(ring.asked(|_| ()), Err(Shut::TooFew { missing: 3, absent }));
    ring.now = time("2026-11-23T11:59:59Z");
    assert_eq!(ring.asked(|_| ()), Err(Shut::TooFew { missing: 3, absent }));
    ring.now = absent;
    assert_eq!(ring.asked(|_| ()), Ok(()), "they are no longer waited for");
    // Who withholds a failure, until it is absent, still has the others to show.
    ring.results.remove(&ring.devices[3]);
    assert_eq!(ring.asked(|_| ()), Ok(()), "half of it reported");
    let shown = ring.asked(|it| *it.sample.iter_mut().find(|it| it.is_some()).unwrap() = None);
    assert_eq!(shown, Err(Shut::TooFew { missing: 5, absent }), "less than half did");
    // Of five that reported, one in four is one.
    ring.end(3, Outcome::Trap, Verdict::Unknown, |_| ());
    assert_eq!(ring.asked(|_| ()), Ok(()));
    ring.end(4, Outcome::Trap, Verdict::Unknown, |_| ());
    assert_eq!(ring.asked(|_| ()), Err(Shut::TooMany { failed: 2, most: 1 }));
}

#[test]
fn failures_and_those_that_are_not_meant() {
    let mut ring = Ring::new(8);
    for at in 0..3 {
        assert_eq!(ring.asked(|_| ()), Ok(()), "{at} failed");
        ring.end(at, Outcome::PluginError, Verdict::Unknown, |_| ());
    }
    assert_eq!(ring.asked(|_| ()), Err(Shut::TooMany { failed: 3, most: 2 }));
    let not_meant = |it: &mut Report| it.refused = Some(crate::tests::name(crate::NOT_MEANT));
    let mut ring = Ring::new(8);
    for at in 0..4 {
        ring.end(at, Outcome::Refused, Verdict::Unknown, not_meant);
        assert_eq!(ring.asked(|_| ()), Ok(()), "{at} is not meant");
    }
    ring.end(4, Outcome::Refused, Verdict::Unknown, not_meant);
    assert!(matches!(ring.asked(|_| ()), Err(Shut::TooFew { .. })), "hardly anybody tried it");
    // A refusal for any other reason is a failure: whoever withholds an approval opens nothing.
    let mut ring = Ring::new(1);
    ring.end(0, Outcome::Refused, Verdict::Unknown, |it| it.refused = Some(crate::tests::name("no-approval")));
    assert_eq!(ring.asked(|_| ()), Err(Shut::TooMany { failed: 1, most: 0 }));
    ring.end(0, Outcome::Suspended, Verdict::Unknown, |_| ());
    assert!(matches!(ring.asked(|_| ()), Err(Shut::TooFew { missing: 1, .. })), "it waits for a reboot");
}

#[test]
fn a_ring_is_watched_for_a_while() {
    // It soaks for 30 minutes after the last of the sample.
    let mut ring = Ring::new(4);
    ring.end(2, Outcome::Completed, Verdict::Compliant, |it| it.ended = time("2026-11-22T12:20:00Z"));
    ring.now = time("2026-11-22T12:49:59Z");
    assert_eq!(ring.asked(|_| ()), Err(Shut::TooEarly { until: time("2026-11-22T12:50:00Z") }));
    ring.now = time("2026-11-22T12:50:00Z");
    assert_eq!(ring.asked(|_| ()), Ok(()));
    // Who leaves the last one out has it counted as failed, where none may.
    ring.order.gate.as_mut().unwrap().failures_max_ppm = 0;
    ring.now = time("2026-11-22T12:45:00Z");
    let without_last = ring.asked(|it| {
        for shown in it.sample.iter_mut().filter(|it| it.as_ref().is_some_and(|it| it.device == ring.devices[2])) {
            *shown = None;
        }
    });
    assert!(matches!(without_last, Err(Shut::TooFew { missing: 1, .. })));
}

#[test]
fn a_certificate_of_other_devices_is_not_made() {
    let ring = Ring::new(3);
    let result = |device: &Device| ring.results.get(device).cloned();
    assert!(Certificate::make(&ring.question(), &ring.devices, result).is_some());
    assert!(Certificate::make(&ring.question(), &ring.devices[..2], result).is_none());
    assert!(Certificate::make(&Question { ring: 2, ..ring.question() }, &ring.devices, result).is_none());
}
