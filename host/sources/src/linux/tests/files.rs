//! Files that change.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use agent::{Notice, Watch};
use serde_json::json;

use crate::testing::Bench;

fn watch(path: &Path) -> Watch {
    Watch::FileChange { path: path.to_owned() }
}

async fn started(path: &Path) -> Bench {
    let mut bench = Bench::new();
    bench.start(watch(path));
    bench.until_kept(&watch(path)).await;
    bench
}

fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn of_ten_thousand_changes_in_a_second_the_last_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (path, near) = (folder.path().join("config"), folder.path().join("near"));
    let mut bench = started(&path).await;
    let writer = std::thread::spawn({
        let (path, near) = (path.clone(), near.clone());
        move || {
            let since = Instant::now();
            // Half of them write into the file, half replace it.
            for number in 0..5_000 {
                OpenOptions::new().append(true).create(true).open(&path).unwrap().write_all(b"x").unwrap();
                fs::write(&near, "near").unwrap();
                replace(&path, &"y".repeat(number % 100));
            }
            fs::write(&path, "the end").unwrap();
            since.elapsed()
        }
    });
    let told = bench.until_silence().await;
    let took = writer.join().unwrap();
    let times: u64 = told.iter().map(|it| it.data["occurrences"].as_u64().unwrap()).sum();
    assert!(told.iter().all(|it| it.subject == path.to_str().unwrap()), "{told:?}");
    assert!(told.len() as u64 <= took.as_secs() + 4, "{} notices in {took:?}", told.len());
    assert!(times >= 1_000 || told.iter().any(|it| it.data.contains_key("is-everything")), "{told:?}");
    let (last, there) = (told.last().unwrap(), fs::metadata(&path).unwrap());
    assert_eq!((&last.data["size-bytes"], &last.data["exists"]), (&json!(7), &json!(true)));
    let modified = there.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(last.data["modified-ms"], json!(u64::try_from(modified).unwrap()));
}

#[tokio::test]
async fn a_file_is_seen_however_it_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/there/yet/config");
    let mut bench = started(&path).await;
    let last = |told: Vec<Notice>| {
        let last = told.last().unwrap();
        (last.data["exists"].clone(), last.data["size-bytes"].clone())
    };
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    bench.silence().await;
    fs::write(&path, "made").unwrap();
    assert_eq!(last(bench.until_silence().await), (json!(true), json!(4)));
    replace(&path, "moved over");
    assert_eq!(last(bench.until_silence().await), (json!(true), json!(10)));
    fs::remove_file(&path).unwrap();
    assert_eq!(last(bench.until_silence().await), (json!(false), json!(null)));
    fs::write(&path, "made again").unwrap();
    assert_eq!(last(bench.until_silence().await), (json!(true), json!(10)));
    // The folder moves away with it, and another one takes its place.
    fs::rename(folder.path().join("not"), folder.path().join("away")).unwrap();
    assert_eq!(last(bench.until_silence().await), (json!(false), json!(null)));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "other").unwrap();
    assert_eq!(last(bench.until_silence().await), (json!(true), json!(5)));
    // What is elsewhere now is not it, nor is what lies beside it or is only read.
    fs::write(folder.path().join("away/there/yet/config"), "elsewhere").unwrap();
    fs::write(path.with_file_name("config2"), "beside").unwrap();
    fs::read(&path).unwrap();
    drop(OpenOptions::new().append(true).open(&path).unwrap());
    bench.silence().await;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(bench.next().await.data["mode"], json!("0600"));
}

/// As mounted configuration is swapped: what the path names is behind a link behind a link.
#[tokio::test]
async fn a_file_behind_links_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("one", "1"), ("two", "22")] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("config"), content).unwrap();
    }
    symlink("one", folder.path().join("data")).unwrap();
    symlink("data/config", folder.path().join("config")).unwrap();
    let mut bench = started(&folder.path().join("config")).await;
    fs::write(folder.path().join("one/config"), "changed").unwrap();
    assert_eq!(bench.until_silence().await.last().unwrap().data["size-bytes"], json!(7));
    symlink("two", folder.path().join("new")).unwrap();
    fs::rename(folder.path().join("new"), folder.path().join("data")).unwrap();
    assert_eq!(bench.until_silence().await.last().unwrap().data["size-bytes"], json!(2));
    fs::write(folder.path().join("one/config"), "nobody looks here").unwrap();
    bench.silence().await;
    fs::write(folder.path().join("two/config"), "here").unwrap();
    assert_eq!(bench.until_silence().await.last().unwrap().data["size-bytes"], json!(4));
}

#[tokio::test]
async fn the_files_of_a_folder_count_and_not_those_further_in() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("further")).unwrap();
    let mut bench = started(folder.path()).await;
    fs::write(folder.path().join("further/in"), "").unwrap();
    bench.silence().await;
    for name in ["a", "b"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let mut told: Vec<String> = bench.until_silence().await.into_iter().map(|it| it.subject).collect();
    told.sort();
    told.dedup();
    assert_eq!(told, ["a", "b"].map(|name| folder.path().join(name).to_str().unwrap().to_owned()));
}

/// The test has the only thread, so the source cannot take what the kernel keeps, and it keeps 16,384 events.
#[tokio::test]
async fn what_the_kernel_forgot_is_told_as_a_change_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = started(folder.path()).await;
    let queue: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    // Each is another event than the one before it: such are kept once.
    for number in 0..queue + 100 {
        fs::write(folder.path().join(["a", "b"][number % 2]), "x").unwrap();
    }
    let told = bench.until_silence().await;
    let everything = told.iter().find(|it| it.data.get("is-everything") == Some(&json!(true))).unwrap();
    assert_eq!(everything.subject, folder.path().to_str().unwrap());
    // And it goes on.
    fs::write(folder.path().join("c"), "x").unwrap();
    let last = bench.until_silence().await;
    assert_eq!(last.last().unwrap().subject, folder.path().join("c").to_str().unwrap());
    assert!(last.iter().all(|it| !it.data.contains_key("is-everything")));
}

#[tokio::test]
async fn while_nobody_has_room_it_gathers_and_says_what_is_there_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::with_room(1);
    bench.start(watch(folder.path()));
    bench.until_kept(&watch(folder.path())).await;
    for round in 0..20 {
        for number in 0..50 {
            fs::write(folder.path().join(format!("file-{number}")), "x".repeat(round + 1)).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told = bench.until_silence().await;
    for number in 0..50 {
        let path = folder.path().join(format!("file-{number}"));
        let last = told.iter().rfind(|it| it.subject == path.to_str().unwrap()).unwrap();
        assert_eq!(last.data["size-bytes"], json!(20), "{path:?}");
    }
    assert!(told.len() <= 200, "{} notices", told.len());
}

#[tokio::test]
async fn a_change_while_the_agent_was_off_is_told_when_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    fs::write(&path, "before").unwrap();
    let mut bench = started(&path).await;
    bench.restart(watch(&path)).await;
    bench.silence().await;
    bench.stop().await;
    fs::write(&path, "while away").unwrap();
    bench.start(watch(&path));
    let told = bench.next().await;
    assert_eq!((&told.data["while-away"], &told.data["size-bytes"]), (&json!(true), &json!(10)));
    bench.silence().await;
    bench.restart(watch(&path)).await;
    bench.silence().await;
    // Of a folder, the file that changed is told.
    let mut bench = started(folder.path()).await;
    bench.stop().await;
    fs::write(folder.path().join("other"), "while away").unwrap();
    bench.start(watch(folder.path()));
    let told = bench.until_silence().await;
    assert_eq!((told.len(), told[0].subject.as_str()), (1, folder.path().join("other").to_str().unwrap()));
    // What it told itself is no news to it.
    fs::write(folder.path().join("another"), "while here").unwrap();
    bench.until_silence().await;
    bench.restart(watch(folder.path())).await;
    bench.silence().await;
}
