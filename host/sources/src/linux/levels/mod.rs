//! The sources of levels on the real machine: each is raised, cleared and raised again, beside one whose line is not crossed.
#![expect(clippy::disallowed_methods, reason = "tests start what a person would start")]

mod certificates;
mod disk;
mod machine;
mod process;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use agent::{Change, Notice, Watch};
use model::{Clock as _, SystemClock};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Asked, Noticed, Sink, Surroundings};

/// How long a notice may take on a machine that is busy, beside what it takes by itself.
const NOTICE_MAX: Duration = Duration::from_secs(45);
/// How long nothing is told before it counts as nothing: longer than any level's beat.
const SILENCE: Duration = Duration::from_secs(6);

/// What a source tells.
struct Told {
    notices: mpsc::Receiver<Noticed>,
    source: tokio::task::JoinHandle<Result<(), crate::Error>>,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.source.abort();
    }
}

/// The surroundings that the rules of one agent share.
fn surroundings() -> Surroundings {
    Surroundings::new(Arc::new(SystemClock), "/nonexistent".into(), Asked::nothing())
}

fn start_in(around: &Surroundings, watch: Watch) -> Told {
    assert_eq!(watch.check(), Vec::<String>::new());
    let (to, notices) = mpsc::channel(16);
    let watching = crate::watch(watch, around.clone(), Sink::new("test", to), CancellationToken::new());
    Told { notices, source: tokio::spawn(watching) }
}

fn start(watch: Watch) -> Told {
    start_in(&surroundings(), watch)
}

impl Told {
    async fn next(&mut self) -> Notice {
        match tokio::time::timeout(NOTICE_MAX, self.notices.recv()).await {
            Ok(Some(told)) => {
                let late_ms = i64::try_from(SystemClock.now_ms()).unwrap() - told.notice.at_ms;
                assert!((0..60_000).contains(&late_ms), "{told:?}");
                told.notice
            }
            other => panic!("{other:?}, the source: {:?}", self.source),
        }
    }

    async fn raised(&mut self) -> Notice {
        let notice = self.next().await;
        assert_eq!(notice.change, Change::Raised, "{notice:?}");
        notice
    }

    async fn cleared(&mut self) -> Notice {
        let notice = self.next().await;
        assert_eq!(notice.change, Change::Cleared, "{notice:?}");
        notice
    }

    /// It has told nothing so far that was not asked for.
    fn nothing(&mut self) {
        assert!(!self.source.is_finished());
        if let Ok(told) = self.notices.try_recv() {
            panic!("{told:?}");
        }
    }

    /// It tells nothing for a while.
    async fn silence(&mut self) {
        tokio::time::sleep(SILENCE).await;
        self.nothing();
    }
}

/// A shell with mounts of its own, which does what it reads, a line each, and says `ok` behind each. When it reads no more, however
/// the test ended, it does what is to be done last.
struct Shell {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Shell {
    fn new(at_last: &str) -> Self {
        let script = format!("while read -r line; do eval \"$line\"; echo ok; done; {at_last}");
        let mut shell = Command::new("/usr/bin/unshare");
        shell.args(["--mount", "--propagation", "private", "/bin/sh", "-e", "-c", &script]);
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    fn run(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut said = String::new();
        self.said.read_line(&mut said).unwrap();
        assert_eq!(said, "ok\n", "{line}");
    }

    /// A path that it sees, as it is seen from here.
    fn path(&self, path: &std::path::Path) -> std::path::PathBuf {
        std::path::Path::new(&format!("/proc/{}/root", self.child.id())).join(path.strip_prefix("/").unwrap())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
