//! What runs of ours changed, and what is found where something was noticed: told alike, so that the two can be compared.

use std::collections::{BTreeMap, HashSet};
use std::fs::Metadata;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent::{Content, Found, Log, Notice, Touched, Watch};
use contract::run::LogLevel;
use contract::types::Effect;
use model::{Digest, EffectRecord, Event, Recorded};
use runtime::Observer;

/// Larger files are not read: nobody says then whether they are as a run left them.
const READ_BYTES_MAX: u64 = 4 << 20;

/// What is known of what a run that is under way changed.
#[derive(Default)]
pub(super) struct Doings {
    /// What the dispatcher was told.
    pub(super) told: HashSet<Touched>,
    answered: Arc<Answered>,
}

/// What the last call did that changed something: the record has it only with what is written next, before another one changes
/// anything.
#[derive(Default)]
struct Answered(Mutex<Option<(u64, Vec<EffectRecord>)>>);

impl Answered {
    fn lock(&self) -> MutexGuard<'_, Option<(u64, Vec<EffectRecord>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doings {
    /// Whoever watches the run, and hears beside it what the run changes.
    pub(super) fn observer(&self, inner: Arc<dyn Observer>) -> Arc<dyn Observer> {
        Arc::new(Hearing { inner, answered: Arc::clone(&self.answered) })
    }

    /// What the run changed, or was about to change, and nobody was told.
    pub(super) fn untold(&mut self, events: &[Recorded]) -> Vec<Touched> {
        let touched = touched(events, self.answered.lock().as_ref());
        touched.into_iter().filter(|it| self.told.insert(it.clone())).collect()
    }
}

struct Hearing {
    inner: Arc<dyn Observer>,
    answered: Arc<Answered>,
}

impl Observer for Hearing {
    fn progress(&self, percent: u32, message: &str) {
        self.inner.progress(percent, message);
    }

    fn log(&self, level: LogLevel, message: &str) {
        self.inner.log(level, message);
    }

    fn changed(&self, call: u64, effects: &[EffectRecord]) {
        *self.answered.lock() = Some((call, effects.to_vec()));
        self.inner.changed(call, effects);
    }
}

fn touched(events: &[Recorded], heard: Option<&(u64, Vec<EffectRecord>)>) -> Vec<Touched> {
    let roots = events.iter().find_map(|recorded| match &recorded.event {
        Event::Started(started) => Some(roots(&started.roots)),
        _ => None,
    });
    let roots = roots.unwrap_or_default();
    let (mut touched, mut answered) = (Vec::new(), HashSet::new());
    let one = |interface: &str, function: &str, target: &str, content: Content| Touched {
        interface: interface.to_owned(),
        function: function.to_owned(),
        target: target.to_owned(),
        at: at(&roots, interface, target, content),
    };
    for recorded in events {
        if let Event::Called(called) = &recorded.event {
            answered.insert(called.call);
            let changed = changed(&called.effects);
            touched.extend(changed.map(|(target, left)| one(&called.interface, &called.function, target, left)));
        }
    }
    for recorded in events {
        if let Event::Intent { call, interface, function, targets, .. } = &recorded.event
            && !answered.contains(call)
        {
            match heard.filter(|(of, _)| of == call) {
                Some((_, effects)) => {
                    touched.extend(changed(effects).map(|(target, left)| one(interface, function, target, left)));
                }
                None => touched.extend(targets.iter().map(|target| one(interface, function, target, Content::Unknown))),
            }
        }
    }
    touched
}

/// What was changed, and what was left there.
fn changed(effects: &[EffectRecord]) -> impl Iterator<Item = (&str, Content)> {
    let changed = effects.iter().filter(|effect| effect.effect != Effect::Unchanged);
    changed.map(|effect| {
        let left = match (effect.effect, &effect.after) {
            (Effect::Changed, Some(after)) => Content::Is(after.clone()),
            (Effect::Changed, None) => Content::Nothing,
            _ => Content::Unknown,
        };
        (effect.target.as_str(), left)
    })
}

/// Where named roots are, without links.
fn roots(written: &BTreeMap<String, PathBuf>) -> BTreeMap<&str, PathBuf> {
    written.iter().filter_map(|(name, path)| Some((name.as_str(), path.canonicalize().ok()?))).collect()
}

/// Where on the device a file is that the record calls by its root. Below a root no backend follows a link.
fn at(roots: &BTreeMap<&str, PathBuf>, interface: &str, target: &str, content: Content) -> Option<Found> {
    if !matches!(interface, "files-write" | "files-erase") {
        return None;
    }
    let (root, path) = target.split_once('/')?;
    let path = roots.get(root)?.join(path);
    let file = std::fs::symlink_metadata(&path).ok().map(|found| number(&found));
    Some(Found { path, file, content })
}

/// What is at the place that a notice is about; nothing, where it is about none. It is to be asked before runs are asked what
/// they changed: what they announce later, they had not done.
pub(super) fn found(watch: &Watch, notice: &Notice) -> Option<Found> {
    let (path, is_whole) = match watch {
        // A link is what it leads to where it is what is watched, and a link where it is in the folder.
        Watch::FileChange { path } => (Path::new(&notice.subject), Path::new(&notice.subject) == path),
        Watch::DiskFree { path, .. } | Watch::CertificateExpiring { path, .. } => (path.as_path(), true),
        Watch::LogMatch { log: Log::File(path), .. } => (path.as_path(), true),
        _ => return None,
    };
    let path = without_links(path, is_whole)?;
    let (file, content) = match std::fs::symlink_metadata(&path) {
        Ok(found) if matches!(watch, Watch::FileChange { .. }) => (Some(number(&found)), content(&path, &found)),
        Ok(found) => (Some(number(&found)), Content::Unknown),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (None, Content::Nothing),
        Err(_) => (None, Content::Unknown),
    };
    Some(Found { path, file, content })
}

/// The way to it has no links any more, nor has it itself, where that is meant; what is not there is in a folder that is.
fn without_links(path: &Path, is_whole: bool) -> Option<PathBuf> {
    let whole = || path.canonicalize().ok();
    let in_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    if is_whole { whole().or_else(in_folder) } else { in_folder() }
}

fn number(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// What is in it, in an effect's words.
fn content(path: &Path, found: &Metadata) -> Content {
    if found.is_dir() {
        return Content::Is("folder".to_owned());
    }
    if !found.is_file() {
        return Content::Is("other".to_owned());
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let read = || -> std::io::Result<Option<Vec<u8>>> {
        let file = std::fs::File::options().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(READ_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(Some(bytes).filter(|bytes| u64::try_from(bytes.len()).is_ok_and(|length| length <= READ_BYTES_MAX)))
    };
    match read() {
        Ok(Some(bytes)) => Content::Is(Digest::of(&bytes).to_string()),
        _ => Content::Unknown,
    }
}
