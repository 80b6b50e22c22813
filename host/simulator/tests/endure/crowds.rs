//! More at once than there is room for, and who is let go of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::Value;

use super::site::{PATIENCE, Serving, Site, counted, until, wrong};
use super::technician::Technician;

/// The most who watch at once, as the hub has it.
const WATCHING_MAX: usize = 256;

/// So long the hub lets somebody wait for what does not change.
const WATCH: Duration = Duration::from_secs(25);

/// Devices that joined, and are off.
fn with_devices(count: u32) -> (Site, Serving) {
    let site = Site::new();
    let hub = Serving::start(&site.path(), None).unwrap();
    let token = site.runtime.block_on(site.token(count));
    drop(site.crew_there(token, count));
    (site, hub)
}

/// So many watch; how many are answered, and how many were asked to come back.
async fn watch(
    seats: &[Arc<Technician>],
    target: &str,
    count: usize,
    change: impl Future<Output = ()>,
) -> (usize, usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..count {
        let (seat, target) = (Arc::clone(&seats[at % seats.len()]), target.to_owned());
        tasks.spawn(async move { seat.once(Method::GET, &target, WATCH * 2).await.unwrap() });
    }
    let (mut answered, mut sent_away) = (0, 0);
    let mut count_one = |reply: bus::dial::Reply| match reply.status {
        200 => answered += 1,
        503 if reply.retry_after.is_some() => sent_away += 1,
        other => panic!("{other}: {}", String::from_utf8_lossy(&reply.body)),
    };
    while tasks.len() > WATCHING_MAX {
        count_one(tasks.join_next().await.unwrap().unwrap());
    }
    change.await;
    while let Some(reply) = tasks.join_next().await {
        count_one(reply.unwrap());
    }
    (answered, sent_away)
}

#[test]
fn who_watches_hears_of_it_and_too_many_are_asked_to_come_back() {
    let (mut site, hub) = with_devices(2);
    let given = site.look(0..2);
    let site = site;
    let sit = |holder: &str| Arc::new(site.runtime.block_on(site.technician(holder)));
    let seats: Vec<Arc<Technician>> =
        ["tess", "tom", "boss"].iter().flat_map(|it| [sit(it), sit(it), sit(it)]).collect();
    let tess = Arc::clone(&seats[0]);
    let order = format!("/v1/orders/{}", given.digest);
    let version = site.runtime.block_on(async {
        tess.give(&given.signed, &given.rings, &site.plugin).await.unwrap();
        tess.ask(Method::GET, &order, &Value::Null).await.unwrap()["rollout"]["version"].clone()
    });
    // A hub that reads for so many at once may send away some more.
    let check = |(answered, sent_away): (usize, usize)| {
        assert!(sent_away >= 40 && answered <= WATCHING_MAX && answered > WATCHING_MAX / 2, "{answered}, {sent_away}");
    };
    let (target, count) = (format!("{order}/watch?after={version}"), WATCHING_MAX + 40);
    if tests::soak!() {
        let began = Instant::now();
        let found = site.runtime.block_on(watch(&seats, &target, count, async {}));
        check(found);
        assert!(began.elapsed() >= WATCH, "whoever waits for nothing waits");
    }
    let take_back = async { drop(tess.ask(Method::DELETE, &format!("{order}/rollout"), &Value::Null).await.unwrap()) };
    check(site.runtime.block_on(watch(&seats, &target, count, take_back)));
    // Their places are free again.
    assert_eq!(site.runtime.block_on(watch(&seats, &target, 3, async {})), (3, 0));
    hub.stop();
}

#[test]
fn more_orders_than_a_mailbox_has_room_for_all_run_once() {
    let (mut site, hub) = with_devices(1);
    let count = fleet::ORDERS_MAX + 9;
    let given: Vec<_> = (0..count).map(|_| site.look(0..1)).collect();
    site.runtime.block_on(async {
        let tess = site.technician("tess").await;
        for given in &given {
            tess.give(&given.signed, &given.rings, &site.plugin).await.unwrap();
        }
    });
    // The device comes: another one in this process, which has its key and nothing that it did before.
    let token = site.runtime.block_on(site.token(1));
    let crew = site.crew(token, 1);
    let stands = || crew.counts().stands();
    // It may refuse some at first: of how it was let in it hears with a mailbox of its own.
    let is_done = || stands().values().any(|it| it.waiting == 0 && it.runs.len() >= count);
    until(is_done, "all of them run");
    assert_eq!(wrong(&stands(), &given, &counted(&site.path())), [""; 0]);
    hub.stop();
}

#[test]
fn a_device_that_is_retired_is_shown_out_and_no_other() {
    let (site, hub) = with_devices(2);
    let [one, other] = [0, 1].map(|number| site.runtime.block_on(site.line(number)));
    let [short, long] = [1, 200_000].map(|ms| site.runtime.block_on(one.bell(ms)));
    let bell = || site.runtime.block_on(one.ask(Method::GET, &short, bytes::Bytes::new()));
    assert_eq!(bell().0, 204, "the control");
    let name =
        trust::Device::of(simulator::device::Born::new(&simulator::nature::Nature::default(), 0).unwrap().key()).hex();
    let (waited, retired) = site.runtime.block_on(async {
        let tess = site.technician("tess").await;
        let waits = one.ask(Method::GET, &long, bytes::Bytes::new());
        let retires = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            tess.ask(Method::POST, &format!("/v1/devices/{name}/retire"), &Value::Null).await.unwrap()
        };
        tokio::time::timeout(PATIENCE, async { tokio::join!(waits, retires) }).await.expect("whoever waits is let go")
    });
    assert_eq!((waited.0, &retired["state"]), (204, &Value::from("retired")));
    assert_eq!(bell().0, 401, "its session is over");
    let mailbox = |line: &super::site::DeviceLine| {
        site.runtime.block_on(line.ask(Method::GET, "/v1/line/mailbox", bytes::Bytes::new())).0
    };
    assert_eq!((mailbox(&one), mailbox(&other)), (401, 200));
    hub.stop();
}
