//! Backup, restore, export, erasure, and looking whether all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::Clock;

use super::{World, asker, key, name};
use crate::{Error, Finding, Hub, Moved, Scope};

pub(super) fn wrong(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().filter(|it| it.wrong.is_some()).map(|it| it.what).collect()
}

pub(super) async fn doctor(path: std::path::PathBuf, clock: Arc<dyn Clock>) -> Vec<Finding> {
    tokio::task::spawn_blocking(move || Hub::doctor(&path, &clock)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_made_under_load_is_a_whole_hub_elsewhere() {
    let world = World::new().await;
    let (file, elsewhere) = (world.folder.path().join("backup"), world.folder.path().join("elsewhere"));
    let goes_on = Arc::new(AtomicBool::new(true));
    let writing = {
        let (hub, goes_on) = (Arc::clone(&world.hub), Arc::clone(&goes_on));
        tokio::spawn(async move {
            let mut count = 0_u64;
            while goes_on.load(Ordering::Relaxed) {
                let held = Scope::of_hub().hold(&name("acme")).unwrap();
                let device = crate::device_id(&key("web"));
                let body = format!("told {count}");
                // Each with its entry, so that a copy of two moments would not hold together.
                let write = move |change: &crate::db::Change<'_>| {
                    let told = crate::db::Told { key: &body, body: &body, audience: "", source: "", to_tell: None };
                    change.notify(&held, &device, &told, 1)?;
                    let client = Some(held.clone());
                    let body = serde_json::json!({});
                    let actor = crate::db::Actor::Hub;
                    change.audit(&crate::db::NewEntry { at_ms: 1, actor, client, action: "told", body })
                };
                hub.db.write(write).await.unwrap();
                count += 1;
            }
            count
        })
    };
    let (hub, to) = (Arc::clone(&world.hub), file.clone());
    tokio::task::spawn_blocking(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        hub.backup(&to).unwrap();
        assert!(matches!(hub.backup(&to), Err(Error::Conflict(_))), "one that is there is left");
    })
    .await
    .unwrap();
    goes_on.store(false, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 0);
    let (from, to) = (file.clone(), elsewhere.clone());
    tokio::task::spawn_blocking(move || {
        Hub::restore(&from, &to, &Moved::default()).unwrap();
        assert!(matches!(Hub::restore(&from, &to, &Moved::default()), Err(Error::Conflict(_) | Error::Io(..))));
    })
    .await
    .unwrap();
    let clock: Arc<dyn Clock> = Arc::clone(&world.clock) as Arc<dyn Clock>;
    assert_eq!(wrong(&doctor(elsewhere.clone(), Arc::clone(&clock)).await), [""; 0]);
    let (path, its_clock) = (elsewhere.clone(), Arc::clone(&clock));
    let restored = tokio::task::spawn_blocking(move || Hub::open(&path, its_clock).unwrap()).await.unwrap();
    assert_eq!(restored.ca().digest(), world.hub.ca().digest(), "agents know it again");
    assert!(restored.trust().place(&key("db"), restored.now()).is_ok());
    assert!(restored.restored.is_some() && world.hub.restored.is_none());
    let stale = |hub: &Hub| hub.db.read(&Scope::of_hub(), |view| view.stale(10)).unwrap().len();
    assert_eq!(stale(&restored), 2, "every mailbox says so");
    let count = |scope: &Scope| restored.db.read(scope, |view| view.verify_audit(None)).unwrap();
    assert_eq!(count(&asker("boss", &["*"]).scope).broken, None);
    // The key is not left in the database that was restored, and nobody else may read either file.
    let database = std::fs::read(elsewhere.join("hub.db")).unwrap();
    assert!(!String::from_utf8_lossy(&database).contains("PRIVATE KEY"));
    assert!(String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("PRIVATE KEY"), "the control");
    use std::os::unix::fs::MetadataExt as _;
    for path in [&file, &elsewhere.join("ca.key"), &elsewhere.join("hub.db")] {
        assert_eq!(path.metadata().unwrap().mode() & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong() {
    type Harm = fn(&std::path::Path);
    let harms: [(Harm, &[&str]); 6] = [
        (|_| (), &[]),
        (
            |path| std::fs::remove_file(path.join("ca.key")).unwrap(),
            &["the authority and the certificate", "who may read the authority's key", "what is believed"],
        ),
        (
            |path| {
                use std::os::unix::fs::PermissionsExt as _;
                std::fs::set_permissions(path.join("ca.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
            },
            &["who may read the authority's key"],
        ),
        (
            |path| std::fs::write(path.join("hub.toml"), "listen = 1").unwrap(),
            &["the configuration", "what is believed"],
        ),
        (
            |path| std::fs::write(path.join("hub.db"), "rubbish ".repeat(1_000)).unwrap(),
            &["the database", "what is believed"],
        ),
        (
            |path| {
                let connection = rusqlite::Connection::open(path.join("hub.db")).unwrap();
                connection.execute("UPDATE audit SET at_ms = 5 WHERE number = 2", []).unwrap();
            },
            &["the audit chain"],
        ),
    ];
    for (harm, expected) in harms {
        let World { folder, hub, clock } = World::new().await;
        drop(hub);
        let path = folder.path().join("hub");
        for log in ["hub.db-wal", "hub.db-shm"] {
            let _ = std::fs::remove_file(path.join(log));
        }
        harm(&path);
        let found = doctor(path, clock).await;
        assert_eq!(wrong(&found), expected, "{found:?}");
    }
}

#[tokio::test]
async fn a_client_is_exported_and_erased_when_nothing_of_all_names_it_any_more() {
    let world = World::new().await;
    let mut lines = 0;
    world
        .hub
        .export(&name("acme"), |line| {
            lines += 1;
            assert!(!line.to_string().contains("globex"));
            Ok(())
        })
        .unwrap();
    assert!(lines > 3);
    let erase = async || {
        let hub = Arc::clone(&world.hub);
        tokio::task::spawn_blocking(move || hub.erase(&name("globex"))).await.unwrap()
    };
    let named = erase().await.unwrap_err();
    assert!(named.to_string().contains("roster"), "{named}");
    assert!(world.hub.trust().place(&key("db"), world.hub.now()).is_ok());
    let mut text = String::from_utf8(super::roster(2).statement().to_vec()).unwrap();
    text = text.replace("\"clients\":[\"globex\"]", "\"clients\":[\"other\"]");
    let mut without = trust::Signed::new(text.into_bytes(), Vec::new());
    without.sign(&mut trust::Signer::from_seed(model::Digest::of(b"ann").as_bytes())).unwrap();
    world.hub.put_document(without, &asker("boss", &["*"])).await.unwrap();
    erase().await.unwrap();
    assert!(world.hub.trust().place(&key("db"), world.hub.now()).is_err(), "nor is it believed");
    assert!(world.hub.trust().place(&key("web"), world.hub.now()).is_ok());
    for entry in std::fs::read_dir(world.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("globex"), "{}", path.display());
    }
}
