//! What is asked about a plugin that comes or goes.

use super::attacks::revocation;
use super::world::World;
use crate::statement::{End, Revocation};

fn revoked_by(end: End, by: &'static str, what: fn(&World, &mut Revocation)) -> World {
    let mut world = World::new();
    let document = revocation(end, "2026-09-01T00:00:00Z", &[by], |it| what(&world, it));
    world.later.push(document);
    world
}

fn this(world: &World, it: &mut Revocation) {
    it.plugins.push(world.plugin.digest);
}

#[test]
fn what_ended_a_plugin_is_told_by_how_it_ended() {
    for (world, revoked, retired, about) in [
        (World::new(), false, false, 1),
        (revoked_by(End::Retired, "remit", this), false, true, 2),
        (revoked_by(End::Compromised, "rob", this), true, false, 2),
        // It is about it, and its signer may not say so.
        (revoked_by(End::Retired, "other", this), false, false, 2),
        (revoked_by(End::Retired, "rob", |_, it| it.plugins.push(model::Digest::of(b"another"))), false, false, 1),
    ] {
        let trust = world.trust().unwrap();
        let found = (trust.revoked(&world.plugin).is_some(), trust.retired(&world.plugin).is_some());
        assert_eq!(found, (revoked, retired));
        assert_eq!(trust.about(world.plugin.digest).len(), about);
        assert_eq!(trust.about(model::Digest::of(b"nothing")).len(), 0);
    }
}

#[test]
fn what_lacks_an_approval_alone_is_its_publisher_s() {
    let against = |world: &World| {
        let decision = world.decide(&world.trust().unwrap(), None, &[]);
        let codes: Vec<&str> = decision.against_publisher().map(crate::Refusal::code).collect();
        (decision.approved.is_some(), codes)
    };
    let mut other = World::new();
    other.plugin.digest = model::Digest::of(b"another");
    assert_eq!(against(&other), (false, vec!["other-bytes"]));
    // An approval for one client is none for a device of nobody's.
    assert_eq!(against(&World::new()), (false, vec![]));
    assert_eq!(against(&revoked_by(End::Compromised, "remit", this)), (false, vec!["revoked"]));
}
