//! Logins, as the places that know of them say it. A managed host shows what real programs write.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use agent::Watch;
use serde_json::json;
use tempfile::TempDir;

use crate::linux::login::{self, Places};
use crate::testing::Bench;

fn watch(user: Option<&str>) -> Watch {
    Watch::Login { user: user.map(str::to_owned) }
}

fn places(folder: &TempDir) -> Places {
    fs::create_dir_all(folder.path().join("sessions")).unwrap();
    let path = |name: &str| folder.path().join(name);
    Places { utmp: path("utmp"), wtmp: path("wtmp"), sessions: path("sessions") }
}

fn start(bench: &mut Bench, folder: &TempDir, user: Option<&'static str>) {
    let places = places(folder);
    bench.start_as(&watch(user), |around, sink, kept| async move {
        login::watch(&places, user, &around, &sink, &kept).await
    });
}

/// A record as glibc writes it.
fn record(path: &Path, kind: i16, user: &str, pid: i32, at_ms: i64) {
    let mut bytes = vec![0; 384];
    bytes[0..2].copy_from_slice(&kind.to_ne_bytes());
    bytes[4..8].copy_from_slice(&pid.to_ne_bytes());
    for (at, field) in [(8, "pts/0"), (44, user), (76, "192.0.2.1")] {
        bytes[at..at + field.len()].copy_from_slice(field.as_bytes());
    }
    bytes[340..344].copy_from_slice(&i32::try_from(at_ms / 1_000).unwrap().to_ne_bytes());
    bytes[344..348].copy_from_slice(&i32::try_from(at_ms % 1_000 * 1_000).unwrap().to_ne_bytes());
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(&bytes).unwrap();
}

/// A session as logind writes it.
fn session(folder: &TempDir, id: u32, user: &str, class: &str, at_ms: i64) {
    let text = format!("USER={user}\nCLASS={class}\nSERVICE=sshd\nLEADER={id}\nREALTIME={}\n", at_ms * 1_000);
    let new = folder.path().join("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, folder.path().join(format!("sessions/{id}"))).unwrap();
}

#[tokio::test]
async fn a_login_that_is_written_in_three_places_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (utmp, wtmp) = (folder.path().join("utmp"), folder.path().join("wtmp"));
    let mut bench = Bench::new();
    record(&wtmp, 7, "before", 1, bench.now_ms() - 60_000);
    start(&mut bench, &folder, None);
    bench.until_kept(&watch(None)).await;
    bench.silence().await;
    // Two logins of one user, each in all places.
    for pid in [42, 43] {
        let now = bench.now_ms();
        record(&utmp, 7, "ann", pid, now);
        record(&wtmp, 7, "ann", pid, now);
        session(&folder, pid.unsigned_abs() + 1_000, "ann", "user", now - 20);
    }
    let told = bench.until_silence().await;
    assert_eq!(told.len(), 2, "{told:?}");
    for told in &told {
        assert_eq!((&told.data["from"], &told.data["service"]), (&json!("192.0.2.1"), &json!("sshd")));
        assert_eq!((told.subject.as_str(), &told.data["tty"]), ("ann", &json!("pts/0")));
    }
    // A login without a terminal is known to logind alone.
    session(&folder, 7, "ben", "user", bench.now_ms());
    assert_eq!(bench.next().await.subject, "ben");
    // Neither a logout, nor a reboot, nor cron's own session is a login; nor that a session has become idle.
    record(&wtmp, 8, "ann", 42, bench.now_ms());
    record(&wtmp, 2, "reboot", 0, bench.now_ms());
    session(&folder, 8, "root", "background", bench.now_ms());
    fs::write(
        folder.path().join("sessions/7"),
        fs::read_to_string(folder.path().join("sessions/7")).unwrap() + "IDLE=1\n",
    )
    .unwrap();
    bench.silence().await;
    // A login while it was off is told, and no other is told again.
    bench.stop().await;
    record(&wtmp, 7, "carla", 44, bench.now_ms());
    start(&mut bench, &folder, None);
    assert_eq!(bench.next().await.subject, "carla");
    bench.silence().await;
}

#[tokio::test]
async fn a_rule_for_one_user_hears_of_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let wtmp = folder.path().join("wtmp");
    let mut bench = Bench::new();
    start(&mut bench, &folder, Some("ann"));
    bench.until_kept(&watch(Some("ann"))).await;
    record(&wtmp, 7, "ben", 1, bench.now_ms());
    bench.silence().await;
    record(&wtmp, 7, "ann", 2, bench.now_ms());
    assert_eq!(bench.next().await.subject, "ann");
}
