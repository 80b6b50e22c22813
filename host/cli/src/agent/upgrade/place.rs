//! Where agents lie, and which of them is started.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use semver::Version;

/// Which agent is started: a link to its program. Units name this, and nothing else.
pub(crate) const LINK: &str = "/usr/lib/remit/remit";

/// The agent that was started before: what looks at the new one, and takes its place where that is not well.
pub(super) const BEFORE: &str = "remit.before";

/// A folder a version, with what was signed about it.
pub(super) const VERSIONS: &str = "versions";

/// The program in such a folder.
pub(super) const PROGRAM: &str = "remit";

/// What was signed about it.
pub(super) const RELEASE: &str = "release.statement";

/// The folder with all of that. Only root writes there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    folder: PathBuf,
}

impl Default for Place {
    fn default() -> Self {
        Self::under(Path::new("/"))
    }
}

impl Place {
    /// Below the root of a system.
    pub(crate) fn under(root: &Path) -> Self {
        Self { folder: root.join("usr/lib/remit") }
    }

    pub(super) fn folder_of(&self, version: &Version) -> PathBuf {
        self.folder.join(VERSIONS).join(version.to_string())
    }

    pub(super) fn program_of(&self, version: &Version) -> PathBuf {
        self.folder_of(version).join(PROGRAM)
    }

    fn link(&self) -> PathBuf {
        self.folder.join(PROGRAM)
    }

    fn before(&self) -> PathBuf {
        self.folder.join(BEFORE)
    }

    /// Whether this program is the one that is started here.
    pub(super) fn check_own(&self) -> Result<(), String> {
        let own = std::env::current_exe().and_then(std::fs::canonicalize);
        let link = self.link();
        match (std::fs::canonicalize(&link), own) {
            (Ok(started), Ok(own)) if started == own => Ok(()),
            (Ok(started), _) => Err(format!("{} is started here, and another one runs: restart it", started.display())),
            (Err(error), _) => Err(format!("{}: {error}: `remit agent install` makes it", link.display())),
        }
    }

    /// What is started now is what is gone back to.
    pub(super) fn remember_before(&self) -> anyhow::Result<()> {
        let (link, before) = (self.link(), self.before());
        let now = std::fs::read_link(&link).with_context(|| format!("{}", link.display()))?;
        lay(&before, &now).with_context(|| format!("{}", before.display()))
    }

    /// Has this version started from now on.
    pub(super) fn switch_to(&self, version: &Version) -> anyhow::Result<()> {
        self.start_from_now_on(&self.program_of(version))
    }

    /// Has the one started again that was before.
    pub(super) fn switch_back(&self) -> anyhow::Result<()> {
        let before = std::fs::read_link(self.before()).with_context(|| format!("{}", self.before().display()))?;
        self.start_from_now_on(&before)
    }

    /// Has this program started from now on.
    pub(crate) fn start_from_now_on(&self, program: &Path) -> anyhow::Result<()> {
        let link = self.link();
        lay(&link, program).with_context(|| format!("{}", link.display()))
    }

    /// The program that is started; none, where none was laid down.
    pub(crate) fn started(&self) -> Option<PathBuf> {
        std::fs::read_link(self.link()).ok()
    }

    /// The version that is started, where it came by order.
    pub(crate) fn ordered(&self) -> Option<Version> {
        let started = self.started()?;
        let folder = started.parent()?;
        (folder.parent()? == self.folder.join(VERSIONS)).then(|| folder.file_name()?.to_str()?.parse().ok())?
    }

    /// Versions that are neither started nor gone back to are in nobody's way any more.
    pub(super) fn tidy(&self) {
        let kept = [self.link(), self.before()].map(|it| std::fs::read_link(it).ok());
        let kept: Vec<&Path> = kept.iter().flatten().filter_map(|it| it.parent()).collect();
        let folders = std::fs::read_dir(self.folder.join(VERSIONS)).into_iter().flatten().flatten();
        for folder in folders.map(|it| it.path()).filter(|it| !kept.contains(&it.as_path())) {
            if let Err(error) = std::fs::remove_dir_all(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "an old version stays");
            }
        }
    }

    /// Takes all of it away: with the agent that was started by it.
    pub(crate) fn remove(&self) -> std::io::Result<()> {
        for path in [self.link(), self.before()] {
            ignore_missing(std::fs::remove_file(path))?;
        }
        ignore_missing(std::fs::remove_dir_all(self.folder.join(VERSIONS)))
    }
}

fn ignore_missing(done: std::io::Result<()>) -> std::io::Result<()> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a link in the place of another, whole and durable: at no moment there is none.
fn lay(link: &Path, to: &Path) -> std::io::Result<()> {
    let mut unfinished = link.as_os_str().to_owned();
    unfinished.push(".new");
    ignore_missing(std::fs::remove_file(&unfinished))?;
    if let Some(folder) = link.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::os::unix::fs::symlink(to, &unfinished)?;
    store::fail::point("upgrade.before-link");
    std::fs::rename(&unfinished, link)?;
    store::fail::point("upgrade.after-link");
    match link.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_started_and_one_is_gone_back_to() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::under(root.path());
        assert_eq!((place.started(), place.ordered()), (None, None));
        assert!(place.check_own().unwrap_err().contains("agent install"));
        let base = root.path().join("usr/bin/remit");
        place.start_from_now_on(&base).unwrap();
        assert_eq!((place.started(), place.ordered()), (Some(base.clone()), None));
        let versions = [Version::new(1, 0, 0), Version::new(1, 1, 0), Version::new(1, 2, 0)];
        versions.iter().for_each(|it| std::fs::create_dir_all(place.folder_of(it)).unwrap());
        place.remember_before().unwrap();
        place.switch_to(&versions[1]).unwrap();
        assert_eq!(place.ordered(), Some(versions[1].clone()));
        place.switch_back().unwrap();
        assert_eq!(place.started(), Some(base));
        place.switch_to(&versions[1]).unwrap();
        place.remember_before().unwrap();
        place.switch_to(&versions[2]).unwrap();
        place.tidy();
        let there: Vec<bool> = versions.iter().map(|it| place.folder_of(it).exists()).collect();
        assert_eq!(there, [false, true, true]);
        let own = std::env::current_exe().unwrap();
        place.start_from_now_on(&own).unwrap();
        place.check_own().unwrap();
        place.remove().unwrap();
        place.remove().unwrap();
        assert_eq!(place.started(), None);
    }
}
