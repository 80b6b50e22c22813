//! What undoing takes back, and what it leaves alone.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use contract::files_write::{MakeFolder, RemoveEntries, WriteFile, WriteMode};
use contract::types::{Effect, ErrorKind};
use contract::{Context, Undo, files_write};
use files_write::Backend as _;

use crate::Undoer;
use crate::testing::context;

use super::conformance::{Subject, everything, sha256};
use super::hostile::{Scratch, lstats, remove_as, set_access_times_back};

/// Does one thing and gives what undoes it.
async fn undo_of<T>(work: impl AsyncFnOnce(&Context) -> T) -> (T, Vec<Undo>) {
    let cx = context();
    let done = work(&cx).await;
    (done, cx.take_undo())
}

fn call(path: &str, content: &str, mode: WriteMode) -> WriteFile {
    WriteFile { root: "scratch".into(), path: path.into(), content: content.into(), mode }
}

fn looks(path: &Path) -> (u64, u32, u32, i64, i64, i64, i64, u64) {
    let stat = std::fs::symlink_metadata(path).unwrap();
    let times = (stat.mtime(), stat.mtime_nsec(), stat.atime(), stat.atime_nsec());
    (stat.ino(), stat.mode(), stat.uid(), times.0, times.1, times.2, times.3, stat.nlink())
}

#[tokio::test]
async fn undo_brings_back_everything_that_was_removed_as_it_was() {
    let scratch = Scratch::new();
    scratch.write("dir/sub/file", "content");
    std::fs::set_permissions(scratch.path("dir/sub/file"), std::fs::Permissions::from_mode(0o4751)).unwrap();
    rustix::fs::setxattr(scratch.path("dir/sub/file"), "user.note", b"kept", rustix::fs::XattrFlags::empty()).unwrap();
    std::os::unix::fs::chown(scratch.path("dir/sub/file"), Some(12), Some(34)).unwrap();
    std::fs::hard_link(scratch.path("dir/sub/file"), scratch.path("other-name")).unwrap();
    symlink("nowhere", scratch.path("dir/link")).unwrap();
    let root = scratch.path("");
    set_access_times_back(&root);
    let paths = ["dir/link", "dir/sub", "dir", "other-name"];
    let files_before: Vec<_> =
        ["dir/sub/file", "dir/sub", "dir/link", "dir", ""].map(|it| looks(&scratch.path(it))).to_vec();

    let files = scratch.files();
    let (removed, undo) = undo_of(async |cx| {
        let paths = paths.map(String::from).to_vec();
        let call = RemoveEntries { root: "scratch".into(), paths, unchanged_since_ms: u64::MAX };
        files.remove_entries(cx, &call).await.unwrap()
    })
    .await;
    assert!(removed.iter().all(|it| it.error.is_none() && it.change.effect == Effect::Changed), "{removed:?}");
    assert_eq!(undo.iter().map(|it| it.target.as_str()).collect::<Vec<_>>(), paths.map(|it| format!("scratch/{it}")));
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1, "the quarantine is all that is left");
    for undo in undo.iter().rev() {
        files.undo(&context(), undo).await.unwrap();
    }
    let files_after: Vec<_> =
        ["dir/sub/file", "dir/sub", "dir/link", "dir", ""].map(|it| looks(&scratch.path(it))).to_vec();
    assert_eq!(&files_after[..4], &files_before[..4]);
    assert_eq!((files_after[4].3, files_after[4].4), (files_before[4].3, files_before[4].4), "the root's own time too");
    let mut note = [0; 4];
    rustix::fs::getxattr(scratch.path("dir/sub/file"), "user.note", &mut note).unwrap();
    assert_eq!(&note, b"kept");
    assert!(!scratch.path(".remit-quarantine").exists(), "nothing is left behind");
    assert_eq!(files.undo(&context(), &undo[3]).await.unwrap_err().kind, ErrorKind::Conflict, "only once");
}

#[tokio::test]
async fn undo_never_writes_over_newer_work() {
    let scratch = Scratch::new();
    for name in ["removed", "replaced", "appended"] {
        scratch.write(name, "old");
    }
    let files = scratch.files();
    let mut undos = Vec::new();
    for (path, mode) in
        [("created", WriteMode::Create), ("replaced", WriteMode::Replace), ("appended", WriteMode::Append)]
    {
        undos.extend(undo_of(async |cx| files.write_file(cx, &call(path, "new", mode)).await.unwrap()).await.1);
    }
    undos.extend(remove_as(&files, "run_01", "removed").await.1);
    let make = MakeFolder { root: "scratch".into(), path: "made/inner".into() };
    undos.extend(undo_of(async |cx| files.make_folder(cx, &make).await.unwrap()).await.1);
    assert_eq!(undos.len(), 5);

    for path in ["created", "replaced", "appended", "removed", "made/inner/x"] {
        scratch.write(path, "newer work");
    }
    let before = lstats(&scratch.path(""));
    for undo in &undos {
        assert_eq!(files.undo(&context(), undo).await.unwrap_err().kind, ErrorKind::Conflict, "{}", undo.target);
    }
    assert_eq!(lstats(&scratch.path("")), before, "nothing was touched");
}

#[tokio::test]
async fn undo_takes_back_what_was_written() {
    let scratch = Scratch::new();
    scratch.write("replaced", "old");
    scratch.write("appended", "old");
    std::fs::set_permissions(scratch.path("replaced"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(scratch.path("replaced"), Some(12), Some(34)).unwrap();
    rustix::fs::setxattr(scratch.path("replaced"), "user.note", b"kept", rustix::fs::XattrFlags::empty()).unwrap();
    std::fs::hard_link(scratch.path("replaced"), scratch.path("twin")).unwrap();
    let before: Vec<_> = ["replaced", "appended", "twin"].map(|it| looks(&scratch.path(it))).to_vec();
    let files = scratch.files();
    let mut undos = Vec::new();
    for (path, mode) in
        [("created", WriteMode::Create), ("replaced", WriteMode::Replace), ("appended", WriteMode::Append)]
    {
        undos.extend(undo_of(async |cx| files.write_file(cx, &call(path, "new", mode)).await.unwrap()).await.1);
    }
    let make = MakeFolder { root: "scratch".into(), path: "made/inner".into() };
    undos.extend(undo_of(async |cx| files.make_folder(cx, &make).await.unwrap()).await.1);
    let stat = std::fs::metadata(scratch.path("replaced")).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o640, 12, 34), "a replaced file keeps whose it is");
    let mut note = [0; 4];
    rustix::fs::getxattr(scratch.path("replaced"), "user.note", &mut note).unwrap();
    assert_eq!(&note, b"kept");
    for (path, content) in [("replaced", "new"), ("twin", "old"), ("appended", "oldnew")] {
        assert_eq!(Subject(&files).read(path, 0, 99).await.unwrap(), content);
    }

    for undo in undos.iter().rev() {
        let change = files.undo(&context(), undo).await.unwrap();
        if undo.target == "scratch/replaced" {
            assert_eq!((change.before, change.after), (sha256("new"), sha256("old")));
        }
    }
    let after: Vec<_> = ["replaced", "appended", "twin"].map(|it| looks(&scratch.path(it))).to_vec();
    assert_eq!(after, before);
    assert_eq!(Subject(&files).paths(everything()).await.0, ["appended", "replaced", "twin"]);
    assert!(!scratch.path(".remit-quarantine").exists());
}
