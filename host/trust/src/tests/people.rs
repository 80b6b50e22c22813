//! What a device tells of people: what its client's own policy says, and no more than that there are some where nobody says it.

use super::world::{NOW, World, name, time};
use crate::statement::People::{self, Masked, Never, Shown};

#[test]
fn people_are_shown_where_the_client_says_so_and_for_as_long() {
    let said = |change: fn(&mut World)| -> People {
        let mut world = World::new();
        change(&mut world);
        world.trust().unwrap().people(Some(&name("acme")), time(NOW))
    };
    assert_eq!(said(|_| ()), Masked);
    assert_eq!(said(|it| it.policy.body.people = Shown), Shown);
    assert_eq!(said(|it| it.policy.body.people = Never), Never);
    let never = vec!["device-people".to_owned()];
    let world = |people, never: &[String]| {
        let mut world = World::new();
        (world.policy.body.people, world.policy.body.never) = (people, never.to_vec());
        world
    };
    let of = |world: &World, client: Option<&str>, at: &str| {
        world.trust().unwrap().people(client.map(name).as_ref(), time(at))
    };
    assert_eq!(of(&world(Shown, &never), Some("acme"), NOW), Never, "whoever gives it to no plugin tells nobody");
    let shown = world(Shown, &[]);
    assert_eq!(of(&shown, Some("globex"), NOW), Masked, "another client's policy");
    assert_eq!(of(&shown, None, NOW), Never, "nobody's device");
    assert_eq!(of(&shown, Some("acme"), "2049-01-01T00:00:00Z"), Masked, "what allows ends");
    assert_eq!(of(&world(Never, &[]), Some("acme"), "2049-01-01T00:00:00Z"), Never, "what forbids does not");
}
