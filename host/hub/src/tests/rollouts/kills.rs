//! A hub that dies at any point of a rollout loses nothing of it and does nothing twice; and what is counted is a fold.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use bus::{Exchange as _, Message, Spool};
use fleet::{Device, Tree};
use model::{Clock, Digest, ManualClock, Outcome, Verdict};

use super::super::{NOW_MS, World, asker, assignment, key, order};
use super::scene::{Scene, check_counters, report, tess};
use super::wish;
use crate::db::{Page, RolloutState};
use crate::{Delivery, Error, Hub, Post, Scope, fail};

const KILL: i32 = 9;

/// Where the process of its own, in which a test runs again, has its hub.
const FOLDER: &str = "REMIT_HUB_TEST_FOLDER";

const DEVICES: usize = 3;

fn devices() -> Vec<Device> {
    (0..DEVICES).map(|at| Device::of(&key(&format!("d{at}")))).collect()
}

fn given() -> trust::Signed {
    let devices = devices();
    order("9", &["acme"], "tess", &[&Tree::new(&devices[..1]), &Tree::new(&devices[1..])])
}

fn open(folder: &Path) -> Hub {
    Hub::open(folder, Arc::new(ManualClock::new(NOW_MS)) as Arc<dyn Clock>).unwrap()
}

/// The whole way of an order, from the beginning; whoever was interrupted does it again.
async fn play(hub: Hub) {
    let hub = Arc::new(hub);
    let post = Arc::new(Post::new(Arc::clone(&hub)));
    let mut delivery = Delivery::new(Arc::clone(&post));
    let mut step = async |now_ms: u64| {
        let mut mine = std::mem::replace(&mut delivery, Delivery::new(Arc::clone(&post)));
        delivery = tokio::task::spawn_blocking(move || {
            mine.step(now_ms).unwrap();
            mine
        })
        .await
        .unwrap();
    };
    let boss = asker("boss", &["*"]);
    for at in 0..DEVICES {
        hub.put_document(assignment(1, &format!("d{at}"), "acme", "tess"), &boss).await.unwrap();
    }
    let order = Digest::of(given().statement()).to_string();
    hub.put_document(given(), &boss).await.unwrap();
    let part = hub.put_part(b"part".to_vec(), &tess()).await.unwrap();
    assert_eq!(part, Digest::of(b"part"));
    let devices = devices();
    match hub.put_rollout(&order, wish(&[&devices[..1], &devices[1..]]), &tess()).await {
        // It was over before it died.
        Ok(()) | Err(Error::Conflict(_)) => {}
        Err(error) => panic!("{error}"),
    }
    step(NOW_MS).await;
    for ring in [0..1, 1..DEVICES] {
        for at in ring {
            let body = report(at, &order, (Outcome::Completed, Verdict::Compliant), 1).to_text().into();
            let message = Message { spool: Spool(7), sequence: 1, kind: "result".parse().unwrap(), body };
            post.deliver(&devices[at], vec![message]).await.unwrap();
        }
        step(NOW_MS + 120_000).await;
    }
}

/// All of it, once.
fn check(folder: &Path) {
    let hub = open(folder);
    let order = Digest::of(given().statement()).to_string();
    let scope = Scope::of_hub();
    let rollout = hub.db.read(&scope, |view| view.rollout(&order)).unwrap().unwrap();
    assert_eq!(rollout.state, RolloutState::Done);
    assert!(rollout.rings[1].certificate.is_some());
    check_counters(&hub, &order, 2);
    let page = Page { after: None, limit: Some(500) };
    let entries = hub.db.read(&scope, |view| view.audit(&page)).unwrap().items;
    for action in ["rollout-put", "ring-opened", "rollout-ended"] {
        assert_eq!(entries.iter().filter(|it| it.action == action).count(), 1, "{action}");
    }
    assert_eq!(hub.db.read(&scope, |view| view.verify_audit(None)).unwrap().broken, None);
    assert_eq!(hub.db.read(&scope, |view| view.log(0, 100)).unwrap().len(), DEVICES);
    assert_eq!(hub.db.read(&scope, |view| view.stale(10)).unwrap(), []);
    for device in devices() {
        let name = device.hex();
        let mailbox = hub.db.read(&scope, |view| view.mailbox(&name)).unwrap().unwrap();
        assert!(fleet::Mailbox::read(&mailbox.bytes).unwrap().orders.is_empty());
    }
}

#[expect(clippy::disallowed_methods, reason = "a test that is killed runs in a process of its own")]
fn again(folder: &Path, point: Option<&str>) -> ExitStatus {
    let test = "tests::rollouts::kills::a_hub_that_dies_at_any_point_loses_nothing_and_doubles_nothing";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(FOLDER, folder).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(point) = point {
        command.env("REMIT_FAIL_POINT", point);
    }
    command.status().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test asks whether it runs again")]
fn folder_of_child() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_hub_that_dies_at_any_point_loses_nothing_and_doubles_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if let Some(folder) = folder_of_child() {
        return runtime.block_on(play(open(&folder)));
    }
    let world = runtime.block_on(World::new());
    let (made, all) = (world.path(), tempfile::tempdir().unwrap());
    // The folder stays, the hub is closed.
    let World { folder: _kept, hub, clock: _ } = world;
    drop(hub);
    let mut died = 0;
    for point in fail::POINTS {
        for time in 1.. {
            let folder = all.path().join(format!("{point}-{time}"));
            copy(&made, &folder);
            let ended = again(&folder, Some(&format!("{point}:{time}")));
            if ended.success() {
                assert!(time > 1, "nothing passes {point}");
                check(&folder);
                break;
            }
            assert_eq!(ended.signal(), Some(KILL), "{point}:{time}");
            died += 1;
            assert!(again(&folder, None).success(), "{point}:{time}");
            check(&folder);
        }
    }
    eprintln!("died {died} times");
}

/// Where the process of its own, in which a test runs again, has a backup to restore.
const BACKUP: &str = "REMIT_HUB_TEST_BACKUP";

#[expect(clippy::disallowed_methods, reason = "a test that is killed runs in a process of its own")]
fn restore_again(folder: &Path, backup: &Path, point: Option<&str>) -> ExitStatus {
    let test = "tests::rollouts::kills::a_restore_that_dies_is_none_and_is_called_again";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(FOLDER, folder).env(BACKUP, backup);
    if let Some(point) = point {
        command.env("REMIT_FAIL_POINT", point);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
}

#[test]
fn a_restore_that_dies_is_none_and_is_called_again() {
    #[expect(clippy::disallowed_methods, reason = "a test asks whether it runs again")]
    if let (Some(folder), Some(backup)) = (folder_of_child(), std::env::var_os(BACKUP)) {
        return Hub::restore(Path::new(&backup), &folder, &crate::Moved::default()).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let World { folder: made, hub, clock: _ } = runtime.block_on(World::new());
    let backup = made.path().join("backup");
    hub.backup(&backup).unwrap();
    for point in fail::OF_RESTORE {
        let folder = made.path().join(point);
        assert_eq!(restore_again(&folder, &backup, Some(point)).signal(), Some(KILL), "{point}");
        // Nobody takes half of it for a hub.
        let is_whole = point == "restore.after-change";
        assert_eq!(folder.join("hub.db").exists(), is_whole, "{point}");
        if !is_whole {
            assert!(restore_again(&folder, &backup, None).success(), "{point}");
        }
        let restored = open(&folder);
        assert_eq!(restored.ca().digest(), hub.ca().digest());
        // It is one that can be backed up again.
        restored.backup(&made.path().join(format!("{point}.backup"))).unwrap();
    }
}

#[tokio::test]
async fn what_is_counted_is_a_fold_of_the_log_in_whatever_order_it_comes() {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut state = seed | 1;
    let mut below = |most: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % most
    };
    let scene = Scene::new(6).await;
    let devices = scene.devices();
    let order = scene.give("1", &[&Tree::new(&devices[..2]), &Tree::new(&devices[2..])]).await;
    let outcomes = [
        (Outcome::Completed, Verdict::Compliant),
        (Outcome::Completed, Verdict::Failed),
        (Outcome::Suspended, Verdict::Unknown),
        (Outcome::Refused, Verdict::Unknown),
        (Outcome::Timeout, Verdict::Unknown),
    ];
    for round in 0..80 {
        if round == 20 {
            // What came before it was rolled out counts too.
            let wish = wish(&[&devices[..2], &devices[2..]]);
            scene.hub().put_rollout(&order, wish, &tess()).await.unwrap();
        }
        let (at, sequence) = (usize::try_from(below(6)).unwrap(), 1 + below(9));
        let (outcome, verdict) = outcomes[usize::try_from(below(5)).unwrap()];
        scene.report(at, &order, outcome, verdict, sequence).await;
        if round >= 20 && round % 5 == 0 {
            scene.check_counters(&order, 2);
        }
    }
    scene.check_counters(&order, 2);
}
