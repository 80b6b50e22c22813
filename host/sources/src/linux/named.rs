//! What a path names, watched: over links, and while it is made, moved over, removed and made again.
//!
//! Every folder on the way is watched for the one name that leads on, and what the name leads to by itself. Where the way changes
//! it is walked anew: each folder is watched before what is in it is looked at, so that nothing happens in between unseen.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use super::inotify::{Inotify, ReadFlags, WatchFlags};
use crate::Error;

/// Links followed on one way, as the kernel does.
const LINKS_MAX: usize = 40;
/// Names of a folder that are told one by one; when more have changed at once, the folder has.
const NAMES_MAX: usize = 256;

/// A name comes or goes.
const ENTRIES: WatchFlags =
    WatchFlags::CREATE.union(WatchFlags::DELETE).union(WatchFlags::MOVED_FROM).union(WatchFlags::MOVED_TO);
/// Content, owner or mode changes.
const CONTENT: WatchFlags = WatchFlags::MODIFY.union(WatchFlags::CLOSE_WRITE).union(WatchFlags::ATTRIB);

/// What some paths name: one instance of inotify each would be more than the kernel gives, 128 to all of root's programs.
pub(super) struct Named {
    paths: Vec<PathBuf>,
    inotify: Inotify,
    roles: HashMap<i32, Role>,
}

/// Why something is watched.
#[derive(Default)]
struct Role {
    /// It is a folder, and these names in it lead on.
    ways: HashSet<OsString>,
    /// It is a folder, and such a name is what a path names.
    last: HashSet<OsString>,
    /// It is what a path names.
    is_target: bool,
}

/// What happened since it was last asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Happenings {
    /// How often something surely happened to what the path names, as the kernel counts.
    pub(super) itself: u64,
    /// How often to the files in it, by name; bounded.
    pub(super) names: BTreeMap<OsString, u64>,
    /// How often to files in it for which there was no more room in `names`.
    pub(super) more: u64,
    /// Whether something may have happened that only looking shows: the way changed, or a file was closed that could be written.
    pub(super) is_perhaps: bool,
    /// Names that were closed after they could be written, and of which nothing else is known.
    pub(super) closed: BTreeSet<OsString>,
    /// Whether the kernel forgot some of it.
    pub(super) is_overflowed: bool,
}

impl Named {
    /// This path, which need not be there yet.
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        Self::any(vec![path.to_owned()])
    }

    /// Any of these. What happened does not say to which.
    pub(super) fn any(paths: Vec<PathBuf>) -> Result<Self, Error> {
        let mut named = Self { paths, inotify: Inotify::new()?, roles: HashMap::new() };
        named.walk()?;
        Ok(named)
    }

    /// Waits until something may have happened.
    pub(super) async fn wait(&self) -> Result<(), Error> {
        self.inotify.wait().await
    }

    /// What happened until now is added to what is known, and is watched no matter what became of the way.
    pub(super) fn take(&mut self, into: &mut Happenings) -> Result<(), Error> {
        let mut is_way_changed = false;
        for event in self.inotify.take() {
            if event.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                into.is_overflowed = true;
                is_way_changed = true;
                continue;
            }
            let Some(role) = self.roles.get(&event.watch) else { continue };
            if event
                .flags
                .intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT | ReadFlags::IGNORED)
            {
                is_way_changed = true;
                continue;
            }
            let is_entry = event
                .flags
                .intersects(ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVED_FROM | ReadFlags::MOVED_TO);
            if is_entry && event.name.as_ref().is_some_and(|name| role.ways.contains(name)) {
                is_way_changed = true;
            }
            if is_entry && event.name.as_ref().is_some_and(|name| role.last.contains(name)) {
                is_way_changed = true;
                into.itself += 1;
            }
            if role.is_target {
                into.add(event.name, event.flags);
            }
        }
        if is_way_changed {
            into.is_perhaps = true;
            self.walk()?;
        }
        Ok(())
    }

    /// Watches the ways as they are now, and nothing that is no longer on one.
    fn walk(&mut self) -> Result<(), Error> {
        let mut roles: HashMap<i32, Role> = HashMap::new();
        for path in &self.paths {
            self.walk_to(path, &mut roles)?;
        }
        for watch in self.roles.keys().filter(|watch| !roles.contains_key(watch)) {
            self.inotify.remove(*watch);
        }
        self.roles = roles;
        Ok(())
    }

    fn walk_to(&self, path: &Path, roles: &mut HashMap<i32, Role>) -> Result<(), Error> {
        let mut left: VecDeque<OsString> = names(path);
        let (mut here, mut links) = (PathBuf::from("/"), 0);
        while let Some(name) = left.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let Some(watch) = self.add(&here, ENTRIES | WatchFlags::ONLYDIR)? else { return Ok(()) };
            let role = roles.entry(watch).or_default();
            role.ways.insert(name.clone());
            if left.is_empty() {
                role.last.insert(name.clone());
            }
            let next = here.join(&name);
            let Ok(target) = std::fs::read_link(&next) else {
                here = next;
                continue;
            };
            links += 1;
            if links > LINKS_MAX {
                return Ok(());
            }
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for name in names(&target).into_iter().rev() {
                left.push_front(name);
            }
        }
        if let Some(watch) = self.add(&here, ENTRIES | CONTENT)? {
            roles.entry(watch).or_default().is_target = true;
        }
        Ok(())
    }

    /// Watches what is there; nothing, where nothing is.
    fn add(&self, path: &Path, flags: WatchFlags) -> Result<Option<i32>, Error> {
        use rustix::io::Errno;
        let flags = flags | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        match self.inotify.add(path, flags) {
            Ok(watch) => Ok(Some(watch)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => Ok(None),
            Err(errno) => {
                let hint = if errno == Errno::NOSPC { ": see `sysctl fs.inotify.max_user_watches`" } else { "" };
                Err(Error::Io { what: format!("cannot watch `{}`{hint}", path.display()), source: errno.into() })
            }
        }
    }
}

impl Happenings {
    /// Whether nothing happened.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, name: Option<OsString>, flags: ReadFlags) {
        let is_only_closed = flags.contains(ReadFlags::CLOSE_WRITE);
        match name {
            None if is_only_closed => self.is_perhaps = true,
            None => self.itself += 1,
            Some(name) if is_only_closed => {
                if self.closed.len() < NAMES_MAX {
                    self.closed.insert(name);
                } else {
                    self.is_perhaps = true;
                }
            }
            Some(name) if self.names.len() < NAMES_MAX || self.names.contains_key(&name) => {
                *self.names.entry(name).or_default() += 1;
            }
            Some(_) => self.more += 1,
        }
    }
}

/// The names on a path; `..` counts, `.` does not.
fn names(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|it| match it {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.map(OsStr::to_owned).collect()
}
