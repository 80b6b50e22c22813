//! What every table of processes does alike.

use std::sync::Arc;

use contract::Context;
use contract::process::{Backend as _, GetProcess, ListProcesses, ProcessInfo};
use contract::process_control::{Backend as _, TerminateProcess};
use contract::types::{Change, Effect, Error, ErrorKind};
use model::ManualClock;

use crate::testing::context;

use super::Processes;

fn within(entry: &str) -> Context {
    context().with_scope(vec![entry.to_owned()])
}

async fn list(processes: &Processes, scope: &str) -> Vec<ProcessInfo> {
    processes.list_processes(&within(scope), &ListProcesses {}).await.unwrap()
}

async fn get(processes: &Processes, pid: u32) -> Result<ProcessInfo, Error> {
    processes.get_process(&within("*"), &GetProcess { pid }).await
}

async fn end(processes: &Processes, scope: &str, process: &ProcessInfo, grace_ms: u32) -> Result<Change, Error> {
    let call = TerminateProcess { pid: process.pid, started_ms: process.started_ms, grace_ms };
    processes.terminate_process(&within(scope), &call).await
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, kind: ErrorKind, code: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (kind, code), "{error}");
}

/// Over a process called `sleep` with this pid, which may be ended.
async fn suite(processes: &Processes, pid: u32) {
    let listed = list(processes, "sleep").await;
    assert!(listed.iter().all(|process| process.name == "sleep") && listed.is_sorted_by_key(|process| process.pid));
    let process = listed.into_iter().find(|process| process.pid == pid).unwrap();
    assert_eq!(get(processes, pid).await.unwrap().started_ms, process.started_ms);
    assert!(!list(processes, "other*").await.iter().any(|process| process.pid == pid));
    refused(processes.get_process(&within("other*"), &GetProcess { pid }).await, ErrorKind::Denied, "scope");
    refused(get(processes, 4_000_000_000).await, ErrorKind::NotFound, "not-found");

    refused(end(processes, "other*", &process, 1_000).await, ErrorKind::Denied, "scope");
    refused(end(processes, "*", &process, 60_001).await, ErrorKind::Invalid, "grace-ms");
    let other = ProcessInfo { started_ms: process.started_ms - 10, ..process.clone() };
    refused(end(processes, "*", &other, 1_000).await, ErrorKind::Conflict, "started");
    assert!(get(processes, pid).await.is_ok(), "no refusal ends it");

    let change = end(processes, "sleep", &process, 60_000).await.unwrap();
    assert_eq!((change.before.as_deref(), change.after.as_deref()), (Some("running"), Some("ended")));
    assert_eq!((change.effect, change.attributes[0].1.as_str()), (Effect::Changed, "SIGTERM"));
    refused(get(processes, pid).await, ErrorKind::NotFound, "not-found");
    assert!(!list(processes, "*").await.iter().any(|process| process.pid == pid));
    assert_eq!(end(processes, "sleep", &process, 0).await.unwrap().effect, Effect::Unchanged);
}

fn in_memory() -> Processes {
    #[derive(serde::Deserialize)]
    struct Fixture {
        process: Vec<super::Entry>,
    }
    let text = r#"
        [[process]]
        pid = 40
        name = "sleep"
        age-seconds = 60
        [[process]]
        pid = 1
        name = "init"
        attributes = { protected = "init" }
        [[process]]
        pid = 41
        name = "stuck"
        stubborn = true
    "#;
    super::memory(toml::from_str::<Fixture>(text).unwrap().process, Arc::new(ManualClock::new(1_767_225_600_000)))
}

#[tokio::test]
async fn memory_conforms() {
    let processes = in_memory();
    suite(&processes, 40).await;
    let init = get(&processes, 1).await.unwrap();
    refused(end(&processes, "*", &init, 0).await, ErrorKind::Denied, "protected");
    let stuck = get(&processes, 41).await.unwrap();
    assert_eq!(end(&processes, "*", &stuck, 0).await.unwrap().attributes[0].1, "SIGKILL");
}

#[tokio::test]
async fn a_dry_run_conforms_and_ends_nothing() {
    let base = Arc::new(in_memory());
    suite(&super::overlay(base.clone()), 40).await;
    assert!(get(&base, 40).await.is_ok());
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test needs processes of its own to end")]
    fn spawn(program: &str, arguments: &[&str]) -> Killed {
        Killed(Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn sleep() -> Killed {
        spawn("/bin/sleep", &["600"])
    }

    /// A child has its program's name only after `exec`, which `spawn` waits for.
    #[tokio::test]
    async fn procfs_conforms_and_so_does_a_dry_run_over_it() {
        let child = sleep();
        let real = Arc::new(crate::process::real());
        suite(&super::super::overlay(real.clone()), child.0.id()).await;
        suite(&real, child.0.id()).await;
    }

    #[tokio::test]
    async fn who_does_not_listen_is_killed_after_its_grace() {
        let mut child = spawn("/bin/sh", &["-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]);
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let processes = crate::process::real();
        let process = get(&processes, child.0.id()).await.unwrap();
        let begun = Instant::now();
        let change = end(&processes, "*", &process, 500).await.unwrap();
        assert_eq!(change.attributes[0].1, "SIGKILL");
        assert!(begun.elapsed() >= Duration::from_millis(500));
        refused(get(&processes, child.0.id()).await, ErrorKind::NotFound, "not-found");
    }

    #[tokio::test]
    async fn what_the_run_and_the_machine_stand_on_is_never_ended() {
        let processes = crate::process::real();
        let own = std::process::id();
        let parent = get(&processes, own).await.unwrap().parent_pid;
        for (pid, reason) in [(1, "init"), (own, "agent"), (parent, if parent == 1 { "init" } else { "agent" })] {
            let process = get(&processes, pid).await.unwrap();
            assert!(process.attributes.contains(&("protected".into(), reason.into())), "{process:?}");
            refused(end(&processes, "*", &process, 0).await, ErrorKind::Denied, "protected");
        }
        let child = sleep();
        end(&processes, "*", &get(&processes, child.0.id()).await.unwrap(), 60_000).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_said_of_a_process_is_what_the_kernel_says() {
        let child = sleep();
        let process = get(&crate::process::real(), child.0.id()).await.unwrap();
        let ps =
            crate::testing::tool(&["/bin/ps", "-o", "ppid=,comm=,rss=,nlwp=,user=", "-p", &child.0.id().to_string()]);
        let ps: Vec<&str> = ps.split_whitespace().collect();
        let threads = process.attributes.iter().find(|(name, _)| name == "threads").unwrap();
        let said = [
            process.parent_pid.to_string(),
            process.name.clone(),
            (process.resident_bytes / 1_024).to_string(),
            threads.1.clone(),
            process.user.clone(),
        ];
        assert_eq!(
            (&said[..2], &said[3..]),
            (&[ps[0].to_owned(), ps[1].to_owned()][..], &[ps[3].to_owned(), ps[4].to_owned()][..])
        );
        assert!(process.path.ends_with("sleep") || process.path.ends_with("coreutils"), "{}", process.path);
    }
}
