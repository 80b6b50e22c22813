//! What the doctor holds against each other: counters, results, the log, and the numbers that devices gave.

use fleet::Tree;
use model::{Outcome, Verdict};

use super::super::World;
use super::super::upkeep::{doctor, wrong};
use super::scene::{Scene, tess};
use super::wish;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_and_what_is_there_are_held_against_each_other() {
    const COUNTED: &str = "what is counted";
    const TOLD: &str = "results that devices told";
    let harms: [(&str, &[&str]); 7] = [
        ("", &[]),
        ("UPDATE rollout_ring SET well = well + 1 WHERE ring = 1", &[COUNTED]),
        ("UPDATE rollout_ring SET failed = failed - 1, refused = refused + 2 WHERE ring = 1", &[COUNTED]),
        ("DELETE FROM result WHERE sequence = 2", &[COUNTED, TOLD]),
        ("DELETE FROM message WHERE number = (SELECT number FROM result WHERE sequence = 2 LIMIT 1)", &[COUNTED]),
        ("UPDATE result SET digest = 'sha256:another' WHERE sequence = 1 AND outcome = 'timeout'", &[COUNTED]),
        // As a backup leaves it that was made before, and of which nothing came again.
        (
            "DELETE FROM message WHERE number IN (SELECT number FROM result WHERE sequence = 2);
             DELETE FROM result WHERE sequence = 2",
            &[TOLD],
        ),
    ];
    for (harm, expected) in harms {
        let scene = Scene::new(3).await;
        let devices = scene.devices();
        let order = scene.give("1", &[&Tree::new(&devices[..1]), &Tree::new(&devices[1..])]).await;
        scene.hub().put_rollout(&order, wish(&[&devices[..1], &devices[1..]]), &tess()).await.unwrap();
        scene.report(0, &order, Outcome::Completed, Verdict::Compliant, 1).await;
        scene.report(1, &order, Outcome::Timeout, Verdict::Unknown, 1).await;
        scene.report(2, &order, Outcome::Completed, Verdict::Failed, 1).await;
        scene.report(2, &order, Outcome::Completed, Verdict::Compliant, 2).await;
        scene.report(2, &order, Outcome::Completed, Verdict::Compliant, 3).await;
        // Came once more under another number, and from somebody whose it is not: both are kept, and count nothing.
        scene.report_as(2, 2, &order, 7).await;
        scene.report_as(0, 2, &order, 8).await;
        let World { folder, hub, clock } = scene.closed();
        drop(hub);
        let path = folder.path().join("hub");
        if !harm.is_empty() {
            rusqlite::Connection::open(path.join("hub.db")).unwrap().execute_batch(harm).unwrap();
        }
        let found = doctor(path, clock).await;
        assert_eq!(wrong(&found), expected, "{harm}: {found:?}");
    }
}
