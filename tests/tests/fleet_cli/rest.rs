//! What a technician does beside the day: stops, orders that stand, leavers, and devices that go.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::processes::Processes;
use super::scenario::{self, Day};
use super::world::COMPONENT;

#[test]
fn everything_that_a_technician_does_with_a_fleet_works() {
    let mut world = Processes::new();
    let mut day = scenario::play(&mut world);
    stop_and_go_on(&day);
    leave(&day);
    begin_anew(&mut day);
    retire(&day);
    let chain = day.json("tom", &["audit", "verify"]);
    assert!(chain["broken"].is_null(), "{chain}");
}

/// One technician stops a client; going on takes two.
fn stop_and_go_on(day: &Day<'_>) {
    day.ok("tom", &["fleet", "pause", "--client", "acme", "--reason", "an incident", "--yes"]);
    let order = look(day);
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(day.status("tess", &order)["rings"][0]["well"], 0);
    let go_on = ["fleet", "resume", "--client", "acme", "--reason", "it is over", "--yes"];
    let alone = day.world.technician("tom", &go_on);
    assert_ne!(alone.code, Some(0), "one alone: {alone}");
    day.ok("tess", &[&go_on[..], &["--key", "tess", "--key", "tom"]].concat());
    assert_eq!(day.watch(&order).expect(0).lines().pop().unwrap()["rings"][0]["well"], 2);
}

/// What a leaver ordered, and stands, is signed anew by another, who has it from the hub.
fn leave(day: &Day<'_>) {
    day.world.write("nightly.toml", "[schedule]\ncron = \"0 0 1 1 *\"\nzone = \"UTC\"\n");
    let plugin = format!("{COMPONENT}.wasm");
    let (order, _) = day.run(&[&plugin, "--where", "true", "--client", "acme", "--standing", "nightly.toml"]);
    let of = |who: &str| {
        let listed = day.json("tom", &["orders", "list", "--signer", &format!("{who}.pub")]);
        let ids = listed.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert!(of("tess").contains(&order));
    let before = of("tom");
    let said = day.ok("tom", &["orders", "resign", "--signer", "tess.pub", "--yes"]);
    assert!(said.stdout.contains(&format!("takes the place of {order}")), "{said}");
    let new: Vec<String> = of("tom").into_iter().filter(|it| !before.contains(it)).collect();
    assert_eq!(new.len(), 1, "one stood");
    assert_eq!(day.status("tess", &order)["state"], "superseded");
    assert_eq!(day.status("tess", &new[0])["state"], "running");
    day.ok("tess", &["fleet", "cancel", &new[0], "--reason", "it was for a test", "--yes"]);
}

/// An agent that begins anew tells no ticket twice.
fn begin_anew(day: &mut Day<'_>) {
    // What the runs before it had to say is said by then.
    day.watch(&look(day)).expect(0);
    let before = day.tickets();
    day.world.off(0);
    day.world.on(0);
    let order = look(day);
    day.watch(&order).expect(0);
    assert_eq!(day.tickets(), before);
    let csv = day.ok("tess", &["ticket", "list", "--hub", "--all", "--output", "csv"]);
    assert_eq!(csv.stdout.lines().count(), before.len() + 1, "{csv}");
}

/// A device that is given nothing any more is meant by no order.
fn retire(day: &Day<'_>) {
    let device = &day.devices[2];
    let retired = day.json("tess", &["device", "retire", device, "--yes"]);
    assert_eq!(retired["device"]["state"], "retired", "{retired}");
    let plugin = format!("{COMPONENT}.wasm");
    let args = ["fleet", "run", &plugin, "--where", "client == \"globex\"", "--yes"];
    let refused = day.world.technician("tess", &args).expect(20);
    assert!(refused.stderr.contains("no device is meant"), "{refused}");
    let shown: Value = day.json("tom", &["device", "show", device]);
    assert_eq!(shown["device"]["state"], "retired");
}

/// An order that only looks at the devices of acme.
fn look(day: &Day<'_>) -> String {
    let plugin = format!("{COMPONENT}.wasm");
    day.run(&[&plugin, "--where", "client == \"acme\""]).0
}
