//! A disk without a byte, with the device's memory on it: a rule sees it, `disk-cleanup` frees it, and the record has all of it.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::disk::Disk;
use crate::site::{Site, wait_for};

const MIB: u64 = 64;

#[test]
fn a_full_disk_is_freed_by_an_order_and_that_is_recorded() {
    tests::need_root!();
    tests::apart!();
    let mut disk = None;
    let site = Site::with(|machine| disk = Some(Disk::mount(&machine.state(), MIB)));
    let disk = disk.unwrap();
    // What may go: it lies beside the device's memory.
    let junk = site.machine.state().join("junk");
    fs::create_dir(&junk).unwrap();
    // What is removed is not kept for anybody: on a disk like this one, its owner wants the room.
    let policy = fs::read_to_string(site.machine.policy()).unwrap();
    let roots = format!("[files.roots]\njunk = {junk:?}\n");
    fs::write(
        site.machine.policy(),
        policy.replace("[files.roots]\n", &roots) + "[files.quarantine]\nretention-ms = 1\n",
    )
    .unwrap();
    let digest = site.install(
        &tests::built::plugin("disk-cleanup"),
        "disk-cleanup",
        &["--grant", "files [junk]", "--grant", "files-write [junk]"],
    );
    let watch = format!(
        "watch = {{ type = \"disk-free\", path = {:?}, below = \"5%\", clear = \"20%\" }}",
        site.machine.state()
    );
    site.order_of(
        "free",
        ("disk-cleanup", &digest),
        "enforce",
        &format!("parameters = {{ root = \"junk\", older-than-days = 1 }}\n[event]\n{watch}\n"),
    );
    // Run once, it is compiled: that takes a cache, which takes room.
    let mut agent = site.start();
    site.ask(&["run", "disk-cleanup", "--param", "root=junk", "--mode", "dry-run"]).expect(0);
    assert!(wait_for(|| site.ask(&["agent", "orders"]).json()[0]["order"] == "free"));
    let before = site.machine.runs().len();
    let old = SystemTime::now() - Duration::from_secs(3 * 86_400);
    for number in 0..20 {
        let file = junk.join(format!("{number}.log"));
        fs::write(&file, vec![b'x'; 1 << 20]).unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
    }
    let filler = disk.fill();
    assert_eq!(disk.free_bytes(), 0);
    let is_freed = wait_for(|| disk.free_bytes() > 20 << 20);
    assert!(is_freed, "{} bytes are free\n{:?}\n{}", disk.free_bytes(), site.machine.runs().first(), site.said());
    site.settle();
    let runs = site.machine.runs();
    assert_eq!(runs.len() - before, 1, "{runs:?}");
    let run = runs[0]["run"].as_str().unwrap();
    let events = site.machine.events(run);
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("started", "ended"), "{kinds:?}");
    assert_eq!(events.last().unwrap()["outcome"], "completed");
    assert!(events.iter().enumerate().all(|(at, event)| event["sequence"] == at), "no gaps");
    let removed = events.iter().filter(|event| event["event"] == "called" && event["function"] == "remove-entries");
    let effects: usize = removed.map(|event| event["effects"].as_array().unwrap().len()).sum();
    assert_eq!(effects, 20, "each file that went is in the record: {kinds:?}");
    assert_eq!(events[0]["trigger"]["event"]["event-type"], json!("disk-free"));
    // The rule knows that there is room: what it waits for now is that there is none once more.
    let levels = || {
        let kept = site.store().get("agent", "order/free", 1).unwrap().unwrap();
        serde_json::from_str::<Value>(&kept.value).unwrap()["rule"]["levels"].clone()
    };
    assert_eq!(levels()[0]["stage"], "done", "it was raised, and fired");
    fs::remove_file(&filler).unwrap();
    assert!(wait_for(|| levels() == json!([])), "{}", levels());
    agent.stop();
    site.store().check().unwrap();
}
