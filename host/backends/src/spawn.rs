//! Starts other programs: the only module that does. By absolute path, with arguments as a list, in an environment of its
//! own, without standard input, and never through a shell.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use contract::types::{Error, ErrorKind};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::errors;

/// What a program sees beside what its caller adds: nothing of the host's own environment, and messages in English.
const ENVIRONMENT: [(&str, &str); 2] = [("LC_ALL", "C.UTF-8"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")];
/// The most bytes kept of each of standard output and error, unless the caller says otherwise.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// How long output is still read when the program has ended: a daemon that it left behind may hold the pipe for ever.
const DRAIN: Duration = Duration::from_millis(200);

/// A program that is about to be started.
pub struct Spawn {
    program: PathBuf,
    own_name: Option<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    output_bytes_max: usize,
    is_output_kept: bool,
    output_files: Option<(File, File)>,
    deadline: Instant,
}

/// What a program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit status; a signal N is 128 + N.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Whether either was cut.
    pub truncated: bool,
}

impl Spawn {
    /// This program, killed with all of its group at the deadline.
    pub fn new(program: impl Into<PathBuf>, deadline: Instant) -> Self {
        Self {
            program: program.into(),
            own_name: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            output_bytes_max: OUTPUT_BYTES_MAX,
            is_output_kept: true,
            output_files: None,
            deadline,
        }
    }

    /// What it is told that it is called, where that is not its path.
    #[must_use]
    pub fn arg0(mut self, name: impl Into<OsString>) -> Self {
        self.own_name = Some(name.into());
        self
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// One more variable in its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Keeps at most so much of standard output, and as much of standard error; the rest is read and dropped.
    #[must_use]
    pub fn output_bytes_max(mut self, bytes: usize) -> Self {
        self.output_bytes_max = bytes;
        self
    }

    /// Gives it no pipe: what a daemon inherits must not break when its starter is gone.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        self.is_output_kept = false;
        self
    }

    /// Has it write standard output and error to these files: for what it leaves running when it ends.
    #[must_use]
    pub fn output_to(mut self, stdout: File, stderr: File) -> Self {
        self.output_files = Some((stdout, stderr));
        self
    }

    /// Runs it to its end. Dropping the future kills it, and what it started in its group.
    pub async fn run(mut self) -> Result<Output, Error> {
        if !self.program.is_absolute() {
            return Err(errors::invalid("program", format!("`{}` is not an absolute path", self.program.display())));
        }
        let mut group = Group(self.start()?);
        let deadline = tokio::time::Instant::from_std(self.deadline);
        let ended = tokio::time::timeout_at(deadline, group.finish(self.output_bytes_max)).await;
        match ended {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(errors::io(&format!("cannot wait for `{}`", self.program.display()), &error)),
            Err(_) => {
                let message = format!("`{}` was killed, because its time was up", self.program.display());
                Err(Error::new(ErrorKind::Timeout, "program-timeout", message))
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the module that everything else asks")]
    fn start(&mut self) -> Result<Child, Error> {
        let output = || if self.is_output_kept { Stdio::piped() } else { Stdio::null() };
        let (stdout, stderr) = match self.output_files.take() {
            Some((stdout, stderr)) => (stdout.into(), stderr.into()),
            None => (output(), output()),
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .kill_on_drop(true);
        #[cfg(unix)]
        if let Some(name) = &self.own_name {
            command.arg0(name);
        }
        #[cfg(unix)]
        command.process_group(0);
        command.spawn().map_err(|error| errors::io(&format!("cannot start `{}`", self.program.display()), &error))
    }
}

/// A child that leads a process group, which goes with it unless it ended by itself.
struct Group(Child);

impl Group {
    async fn finish(&mut self, bytes_max: usize) -> std::io::Result<Output> {
        let (mut stdout, mut stderr) = (Kept::new(bytes_max), Kept::new(bytes_max));
        let (out, err) = (self.0.stdout.take(), self.0.stderr.take());
        let status = {
            let reads = async { tokio::join!(stdout.read(out), stderr.read(err)) };
            tokio::pin!(reads);
            tokio::select! {
                _ = &mut reads => self.0.wait().await?,
                status = self.0.wait() => {
                    let _ = tokio::time::timeout(DRAIN, &mut reads).await;
                    status?
                }
            }
        };
        let truncated = stdout.truncated || stderr.truncated;
        Ok(Output { code: code(status), stdout: stdout.bytes, stderr: stderr.bytes, truncated })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The child has no id once it was waited for; until then its number is not used again, so the group is its own.
        #[cfg(unix)]
        if let Some(group) = self.0.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
            // Fails only where the group is gone.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

struct Kept {
    bytes: Vec<u8>,
    bytes_max: usize,
    truncated: bool,
}

impl Kept {
    fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max, truncated: false }
    }

    /// Reads to the end. A pipe that cannot be read is at its end.
    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; 16 << 10];
        while let Ok(length) = pipe.read(&mut buffer).await {
            let room = self.bytes_max - self.bytes.len();
            let read = buffer.get(..length).unwrap_or_default();
            self.bytes.extend(read.iter().take(room));
            self.truncated |= length > room;
            if length == 0 {
                break;
            }
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(-1)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn spawn(program: &str, arguments: &[&str]) -> Spawn {
        Spawn::new(program, Instant::now() + Duration::from_secs(10)).args(arguments.iter().copied())
    }

    /// Tests need a program that starts programs; the host itself never starts a shell.
    fn script(text: &str) -> Spawn {
        spawn("/bin/sh", &["-c", text])
    }

    #[tokio::test]
    async fn a_program_sees_its_arguments_and_no_environment_of_ours() {
        let output = spawn("/usr/bin/env", &["-u", "x y"]).env("MORE", "1").run().await.unwrap();
        let mut lines: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["LC_ALL=C.UTF-8", "MORE=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
        let output = script("echo out; echo err >&2; cat; exit 3").run().await.unwrap();
        assert_eq!((output.code, &output.stdout[..], &output.stderr[..]), (3, &b"out\n"[..], &b"err\n"[..]));
        assert_eq!(script("kill -9 $$").run().await.unwrap().code, 137);
    }

    #[tokio::test]
    async fn a_program_is_named_by_its_absolute_path() {
        assert_eq!(spawn("env", &[]).run().await.unwrap_err().code, "program");
        assert_eq!(spawn("/no/such", &[]).run().await.unwrap_err().kind, ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn output_is_cut_at_its_limit() {
        let output = script("head -c 100000 /dev/zero").output_bytes_max(99_999).run().await.unwrap();
        assert_eq!((output.stdout.len(), output.truncated), (99_999, true));
        let output = script("head -c 100000 /dev/zero").output_bytes_max(100_000).run().await.unwrap();
        assert_eq!((output.stdout.len(), output.truncated), (100_000, false));
    }

    #[tokio::test]
    async fn what_it_leaves_behind_holds_nobody_up() {
        let started = Instant::now();
        let output = script("sleep 5 & echo done").run().await.unwrap();
        assert_eq!(output.stdout, b"done\n");
        assert!(started.elapsed() < Duration::from_secs(3));
    }

    async fn is_gone(pid: &str) -> bool {
        for _ in 0..100 {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    #[tokio::test]
    async fn its_group_dies_with_the_deadline_and_with_the_future() {
        for drops in [false, true] {
            let file = std::env::temp_dir().join(format!("remit-spawn-{}-{drops}", std::process::id()));
            let text = format!("sleep 60 & echo $! > {}; wait", file.display());
            let mut spawn = script(&text);
            if drops {
                assert!(tokio::time::timeout(Duration::from_millis(500), spawn.run()).await.is_err());
            } else {
                spawn.deadline = Instant::now() + Duration::from_millis(500);
                assert_eq!(spawn.run().await.unwrap_err().kind, ErrorKind::Timeout);
            }
            let pid = std::fs::read_to_string(&file).unwrap();
            assert!(is_gone(pid.trim()).await, "the grandchild is killed too");
            std::fs::remove_file(file).unwrap();
        }
    }
}
