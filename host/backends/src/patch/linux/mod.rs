//! apt and dpkg, run as they are: what they say they would do, and what dpkg's own status says was done, is the answer.
//!
//! Another root than `/` is entered with `chroot`. Beside that nothing differs; measured on Debian 12, apt's own `RootDir`
//! runs maintainer scripts in the same way, but reads `apt.conf.d` of the outer system.

mod changelog;
mod control;
mod deb;
mod history;
mod install;
mod jobs;
mod lock;
mod news;
mod reader;
mod reboot;
mod simulation;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use contract::types::{Error, ErrorKind};
use model::Clock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Expected, Store};

use crate::spawn::{Output, Spawn};
use crate::{Shared, errors};

use super::{Policy, RETRY_AFTER_LOCKED_MS, broken, locked};
use deb::Packages;

const APT_GET: &str = "/usr/bin/apt-get";
const APT: &str = "/usr/bin/apt";
const APT_CACHE: &str = "/usr/bin/apt-cache";
const APT_MARK: &str = "/usr/bin/apt-mark";
const DPKG: &str = "/usr/bin/dpkg";
const CHROOT: &str = "/usr/sbin/chroot";
/// What is remembered under one name each: `first-seen`, `refreshed`, `reboot-required`, `reboot-request`.
const COLLECTION: &str = "patch";
/// The most that a program may say: 5,000 packages at 6 KB each.
const OUTPUT_BYTES_MAX: usize = 32 << 20;

/// The package manager of a Debian system.
pub struct Apt {
    /// The root of the system that it manages.
    root: PathBuf,
    /// Where installs leave what they print: on the managing system, for its owner only.
    folder: PathBuf,
    policy: Policy,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    /// One install at a time: dpkg would refuse the second one, but only after it was promised.
    installing: tokio::sync::Mutex<()>,
}

impl Apt {
    /// Over what the device shares.
    pub fn new(shared: &Shared) -> Self {
        Self {
            root: shared.root.clone(),
            folder: shared.folder.join("installs"),
            policy: shared.policy.patch.clone(),
            store: Arc::clone(&shared.store),
            clock: Arc::clone(&shared.clock),
            installing: tokio::sync::Mutex::default(),
        }
    }

    /// A file of the system that is managed; `path` has no leading slash.
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The program and its arguments, as they are started from here.
    fn command(&self, program: &str) -> Vec<String> {
        match self.root == Path::new("/") {
            true => vec![program.to_owned()],
            false => vec![CHROOT.to_owned(), self.root.display().to_string(), program.to_owned()],
        }
    }

    /// Runs a program of the system that is managed, whatever its exit code.
    async fn output(&self, program: &str, arguments: &[&str], deadline: Instant) -> Result<Output, Error> {
        if !self.path(APT_GET.trim_start_matches('/')).exists() {
            return Err(Error::new(ErrorKind::Unsupported, "no-apt", "this device has no apt"));
        }
        let command = self.command(program);
        let (first, rest) = command.split_first().ok_or_else(|| errors::invalid("program", "there is none"))?;
        let output = Spawn::new(first, deadline)
            .args(rest)
            .args(arguments.iter().copied())
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output_bytes_max(OUTPUT_BYTES_MAX)
            .run()
            .await?;
        match output.truncated {
            false => Ok(output),
            true => Err(Error::new(ErrorKind::Limit, "output", format!("`{program}` said more than is read"))),
        }
    }

    /// Runs a program that must succeed, and gives what it printed.
    async fn run(&self, program: &str, arguments: &[&str], deadline: Instant) -> Result<String, Error> {
        let output = self.output(program, arguments, deadline).await?;
        match output.code {
            0 => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            code => Err(complaint(program, code, &String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// What dpkg knows.
    async fn packages(&self) -> Result<Packages, Error> {
        let folder = self.path("var/lib/dpkg");
        let read = move || read_status(&folder).map(|status| Packages::parse(&status));
        match blocking(read).await? {
            Ok(packages) => Ok(packages),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::new(ErrorKind::Unsupported, "no-apt", "this device has no dpkg"))
            }
            Err(error) => Err(errors::io("cannot read what dpkg knows", &error)),
        }
    }

    /// Whether dpkg died at work: it keeps a journal until it is done.
    fn is_interrupted(&self) -> bool {
        std::fs::read_dir(self.path("var/lib/dpkg/updates")).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// `busy` while somebody changes packages.
    fn check_unlocked(&self) -> Result<(), Error> {
        lock::holder(&self.root).map_or(Ok(()), |holder| Err(locked(&holder)))
    }

    /// `conflict` where packages are half-way: installing more would finish those too, which only a repair may.
    async fn check_whole(&self) -> Result<(), Error> {
        let packages = self.packages().await?.broken();
        match packages.is_empty() && !self.is_interrupted() {
            true => Ok(()),
            false => Err(broken(&packages)),
        }
    }

    fn remembered<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let document = self.store.get(COLLECTION, key, self.clock.now_ms()).map_err(|error| errors::store(&error))?;
        Ok(document.and_then(|document| serde_json::from_str(&document.value).ok()))
    }

    fn remember<T: Serialize>(&self, key: &str, value: &T) -> Result<(), Error> {
        let value = serde_json::to_string(value).map_err(|error| errors::failed("store", error.to_string()))?;
        let written = self.store.put(COLLECTION, key, &value, Expected::Any, None, self.clock.now_ms());
        written.map(|_| ()).map_err(|error| errors::store(&error))
    }
}

/// The status, and after it what dpkg has noted since and not yet merged: it does when it is done, so after a crash only these
/// notes tell the truth. A later stanza of a package counts.
fn read_status(folder: &Path) -> std::io::Result<String> {
    let mut status = std::fs::read_to_string(folder.join("status"))?;
    let mut notes: Vec<PathBuf> =
        std::fs::read_dir(folder.join("updates"))?.flatten().map(|entry| entry.path()).collect();
    notes.retain(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit)));
    notes.sort();
    for note in notes {
        // One that is gone by now is merged.
        if let Ok(text) = std::fs::read_to_string(note) {
            status.push_str("\n\n");
            status.push_str(&text);
        }
    }
    Ok(status)
}

/// Runs what reads files.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| errors::failed("task", error.to_string()))
}

/// What a program of the package manager complained of, as an error that says how to react.
fn complaint(program: &str, code: i32, stderr: &str) -> Error {
    let name = program.rsplit('/').next().unwrap_or(program);
    let lines: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("E: ").or_else(|| line.strip_prefix("dpkg: error: ")))
        .collect();
    let message = if lines.is_empty() { format!("`{name}` ended with {code}") } else { lines.join("; ") };
    let message: String = message.chars().take(1_000).collect();
    if stderr.contains("lock-frontend") || stderr.contains("Could not get lock") || stderr.contains("frontend lock") {
        let error = Error::new(ErrorKind::Busy, "dpkg-locked", message);
        return Error { retry_after_ms: Some(RETRY_AFTER_LOCKED_MS), ..error };
    }
    if stderr.contains("dpkg was interrupted") {
        return errors::conflict("dpkg-broken", message);
    }
    if stderr.contains("Failed to fetch") || stderr.contains("Some index files failed to download") {
        return errors::unavailable("fetch", message);
    }
    errors::failed(&format!("{name}-{code}"), message)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod web_tests;
