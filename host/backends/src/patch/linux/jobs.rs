//! Installs that outlive their caller.
//!
//! The package manager runs in a unit of its own where systemd is, else in a session of its own. What was ordered is in the
//! store before it starts; what it prints goes to files; and while it runs it has a lock, inherited across `exec`, so no
//! process number is ever trusted. What became of each update is read from dpkg, not from an exit code that nobody may have
//! been there to see: so whoever comes by later finds out, also after a power cut.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contract::Context;
use contract::patch_install::{InstallOutcome, InstallResult};
use contract::types::{Change, Effect, Error, ErrorKind};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use store::Expected;

use crate::errors;
use crate::patch::decide::Target;
use crate::patch::locked;
use crate::spawn::Spawn;

use super::deb::Packages;
use super::{Apt, blocking, lock};

const COLLECTION: &str = "patch-installs";
const SETSID: &str = "/usr/bin/setsid";
const FLOCK: &str = "/usr/bin/flock";
const SYSTEMD_RUN: &str = "/usr/bin/systemd-run";
/// There while systemd is process 1.
const BOOTED: &str = "/run/systemd/system";
/// How often a running install is looked at.
const POLL: Duration = Duration::from_millis(100);
/// How long after its order an install that printed nothing may still be about to start.
const START_MS: u64 = 5_000;
/// How long starting may take.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How many finished installs keep their output.
const KEPT: usize = 20;
/// The most that is read of what an install printed.
const PRINTED_BYTES_MAX: u64 = 8 << 20;

/// An install that was ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Order {
    pub(super) run: String,
    pub(super) at_ms: u64,
    /// What is installed; empty for a repair.
    pub(super) targets: Vec<Target>,
    /// What else changes with it.
    pub(super) also: String,
}

/// An order by its name, and where what it prints is.
pub(super) struct Job {
    name: String,
    folder: PathBuf,
    pub(super) order: Order,
}

impl Apt {
    /// Starts a program of the package manager that goes on when we are gone.
    pub(super) async fn start(&self, order: Order, program: &str, arguments: &[String]) -> Result<Job, Error> {
        let name = format!("{:013}-{}", order.at_ms, order.run);
        let job = self.job(name, order);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&job.folder)
            .map_err(|error| errors::io("cannot make the folder of an install", &error))?;
        self.remove_old_folders();
        let order = serde_json::to_string(&job.order).map_err(|error| errors::failed("store", error.to_string()))?;
        let written = self.store.put(COLLECTION, &job.name, &order, Expected::Absent, None, self.clock.now_ms());
        written
            .map_err(|error| errors::store(&error))?
            .map_err(|_| errors::conflict("install", "an install of this run began in this very millisecond"))?;
        let mut command = vec![FLOCK.to_owned(), "--no-fork".to_owned(), job.path("lock")];
        command.extend(self.command(program));
        command.extend_from_slice(arguments);
        let output = job.spawn(&command)?.run().await?;
        match output.code {
            0 => Ok(job),
            code => {
                self.forget(&job)?;
                let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(errors::failed(&format!("start-{code}"), message))
            }
        }
    }

    fn job(&self, name: String, order: Order) -> Job {
        let folder = self.folder.join(&name);
        Job { name, folder, order }
    }

    /// The orders that nobody has taken the result of, oldest first.
    pub(super) fn open_jobs(&self) -> Result<Vec<Job>, Error> {
        let orders = self.store.list(COLLECTION, "", "", 100, self.clock.now_ms());
        let orders = orders.map_err(|error| errors::store(&error))?;
        let job = |document: store::Document| Some(self.job(document.key, serde_json::from_str(&document.value).ok()?));
        Ok(orders.into_iter().filter_map(job).collect())
    }

    fn forget(&self, job: &Job) -> Result<(), Error> {
        let removed = self.store.remove(COLLECTION, &job.name, Expected::Any, self.clock.now_ms());
        removed.map(|_| ()).map_err(|error| errors::store(&error))
    }

    /// Whether it is still at work. Its dpkg may go on when apt was killed, and is waited for too.
    pub(super) fn is_running(&self, job: &Job) -> bool {
        // apt closes the lock for what it starts; dpkg alone, in a repair, does not: a daemon would keep it for ever.
        if job.is_locked() && !job.order.targets.is_empty() {
            return true;
        }
        let is_starting = job.printed("stdout").is_empty()
            && job.printed("stderr").is_empty()
            && self.clock.now_ms() < job.order.at_ms + START_MS;
        is_starting || lock::holder(&self.root).is_some()
    }

    /// Waits until it is done.
    pub(super) async fn wait(&self, cx: &Context, job: &Job) -> Result<(), Error> {
        while self.is_running(job) {
            if cx.is_over() {
                let progress = job.progress().map_or_else(String::new, |percent| format!(", at {percent:.0} %"));
                let message = format!("the install goes on without this run{progress}; the next one takes it over");
                let kind = if cx.cancel.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Timeout };
                return Err(Error::new(kind, "install-goes-on", message));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// What became of a job that is done. Its result is written down, and it is nobody's any more.
    pub(super) async fn take(&self, job: &Job) -> Result<Vec<InstallResult>, Error> {
        let packages = self.packages().await?;
        let noted = self.noted_reboots()?;
        let printed = Printed::of(job);
        if printed.is_locked() && job.order.targets.iter().all(|target| target.is_as_before(&packages)) {
            self.forget(job)?;
            return Err(locked("another process"));
        }
        let elapsed_ms = job.ended_ms().map(|ended_ms| ended_ms.saturating_sub(job.order.at_ms));
        let mut results = Vec::with_capacity(job.order.targets.len());
        for target in &job.order.targets {
            let mut result = target.outcome(&packages, &printed, noted.contains(&target.product));
            result.attributes.extend(elapsed_ms.map(|elapsed| ("elapsed-ms".to_owned(), elapsed.to_string())));
            results.push(result);
        }
        if let Some(first) = results.first_mut().filter(|_| !job.order.also.is_empty()) {
            first.attributes.push(("also-changed".to_owned(), job.order.also.clone()));
        }
        let (path, text) = (job.folder.join("results.json"), serde_json::to_vec(&results).unwrap_or_default());
        blocking(move || std::fs::write(path, text))
            .await?
            .map_err(|error| errors::io("cannot write results", &error))?;
        self.forget(job)?;
        Ok(results)
    }

    /// Only what is nobody's is removed; what cannot be removed is in nobody's way.
    fn remove_old_folders(&self) {
        let open: Vec<String> = self.open_jobs().unwrap_or_default().into_iter().map(|job| job.name).collect();
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        for name in names.into_iter().skip(KEPT).filter(|name| !open.contains(name)) {
            let _ = std::fs::remove_dir_all(self.folder.join(name));
        }
    }
}

impl Job {
    fn path(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    /// The command in a unit, or without systemd in a session, of its own.
    fn spawn(&self, command: &[String]) -> Result<Spawn, Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        let environment = [
            ("DEBIAN_FRONTEND", "noninteractive"),
            ("APT_LISTCHANGES_FRONTEND", "none"),
            // It lists what should be restarted, and restarts nothing: that was not asked for.
            ("NEEDRESTART_MODE", "l"),
            ("LC_ALL", "C.UTF-8"),
        ];
        if Path::new(BOOTED).exists() {
            let spawn = Spawn::new(SYSTEMD_RUN, deadline)
                .args([
                    format!("--unit=remit-install-{}", self.name),
                    format!("--description=Remit {}", self.order.run),
                ])
                .args(["--collect", "--quiet", "--property=Type=exec"])
                .arg(format!("--property=StandardOutput=append:{}", self.path("stdout")))
                .arg(format!("--property=StandardError=append:{}", self.path("stderr")))
                .args(environment.map(|(name, value)| format!("--setenv={name}={value}")));
            return Ok(spawn.arg("--").args(command));
        }
        let create = |file: &str| {
            let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(self.folder.join(file));
            opened.map_err(|error| errors::io("cannot write what an install prints", &error))
        };
        let spawn = environment
            .iter()
            .fold(Spawn::new(SETSID, deadline).arg("--fork"), |spawn, (name, value)| spawn.env(name, value));
        Ok(spawn.args(command).output_to(create("stdout")?, create("stderr")?))
    }

    fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.folder.join("lock")) else { return false };
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_err()
    }

    fn printed(&self, file: &str) -> String {
        let mut bytes = Vec::new();
        if let Ok(file) = File::open(self.folder.join(file)) {
            // What cannot be read says nothing.
            let _ = std::io::Read::read_to_end(&mut std::io::Read::take(file, PRINTED_BYTES_MAX), &mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What apt last said of its progress.
    pub(super) fn progress(&self) -> Option<f64> {
        let printed = self.printed("stdout");
        let last = printed.lines().rev().find_map(|line| line.strip_prefix("pmstatus:"))?;
        last.split(':').rev().nth(1)?.parse().ok()
    }

    fn ended_ms(&self) -> Option<u64> {
        let modified = std::fs::metadata(self.folder.join("stdout")).ok()?.modified().ok()?;
        u64::try_from(modified.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()
    }
}

/// What an install said of its failures.
struct Printed {
    /// `pmerror:PACKAGE:PERCENT:TEXT` of apt's status lines, by package.
    errors: Vec<(String, String)>,
    /// The lines that begin with `E: `.
    complaints: Vec<String>,
    /// The exit code of dpkg, where apt complains of one.
    dpkg: Option<String>,
}

impl Printed {
    fn of(job: &Job) -> Self {
        let (stdout, stderr) = (job.printed("stdout"), job.printed("stderr"));
        let error = |line: &str| {
            let mut parts = line.strip_prefix("pmerror:")?.splitn(3, ':');
            let (package, _, text) = (parts.next()?, parts.next()?, parts.next()?);
            Some((package.trim().to_owned(), text.trim().to_owned()))
        };
        let complaints = stderr.lines().filter_map(|line| line.strip_prefix("E: ")).map(str::to_owned).collect();
        let dpkg =
            stderr.split("/usr/bin/dpkg returned an error code (").nth(1).and_then(|rest| rest.split(')').next());
        Self { errors: stdout.lines().filter_map(error).collect(), complaints, dpkg: dpkg.map(str::to_owned) }
    }

    fn is_locked(&self) -> bool {
        self.complaints.iter().any(|line| line.contains("Could not get lock"))
    }

    /// A code, and a sentence for a person.
    fn why(&self, product: &str) -> (String, String) {
        let code = match &self.dpkg {
            Some(code) => format!("dpkg-{code}"),
            None if self.complaints.is_empty() => "interrupted".to_owned(),
            None => "apt-100".to_owned(),
        };
        let of_it = self.errors.iter().find(|(package, _)| package == product).map(|(_, text)| text.clone());
        let message = of_it.unwrap_or_else(|| match self.complaints.is_empty() {
            true => "the package manager was ended before it was done".to_owned(),
            false => self.complaints.join("; "),
        });
        (code, message.chars().take(1_000).collect())
    }
}

impl Target {
    fn is_as_before(&self, packages: &Packages) -> bool {
        packages.installed(&self.product) == self.from
    }

    fn outcome(&self, packages: &Packages, printed: &Printed, is_noted: bool) -> InstallResult {
        if packages.installed(&self.product).as_deref() == Some(self.to.as_str()) {
            return self.installed(self.needs_reboot || is_noted);
        }
        let (code, message) = printed.why(&self.product);
        let mut result = self.not_done(InstallOutcome::Failed, &code, message);
        if !self.is_as_before(packages) {
            let now = packages.get(&self.product).and_then(|it| Some(format!("{} {}", it.version.clone()?, it.state)));
            result.change = Change::new(Effect::Changed, self.from.clone(), now);
        }
        result
    }
}
