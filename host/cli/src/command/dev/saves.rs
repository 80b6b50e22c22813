//! Hears that what somebody writes was saved.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ignore::WalkBuilder;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// A save is over when nothing happened for so long: editors write, sync, rename and set modes one after the other.
const QUIET: Duration = Duration::from_millis(60);
/// What never is quiet is a save after so long.
const BURST_MAX: Duration = Duration::from_secs(1);
/// What builds write and nobody does, whether or not a `.gitignore` says so. Hidden folders are left out too.
const BUILT: [&str; 5] = ["target", "node_modules", "dist", "build", "__pycache__"];

/// The saves of a plugin and its fixture.
pub(super) struct Saves {
    watcher: RecommendedWatcher,
    heard: mpsc::Receiver<()>,
    /// Something was heard, and not told yet: whoever waited may have been called away.
    is_pending: bool,
    source: Source,
}

/// What is watched beside a fixture.
enum Source {
    /// Every save of it counts.
    File,
    /// Building writes into it too: a save is what leaves its sources with another text.
    Folder { folder: PathBuf, contents: u64 },
}

impl Saves {
    pub(super) fn of(plugin: &Path, fixture: Option<&Path>) -> anyhow::Result<Self> {
        let mut files = BTreeSet::new();
        let source = match plugin.is_dir() {
            true => {
                let folder = std::fs::canonicalize(plugin).with_context(|| format!("{}", plugin.display()))?;
                Source::Folder { contents: contents(&folder), folder }
            }
            false => {
                files.extend(names_of(plugin)?);
                Source::File
            }
        };
        if let Some(fixture) = fixture {
            files.extend(names_of(fixture)?);
        }
        // Editors put a new file in the place of the old one, which only its folder hears of.
        let folders: BTreeSet<PathBuf> = files.iter().filter_map(|file| Some(file.parent()?.to_owned())).collect();
        let top = match &source {
            Source::Folder { folder, .. } => Some(folder.clone()),
            Source::File => None,
        };
        let is_ours = move |path: &Path| match &top {
            _ if files.contains(path) => true,
            Some(top) => path.strip_prefix(top).is_ok_and(|inside| !inside.iter().any(is_built)),
            None => false,
        };
        // One place: however much is heard while nobody listens, it is one save.
        let (tell, heard) = mpsc::channel(1);
        let told = move |event: notify::Result<notify::Event>| {
            let counts = match event {
                // That it was read is heard too, and each run reads it.
                Ok(event) => {
                    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| is_ours(path))
                }
                // Something was missed.
                Err(_) => true,
            };
            if counts {
                let _ = tell.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(told).context("this machine tells nobody of saved files")?;
        let mut saves = Self { watcher, heard, is_pending: false, source };
        for folder in folders {
            saves.watch(&folder)?;
        }
        saves.look()?;
        Ok(saves)
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        loop {
            if !self.is_pending && self.heard.recv().await.is_none() {
                return std::future::pending().await;
            }
            self.is_pending = true;
            settle(&mut self.heard).await;
            self.is_pending = false;
            // A folder that vanished meanwhile is seen by the run.
            let _ = self.look();
            match &mut self.source {
                Source::File => return,
                Source::Folder { folder, contents: before } => {
                    let now = contents(folder);
                    if std::mem::replace(before, now) != now {
                        return;
                    }
                }
            }
        }
    }

    fn watch(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.watcher.watch(folder, RecursiveMode::NonRecursive).with_context(|| format!("{}", folder.display()))
    }

    /// Watches every folder of sources that there is by now.
    fn look(&mut self) -> anyhow::Result<()> {
        let Source::Folder { folder, .. } = &self.source else { return Ok(()) };
        let folders: Vec<PathBuf> = sources(folder).filter(|path| path.is_dir()).collect();
        folders.iter().try_for_each(|folder| self.watch(folder))
    }
}

/// Waits until a burst is over.
async fn settle(heard: &mut mpsc::Receiver<()>) {
    let end = Instant::now() + BURST_MAX;
    while Instant::now() < end && timeout(QUIET, heard.recv()).await.is_ok_and(|heard| heard.is_some()) {}
}

/// A file by each name that a save of it is heard of: its own, and that of what it links to.
fn names_of(file: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let real = std::fs::canonicalize(file).with_context(|| format!("{}", file.display()))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let named = std::fs::canonicalize(folder)?.join(file.file_name().unwrap_or_default());
    Ok(vec![named, real])
}

fn is_built(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with('.') || BUILT.contains(&name))
}

/// What somebody wrote in a folder, itself among it.
fn sources(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let mut walk = WalkBuilder::new(folder);
    walk.require_git(false).filter_entry(|entry| entry.depth() == 0 || !is_built(entry.file_name()));
    walk.build().filter_map(Result::ok).map(ignore::DirEntry::into_path)
}

/// A figure that is another one for other contents.
fn contents(folder: &Path) -> u64 {
    let mut files: Vec<PathBuf> = sources(folder).filter(|path| path.is_file()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        std::fs::read(&file).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_is_one_save_whoever_is_called_away_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.js");
        std::fs::write(&file, "1").unwrap();
        let mut saves = Saves::of(&file, None).unwrap();
        for text in 0..100 {
            std::fs::write(&file, format!("{text}")).unwrap();
        }
        // Called away while the burst is under way.
        let _ = timeout(QUIET / 4, saves.next()).await;
        saves.next().await;
        assert!(timeout(4 * QUIET, saves.next()).await.is_err(), "all of it was told");
        // What lies beside it, and that it is read, is no save.
        std::fs::write(folder.path().join("b.js"), "1").unwrap();
        std::fs::read(&file).unwrap();
        assert!(timeout(4 * QUIET, saves.next()).await.is_err());
        // In its place, as editors do it; twice, because the first one may have been what was watched.
        for text in ["2", "3"] {
            std::fs::write(folder.path().join("a.js~"), text).unwrap();
            std::fs::rename(folder.path().join("a.js~"), &file).unwrap();
            timeout(Duration::from_secs(10), saves.next()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn of_a_folder_what_somebody_writes_counts() {
        let top = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = top.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/lib.rs", "1");
        write(".gitignore", "/made\n");
        let mut saves = Saves::of(top.path(), None).unwrap();
        for (name, counts) in [
            ("src/lib.rs", true),
            ("target/debug/a", false),
            ("made/a", false),
            ("node_modules/a/b.js", false),
            ("src/inner/new.rs", true),
            ("src/inner/new.rs", false),
            ("plugin.toml", true),
        ] {
            write(name, "2");
            let heard = timeout(if counts { Duration::from_secs(10) } else { 4 * QUIET }, saves.next()).await.is_ok();
            assert_eq!(heard, counts, "{name}");
        }
    }
}
