//! Sources where only a process of their own can be: in a time name space, whose machine slept for longer.
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// `notices` that runs, and what it tells.
struct Notices {
    child: Child,
    lines: Receiver<Value>,
}

impl Notices {
    #[expect(clippy::disallowed_methods, reason = "a test starts it as the agent would be started")]
    fn start(before: &[&str], folder: &Path, watch: &Value) -> Self {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .args(before)
            .arg(env!("CARGO_BIN_EXE_notices"))
            .arg(folder)
            .arg(watch.to_string());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (to, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| to.send(serde_json::from_str(&line).unwrap()).ok());
        });
        Self { child, lines }
    }

    fn next(&self) -> Value {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("it tells something")["notice"].take()
    }

    fn silence(&self) {
        if let Ok(told) = self.lines.recv_timeout(Duration::from_secs(3)) {
            panic!("nobody asked for {told}");
        }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A suspend of this machine would suspend the test. In a time name space the clocks differ as after one: by an hour more than
/// what was kept, which is a suspend that the agent did not see itself.
#[test]
fn a_machine_that_slept_is_told_of_once() {
    let _root = tests::need_root!();
    let folder = tempfile::tempdir().unwrap();
    let watch = json!({ "type": "resume" });
    let awake = Notices::start(&[], folder.path(), &watch);
    awake.silence();
    drop(awake);
    // It ends with its child.
    let asleep = ["unshare", "--time", "--boottime", "3600", "--fork", "--kill-child"];
    let resumed = Notices::start(&asleep, folder.path(), &watch);
    let told = resumed.next();
    assert_eq!(told["change"], json!("happened"));
    let asleep_ms = told["data"]["asleep-ms"].as_u64().unwrap();
    assert!((3_600_000 - 500..3_600_000 + 500).contains(&asleep_ms), "{told}");
    resumed.silence();
    drop(resumed);
    let again = Notices::start(&asleep, folder.path(), &watch);
    again.silence();
    drop(again);
    // Another time name space, in which it slept for a minute more.
    let more = ["unshare", "--time", "--boottime", "3660", "--fork", "--kill-child"];
    let told = Notices::start(&more, folder.path(), &watch).next();
    assert!((59_500..60_500).contains(&told["data"]["asleep-ms"].as_u64().unwrap()), "{told}");
}
