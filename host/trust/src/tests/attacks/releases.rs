use std::collections::BTreeSet;

use contract::Class;
use model::Digest;
use semver::Version;

use super::{Attack, as_it_is, end_key, next_roster, revocation};
use crate::Kind;
use crate::Released;
use crate::statement::{AgentRelease, End, Order, OrderedPlugin, Upgrade};
use crate::tests::samples;
use crate::tests::scene::{CREATED, Said, sign_as};
use crate::tests::world::{NOW, World, name, seat, signed, time};
use crate::{Name, Refusal, Running, Signed};

const TOMORROW: &str = "2026-11-23T12:00:00Z";

/// A device with an agent, and a release that is to take its place.
pub(super) struct Upgrading {
    world: World,
    release: Said<AgentRelease>,
    order: Box<dyn Fn(Order) -> Order>,
    carry: Box<dyn Fn(Signed) -> Signed>,
    program: &'static [u8],
    version: Version,
    target: &'static str,
    state: u32,
    client: Name,
}

impl Upgrading {
    pub(super) fn new() -> Self {
        let mut world = World::new();
        world.roster.body.releases = vec![seat("ray", "ray", &["acme"], Class::L3)];
        Self {
            world,
            release: Said { body: samples::release(), created: CREATED, by: vec!["ray"] },
            order: Box::new(|order| order),
            carry: Box::new(|signed| signed),
            program: b"the program",
            version: Version::new(1, 3, 0),
            target: "x86_64-linux",
            state: 3,
            client: name("acme"),
        }
    }

    /// What becomes of it: a release in whose place nothing speaks, or the codes of all that is wrong.
    pub(super) fn outcome(&self) -> Result<Released, BTreeSet<&'static str>> {
        let codes = |refusals: &[Refusal]| refusals.iter().map(Refusal::code).collect::<BTreeSet<_>>();
        let trust = self.world.trust().map_err(|refusals| codes(&refusals))?;
        let signed = (self.carry)(self.release.signed());
        let plain = Order {
            upgrade: Some(Upgrade { release: Digest::of(signed.statement()), downgrade: false }),
            plugin: OrderedPlugin {
                name: name("remit"),
                version: self.release.body.version.clone(),
                digest: Digest::of(b"packed"),
            },
            class_max: Class::L3,
            ..samples::order(trust.pin())
        };
        let order = (self.order)(plain);
        let released = trust.released(&signed, time(NOW)).map_err(|refusals| codes(&refusals))?;
        let running = Running { version: &self.version, target: self.target, state: self.state, client: &self.client };
        let mut against = released.against(&order, &running);
        against.extend(released.is(self.program).err());
        if against.is_empty() { Ok(released) } else { Err(codes(&against)) }
    }
}

fn downgrade(it: &mut Upgrading) {
    it.order = Box::new(|order| {
        let upgrade = order.upgrade.map(|it| Upgrade { downgrade: true, ..it });
        Order { upgrade, ..order }
    });
}

fn revoke(it: &mut Upgrading, digest: Digest) {
    it.world.later.push(revocation(End::Retired, CREATED, &["rob"], |it| it.statements.push(digest)));
}

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack<Upgrading>] = &[
    ("a release of a stranger", |it| it.release.by = vec!["stranger"], &["unknown-key"], as_it_is),
    ("a release by a technician", |it| it.release.by = vec!["tess"], &["other-role"], as_it_is),
    ("a release by a publisher of plugins", |it| it.release.by = vec!["remit"], &["other-role"], as_it_is),
    ("a release that nobody signed", |it| it.release.by.clear(), &["no-signature"], as_it_is),
    ("a signature for a plugin on a release", |it| it.carry = Box::new(|it| sign_as(Kind::Plugin, &it, "ray")), &["other-namespace"], |it| it.carry = Box::new(|it| sign_as(Kind::Release, &it, "ray"))),
    ("a plugin as a release", |it| it.carry = Box::new(|_| World::new().said.signed()), &["other-kind"], as_it_is),
    ("a release that was changed on its way", |it| it.carry = Box::new(changed), &["bad-signature"], as_it_is),
    ("a release of a stolen key", |it| end_key(&mut it.world, End::Compromised, CREATED, &["rob"], "ray"), &["key-compromised"], |it| end_key(&mut it.world, End::Compromised, CREATED, &["rob"], "tess")),
    ("a release of one who is no longer in the roster", |it| next_roster(&mut it.world, CREATED, |it| it.releases.clear()), &["unknown-key"], |it| next_roster(&mut it.world, CREATED, |_| ())),
    ("a release that was revoked", |it| { let digest = Digest::of(it.release.signed().statement()); revoke(it, digest); }, &["revoked"], |it| revoke(it, Digest::of(b"another"))),
    ("a release whose time is over", |it| it.release.body.expires = time("2026-11-22T11:59:59Z"), &["too-late"], |it| it.release.body.expires = time("2026-11-22T12:00:01Z")),
    ("a release of tomorrow", |it| it.release.created = TOMORROW, &["not-yet-valid"], as_it_is),
    ("a release for others' devices", |it| it.client = name("globex"), &["out-of-scope"], |it| { it.client = name("globex"); it.world.roster.body.releases[0] = seat("ray", "ray", &["*"], Class::L3); }),
    ("a release above its signer's class", |it| it.world.roster.body.releases[0].class_max = Class::L2, &["out-of-scope"], as_it_is),
    ("another program than was released", |it| it.program = b"another", &["other-bytes"], as_it_is),
    ("another release than was ordered", |it| it.order = Box::new(|it| Order { upgrade: Some(Upgrade { release: Digest::of(b"another"), downgrade: false }), ..it }), &["not-as-ordered"], as_it_is),
    ("another version than was ordered", |it| it.order = Box::new(|mut it| { it.plugin.version = Version::new(1, 5, 0); it }), &["not-as-ordered"], as_it_is),
    ("a plugin's order for a release", |it| it.order = Box::new(|it| Order { upgrade: None, ..it }), &["not-as-ordered"], as_it_is),
    ("a release for other machines", |it| it.target = "aarch64-linux", &["other-target"], |it| { it.target = "aarch64-linux"; it.release.body.target = name("aarch64-linux"); }),
    ("the release that runs", |it| it.version = Version::new(1, 4, 0), &["not-newer"], as_it_is),
    ("the release that runs, as a downgrade", |it| { it.version = Version::new(1, 4, 0); downgrade(it); }, &["not-newer"], downgrade),
    ("an older release", |it| it.version = Version::new(1, 5, 0), &["not-newer"], |it| { it.version = Version::new(1, 5, 0); downgrade(it); }),
    ("a release that skips one", |it| it.version = Version::new(1, 1, 9), &["too-far"], |it| it.version = Version::new(1, 2, 0)),
    ("a release without a way back", |it| it.state = 2, &["other-state"], |it| it.state = 4),
];

fn changed(it: Signed) -> Signed {
    let text = String::from_utf8(it.statement().to_vec()).unwrap().replace("1.4.0", "1.4.1");
    Signed::new(text.into_bytes(), it.signatures().to_vec())
}

#[test]
fn who_releases_orders_nothing_with_the_same_key() {
    let mut roster = World::new().roster.body;
    let written = |roster: &_| crate::statement::write(time(CREATED), roster).map_err(|refusal| refusal.code());
    roster.releases = vec![seat("ray", "ray", &["*"], Class::L4)];
    assert!(written(&roster).is_ok(), "the control");
    roster.releases = vec![seat("tess", "tess", &["*"], Class::L4)];
    assert_eq!(written(&roster), Err("wrong-content"));
}

#[test]
fn an_order_that_replaces_the_agent_does_nothing_else_and_says_what_it_risks() {
    let pin = Digest::of(b"a root");
    let upgrade = |downgrade| Some(Upgrade { release: Digest::of(b"a release"), downgrade });
    let order = Order {
        upgrade: upgrade(false),
        parameters: "{}".to_owned(),
        allow: Vec::new(),
        class_max: Class::L3,
        ..samples::order(pin)
    };
    let check = |order: Order| crate::statement::write(time(CREATED), &order).map(|_| ()).map_err(|it| it.code());
    assert_eq!(check(order.clone()), Ok(()), "the control");
    assert_eq!(check(Order { upgrade: upgrade(true), class_max: Class::L4, ..order.clone() }), Ok(()), "the control");
    for other in [
        Order { class_max: Class::L2, ..order.clone() },
        Order { upgrade: upgrade(true), ..order.clone() },
        Order { mode: model::Mode::DryRun, ..order.clone() },
        Order { parameters: "{\"a\":1}".to_owned(), ..order.clone() },
        Order { plan: Some(pin), ..order.clone() },
        Order { undoes: Some(pin), ..order.clone() },
        Order { standing: Some("{}".to_owned()), ..order.clone() },
        Order { allow: vec!["files-write [scratch]".parse().unwrap()], ..order.clone() },
    ] {
        assert_eq!(check(other.clone()), Err("wrong-content"), "{other:?}");
    }
    let old = include_bytes!("../golden/order-upgrade.signed");
    let now = signed("2026-11-22T11:00:00Z", &order_of_a_release(), &["tess"]).to_text();
    assert_eq!(String::from_utf8_lossy(old), String::from_utf8_lossy(&now));
}

fn order_of_a_release() -> Order {
    let pin = Digest::of(World::new().root.signed().statement());
    let upgrade = Some(Upgrade { release: Digest::of(b"a release"), downgrade: true });
    Order {
        upgrade,
        parameters: "{}".to_owned(),
        allow: Vec::new(),
        class_max: Class::L4,
        from: time("2026-11-22T11:30:00Z"),
        ..samples::order(pin)
    }
}
