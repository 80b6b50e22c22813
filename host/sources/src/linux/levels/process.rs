use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agent::Watch;
use serde_json::json;

use super::{start, start_in, surroundings};

/// A program of this name that does nothing.
fn program(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::copy("/usr/bin/sleep", &path).unwrap();
    path
}

/// One process, killed with the test.
struct Running(Child);

impl Running {
    fn new(program: &Path) -> Self {
        Self(Command::new(program).arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    /// Kills it, and leaves it dead: nobody has asked after it yet.
    fn kill(&mut self) {
        self.0.kill().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn watch(name: &str, is_present: bool) -> Watch {
    Watch::Process { name: name.into(), is_present }
}

#[tokio::test]
async fn a_process_is_started_killed_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("rp-{}", std::process::id());
    let sleeper = program(folder.path(), &name);
    let around = surroundings();
    let mut present = start_in(&around, watch(&name, true));
    let mut absent = start_in(&around, watch(&name, false));
    let mut near = start_in(&around, watch(&name[..name.len() - 1], true));
    absent.raised().await;
    present.silence().await;
    let mut first = Running::new(&sleeper);
    let notice = present.raised().await;
    assert_eq!((&notice.subject, &notice.data["pids"]), (&name, &json!([first.0.id()])));
    absent.cleared().await;
    // A second one is no news, and the first one's end is none while there is another.
    let mut second = Running::new(&sleeper);
    present.silence().await;
    first.kill();
    present.silence().await;
    absent.nothing();
    let killed = Instant::now();
    second.kill();
    present.cleared().await;
    absent.raised().await;
    assert!(killed.elapsed() < Duration::from_secs(1), "an end is noticed at once, not after {:?}", killed.elapsed());
    let _third = Running::new(&sleeper);
    present.raised().await;
    absent.cleared().await;
    near.nothing();
}

#[tokio::test]
async fn a_process_that_takes_the_place_of_another_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("rr-{}", std::process::id());
    let sleeper = program(folder.path(), &name);
    let mut first = Running::new(&sleeper);
    let mut present = start(watch(&name, true));
    let before = present.raised().await;
    first.kill();
    let second = Running::new(&sleeper);
    present.cleared().await;
    let after = present.raised().await;
    assert_eq!((&before.data["count"], &after.data["pids"]), (&json!(1), &json!([second.0.id()])));
}

/// The kernel keeps fifteen bytes of a name.
#[tokio::test]
async fn a_long_name_is_compared_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let begin = format!("remit-long-{:07}", std::process::id());
    let (this, other) = (format!("{begin}-this"), format!("{begin}-that"));
    let _other = Running::new(&program(folder.path(), &other));
    let mut present = start(watch(&this, true));
    present.silence().await;
    let mut process = Running::new(&program(folder.path(), &this));
    assert_eq!(present.raised().await.data["pids"], json!([process.0.id()]));
    process.kill();
    present.cleared().await;
}
