use std::collections::BTreeMap;

use trust::statement::{Assignment, Roster, Seat};
use trust::{Chain, Names, Refusal};

use super::*;
use crate::tests::world::{ROOT, key, order, pinned, signed, signer, time};
use crate::tests::{facts, name};
use crate::{Mailbox, Posted};

const DEVICE: u8 = 109;
const TECHNICIAN: u8 = 1;

/// What lies at the hub, by digest.
type Documents = BTreeMap<Digest, Vec<u8>>;

fn put(documents: &mut Documents, signed: &Signed) -> Digest {
    let digest = Digest::of(&signed.to_text());
    documents.insert(digest, signed.to_text());
    digest
}

/// A mailbox with a roster, an assignment and an order, in an order in which they could not be taken one by one.
fn posted(member: &Member, until: &str) -> (Documents, Vec<u8>) {
    let mut documents = Documents::new();
    let seat = Seat {
        holder: name("tess"),
        key: key(TECHNICIAN),
        from: time("2026-01-01T00:00:00Z"),
        until: time("2028-01-01T00:00:00Z"),
        clients: Names::These(vec![name("acme")]),
        class_max: contract::Class::L3,
    };
    let roster = Roster {
        serial: 1,
        expires: time("2028-01-01T00:00:00Z"),
        technicians: vec![seat],
        reviewers: Vec::new(),
        publishers: Vec::new(),
        clients: Vec::new(),
        releases: Vec::new(),
    };
    let assignment = Assignment {
        serial: 1,
        expires: time("2028-01-01T00:00:00Z"),
        device: key(DEVICE),
        client: name("acme"),
        site: name("hq"),
        tags: Vec::new(),
    };
    let mut order = order(&[]);
    (order.tenant, order.expires) = (member.trust().pin(), time(until));
    order.clients = Names::These(vec![name("acme")]);
    let order = put(&mut documents, &signed("2026-11-22T11:00:00Z", &order, &[TECHNICIAN]));
    let mailbox = Mailbox {
        trust: vec![
            put(&mut documents, &signed("2026-02-01T00:00:00Z", &assignment, &[TECHNICIAN])),
            put(&mut documents, &signed("2026-01-01T00:00:00Z", &roster, &[ROOT])),
        ],
        orders: vec![Posted { order, ring: None, gate: None, parcel: None }],
        ..Mailbox::default()
    };
    let mailbox = mailbox.write().unwrap();
    (documents, mailbox)
}

/// Everything that comes of a mailbox.
fn settle(member: &mut Member, (documents, mailbox): &(Documents, Vec<u8>), now: Time) -> Vec<Came> {
    let mut all = vec![member.come(Input::Mailbox(mailbox), &facts(), now)];
    while let Some(digest) = all.last().and_then(|came| came.fetch.first().copied()) {
        let input = documents.get(&digest).map_or(Input::Missing(digest), |it| Input::Document(digest, it));
        all.push(member.come(input, &facts(), now));
    }
    all
}

#[test]
fn what_is_believed_is_taken_and_then_orders_begin() {
    let now = time("2026-11-22T13:00:00Z");
    let mut member = Member::new(key(DEVICE), pinned().0);
    let posted = posted(&member, "2026-12-22T12:00:00Z");
    let all = settle(&mut member, &posted, now);
    let believed: usize = all.iter().map(|it| it.believed.len()).sum();
    let begun: usize = all.iter().map(|it| it.begin.len()).sum();
    assert_eq!((believed, begun), (2, 1));
    assert!(all.iter().all(|it| it.not_taken.is_empty() && it.refused.is_empty()));
    let again: usize = settle(&mut member, &posted, now).iter().map(|it| it.begin.len()).sum();
    assert_eq!(again, 0);
    // Of another root nothing of it counts.
    let mut stranger = signer(77);
    let root = trust::statement::Root {
        serial: 1,
        expires: time("2028-01-01T00:00:00Z"),
        msp: name("other"),
        threshold: 1,
        keys: vec![trust::statement::RootKey { person: name("eve"), key: stranger.key().unwrap() }],
    };
    let mut root = Signed::new(statement::write(time("2026-01-01T00:00:00Z"), &root).unwrap(), Vec::new());
    root.sign(&mut stranger).unwrap();
    let trust = Trust::pinned(Digest::of(root.statement()), &root).unwrap();
    let all = settle(&mut Member::new(key(DEVICE), trust), &posted, now);
    assert_eq!(all.iter().map(|it| it.believed.len() + it.begin.len()).sum::<usize>(), 0);
    assert_eq!(all.iter().map(|it| it.not_taken.len()).sum::<usize>(), 2);
}

#[test]
fn a_clock_that_is_set_back_brings_no_order_back() {
    let (early, late) = (time("2026-11-22T13:00:00Z"), time("2026-11-25T13:00:00Z"));
    let begun = |was: Option<Time>| {
        let mut member = Member::new(key(DEVICE), pinned().0);
        let mut rows = BTreeMap::new();
        if let Some(was) = was {
            rows = member.come(Input::Looked, &facts(), was).keep;
        }
        let rows = rows.into_iter().filter_map(|(key, text)| Some((key, text?)));
        let mut member = Member::restore(key(DEVICE), pinned().0, rows).unwrap();
        let posted = posted(&member, "2026-11-23T12:00:00Z");
        settle(&mut member, &posted, early).iter().map(|it| it.begin.len()).sum::<usize>()
    };
    assert_eq!(begun(None), 1);
    assert_eq!(begun(Some(early)), 1);
    assert_eq!(begun(Some(late)), 0, "it expired, and the device knew it");
}

#[test]
fn results_are_one_chain_over_restarts() {
    let now = time("2026-11-22T13:00:00Z");
    let told = Told {
        order: Digest::of(b"order"),
        run: None,
        attempt: 1,
        outcome: Outcome::Completed,
        verdict: Verdict::Fixed,
        refused: None,
        mode: Mode::Enforce,
        ended: now,
        plan: None,
        record: Digest::of(b"record"),
    };
    let (mut member, mut rows) = (Member::new(key(DEVICE), pinned().0), BTreeMap::new());
    let mut chain = Chain::default();
    for _ in 0..3 {
        let signing = member.tell(&told, &mut signer(DEVICE), now).unwrap();
        let reported = member.trust().report(&signing.signed, now).unwrap();
        assert_eq!(chain.follow(&reported), Ok(true));
        rows.extend(signing.keep.into_iter().filter_map(|(key, text)| Some((key, text?))));
        member = Member::restore(key(DEVICE), pinned().0, rows.clone()).unwrap();
    }
    // One that forgot it begins anew, which shows.
    let mut forgot = Member::new(key(DEVICE), pinned().0);
    let signing = forgot.tell(&told, &mut signer(DEVICE), time("2026-11-22T14:00:00Z")).unwrap();
    let reported = forgot.trust().report(&signing.signed, time("2026-11-22T14:00:00Z")).unwrap();
    assert!(matches!(chain.follow(&reported), Err(Refusal::ResultForked { .. })));
    let damaged = Member::restore(key(DEVICE), pinned().0, [(CHAIN.to_owned(), "{".to_owned())]);
    assert!(matches!(damaged, Err(Damaged(row)) if row == CHAIN));
}
