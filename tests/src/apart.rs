//! Tests that mount, and whatever they leave when they fail: it goes with a process of their own.

use std::process::{Command, Stdio};

use crate::harness;

/// Set for a test that has a process to itself.
const APART: &str = "REMIT_TEST_APART";

/// Runs the rest of this test in a process with mounts and process numbers of its own. When that ends, however it does, the kernel
/// kills what it started and takes away what it mounted. Needs root.
#[macro_export]
macro_rules! apart {
    () => {{
        fn here() {}
        if $crate::is_done_apart(std::any::type_name_of_val(&here)) {
            return;
        }
    }};
}

/// Behind [`apart!`]: `here` is the path of a function inside the test. Whether the test is done, by another process.
///
/// # Panics
/// With what that process said, where the test failed in it.
pub fn is_done_apart(here: &str) -> bool {
    if std::env::var_os(APART).is_some() {
        return false;
    }
    let (_, test) = harness::name(here).split_once("::").unwrap();
    let mut command = Command::new("/usr/bin/setpriv");
    command
        .args(["--pdeathsig", "KILL", "/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"])
        .arg("--mount-proc")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .args(std::env::args().filter(|it| it == "--nocapture"))
        .env(APART, "1")
        .stdin(Stdio::null())
        // What is told past the harness is told past this one too.
        .stderr(Stdio::inherit());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
    true
}
