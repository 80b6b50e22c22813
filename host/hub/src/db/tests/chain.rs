//! The chain of what was done finds what somebody did to it.

use rusqlite::Connection;
use serde_json::json;

use super::{OnDisk, held, scope};
use crate::db::{Actor, FILE, NewEntry, Verified};

fn with_five() -> OnDisk {
    let it = OnDisk::new();
    for at_ms in 1..=5 {
        let body = json!({ "at": at_ms });
        let entry = NewEntry { at_ms, actor: Actor::Hub, client: Some(held("acme")), action: "tested", body };
        it.db.write_now(move |change| change.audit(&entry)).unwrap();
    }
    it
}

fn verify(it: &OnDisk, seen: Option<(u64, &str)>) -> Verified {
    it.db.read(&scope(&["*"]), |view| view.verify_audit(seen)).unwrap()
}

#[test]
fn what_is_done_to_a_chain_is_found_and_where() {
    let recomputed = "an entry that was seen before";
    for (attack, expected) in [
        ("SELECT 1", None),
        ("DELETE FROM audit WHERE number = 3", Some("entry 3 is missing")),
        ("DELETE FROM audit WHERE number = 1", Some("entry 1 is missing")),
        ("DELETE FROM audit WHERE number > 3", Some("it ends with entry 3, and one that was seen before came later")),
        ("UPDATE audit SET at_ms = 9 WHERE number = 2", Some("entry 2 was altered")),
        ("UPDATE audit SET action = 'other' WHERE number = 4", Some("entry 4 was altered")),
        ("UPDATE audit_detail SET body = '{}' WHERE number = 2", Some("the details of entry 2 were altered")),
        ("UPDATE audit_detail SET actor = 'tess' WHERE number = 5", Some("the details of entry 5 were altered")),
        (
            "UPDATE audit SET number = number + 10; INSERT INTO audit SELECT 1, at_ms, action, detail, previous, digest FROM audit WHERE number = 12",
            Some("entry 1 does not follow the one before it"),
        ),
        ("DELETE FROM audit_detail WHERE number = 2", None),
    ] {
        let it = with_five();
        let before = verify(&it, None);
        assert_eq!((before.entries, before.broken), (5, None));
        Connection::open(it.folder.path().join(FILE)).unwrap().execute_batch(attack).unwrap();
        let after = verify(&it, Some((5, &before.head)));
        assert_eq!(after.broken.as_deref(), expected, "{attack}");
    }
    // One that was made anew, from an altered entry on, is whole in itself; whoever keeps a head finds it out.
    let (it, other) = (with_five(), with_five());
    let head = verify(&it, None).head;
    let anew = verify(&other, Some((5, &head))).broken.unwrap_or_default();
    assert_eq!(anew, "entry 5 is not the one that was seen before", "{recomputed}");
    assert_eq!(verify(&other, None).broken, None);
}

#[test]
fn the_chain_is_everybody_s_and_its_details_their_client_s() {
    let it = OnDisk::with_two_clients();
    let entries = |clients: &[&str]| {
        let paged = it.db.read(&scope(clients), |view| view.audit(&super::page(10, None))).unwrap();
        paged.items.into_iter().map(|it| it.body.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(entries(&["*"]), [true, true]);
    assert_eq!(entries(&["acme"]), [true, false]);
    assert_eq!(verify(&it, None).broken, None);
    let of_acme = it.db.read(&scope(&["acme"]), |view| view.verify_audit(None)).unwrap();
    assert_eq!((of_acme.entries, of_acme.broken), (2, None), "who sees no details can walk it too");
}
