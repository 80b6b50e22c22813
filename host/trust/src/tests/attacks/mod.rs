//! Every attack that statements must meet, each with its own errors, and each with its control: the same without the one flaw
//! goes through.

mod documents;
mod form;
mod keys;
mod orders;
mod pauses;
mod places;
mod plugin;
mod releases;
mod sessions;

use std::collections::BTreeSet;

use releases::Upgrading;

use super::scene::Scene;
use super::world::{World, key, sign, signed};
use crate::statement::{End, Revocation, Roster};
use crate::{Kind, Refusal, Signed};

/// What is done, the errors that it meets and no others, and its control: the world as it is, or nearly so.
type Attack<W = World> = (&'static str, fn(&mut W), &'static [&'static str], fn(&mut W));

/// On an order, and on what a fleet does about orders.
const ON_ORDERS: [&[Attack<Scene>]; 4] = [orders::ATTACKS, pauses::ATTACKS, places::ATTACKS, sessions::ATTACKS];

/// On whether a plugin may run.
const ATTACKS: [&[Attack]; 4] = [form::ATTACKS, keys::ATTACKS, documents::ATTACKS, plugin::ATTACKS];

fn as_it_is<W>(_: &mut W) {}

fn check<W, T: std::fmt::Debug>(
    attacks: &[&[Attack<W>]],
    new: fn() -> W,
    outcome: fn(&W) -> Result<T, BTreeSet<&'static str>>,
) {
    for (name, attack, expected, control) in attacks.iter().copied().flatten() {
        let outcome_of = |change: &fn(&mut W)| {
            let mut world = new();
            change(&mut world);
            outcome(&world)
        };
        let met = outcome_of(attack).expect_err(name);
        assert_eq!(met, expected.iter().copied().collect::<BTreeSet<_>>(), "{name}");
        assert!(outcome_of(control).is_ok(), "the control of {name}: {:?}", outcome_of(control));
    }
}

#[test]
fn each_attack_meets_its_own_errors_and_its_control_goes_through() {
    check(&ATTACKS, World::new, World::outcome);
    check(&ON_ORDERS, Scene::new, Scene::outcome);
    check(&[releases::ATTACKS], Upgrading::new, Upgrading::outcome);
}

#[test]
fn each_error_has_its_attack() {
    let on_orders = ON_ORDERS.into_iter().flatten().flat_map(|(_, _, expected, _)| *expected);
    let met = ATTACKS.into_iter().flatten().flat_map(|(_, _, expected, _)| *expected).chain(on_orders);
    let met = met.chain(releases::ATTACKS.iter().flat_map(|(_, _, expected, _)| *expected));
    let met: BTreeSet<&str> = met.copied().collect();
    let all: BTreeSet<&str> = Refusal::CODES.iter().copied().collect();
    assert_eq!(met.symmetric_difference(&all).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(all.len(), Refusal::CODES.len(), "a code means one thing");
}

/// The statement on its way.
fn carry(world: &mut World, change: impl Fn(Signed) -> Signed + 'static) {
    world.carry = Box::new(change);
}

/// Other bytes, which the publisher signs: it is their form that is refused.
fn rewrite(world: &mut World, change: impl Fn(&str) -> String + 'static) {
    carry(world, move |it| {
        let bytes = change(std::str::from_utf8(it.statement()).unwrap()).into_bytes();
        let signature = sign(Kind::Plugin, &bytes, "remit");
        Signed::new(bytes, vec![signature])
    });
}

fn replace(world: &mut World, what: &'static str, with: &'static str) {
    rewrite(world, move |text| {
        assert!(text.contains(what), "{what} in {text}");
        text.replace(what, with)
    });
}

fn sign_with(world: &mut World, change: impl Fn(&[u8]) -> String + 'static) {
    carry(world, move |it| Signed::new(it.statement().to_vec(), vec![change(it.statement())]));
}

pub(super) fn revocation(end: End, created: &str, by: &[&str], change: impl FnOnce(&mut Revocation)) -> Signed {
    let mut body = Revocation { end, plugins: vec![], keys: vec![], statements: vec![], reason: "a test".to_owned() };
    change(&mut body);
    signed(created, &body, by)
}

fn end_key(world: &mut World, end: End, created: &str, by: &[&str], holder: &str) {
    world.later.push(revocation(end, created, by, |it| it.keys.push(key(holder))));
}

fn next_roster(world: &mut World, created: &str, change: impl FnOnce(&mut Roster)) {
    let mut next = world.roster.body.clone();
    next.serial += 1;
    change(&mut next);
    world.later.push(signed(created, &next, &world.roster.by));
}
