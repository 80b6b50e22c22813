//! What no type of a fleet's statements says: each limit, with what is just within it.

use contract::Class;
use model::{Digest, Mode, Outcome};

use super::samples;
use super::scene::CREATED;
use super::world::{key, name, names, time};
use crate::statement::{Admission, Enrolment, Gate, Hub, Order, Pause, Report, Ring, Session, write};
use crate::{Names, Statement};

/// What is changed, and what is said to be wrong with it; nothing, where that is the control.
type Case<T> = (fn(&mut T), Option<&'static str>);

fn check<T: Statement + Clone>(sample: &T, cases: &[Case<T>]) {
    write(time(CREATED), sample).expect("the control");
    for (at, (change, wrong)) in cases.iter().enumerate() {
        let mut body = sample.clone();
        change(&mut body);
        let met = write(time(CREATED), &body).err().map(|refusal| refusal.to_string());
        match (wrong, &met) {
            (None, None) => {}
            (Some(wrong), Some(met)) if met.contains(wrong) => {}
            _ => panic!("case {at}: expected {wrong:?}, and met {met:?}"),
        }
    }
}

#[test]
fn an_order_is_bounded_and_says_everything_once() {
    let tenant = Digest::of(b"the root");
    check(&samples::order(tenant), ORDERS);
    let plan = Order { plan: Some(Digest::of(b"a plan")), ..samples::order(tenant) };
    check(
        &plan,
        &[(|it| it.mode = Mode::DryRun, Some("`plan`")), (|it| it.standing = Some("{}".into()), Some("`plan`"))],
    );
    let undo = Order { undoes: Some(Digest::of(b"an order")), ..samples::order(tenant) };
    check(
        &undo,
        &[
            (|it| it.parameters = "{}".into(), None),
            (|it| it.mode = Mode::DryRun, Some("`undoes`")),
            (|it| it.standing = Some("{}".into()), Some("`undoes`")),
            (|it| it.plan = Some(Digest::of(b"a plan")), Some("`undoes`")),
        ],
    );
}

#[rustfmt::skip]
const ORDERS: &[Case<Order>] = &[
    (|it| it.expires = it.from, Some("`expires`")),
    (|it| it.expires = it.from.plus_seconds(1), None),
    (|it| it.expires = it.from.plus_days(400), None),
    (|it| it.expires = it.from.plus_days(401), Some("`expires`")),
    (|it| it.clients = names(&[]), Some("`clients`")),
    (|it| it.r#where = "x".repeat(4 << 10), None),
    (|it| it.r#where = "x".repeat((4 << 10) + 1), Some("`where`")),
    (|it| it.r#where.clear(), None),
    (|it| it.rings = rings(16), None),
    (|it| it.rings = rings(17), Some("`rings`")),
    (|it| it.rings[1].root = it.rings[0].root, Some("`rings`")),
    (|it| it.rings[0].devices = 0, Some("`rings`")),
    (|it| it.rings[0].devices = (1 << 20) + 1, Some("`rings`")),
    (|it| it.gate = None, Some("`gate` is missing")),
    (|it| it.rings.truncate(1), Some("no ring that waits")),
    (|it| { it.rings.clear(); it.gate = None; }, None),
    (|it| gate(it).failures_max_ppm = 1_000_000, None),
    (|it| gate(it).failures_max_ppm = 1_000_001, Some("failures-max-ppm")),
    (|it| gate(it).soak_seconds = 30 * 86_400 + 1, Some("`gate`")),
    (|it| gate(it).absent_after_seconds = 30 * 86_400 + 1, Some("`gate`")),
    (|it| it.parameters = "[]".into(), Some("`parameters`")),
    (|it| it.parameters = "{".into(), Some("`parameters`")),
    (|it| it.parameters = format!("{{\"it\":\"{}\"}}", "x".repeat(50 << 10)), None),
    (|it| it.parameters = format!("{{\"it\":\"{}\"}}", "x".repeat(64 << 10)), Some("at most 65536")),
    (|it| it.plan = Some(Digest::of(b"a plan")), None),
    (|it| it.allow = vec!["files".parse().unwrap(); 64], None),
    (|it| it.allow = vec!["files".parse().unwrap(); 65], Some("`allow`")),
    (|it| it.class_max = Class::L1, Some("`class-max` is L1")),
    (|it| it.windows = Some("{\"zone\":\"Europe/Berlin\"}".into()), None),
    (|it| it.windows = Some("daily".into()), Some("`windows`")),
    (|it| it.standing = Some("{\"schedule\":{\"cron\":\"0 2 * * *\"}}".into()), None),
    (|it| it.standing = Some("{\"digest\":1}".into()), Some("`digest` is said elsewhere")),
    (|it| it.standing = Some("{\"client\":\"globex\"}".into()), Some("`client` is said elsewhere")),
    (|it| it.comment.clear(), None),
    (|it| it.comment = "two\nlines".into(), Some("`comment`")),
    (|it| it.comment = "x".repeat(256), Some("`comment`")),
];

fn rings(number: u32) -> Vec<Ring> {
    (0..number).map(|at| Ring { devices: 1 << 20, root: Digest::of(&at.to_le_bytes()) }).collect()
}

fn gate(order: &mut Order) -> &mut Gate {
    order.gate.as_mut().unwrap()
}

#[test]
fn a_pause_is_of_a_scope_that_has_one_name() {
    let order = |at: usize| format!("order_01KB3P3M00E5V8CXJ6ZV{at:06}").parse().unwrap();
    check(
        &samples::pause(),
        &[
            (|it| it.clients = names(&[]), Some("`clients`")),
            (|it| it.clients = Names::All, None),
            (|it| it.orders.clear(), None),
            (|it| it.orders.push(it.orders[0]), Some("`orders`")),
            (|it| it.reason.clear(), Some("`reason`")),
        ],
    );
    let of = |number: usize| Pause { orders: (0..number).map(order).collect(), ..samples::pause() };
    assert!(write(time(CREATED), &of(256)).is_ok());
    assert!(write(time(CREATED), &of(257)).is_err());
    let subject = |clients: &[&str], orders: &[usize]| {
        let orders = orders.iter().map(|at| order(*at)).collect();
        crate::statement::Standing::subject(&Pause { clients: names(clients), orders, ..samples::pause() })
    };
    assert_eq!(subject(&["acme", "globex"], &[1, 2]), subject(&["globex", "acme"], &[2, 1]));
    assert_ne!(subject(&["acme"], &[1]), subject(&["acme"], &[]));
    assert_ne!(subject(&["acme"], &[]), subject(&["*"], &[]));
}

#[test]
fn the_others_are_bounded() {
    let tenant = Digest::of(b"the root");
    check::<Admission>(
        &samples::admission(),
        &[
            (|it| it.joins_until = it.expires, None),
            (|it| it.joins_until = it.expires.plus_seconds(1), Some("`joins-until`")),
            (|it| it.uses = 0, Some("`uses`")),
            (|it| it.tags.clear(), None),
            (|it| it.tags = (0..64).map(|at| name(&at.to_string())).collect(), None),
            (|it| it.tags = (0..65).map(|at| name(&at.to_string())).collect(), Some("`tags`")),
            (|it| it.token = super::hardware::key(), Some("`token`")),
        ],
    );
    check::<Enrolment>(&samples::enrolment(tenant), &[(|it| it.device = key("token"), Some("`device`"))]);
    check::<Session>(
        &samples::session(),
        &[
            (|it| it.until = it.from, Some("`until`")),
            (|it| it.until = it.from.plus_days(1), None),
            (|it| it.until = it.from.plus_seconds(86_401), Some("`until`")),
            (|it| it.key = super::hardware::key(), Some("`key`")),
        ],
    );
    check::<Report>(
        &samples::report(tenant, tenant),
        &[
            (|it| it.attempt = 0, Some("counted from 1")),
            (|it| (it.sequence, it.previous) = (0, None), Some("counted from 1")),
            (|it| (it.sequence, it.previous) = (1, None), None),
            (|it| it.sequence = 1, Some("`previous`")),
            (|it| it.previous = None, Some("`previous`")),
            (|it| it.outcome = Outcome::Refused, Some("`refused`")),
            (|it| it.refused = Some(name("paused")), Some("`refused`")),
            (|it| (it.outcome, it.refused, it.run) = (Outcome::Refused, Some(name("paused")), None), None),
        ],
    );
    check::<Hub>(
        &samples::hub(),
        &[
            (|it| it.addresses.clear(), Some("`addresses`")),
            (|it| it.addresses = vec!["http://hub.msp.example".into()], Some("https://")),
            (|it| it.addresses = vec!["https://".into()], Some("https://")),
            (|it| it.addresses = (0..17).map(|at| format!("https://{at}.example")).collect(), Some("`addresses`")),
            (|it| it.authorities.clear(), Some("`authorities`")),
            (|it| it.authorities = (0..9_u8).map(|at| Digest::of(&[at])).collect(), Some("`authorities`")),
        ],
    );
}

#[test]
fn a_standing_order_is_one_that_the_agent_reads() {
    let mut order = samples::order(Digest::of(b"the root"));
    assert_eq!(order.standing_form(), None, "it runs once");
    order.standing =
        Some("{\"schedule\":{\"cron\":\"0 2 * * *\",\"zone\":\"Europe/Berlin\"},\"priority\":\"high\"}".to_owned());
    let form = order.standing_form().unwrap();
    let read: agent::Order = serde_json::from_str(&form).unwrap();
    assert_eq!((read.plugin.as_str(), read.digest), ("disk-cleanup", order.plugin.digest));
    assert_eq!((read.mode, &read.allow), (order.mode, &order.allow));
    assert_eq!(read.parameters["free-pct"], 12.5);
    assert_eq!(read.expires_ms, Some(1_795_950_000_000), "2026-11-29T11:00:00Z");
    assert_eq!((read.client, read.tags.len()), (None, 0), "whose the device is, its place says");
    // What the agent does not read is nobody's to sign: whoever signs asks it first.
    order.standing = Some("{\"schedule\":{}}".to_owned());
    assert!(serde_json::from_str::<agent::Order>(&order.standing_form().unwrap()).is_err());
}
