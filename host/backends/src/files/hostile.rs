//! The real backend against what a hostile guest, a hostile neighbour or a full disk does.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use contract::files::{EntryKind, FindEntries, GetUsage, ListRoots, Selection};
use contract::files_write::{RemoveEntries, WriteFile, WriteMode};
use contract::types::{Effect, ErrorKind};
use contract::{Context, Undo, files, files_write};
use files::Backend as _;
use files_write::Backend as _;
use model::{Clock, ManualClock, SystemClock};

use crate::testing::context;
use crate::{Shared, Undoer};

use super::conformance::{Subject, everything, with};
use super::{Files, Overlay, Policy, QuarantinePolicy};

/// A folder of its own, gone at the end, which the root `scratch` names.
pub(super) struct Scratch {
    folder: PathBuf,
    pub(super) quarantine: QuarantinePolicy,
    pub(super) clock: Arc<dyn Clock>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("remit-files-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("root")).unwrap();
        let quarantine = QuarantinePolicy { free_bytes_min: 0, ..QuarantinePolicy::default() };
        Self { folder, quarantine, clock: Arc::new(SystemClock) }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.join("root").join(path)
    }

    fn shared(&self) -> Shared {
        let mut shared = Shared::in_memory(Arc::clone(&self.clock)).unwrap();
        let none = self.folder.join("none");
        let roots = BTreeMap::from([("scratch".to_owned(), self.path("")), ("absent".to_owned(), none)]);
        let files = Policy { roots, quarantine: self.quarantine.clone() };
        shared.policy = Arc::new(crate::Policy { files, ..crate::Policy::default() });
        shared
    }

    pub(super) fn files(&self) -> Files {
        Files::new(&self.shared())
    }

    pub(super) fn overlay(&self) -> Overlay {
        Overlay::new(Arc::new(self.files()), &self.shared())
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), content).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Sets all access times to 2001, so that any read would move them, also where a mount keeps them only roughly (`relatime`).
pub(super) fn set_access_times_back(folder: &Path) {
    let stat = std::fs::symlink_metadata(folder).unwrap();
    if stat.is_dir() {
        std::fs::read_dir(folder).unwrap().for_each(|entry| set_access_times_back(&entry.unwrap().path()));
    }
    let omit = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let times = rustix::fs::Timestamps {
        last_access: rustix::fs::Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 },
        last_modification: omit,
    };
    let nofollow = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, folder, &times, nofollow).unwrap();
}

fn accessed(path: &Path) -> i64 {
    std::fs::symlink_metadata(path).unwrap().atime()
}

#[tokio::test]
async fn a_dry_run_moves_no_byte_and_no_time() {
    let scratch = Scratch::new();
    for path in ["a/b/c", "a/d", "logs/app.log", "e"] {
        scratch.write(path, "content\n");
    }
    symlink("d", scratch.path("a/link")).unwrap();
    symlink("/etc/hostname", scratch.path("a/out")).unwrap();
    std::fs::hard_link(scratch.path("e"), scratch.path("a/e")).unwrap();
    let root = scratch.path("");
    set_access_times_back(&root);
    let before = lstats(&root);

    let overlay = scratch.overlay();
    let it = Subject(&overlay);
    assert_eq!(it.find("", everything()).await.unwrap().items.len(), 10);
    assert_eq!(it.usage("").await.unwrap().entries, 10);
    for path in ["a/b/c", "logs/app.log", "e", "a/e"] {
        it.entry(path).await.unwrap().unwrap();
        it.read(path, 0, 100).await.unwrap();
        it.tail(path, 1).await.unwrap();
        it.sha256(path).await.unwrap();
    }
    it.read("a/link", 0, 1).await.unwrap_err();
    it.read("a/out", 0, 1).await.unwrap_err();
    it.write("logs/app.log", "more", WriteMode::Append).await.unwrap();
    it.write("e", "anew", WriteMode::Replace).await.unwrap();
    it.write("fresh", "x", WriteMode::Create).await.unwrap();
    it.make("new/folder").await.unwrap();
    assert!(it.remove(&["a/b", "a/link", "logs"], u64::MAX).await.unwrap().iter().all(|it| it.error.is_none()));
    assert!(it.erase(&["a"], u64::MAX).await.unwrap()[0].error.is_none());
    assert_eq!(it.paths(everything()).await.0, ["e", "fresh", "new", "new/folder"]);
    assert_eq!(lstats(&root), before);

    std::fs::read(scratch.path("a/d")).unwrap();
    std::fs::read_dir(scratch.path("a/b")).unwrap().count();
    std::fs::read_link(scratch.path("a/link")).unwrap();
    for path in ["a/d", "a/b", "a/link"] {
        assert_ne!(accessed(&scratch.path(path)), 1_000_000_000, "{path}: this file system keeps no access times");
    }
}

/// Everything that `lstat` says of a folder and everything below it, without leaving a trace itself.
pub(super) fn lstats(folder: &Path) -> BTreeMap<PathBuf, Vec<i64>> {
    fn note(folder: &Path, all: &mut BTreeMap<PathBuf, Vec<i64>>) {
        let stat = std::fs::symlink_metadata(folder).unwrap();
        let numbers = [
            stat.mtime(),
            stat.mtime_nsec(),
            stat.ctime(),
            stat.ctime_nsec(),
            stat.atime(),
            stat.atime_nsec(),
            stat.size().try_into().unwrap(),
            stat.mode().into(),
            stat.nlink().try_into().unwrap(),
        ];
        all.insert(folder.to_owned(), numbers.to_vec());
        if stat.is_dir() {
            let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NOATIME;
            let listing = rustix::fs::open(folder, flags, rustix::fs::Mode::empty()).unwrap();
            for entry in rustix::fs::Dir::new(listing).unwrap() {
                let name = entry.unwrap().file_name().to_owned();
                if !matches!(name.to_bytes(), b"." | b"..") {
                    note(&folder.join(std::ffi::OsStr::from_bytes(name.to_bytes())), all);
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    note(folder, &mut all);
    all
}

#[tokio::test]
async fn no_link_is_followed_wherever_it_leads() {
    let scratch = Scratch::new();
    std::fs::write(scratch.folder.join("secret"), "secret").unwrap();
    scratch.write("in/file", "x");
    symlink(scratch.folder.join("secret"), scratch.path("out")).unwrap();
    symlink("../..", scratch.path("in/up")).unwrap();
    symlink("in", scratch.path("alias")).unwrap();
    let files = scratch.files();
    let it = Subject(&files);
    for path in ["out", "in/up/secret", "alias/file"] {
        for error in
            [it.read(path, 0, 9).await.unwrap_err(), it.write(path, "x", WriteMode::Replace).await.unwrap_err()]
        {
            assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Conflict, "link"), "{path}");
        }
    }
    assert_eq!(it.entry("out").await.unwrap().unwrap().kind, EntryKind::Link);
    assert_eq!(it.entry("alias/file").await.unwrap_err().code, "link");
    assert_eq!(it.paths(everything()).await.0, ["alias", "in", "in/file", "in/up", "out"]);
    assert_eq!(it.make("in/up/new").await.unwrap_err().code, "link");
    assert_eq!(it.remove(&["in/up/secret"], u64::MAX).await.unwrap()[0].error.as_ref().unwrap().code, "link");
    assert_eq!(it.erase(&["alias"], u64::MAX).await.unwrap()[0].change.before.as_deref(), Some("link"));
    assert_eq!(it.read("in/file", 0, 9).await.unwrap(), "x", "what the link led to is still there");
    assert_eq!(std::fs::read(scratch.folder.join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn a_folder_that_is_swapped_for_a_link_all_the_time_leads_nowhere() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.folder.join("outside")).unwrap();
    std::fs::write(scratch.folder.join("outside/file"), "outside").unwrap();
    scratch.write("dir/file", "inside");
    symlink(scratch.folder.join("outside"), scratch.path("link")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (dir, link) = (scratch.path("dir"), scratch.path("link"));
    let swapping = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &dir, rustix::fs::CWD, &link, flags).unwrap();
            }
        }
    });
    let files = scratch.files();
    let it = Subject(&files);
    let (mut inside, mut refused) = (0, 0);
    for turn in 0..1_000 {
        match it.read("dir/file", 0, 99).await {
            Ok(read) => {
                assert_eq!(read, "inside");
                inside += 1;
            }
            Err(error) => {
                assert!(matches!(error.code.as_str(), "link" | "not-found" | "errno-20" | "errno-40"), "{error}");
                refused += 1;
            }
        }
        if turn % 50 == 0 {
            let _ = it.write("dir/planted", "x", WriteMode::Replace).await;
            let _ = it.erase(&["dir/file2"], u64::MAX).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(inside > 0 && refused > 0, "both were seen: {inside} {refused}");
    let outside: Vec<_> = std::fs::read_dir(scratch.folder.join("outside")).unwrap().collect();
    assert_eq!(outside.len(), 1, "nothing was planted outside");
}

#[tokio::test]
async fn what_cannot_be_named_is_counted_and_keeps_its_folder() {
    let scratch = Scratch::new();
    scratch.write("dir/file", "x");
    std::fs::write(scratch.path("dir").join(std::ffi::OsStr::from_bytes(b"bad\xff")), "x").unwrap();
    let (files, overlay) = (scratch.files(), scratch.overlay());
    let found = Subject(&files).find("", everything()).await.unwrap();
    assert_eq!((found.items.len(), found.skipped), (2, 1));
    let usage = Subject(&files).usage("").await.unwrap();
    assert_eq!((usage.entries, crate::attributes::find(&usage.attributes, "skipped")), (2, Some("1")));
    let planned = Subject(&overlay).remove(&["dir"], u64::MAX).await.unwrap();
    let removed = Subject(&files).remove(&["dir"], u64::MAX).await.unwrap();
    assert_eq!(planned, removed);
    assert_eq!(removed[0].error.as_ref().unwrap().code, "unreadable-inside");
    std::fs::remove_file(scratch.path("dir").join(std::ffi::OsStr::from_bytes(b"bad\xff"))).unwrap();
    assert!(Subject(&files).remove(&["dir"], u64::MAX).await.unwrap()[0].error.is_none());
}

#[tokio::test]
async fn a_device_or_pipe_is_not_opened() {
    let scratch = Scratch::new();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mkfifoat(rustix::fs::CWD, scratch.path("pipe"), mode).unwrap();
    let files = scratch.files();
    let read = Subject(&files);
    let read = tokio::time::timeout(Duration::from_secs(5), read.read("pipe", 0, 1)).await.expect("it does not wait");
    assert_eq!(read.unwrap_err().code, "kind");
}

#[tokio::test]
async fn a_huge_folder_answers_a_page() {
    let scratch = Scratch::new();
    for number in 0..20_000 {
        std::fs::write(scratch.path(&format!("f{number:05}")), "").unwrap();
    }
    let files = scratch.files();
    let it = Subject(&files);
    let (first, truncated) = it.paths(Selection { limit: 10, ..everything() }).await;
    assert_eq!((first[0].as_str(), first.len(), truncated), ("f00000", 10, true));
    let (next, _) = it.paths(Selection { limit: 10, ..with("after", &first[9]) }).await;
    assert_eq!(next[0], "f00010");
    let over = Context::new("run_01", "test", "dev_01", vec!["*".into()], std::time::Instant::now());
    let call = GetUsage { root: "scratch".into(), path: String::new() };
    assert!(files.get_usage(&over, &call).await.unwrap().truncated, "a call without time answers what it has");
    assert!(!files.get_usage(&context(), &call).await.unwrap().truncated);
    let call = FindEntries { root: "scratch".into(), path: String::new(), selection: everything() };
    assert!(files.find_entries(&over, &call).await.unwrap().truncated);
    let paths = vec!["f00000".to_owned()];
    let call = RemoveEntries { root: "scratch".into(), paths, unchanged_since_ms: u64::MAX };
    let removed = files.remove_entries(&over, &call).await.unwrap();
    assert_eq!(removed[0].error.as_ref().unwrap().kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn a_folder_too_deep_to_look_through_is_left_alone() {
    let scratch = Scratch::new();
    let deep = vec!["d"; 70].join("/");
    std::fs::create_dir_all(scratch.path(&deep)).unwrap();
    let (files, overlay) = (scratch.files(), scratch.overlay());
    assert!(Subject(&files).usage("").await.unwrap().truncated);
    let planned = Subject(&overlay).remove(&["d"], u64::MAX).await.unwrap();
    let removed = Subject(&files).remove(&["d"], u64::MAX).await.unwrap();
    assert_eq!(planned, removed);
    assert_eq!(removed[0].error.as_ref().unwrap().code, "too-large");
    let part = ["d"; 10].join("/");
    assert!(Subject(&files).remove(&[&part], u64::MAX).await.unwrap()[0].error.is_none());
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_has_an_end() {
    let scratch = Scratch::new();
    scratch.write("log", &"x".repeat(1 << 20));
    let stop = Arc::new(AtomicBool::new(false));
    let growing = std::thread::spawn({
        let (stop, path) = (Arc::clone(&stop), scratch.path("log"));
        move || {
            let mut file = std::fs::File::options().append(true).open(path).unwrap();
            for _ in 0..1_000 {
                std::io::Write::write_all(&mut file, &[b'y'; 4_096]).unwrap();
                std::thread::sleep(Duration::from_millis(1));
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    });
    let files = scratch.files();
    let it = Subject(&files);
    for _ in 0..5 {
        assert_eq!(it.sha256("log").await.unwrap().len(), 64);
        assert!(it.tail("log", 10).await.unwrap().len() <= 1 << 20);
        assert_eq!(it.read("log", 0, 1 << 20).await.unwrap(), "x".repeat(1 << 20));
    }
    stop.store(true, Ordering::Relaxed);
    growing.join().unwrap();
}

#[tokio::test]
async fn a_root_that_is_not_there_is_not_listed_and_not_made() {
    let scratch = Scratch::new();
    let files = scratch.files();
    assert_eq!(files.list_roots(&context(), &ListRoots {}).await.unwrap(), ["scratch"]);
    let content = b"x".to_vec();
    let call = WriteFile { root: "absent".into(), path: "x".into(), content, mode: WriteMode::Create };
    assert_eq!(files.write_file(&context(), &call).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(scratch.overlay().write_file(&context(), &call).await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(!scratch.folder.join("none").exists());
}

/// Removes as a run of its own does.
pub(super) async fn remove_as(files: &Files, run: &str, path: &str) -> (contract::files_write::Removal, Vec<Undo>) {
    let mut cx = context();
    run.clone_into(&mut Arc::make_mut(&mut cx.caller).run);
    let call = RemoveEntries { root: "scratch".into(), paths: vec![path.into()], unchanged_since_ms: u64::MAX };
    let removal = files.remove_entries(&cx, &call).await.unwrap().remove(0);
    (removal, cx.take_undo())
}

#[tokio::test]
async fn a_full_quarantine_lets_the_oldest_go_and_never_what_the_run_itself_put_there() {
    let mut scratch = Scratch::new();
    let clock = Arc::new(ManualClock::new(1_000));
    scratch.clock = clock.clone();
    scratch.quarantine.bytes_max = 100_000;
    for name in ["one", "two", "three", "four"] {
        scratch.write(name, &"x".repeat(40_000));
    }
    scratch.write("large", &"x".repeat(200_000));
    let files = scratch.files();
    let (one, undo_one) = remove_as(&files, "run_1", "one").await;
    assert_eq!((one.quarantined_bytes, one.freed_bytes), (40_960, 0));
    clock.advance(1);
    let (_, undo_two) = remove_as(&files, "run_2", "two").await;
    clock.advance(1);
    let (three, undo_three) = remove_as(&files, "run_3", "three").await;
    assert_eq!((three.quarantined_bytes, three.freed_bytes), (40_960, 40_960), "the oldest went");
    assert_eq!(files.undo(&context(), &undo_one[0]).await.unwrap_err().code, "expired");
    files.undo(&context(), &undo_two[0]).await.unwrap();
    assert!(scratch.path("two").exists() && !scratch.path("one").exists());

    remove_as(&files, "run_3", "two").await;
    let (four, _) = remove_as(&files, "run_3", "four").await;
    assert_eq!(four.error.unwrap().code, "quarantine-full", "a run cannot push out what it removed itself");
    assert!(scratch.path("four").exists());
    let (large, _) = remove_as(&files, "run_4", "large").await;
    assert_eq!(large.error.unwrap().code, "quarantine-full");
    let overlay = scratch.overlay();
    let planned = Subject(&overlay).remove(&["large", "four"], u64::MAX).await.unwrap();
    assert_eq!(planned[0].error.as_ref().unwrap().code, "quarantine-full", "the dry run says so too");
    assert!(planned[1].error.is_none());
    files.undo(&context(), &undo_three[0]).await.unwrap();
}

#[tokio::test]
async fn retention_and_a_full_disk_let_go_what_is_kept() {
    let mut scratch = Scratch::new();
    let clock = Arc::new(ManualClock::new(1_000));
    scratch.clock = clock.clone();
    scratch.quarantine.retention_ms = 1_000;
    for name in ["one", "two", "three"] {
        scratch.write(name, &"x".repeat(5_000));
    }
    let files = scratch.files();
    let (_, undo) = remove_as(&files, "run_1", "one").await;
    clock.advance(1_000);
    remove_as(&files, "run_2", "two").await;
    assert_eq!(files.undo(&context(), &undo[0]).await.unwrap_err().code, "expired");
    scratch.quarantine = QuarantinePolicy { free_bytes_min: u64::MAX, ..QuarantinePolicy::default() };
    let (three, _) = remove_as(&scratch.files(), "run_3", "three").await;
    assert_eq!(three.freed_bytes, 8_192, "the disk is as good as full");
}

/// Nothing is removed any more, and what was goes all the same: also from a folder that was a root of one run alone.
#[tokio::test]
async fn what_is_kept_goes_when_its_time_is_over() {
    let mut scratch = Scratch::new();
    let clock = Arc::new(ManualClock::new(1_000));
    scratch.clock = clock.clone();
    scratch.quarantine.retention_ms = 1_000;
    scratch.write("one", "x");
    scratch.write("two", "x");
    let shared = scratch.shared();
    let kept = || std::fs::read_dir(scratch.path(".remit-quarantine")).map_or(0, Iterator::count);
    remove_as(&scratch.files(), "run_1", "one").await;
    clock.advance(500);
    remove_as(&scratch.files(), "run_2", "two").await;
    assert_eq!(super::let_go_expired(&shared).unwrap(), []);
    assert_eq!(kept(), 2, "the control: its time is not over");
    clock.advance(500);
    assert_eq!((super::let_go_expired(&shared).unwrap(), kept()), (vec![], 1));
    // Another run, without this root.
    let policy = Policy { roots: BTreeMap::new(), quarantine: scratch.quarantine.clone() };
    let other = Shared { policy: Arc::new(crate::Policy { files: policy, ..crate::Policy::default() }), ..shared };
    clock.advance(499);
    assert_eq!((super::let_go_expired(&other).unwrap(), kept()), (vec![], 1));
    clock.advance(1);
    assert_eq!((super::let_go_expired(&other).unwrap(), kept()), (vec![], 0));
    assert!(!scratch.path(".remit-quarantine").exists(), "and the folder with it");
    assert_eq!(other.store.list("quarantine-root", "", "", 9, 0).unwrap(), []);
}

#[tokio::test]
async fn a_quarantine_that_somebody_else_put_there_is_refused() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.folder.join("outside")).unwrap();
    scratch.write("file", "x");
    symlink(scratch.folder.join("outside"), scratch.path(".remit-quarantine")).unwrap();
    let files = scratch.files();
    let (removal, _) = remove_as(&files, "run_1", "file").await;
    assert_eq!(removal.error.unwrap().code, "quarantine-not-ours");
    std::fs::remove_file(scratch.path(".remit-quarantine")).unwrap();
    std::fs::create_dir(scratch.path(".remit-quarantine")).unwrap();
    std::fs::set_permissions(scratch.path(".remit-quarantine"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (removal, _) = remove_as(&files, "run_1", "file").await;
    assert_eq!(removal.error.unwrap().code, "quarantine-not-ours");
    assert!(scratch.path("file").exists());
    std::fs::remove_dir(scratch.path(".remit-quarantine")).unwrap();
    assert!(remove_as(&files, "run_1", "file").await.0.error.is_none());
    let mode = std::fs::metadata(scratch.path(".remit-quarantine")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(Subject(&files).paths(everything()).await.0, [""; 0], "and nobody sees it");
    assert_eq!(Subject(&files).usage("").await.unwrap().entries, 0);
}

#[tokio::test]
async fn what_was_put_there_since_the_listing_is_left_alone_however_old_it_looks() {
    let scratch = Scratch::new();
    scratch.write("dir/old", "x");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let listed_ms = SystemClock.now_ms();
    let files = scratch.files();
    tokio::time::sleep(Duration::from_millis(20)).await;
    scratch.write("dir/unpacked", "x");
    let old = std::fs::File::options().write(true).open(scratch.path("dir/unpacked")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    for backend in [&files as &dyn files_write::Backend, &scratch.overlay()] {
        let paths = ["dir/old".to_owned(), "dir/unpacked".to_owned(), "dir".to_owned()];
        let call = RemoveEntries { root: "scratch".into(), paths: paths[1..].to_vec(), unchanged_since_ms: listed_ms };
        for removal in backend.remove_entries(&context(), &call).await.unwrap() {
            assert_eq!(removal.error.unwrap().code, "changed-since");
        }
    }
    let removed = Subject(&files).remove(&["dir/old"], listed_ms).await.unwrap();
    assert_eq!(removed[0].change.effect, Effect::Changed, "the control");
}

#[tokio::test]
async fn hard_links_free_nothing_until_the_last_of_them_goes() {
    let scratch = Scratch::new();
    scratch.write("a/one", &"x".repeat(5_000));
    std::fs::hard_link(scratch.path("a/one"), scratch.path("two")).unwrap();
    let overlay = scratch.overlay();
    let planned = Subject(&overlay).erase(&["two", "a"], u64::MAX).await.unwrap();
    let files = scratch.files();
    let erased = Subject(&files).erase(&["two", "a"], u64::MAX).await.unwrap();
    assert_eq!(erased.iter().map(|it| it.freed_bytes).collect::<Vec<_>>(), [0, 8_192 + 4_096]);
    assert_eq!(planned[0], erased[0]);
    assert!(!scratch.path(".remit-quarantine").exists(), "what is erased is not kept");
}

async fn mounting(program: &str, arguments: &[&str]) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    let done = crate::spawn::Spawn::new(program, deadline).args(arguments).run().await.unwrap();
    assert_eq!(done.code, 0, "{program} {arguments:?} (needs root): {}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn another_file_system_is_read_and_left_alone() {
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.path("dir/mnt")).unwrap();
    let mount_point = scratch.path("dir/mnt").display().to_string();
    mounting("/bin/mount", &["-t", "tmpfs", "none", &mount_point]).await;
    scratch.write("dir/mnt/file", "x");
    let (files, overlay) = (scratch.files(), scratch.overlay());
    Subject(&overlay).write("planned", "x", WriteMode::Create).await.unwrap();
    Subject(&files).write("planned", "x", WriteMode::Create).await.unwrap();
    let seen = async |it: &Subject<'_, dyn All>| {
        let code = |error: contract::types::Error| error.code;
        let usage = it.usage("").await.unwrap();
        let mount_points = crate::attributes::find(&usage.attributes, "mount-points").unwrap().to_owned();
        (
            it.paths(everything()).await.0,
            it.paths(with("one-file-system", "true")).await.0,
            (usage.entries, mount_points),
            it.write("dir/mnt/x", "x", WriteMode::Create).await.map_err(code),
            it.make("dir/mnt/x").await.map_err(code),
            it.remove(&["dir/mnt/file", "dir/mnt", "dir"], u64::MAX).await.unwrap(),
        )
    };
    let (real, planned) = (seen(&Subject(&files)).await, seen(&Subject(&overlay)).await);
    mounting("/bin/umount", &[&mount_point]).await;
    assert_eq!(real, planned);
    assert_eq!(real.0, ["dir", "dir/mnt", "dir/mnt/file", "planned"]);
    assert_eq!(real.1, ["dir", "dir/mnt", "planned"]);
    assert_eq!(real.2, (3, "1".to_owned()));
    assert_eq!(
        (real.3.unwrap_err().as_str(), real.4.unwrap_err().as_str()),
        ("other-file-system", "other-file-system")
    );
    assert!(real.5.iter().all(|it| it.error.as_ref().unwrap().code == "other-file-system"));
    let removed = Subject(&files).remove(&["dir"], u64::MAX).await.unwrap();
    assert_eq!(removed[0].change.effect, Effect::Changed, "the control");
}

/// All three interfaces behind one word, so that two backends can go through the same closure.
trait All: files::Backend + files_write::Backend + contract::files_erase::Backend {}
impl<B: files::Backend + files_write::Backend + contract::files_erase::Backend> All for B {}
