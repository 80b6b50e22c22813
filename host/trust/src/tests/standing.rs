//! Which approvals of a plugin hold, for who reads its label.

use super::world::{World, time};
use crate::statement::{End, Revocation};
use crate::tests::attacks::revocation;

/// Who approved the plugin of this world, now.
fn approved(world: &World, now: &str) -> Vec<(String, String)> {
    let trust = world.trust().unwrap();
    trust.approved_in(&world.plugin, time(now)).map(|(it, by)| (it.name.to_string(), by.to_string())).collect()
}

#[test]
fn an_approval_holds_until_it_expires_or_something_ends_it() {
    const NOW: &str = "2026-11-22T12:00:00Z";
    let good = [("cleanup".to_owned(), "rob".to_owned())];
    assert_eq!(approved(&World::new(), NOW), good);
    assert_eq!(approved(&World::new(), "2027-01-01T00:00:00Z"), [], "it expired");
    let mut other = World::new();
    other.plugin.digest = model::Digest::of(b"another");
    assert_eq!(approved(&other, NOW), []);

    let ended = |end: End, by: &'static str, what: fn(&World, &mut Revocation)| {
        let mut world = World::new();
        let document = revocation(end, "2026-09-01T00:00:00Z", &[by], |it| what(&world, it));
        world.later.push(document);
        approved(&world, NOW)
    };
    assert_eq!(ended(End::Compromised, "remit", |world, it| it.plugins.push(world.plugin.digest)), []);
    assert_eq!(ended(End::Retired, "remit", |world, it| it.plugins.push(world.plugin.digest)), good, "it was before");
    assert_eq!(ended(End::Compromised, "rob", |_, it| it.plugins.push(model::Digest::of(b"another"))), good);
}
