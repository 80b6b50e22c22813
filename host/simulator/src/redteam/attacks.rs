//! What is tried, a row each.

use contract::Class;
use fleet::Tree;
use model::Digest;
use trust::statement::{Assignment, Order, Root, RootKey, Seat};
use trust::{Names, Signed, Time};

use super::{Attack, Bar, Try, database, gates};
use crate::msp::{self, Shipped, key, name};
use crate::range::{DAY_MS, Range};

type Bars = fn(usize, usize) -> Bar;

const NOBODY: Bars = |_, _| Bar::Nobody;
const ALL: fn(usize, usize) -> usize = |all, _| all;
const SECOND: fn(usize, usize) -> usize = |all, _| all - all / 2;
const FIRST: fn(usize, usize) -> usize = |_, first| first;

/// What one technician reaches alone in an hour, of an honest hub.
pub(super) fn reach(all: usize) -> usize {
    (all / 100).max(10)
}

/// All rows, in the order of the issue.
#[rustfmt::skip]
pub(super) fn all() -> impl Iterator<Item = Attack> {
    let row = |is, name, bar, control, tried| Attack { is, name, bar, control, tried };
    let bus = "bus read and write";
    let hub = "hub process owned with its keys";
    [
        row("control", "two technicians order what is approved", |all, _| Bar::All(all), ALL, |r, _| Box::pin(legitimate(r))),
        row(bus, "an order that nobody signed", NOBODY, ALL, |r, t| Box::pin(signed_by(r, t, &[]))),
        row(bus, "an order that somebody else signed", NOBODY, ALL, |r, t| Box::pin(signed_by(r, t, &["eve"]))),
        row(bus, "an order that says something else than was signed", NOBODY, ALL, |r, t| Box::pin(altered(r, t))),
        row(bus, "other parts in the place of the plugin's", NOBODY, ALL, |r, t| Box::pin(other_parts(r, t))),
        row(bus, "an order for one device, shown to all", |_, _| Bar::AtMost(1), ALL, |r, t| Box::pin(for_one(r, t))),
        row("hub database write", "mailboxes, documents, devices and results, written as rows", NOBODY, FIRST, |r, t| Box::pin(database::written(r, t))),
        row(hub, "a root and a roster of its own", NOBODY, ALL, |r, t| Box::pin(own_roster(r, t))),
        row(hub, "devices said to be another client's, whose technician ordered", NOBODY, |all, first| all - first, |r, t| Box::pin(moved(r, t))),
        row(hub, "what was ordered and ran out", NOBODY, ALL, |r, t| Box::pin(ran_out(r, t))),
        row(hub, "a plugin that nobody approved, ordered by nobody", NOBODY, ALL, |r, t| Box::pin(new_code(r, t, &["eve"]))),
        row("one technician's key, honest hub", "orders of one key to everybody of its clients", |all, _| Bar::AtMost(reach(all)), FIRST, |r, t| Box::pin(database::alone(r, t, Class::L3))),
        row("one technician's key, honest hub: L4", "the same, of what cannot be taken back", NOBODY, FIRST, |r, t| Box::pin(database::alone(r, t, Class::L4))),
        row("hub and one technician's key", "its orders, shown to everybody", |_, first| Bar::AtMost(first), FIRST, |r, t| Box::pin(with_hub(r, t))),
        row("hub and one technician's key", "its orders for all clients", NOBODY, ALL, |r, t| Box::pin(beyond_seat(r, t))),
        row("hub and one technician's key: L4", "alone, twice over, with a stranger, and under a lower class", NOBODY, FIRST, |r, t| Box::pin(destroys(r, t))),
        row("hub and one technician's key: L4", "with a second key, before it could be stopped", NOBODY, FIRST, |r, t| Box::pin(too_soon(r, t))),
        row("one publisher key", "a new version, in the place of the one that was ordered", NOBODY, ALL, |r, t| Box::pin(published(r, t))),
        row("one rooted device", "itself, with results, documents and sessions of its neighbours", |_, _| Bar::AtMost(1), SECOND, |r, t| Box::pin(gates::rooted(r, t))),
        row("wrong tenant", "an order of the same people at another MSP", NOBODY, ALL, |r, t| Box::pin(wrong_tenant(r, t))),
        row("replay", "what ran, again, with a signature less, and after it was gone", NOBODY, ALL, |r, t| Box::pin(replay(r, t))),
        row("stale policy", "what a client allowed before it allowed less", NOBODY, ALL, |r, t| Box::pin(stale_policy(r, t))),
        row("withheld revocation", "two stolen keys, the roster that ends them withheld, once the old one ran out", NOBODY, ALL, |r, t| Box::pin(withheld(r, t))),
        row("clock set back", "what ran out, on devices whose clocks were set back", NOBODY, ALL, |r, t| Box::pin(clock_back(r, t))),
        row("forged gate", "results that their devices did not sign", NOBODY, SECOND, |r, t| Box::pin(gates::forged(r, t))),
        row("picked or Sybil results", "of the ring before, those that went well", NOBODY, SECOND, |r, t| Box::pin(gates::picked(r, t))),
        row("picked or Sybil results", "results of devices that are in no ring", NOBODY, SECOND, |r, t| Box::pin(gates::sybil(r, t))),
    ]
    .into_iter()
}

/// An order for everybody that two technicians sign.
fn order(range: &mut Range) -> Order {
    let plugin = range.approved.clone();
    range.msp.order("boss", "*", &plugin, Class::L2)
}

/// Shows it to everybody, and counts after an hour.
async fn shown(range: &mut Range, order: &Signed, plugin: &Shipped) -> anyhow::Result<usize> {
    range.stage.post(order, plugin);
    range.hour().await;
    Ok(range.mutated())
}

async fn legitimate(range: &mut Range) -> anyhow::Result<usize> {
    let order = order(range);
    let (signed, plugin) = (range.sign(&order, &["boss", "bea"]), range.approved.clone());
    shown(range, &signed, &plugin).await
}

async fn signed_by(range: &mut Range, what: Try, by: &[&str]) -> anyhow::Result<usize> {
    let order = order(range);
    let by = if what.is_attack() { by } else { &["boss", "bea"] };
    let (signed, plugin) = (range.sign(&order, by), range.approved.clone());
    shown(range, &signed, &plugin).await
}

async fn altered(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let mut order = order(range);
    let written = order.clone();
    // What was signed would only look.
    order.mode = model::Mode::DryRun;
    let signed = range.sign(if what.is_attack() { &order } else { &written }, &["boss", "bea"]);
    let other = range.sign(&written, &["eve"]);
    let shows = match what {
        Try::Attack => Signed::new(other.statement().to_vec(), signed.signatures().to_vec()),
        Try::Control => signed,
    };
    let plugin = range.approved.clone();
    shown(range, &shows, &plugin).await
}

async fn other_parts(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let order = order(range);
    let signed = range.sign(&order, &["boss", "bea"]);
    let plugin = match what {
        Try::Attack => range.msp.ship("tidy", "1.0.0", &["files-write [*]"], "eve"),
        Try::Control => range.approved.clone(),
    };
    shown(range, &signed, &plugin).await
}

/// An order whose only ring is the first device.
async fn for_one(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let (mut order, names) = (order(range), range.names());
    let meant = if what.is_attack() { names.get(..1).unwrap_or_default() } else { &names };
    let tree = Tree::new(meant);
    msp::in_rings(&mut order, &[&tree], 0);
    let (signed, plugin) = (range.sign(&order, &["boss", "bea"]), range.approved.clone());
    range.stage.post_ring((&signed, &plugin), (0, meant), None);
    if what.is_attack() {
        // Everybody else is shown the first one's place.
        for name in names.iter().skip(1) {
            let seat = tree.prove(0).map(|proof| fleet::Seat { ring: 0, proof });
            range.stage.post_to(*name, (&signed, &plugin), seat, None);
        }
    }
    range.hour().await;
    Ok(range.mutated())
}

/// A newer roster in which `eve` has a seat, and a root of hers.
async fn own_roster(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let mut roster = range.msp.roster_of(9, range.msp.now.plus_days(30));
    let boss = roster.technicians.iter().find(|it| it.holder == name("boss")).cloned();
    roster.technicians.extend(boss.map(|seat| Seat { holder: name("eve"), key: key("eve"), ..seat }));
    let created = range.msp.now.plus_seconds(-60);
    if what.is_attack() {
        let keys = vec![RootKey { person: name("eve"), key: key("eve") }];
        let expires = range.msp.now.plus_days(900);
        let root = Root { serial: 2, expires, msp: name("example-msp"), threshold: 1, keys };
        range.stage.believe(&msp::signed(created, &root, &["eve", "ann"]));
    }
    // One of two of the root is not the root.
    let by = if what.is_attack() { ["eve", "ann"] } else { ["ben", "ann"] };
    range.stage.believe(&msp::signed(created, &roster, &by));
    let plugin = range.approved.clone();
    let order = range.msp.order("eve", "*", &plugin, Class::L2);
    let signed = range.sign(&order, &["eve"]);
    shown(range, &signed, &plugin).await
}

fn reassigned(range: &Range, device: &trust::Key, client: &str, by: &str, serial: u64) -> Signed {
    let assignment = Assignment {
        serial,
        expires: range.msp.now.plus_days(30),
        device: device.clone(),
        client: name(client),
        site: name("hq"),
        tags: vec![name("managed")],
    };
    msp::signed(range.msp.now.plus_seconds(-60), &assignment, &[by])
}

/// What the technicians of the second client ordered there, on devices of the first that the hub says were moved.
async fn moved(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let plugin = range.approved.clone();
    let order = range.msp.order("gus", "globex", &plugin, Class::L2);
    let signed = range.sign(&order, &["gus", "gwen"]);
    if !what.is_attack() {
        shown(range, &signed, &plugin).await?;
        return Ok(range.mutated_of("globex"));
    }
    let devices: Vec<_> = range.devices.iter().map(|it| (it.name(), it.member().device().clone())).collect();
    for (name, key) in devices {
        // The technician of the client that gets it has no say about the client that loses it; the hub has none at all.
        let said = reassigned(range, &key, "globex", "eve", 7);
        let digest = range.stage.put(said.to_text());
        range.stage.own.entry(name).or_default().trust.push(digest);
    }
    shown(range, &signed, &plugin).await?;
    Ok(range.mutated_of("acme"))
}

async fn ran_out(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let mut order = order(range);
    order.from = range.msp.now.plus_seconds(-7_200);
    order.expires = range.msp.now.plus_seconds(if what.is_attack() { -60 } else { 86_400 });
    let signed = msp::signed(range.msp.now.plus_seconds(-7_200), &order, &["boss", "bea"]);
    let plugin = range.approved.clone();
    shown(range, &signed, &plugin).await
}

/// A plugin that the publisher signed and nobody approved.
fn unapproved(range: &Range) -> Shipped {
    range.msp.ship("tidy", "1.0.1", &["files-write [scratch]"], "remit")
}

async fn new_code(range: &mut Range, what: Try, by: &[&str]) -> anyhow::Result<usize> {
    let plugin = if what.is_attack() { unapproved(range) } else { range.approved.clone() };
    let by = if what.is_attack() { by } else { &["boss", "bea"] };
    let order = range.msp.order(by.first().copied().unwrap_or("boss"), "*", &plugin, Class::L2);
    let signed = range.sign(&order, by);
    shown(range, &signed, &plugin).await
}

/// Whoever has a publisher's key and the hub: a new version for an order that named the old one, and beside it.
async fn published(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let (first, order) = (range.approved.clone(), order(range));
    let signed = range.sign(&order, &["boss", "bea"]);
    if !what.is_attack() {
        return shown(range, &signed, &first).await;
    }
    let new = unapproved(range);
    range.stage.post(&signed, &new);
    // An order that names it, by the only key that there is.
    let own = range.msp.order("remit", "*", &new, Class::L2);
    let own = range.sign(&own, &["remit"]);
    shown(range, &own, &new).await
}

async fn with_hub(range: &mut Range, _: Try) -> anyhow::Result<usize> {
    let plugin = range.approved.clone();
    for _ in 0..3 {
        let order = range.msp.order("tess", "acme", &plugin, Class::L3);
        let signed = range.sign(&order, &["tess"]);
        range.stage.post(&signed, &plugin);
    }
    range.hour().await;
    anyhow::ensure!(range.mutated_of("globex") == 0, "a device of another client was reached");
    Ok(range.mutated())
}

async fn beyond_seat(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let plugin = range.approved.clone();
    if !what.is_attack() {
        return legitimate(range).await;
    }
    for clients in ["*", "globex"] {
        let order = range.msp.order("tess", clients, &plugin, Class::L2);
        let signed = range.sign(&order, &["tess"]);
        range.stage.post(&signed, &plugin);
    }
    range.hour().await;
    Ok(range.mutated())
}

async fn destroys(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let plugin = range.destroys.clone();
    let later = range.msp.now.plus_seconds(1_800);
    let signers: &[(Class, &[&str])] = match what {
        Try::Attack => &[
            (Class::L4, &["tess"]),
            (Class::L4, &["tess", "tess"]),
            (Class::L4, &["tess", "eve"]),
            (Class::L4, &["tess", "remit"]),
            (Class::L4, &["tess", "gus"]),
            (Class::L3, &["tess"]),
        ],
        Try::Control => &[(Class::L4, &["tess", "tom"])],
    };
    for (class, signers) in signers {
        let mut order = range.msp.order("tess", "acme", &plugin, *class);
        order.from = later;
        let signed = range.sign(&order, signers);
        range.stage.post(&signed, &plugin);
    }
    range.hour().await;
    Ok(range.destroyed())
}

/// Two keys are two keys; but everybody has half an hour to stop it, whatever date it has.
async fn too_soon(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let plugin = range.destroys.clone();
    let mut order = range.msp.order("tess", "acme", &plugin, Class::L4);
    order.from = range.msp.now;
    let created = range.msp.now.plus_seconds(-3_600);
    let signed = msp::signed(created, &order, &["tess", "tom"]);
    range.stage.post(&signed, &plugin);
    range.look().await;
    if what.is_attack() {
        let pause = trust::statement::Pause {
            serial: 1,
            expires: range.msp.now.plus_days(30),
            is_paused: true,
            clients: Names::These(vec![name("acme")]),
            orders: Vec::new(),
            reason: "nobody meant this".to_owned(),
        };
        let pause = msp::signed(range.msp.now, &pause, &["tom"]);
        let digest = range.stage.put(pause.to_text());
        range.stage.common.pauses.push(digest);
    }
    range.hour().await;
    Ok(range.destroyed())
}

async fn wrong_tenant(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let mut order = order(range);
    if what.is_attack() {
        order.tenant = Digest::of(b"another MSP's root");
    }
    let (signed, plugin) = (range.sign(&order, &["boss", "bea"]), range.approved.clone());
    shown(range, &signed, &plugin).await
}

async fn replay(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let (first, plugin) = (order(range), range.approved.clone());
    let signed = range.sign(&first, &["boss", "bea"]);
    range.stage.post(&signed, &plugin);
    range.look().await;
    anyhow::ensure!(range.mutated() == range.devices.len(), "what is replayed ran");
    range.mark();
    range.stage.common.orders.clear();
    range.look().await;
    if what.is_attack() {
        range.stage.post(&signed, &plugin);
        // One signature less, and the other way round: the same statement in another document.
        for signatures in [vec![0], vec![1, 0]] {
            let signatures = signatures.into_iter().filter_map(|at: usize| signed.signatures().get(at).cloned());
            range.stage.post(&Signed::new(signed.statement().to_vec(), signatures.collect()), &plugin);
        }
    } else {
        let again = order(range);
        let again = range.sign(&again, &["boss", "bea"]);
        range.stage.post(&again, &plugin);
    }
    range.hour().await;
    Ok(range.mutated())
}

async fn stale_policy(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    if what.is_attack() {
        for client in msp::CLIENTS {
            range.stage.believe(&range.msp.policy(client, 2, Class::L1));
        }
        range.look().await;
        range.stage.common.trust.clear();
        // A hub that goes back to what was before.
        for client in msp::CLIENTS {
            range.stage.believe(&range.msp.policy(client, 1, Class::L4));
        }
    }
    legitimate(range).await
}

async fn withheld(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    if what.is_attack() {
        // The roster that everybody has is the one that the hub goes on showing; it runs out, and the hub shows no other.
        range.now_ms += 201 * DAY_MS;
    }
    let mut order = order(range);
    let now = Time::from_ms(range.now_ms);
    (order.from, order.expires) = (now, now.plus_days(7));
    let (signed, plugin) = (range.sign(&order, &["boss", "bea"]), range.approved.clone());
    shown(range, &signed, &plugin).await
}

async fn clock_back(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let mut order = order(range);
    let past = range.msp.now.plus_seconds(-2 * 86_400);
    (order.from, order.expires) = (past, past.plus_seconds(6 * 3_600));
    if what.is_attack() {
        // It is two days later than the order, and every device saw it.
        range.look().await;
    }
    range.now_ms -= 2 * DAY_MS;
    let (signed, plugin) = (msp::signed(past, &order, &["boss", "bea"]), range.approved.clone());
    shown(range, &signed, &plugin).await
}
