//! Logs that are rotated while they are written.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent::{Log, Notice, Watch};
use serde_json::json;

use crate::testing::Bench;

fn watch(path: &Path) -> Watch {
    Watch::LogMatch { log: Log::File(path.to_owned()), pattern: r"MARK (?<number>\d+)".to_owned() }
}

async fn started(path: &Path) -> Bench {
    let mut bench = Bench::new();
    bench.start(watch(path));
    bench.until_kept(&watch(path)).await;
    bench
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn count(told: &[Notice]) -> u64 {
    told.iter().map(|it| it.data["occurrences"].as_u64().unwrap()).sum()
}

/// Who writes the log, as a service does: it keeps its file open until it is told to open it anew.
struct Writer {
    file: Mutex<File>,
}

impl Writer {
    fn new(path: &Path) -> Arc<Self> {
        Arc::new(Self { file: Mutex::new(Self::open(path)) })
    }

    fn open(path: &Path) -> File {
        OpenOptions::new().append(true).create(true).open(path).unwrap()
    }

    /// Some 10,000 lines a second, each tenth with a mark; says how many have one.
    fn load(self: &Arc<Self>, lines: u64) -> std::thread::JoinHandle<u64> {
        let writer = Arc::clone(self);
        std::thread::spawn(move || {
            for number in 0..lines {
                let mark = if number % 10 == 0 { format!("MARK {number}") } else { format!("REMARK{number}") };
                writeln!(writer.file.lock().unwrap(), "{number} {mark}").unwrap();
                if number % 100 == 0 {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            lines.div_ceil(10)
        })
    }
}

/// Moves all names on by one, as logrotate does.
fn move_on(path: &Path) {
    let name = |number: usize| path.with_extension(format!("log.{number}"));
    for number in (1..9).rev() {
        let _ = fs::rename(name(number), name(number + 1));
    }
}

#[tokio::test]
async fn a_log_that_is_renamed_under_load_is_read_line_by_line_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let writer = Writer::new(&path);
    let mut bench = started(&path).await;
    let load = writer.load(30_000);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        move_on(&path);
        fs::rename(&path, path.with_extension("log.1")).unwrap();
        File::create(&path).unwrap();
        // It writes to the old file until it knows.
        tokio::time::sleep(Duration::from_millis(150)).await;
        *writer.file.lock().unwrap() = Writer::open(&path);
    }
    let told = tokio::task::spawn_blocking(|| load.join().unwrap());
    let mut notices = bench.until_silence().await;
    let marks = told.await.unwrap();
    append(&path, "the last MARK 0\n");
    notices.extend(bench.until_silence().await);
    assert_eq!(count(&notices), marks + 1);
    assert_eq!(notices.last().unwrap().data["groups"], json!({ "number": "0" }));
    assert!(notices.len() < 100, "{} notices", notices.len());
}

#[tokio::test]
async fn a_log_that_is_copied_and_truncated_under_load_is_read_line_by_line_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let writer = Writer::new(&path);
    let mut bench = started(&path).await;
    let load = writer.load(30_000);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // What is written between the two is lost to everybody: so nothing is, here.
        let _quiet = writer.file.lock().unwrap();
        move_on(&path);
        fs::copy(&path, path.with_extension("log.1")).unwrap();
        File::options().write(true).truncate(true).open(&path).unwrap();
    }
    let told = tokio::task::spawn_blocking(|| load.join().unwrap());
    let notices = bench.until_silence().await;
    assert_eq!(count(&notices), told.await.unwrap());
}

#[tokio::test]
async fn a_restart_neither_loses_nor_repeats_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    append(&path, "MARK 1 was there before\n");
    let mut bench = started(&path).await;
    bench.silence().await;
    append(&path, "MARK 2\n");
    assert_eq!(bench.next().await.data["line"], json!("MARK 2"));
    // Written while it is off: into the file, and after each of two rotations.
    bench.stop().await;
    append(&path, "MARK 3\n");
    for number in 4..6 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        move_on(&path);
        fs::rename(&path, path.with_extension("log.1")).unwrap();
        append(&path, &format!("MARK {number}\n"));
    }
    bench.start(watch(&path));
    let told = bench.until_silence().await;
    assert_eq!(count(&told), 3, "{told:?}");
    assert_eq!(told[0].data["first-lines"], json!(["MARK 3", "MARK 4", "MARK 5"]));
    bench.restart(watch(&path)).await;
    bench.silence().await;
    // Copied and truncated while it is off.
    append(&path, "MARK 6\n");
    assert_eq!(count(&bench.until_silence().await), 1);
    bench.stop().await;
    append(&path, "MARK 7\n");
    fs::copy(&path, path.with_extension("log.1")).unwrap();
    fs::write(&path, "MARK 8\n").unwrap();
    bench.start(watch(&path));
    let told = bench.until_silence().await;
    assert_eq!(told[0].data["first-lines"], json!(["MARK 7", "MARK 8"]), "{told:?}");
}

#[tokio::test]
async fn half_a_line_is_none_and_a_long_one_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let mut bench = started(&path).await;
    append(&path, "MARK");
    bench.silence().await;
    append(&path, " 1\n");
    assert_eq!(bench.next().await.data["line"], json!("MARK 1"));
    let long = "x".repeat(100 << 10);
    // In the part that is read it is found, and beyond that it is not; the line after it is a line.
    append(&path, &format!("MARK 2 {long}MARK 3\n{long}MARK 4\nMARK 5\n"));
    let told = bench.until_silence().await;
    assert_eq!(count(&told), 2);
    assert_eq!(told.last().unwrap().data["line"], json!("MARK 5"));
    assert!(told[0].data["first-lines"][0].as_str().unwrap().starts_with("MARK 2 xxx"));
}

#[tokio::test]
async fn a_flood_of_matches_is_merged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let mut bench = started(&path).await;
    let lines: String = (0..200_000).map(|number| format!("{number} MARK {number}\n")).collect();
    append(&path, &lines);
    let told = bench.until_silence().await;
    assert_eq!(count(&told), 200_000);
    assert!(told.len() < 30, "{} notices", told.len());
}

/// journald where it runs is another test's; here nothing is told where there is none.
#[tokio::test]
async fn where_there_is_no_journal_nothing_is_told() {
    let watch = Watch::LogMatch { log: Log::Journal("ssh.service".to_owned()), pattern: "failed".to_owned() };
    let mut bench = Bench::new();
    bench.start(watch.clone());
    bench.until_kept(&watch).await;
    bench.silence().await;
    bench.stop().await;
}
