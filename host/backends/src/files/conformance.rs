//! What every backend of `files`, `files-write` and `files-erase` does alike, and that an overlay answers as the real one
//! does, and leaves it alone.

use std::sync::Arc;

use contract::files::{
    Entries, EntryKind, FindEntries, GetEntry, GetSha256, GetUsage, ListRoots, ReadFile, ReadTail, Selection, Usage,
};
use contract::files_erase::{EraseEntries, Erasure};
use contract::files_write::{MakeFolder, Removal, RemoveEntries, WriteFile, WriteMode};
use contract::types::{Change, Effect, Error, ErrorKind};
use contract::{files, files_erase, files_write};
use model::{Clock, Digest, SystemClock};

use crate::Shared;
use crate::testing::context;

use super::{Fixture, Memory};

/// All three interfaces, with short words for their calls on the root `scratch`.
pub(super) struct Subject<'a, B: ?Sized>(pub(super) &'a B);

impl<B: files::Backend + files_write::Backend + files_erase::Backend + ?Sized> Subject<'_, B> {
    pub(super) async fn write(&self, path: &str, content: &str, mode: WriteMode) -> Result<Change, Error> {
        let call = WriteFile { root: "scratch".into(), path: path.into(), content: content.into(), mode };
        self.0.write_file(&context(), &call).await
    }

    pub(super) async fn make(&self, path: &str) -> Result<Change, Error> {
        self.0.make_folder(&context(), &MakeFolder { root: "scratch".into(), path: path.into() }).await
    }

    pub(super) async fn remove(&self, paths: &[&str], unchanged_since_ms: u64) -> Result<Vec<Removal>, Error> {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let call = RemoveEntries { root: "scratch".into(), paths, unchanged_since_ms };
        self.0.remove_entries(&context(), &call).await
    }

    pub(super) async fn erase(&self, paths: &[&str], unchanged_since_ms: u64) -> Result<Vec<Erasure>, Error> {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let call = EraseEntries { root: "scratch".into(), paths, unchanged_since_ms };
        self.0.erase_entries(&context(), &call).await
    }

    pub(super) async fn entry(&self, path: &str) -> Result<Option<files::Entry>, Error> {
        self.0.get_entry(&context(), &GetEntry { root: "scratch".into(), path: path.into() }).await
    }

    pub(super) async fn find(&self, path: &str, selection: Selection) -> Result<Entries, Error> {
        self.0.find_entries(&context(), &FindEntries { root: "scratch".into(), path: path.into(), selection }).await
    }

    pub(super) async fn usage(&self, path: &str) -> Result<Usage, Error> {
        self.0.get_usage(&context(), &GetUsage { root: "scratch".into(), path: path.into() }).await
    }

    pub(super) async fn read(&self, path: &str, offset: u64, length: u32) -> Result<String, Error> {
        let call = ReadFile { root: "scratch".into(), path: path.into(), offset, length };
        self.0.read_file(&context(), &call).await.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    pub(super) async fn tail(&self, path: &str, lines: u32) -> Result<String, Error> {
        self.0.read_tail(&context(), &ReadTail { root: "scratch".into(), path: path.into(), lines }).await
    }

    pub(super) async fn sha256(&self, path: &str) -> Result<String, Error> {
        self.0.get_sha256(&context(), &GetSha256 { root: "scratch".into(), path: path.into() }).await
    }

    /// The paths that a selection finds below the root, and whether it was cut.
    pub(super) async fn paths(&self, selection: Selection) -> (Vec<String>, bool) {
        let found = self.find("", selection).await.unwrap();
        (found.items.into_iter().map(|entry| entry.path).collect(), found.truncated)
    }
}

pub(super) fn everything() -> Selection {
    Selection {
        max_depth: 64,
        pattern: None,
        modified_before_ms: None,
        min_size_bytes: None,
        limit: 1_000,
        attributes: Vec::new(),
    }
}

pub(super) fn with(name: &str, value: &str) -> Selection {
    Selection { attributes: vec![(name.into(), value.into())], ..everything() }
}

pub(super) fn sha256(content: &str) -> Option<String> {
    Some(Digest::of(content.as_bytes()).to_string())
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> (ErrorKind, String) {
    let error = answer.unwrap_err();
    (error.kind, error.code)
}

/// Over an empty root `scratch`.
async fn suite<B: files::Backend + files_write::Backend + files_erase::Backend>(backend: &B) {
    let it = Subject(backend);
    assert_eq!(backend.list_roots(&context(), &ListRoots {}).await.unwrap(), ["scratch"]);
    assert_eq!(it.entry("").await.unwrap().unwrap().kind, EntryKind::Folder);
    assert_eq!(it.entry("none").await.unwrap(), None);
    writes(&it).await;
    reads(&it).await;
    finds(&it).await;
    removes(&it).await;
    refuses(&it, backend).await;
}

async fn writes<B: files::Backend + files_write::Backend + files_erase::Backend>(it: &Subject<'_, B>) {
    assert_eq!(it.make("").await.unwrap().effect, Effect::Unchanged);
    assert_eq!(refused(it.write("a/b.txt", "x", WriteMode::Create).await).0, ErrorKind::NotFound);
    let change = it.make("a/deep").await.unwrap();
    assert_eq!((change.effect, change.before, change.after), (Effect::Changed, None, Some("folder".into())));
    assert_eq!(it.make("a/deep").await.unwrap().effect, Effect::Unchanged);

    let change = it.write("a/b.txt", "one\n", WriteMode::Create).await.unwrap();
    assert_eq!((change.effect, change.before, change.after), (Effect::Changed, None, sha256("one\n")));
    assert_eq!(refused(it.write("a/b.txt", "x", WriteMode::Create).await), (ErrorKind::Conflict, "exists".into()));
    assert_eq!(it.write("a/b.txt", "one\n", WriteMode::Replace).await.unwrap().effect, Effect::Unchanged);
    let change = it.write("a/b.txt", "two\n", WriteMode::Replace).await.unwrap();
    assert_eq!((change.before, change.after), (sha256("one\n"), sha256("two\n")));
    let change = it.write("a/b.txt", "three\n", WriteMode::Append).await.unwrap();
    assert_eq!((change.before, change.after), (sha256("two\n"), sha256("two\nthree\n")));
    assert_eq!(it.write("a/b.txt", "", WriteMode::Append).await.unwrap().effect, Effect::Unchanged);
    assert_eq!(it.write("a/new.txt", "x", WriteMode::Append).await.unwrap().before, None);
    assert_eq!(it.write("a/empty", "", WriteMode::Replace).await.unwrap().after, sha256(""));
    for mode in [WriteMode::Replace, WriteMode::Append] {
        assert_eq!(refused(it.write("a/deep", "x", mode).await), (ErrorKind::Conflict, "kind".into()));
    }
    assert_eq!(refused(it.write("a/b.txt/x", "x", WriteMode::Create).await), (ErrorKind::Conflict, "kind".into()));
    assert_eq!(refused(it.make("a/b.txt/x").await), (ErrorKind::Conflict, "kind".into()));
}

async fn reads<B: files::Backend + files_write::Backend + files_erase::Backend>(it: &Subject<'_, B>) {
    assert_eq!(it.read("a/b.txt", 0, 100).await.unwrap(), "two\nthree\n");
    assert_eq!(it.read("a/b.txt", 2, 4).await.unwrap(), "o\nth");
    assert_eq!(it.read("a/b.txt", 10, 4).await.unwrap(), "");
    assert_eq!(it.read("a/b.txt", u64::MAX, 4).await.unwrap(), "");
    for (lines, tail) in [(1, "three\n"), (2, "two\nthree\n"), (10_000, "two\nthree\n")] {
        assert_eq!(it.tail("a/b.txt", lines).await.unwrap(), tail);
    }
    assert_eq!(it.tail("a/empty", 1).await.unwrap(), "");
    assert_eq!(Some(format!("sha256:{}", it.sha256("a/b.txt").await.unwrap())), sha256("two\nthree\n"));
    let entry = it.entry("a/b.txt").await.unwrap().unwrap();
    assert_eq!((entry.path.as_str(), entry.kind, entry.size_bytes), ("a/b.txt", EntryKind::File, 10));
    assert!(SystemClock.now_ms().abs_diff(entry.modified_ms) < 60_000);
    assert_eq!(it.entry("a/b.txt/below").await.unwrap(), None);
    assert_eq!(refused(it.read("a/none", 0, 1).await).0, ErrorKind::NotFound);
    assert_eq!(refused(it.sha256("a/none").await).0, ErrorKind::NotFound);
    assert_eq!(refused(it.tail("a", 1).await), (ErrorKind::Conflict, "kind".into()));
    assert_eq!(refused(it.read("", 0, 1).await), (ErrorKind::Conflict, "kind".into()));
    assert_eq!(refused(it.usage("a/none").await).0, ErrorKind::NotFound);
    assert_eq!(refused(it.find("a/b.txt", everything()).await), (ErrorKind::Conflict, "kind".into()));
}

async fn finds<B: files::Backend + files_write::Backend + files_erase::Backend>(it: &Subject<'_, B>) {
    it.write("a-b", "larger than the others", WriteMode::Create).await.unwrap();
    let all = ["a", "a/b.txt", "a/deep", "a/empty", "a/new.txt", "a-b"];
    assert_eq!(it.paths(everything()).await, (all.map(String::from).to_vec(), false));
    assert_eq!(it.paths(Selection { max_depth: 1, ..everything() }).await.0, ["a", "a-b"]);
    let pattern = |pattern: &str| Selection { pattern: Some(pattern.into()), ..everything() };
    assert_eq!(it.paths(pattern("*.txt")).await.0, [""; 0]);
    assert_eq!(it.paths(pattern("**/*.txt")).await.0, ["a/b.txt", "a/new.txt"]);
    assert_eq!(it.paths(with("kind", "folder")).await.0, ["a", "a/deep"]);
    assert_eq!(it.paths(Selection { min_size_bytes: Some(10), ..everything() }).await.0, ["a/b.txt", "a-b"]);
    assert_eq!(it.paths(Selection { modified_before_ms: Some(1), ..everything() }).await.0, [""; 0]);
    assert_eq!(it.paths(Selection { limit: 2, ..everything() }).await, (vec!["a".into(), "a/b.txt".into()], true));
    assert!(!it.paths(Selection { limit: 6, ..everything() }).await.1);
    assert_eq!(it.paths(Selection { limit: 2, ..with("after", "a/deep") }).await.0, ["a/empty", "a/new.txt"]);
    assert_eq!(it.paths(Selection { limit: 2, ..with("order", "largest") }).await.0, ["a-b", "a/b.txt"]);
    let oldest = it.find("a", with("order", "oldest")).await.unwrap().items;
    assert!(oldest.is_sorted_by_key(|entry| entry.modified_ms));
    let newest = it.find("a", with("order", "newest")).await.unwrap().items;
    assert!(newest.is_sorted_by_key(|entry| std::cmp::Reverse(entry.modified_ms)));
    assert_eq!(newest.len(), oldest.len());
    let found = it.find("a", pattern("*.txt")).await.unwrap();
    assert_eq!((found.items.len(), found.skipped), (2, 0), "a pattern is about the path below the folder");
    let usage = it.usage("").await.unwrap();
    assert_eq!((usage.entries, usage.size_bytes, usage.truncated), (6, 33, false));
}

async fn removes<B: files::Backend + files_write::Backend + files_erase::Backend>(it: &Subject<'_, B>) {
    for guarded in it.remove(&["a", "a/b.txt"], 1).await.unwrap() {
        assert_eq!((guarded.change.effect, guarded.quarantined_bytes), (Effect::Unchanged, 0));
        assert_eq!(guarded.error.unwrap().code, "changed-since");
    }
    assert!(it.entry("a/b.txt").await.unwrap().is_some());
    let removed = it.remove(&["a/b.txt", "none", "a/b.txt", "a"], u64::MAX).await.unwrap();
    let states: Vec<_> = removed.iter().map(|it| (it.change.effect, it.change.before.as_deref())).collect();
    let expected = [
        (Effect::Changed, Some("file 10 bytes")),
        (Effect::Unchanged, None),
        (Effect::Unchanged, None),
        (Effect::Changed, Some("folder 3 entries 1 bytes")),
    ];
    assert_eq!(states, expected);
    assert!(removed[0].quarantined_bytes >= 10 && removed[0].freed_bytes == 0);
    assert_eq!(it.paths(everything()).await.0, ["a-b"]);
    assert_eq!(it.entry("a/deep").await.unwrap(), None);
    assert_eq!(refused(it.write("a/x", "x", WriteMode::Create).await).0, ErrorKind::NotFound);
    it.make("a").await.unwrap();
    assert_eq!(
        it.usage("").await.unwrap().entries,
        2,
        "what was in a removed folder does not come back with a new one"
    );

    assert_eq!(it.erase(&["a-b"], 1).await.unwrap()[0].error.as_ref().unwrap().code, "changed-since");
    let erased = it.erase(&["a-b", "none"], u64::MAX).await.unwrap();
    assert_eq!(erased[0].change.before.as_deref(), Some("file 22 bytes"));
    assert!(erased[0].freed_bytes >= 22);
    assert_eq!((erased[1].change.effect, erased[1].freed_bytes), (Effect::Unchanged, 0));
    assert_eq!(it.paths(everything()).await.0, ["a"]);
}

async fn refuses<B>(it: &Subject<'_, B>, backend: &B)
where
    B: files::Backend + files_write::Backend + files_erase::Backend,
{
    it.write("a/ok", "ok", WriteMode::Create).await.unwrap();
    for bad in ["/a/ok", "a/../a/ok", "a//ok", "./a", "a/ok\0", ".remit-quarantine", "a/.remit-quarantine/x"] {
        let invalid = (ErrorKind::Invalid, "path".to_owned());
        assert_eq!(refused(it.entry(bad).await), invalid, "{bad:?}");
        assert_eq!(refused(it.read(bad, 0, 1).await), invalid);
        assert_eq!(refused(it.usage(bad).await), invalid);
        assert_eq!(refused(it.find(bad, everything()).await), invalid);
        assert_eq!(refused(it.write(bad, "x", WriteMode::Replace).await), invalid);
        assert_eq!(refused(it.make(bad).await), invalid);
        assert_eq!(refused(it.remove(&["a/ok", bad], u64::MAX).await), invalid);
        assert_eq!(refused(it.erase(&["a/ok", bad], u64::MAX).await), invalid);
    }
    assert!(it.entry("a/ok").await.unwrap().is_some(), "a malformed path refuses the whole call");
    assert_eq!(refused(it.remove(&[""], u64::MAX).await).0, ErrorKind::Invalid);
    for (bad, code) in [
        (Selection { max_depth: 0, ..everything() }, "max-depth"),
        (Selection { max_depth: 65, ..everything() }, "max-depth"),
        (Selection { limit: 0, ..everything() }, "limit"),
        (Selection { limit: 10_001, ..everything() }, "limit"),
        (Selection { pattern: Some("[".into()), ..everything() }, "pattern"),
        (with("kind", "directory"), "kind"),
        (with("colour", "red"), "unknown-attribute"),
        (
            Selection {
                attributes: [with("order", "oldest"), with("after", "a")].map(|it| it.attributes).concat(),
                ..everything()
            },
            "after",
        ),
    ] {
        assert_eq!(refused(it.find("", bad).await), (ErrorKind::Invalid, code.into()));
    }
    assert_eq!(refused(it.read("a/ok", 0, (1 << 20) + 1).await), (ErrorKind::Invalid, "length".into()));
    assert_eq!(refused(it.tail("a/ok", 0).await), (ErrorKind::Invalid, "lines".into()));
    assert_eq!(refused(it.tail("a/ok", 10_001).await), (ErrorKind::Invalid, "lines".into()));
    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(refused(it.write("a/large", &large, WriteMode::Create).await), (ErrorKind::Invalid, "content".into()));
    it.write("a/large", &large[1..], WriteMode::Create).await.unwrap();
    let many = vec!["none"; 10_001];
    assert_eq!(refused(it.remove(&many, u64::MAX).await), (ErrorKind::Invalid, "paths".into()));
    assert_eq!(it.remove(&many[1..], u64::MAX).await.unwrap().len(), 10_000);

    let elsewhere = GetEntry { root: "other".into(), path: String::new() };
    assert_eq!(refused(backend.get_entry(&context(), &elsewhere).await).0, ErrorKind::NotFound);
    let elsewhere = MakeFolder { root: "other".into(), path: "x".into() };
    assert_eq!(refused(backend.make_folder(&context(), &elsewhere).await).0, ErrorKind::NotFound);
    let mut narrow = context();
    narrow.scope = ["other".to_owned()].into();
    assert_eq!(backend.list_roots(&narrow, &ListRoots {}).await.unwrap(), [""; 0]);
}

fn memory(fixture: &str) -> super::Overlay {
    let shared = Shared::in_memory(Arc::new(SystemClock)).unwrap();
    Memory::new(&toml::from_str::<Fixture>(fixture).unwrap(), &shared).unwrap()
}

#[tokio::test]
async fn the_twin_in_memory_conforms() {
    suite(&memory("roots = ['scratch']")).await;
}

#[tokio::test]
async fn a_fixture_says_what_is_there() {
    let memory = memory(
        "
        [[entries]]
        root = 'scratch'
        path = 'logs/app.log'
        size-bytes = 3000000000
        age-seconds = 86400
        attributes = { owner = 'www-data' }
        [[entries]]
        root = 'scratch'
        path = 'logs/current'
        kind = 'link'
        [[entries]]
        root = 'scratch'
        path = 'note'
        content = 'hello'
        ",
    );
    let it = Subject(&memory);
    assert_eq!(it.paths(everything()).await.0, ["logs", "logs/app.log", "logs/current", "note"]);
    assert_eq!(it.paths(with("owner", "www-data")).await.0, ["logs/app.log"]);
    let yesterday = Selection { modified_before_ms: Some(SystemClock.now_ms() - 86_000_000), ..everything() };
    assert_eq!(it.paths(yesterday).await.0, ["logs/app.log"]);
    assert_eq!(it.read("note", 0, 9).await.unwrap(), "hello");
    assert_eq!(it.read("logs/app.log", 2_999_999_999, 9).await.unwrap(), "\0");
    assert_eq!(refused(it.read("logs/current", 0, 9).await), (ErrorKind::Conflict, "link".into()));
    assert_eq!(refused(it.read("logs/current/x", 0, 9).await), (ErrorKind::Conflict, "link".into()));
    assert_eq!(it.remove(&["logs/current"], u64::MAX).await.unwrap()[0].change.before.as_deref(), Some("link"));
    assert!(toml::from_str::<Fixture>("[[entries]]\nroot = 'a'\npath = 'b'\ncolour = 'red'").is_err());
}

#[cfg(target_os = "linux")]
mod real {
    use std::os::unix::fs::symlink;

    use super::super::hostile::Scratch;
    use super::super::{Overlay, path::path_order};
    use super::*;

    #[tokio::test]
    async fn the_real_one_conforms() {
        suite(&Scratch::new().files()).await;
    }

    #[tokio::test]
    async fn the_overlay_conforms_and_leaves_its_base_alone() {
        let scratch = Scratch::new();
        let overlay = scratch.overlay();
        suite(&overlay).await;
        assert_eq!(std::fs::read_dir(scratch.path("")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn the_overlay_of_an_overlay_conforms() {
        let shared = Shared::in_memory(Arc::new(SystemClock)).unwrap();
        suite(&Overlay::new(Arc::new(memory("roots = ['scratch']")), &shared)).await;
    }

    fn tree(scratch: &Scratch) {
        for folder in ["old/deep", "logs", "keep"] {
            std::fs::create_dir_all(scratch.path(folder)).unwrap();
        }
        for (path, length) in [("old/a", 5_000), ("old/deep/b", 10), ("logs/app.log", 70_000), ("keep/c", 1)] {
            std::fs::write(scratch.path(path), "x".repeat(length)).unwrap();
        }
        std::fs::hard_link(scratch.path("old/a"), scratch.path("keep/a")).unwrap();
        std::fs::hard_link(scratch.path("old/a"), scratch.path("old/deep/a")).unwrap();
        symlink("/etc", scratch.path("old/out")).unwrap();
        symlink("a", scratch.path("old/in")).unwrap();
        let pipe = rustix::fs::CWD;
        rustix::fs::mkfifoat(pipe, scratch.path("old/pipe"), rustix::fs::Mode::RWXU).unwrap();
    }

    /// What a plan binds, of each of a sequence of changes and reads that depend on each other.
    async fn story<B: files::Backend + files_write::Backend + files_erase::Backend>(backend: &B) -> Vec<String> {
        let it = Subject(backend);
        let mut story = Vec::new();
        let mut tell = |answer: Result<Change, Error>| {
            story.push(answer.map_or_else(
                |error| format!("{:?} {}", error.kind, error.code),
                |change| format!("{:?} {:?} {:?}", change.effect, change.before, change.after),
            ));
        };
        tell(it.write("logs/app.log", "more", WriteMode::Append).await);
        tell(it.write("logs/app.log", "and more", WriteMode::Append).await);
        tell(it.write("logs/app.log", "anew", WriteMode::Replace).await);
        tell(it.write("old/in", "x", WriteMode::Replace).await);
        tell(it.write("old/in/x", "x", WriteMode::Create).await);
        tell(it.write("old/pipe", "x", WriteMode::Append).await);
        tell(it.make("old/out/x").await);
        tell(it.make("new/er/est").await);
        tell(it.write("new/er/f", "f", WriteMode::Create).await);
        for paths in [&["old/a", "old/out/passwd"][..], &["old/in", "old/pipe", "new/er"], &["old"], &["old"]] {
            for removal in it.remove(paths, u64::MAX).await.unwrap() {
                let error = removal.error.map(|error| error.code);
                tell(Ok(removal.change));
                story_of_bytes(&mut tell, error, removal.freed_bytes);
            }
        }
        tell(it.make("old").await);
        for erasure in it.erase(&["keep", "old", "none"], u64::MAX).await.unwrap() {
            let error = erasure.error.map(|error| error.code);
            tell(Ok(erasure.change));
            story_of_bytes(&mut tell, error, 0);
        }
        let usage = it.usage("").await.unwrap();
        story.push(format!("{} entries {} bytes", usage.entries, usage.size_bytes));
        story.push(format!("{:?}", it.paths(everything()).await));
        story.push(it.sha256("logs/app.log").await.unwrap());
        story
    }

    fn story_of_bytes(tell: &mut impl FnMut(Result<Change, Error>), error: Option<String>, freed_bytes: u64) {
        tell(Ok(Change::unchanged(Some(format!("{error:?} freed {freed_bytes}")))));
    }

    #[tokio::test]
    async fn what_a_dry_run_plans_is_what_an_enforce_run_does() {
        let scratch = Scratch::new();
        tree(&scratch);
        let planned = story(&scratch.overlay()).await;
        let planned_again = story(&scratch.overlay()).await;
        let done = story(&scratch.files()).await;
        assert_eq!(planned, planned_again, "a dry run changes nothing");
        assert_eq!(planned, done);
    }

    #[tokio::test]
    async fn the_overlay_reads_on_where_what_is_planned_to_go_fills_whole_pages() {
        let scratch = Scratch::new();
        for number in 0..10_100 {
            std::fs::write(scratch.path(&format!("{number:05}")), "x").unwrap();
        }
        let overlay = scratch.overlay();
        let it = Subject(&overlay);
        let page = it.find("", Selection { limit: 10_000, ..everything() }).await.unwrap();
        assert!(page.truncated);
        let first: Vec<&str> = page.items.iter().map(|entry| entry.path.as_str()).collect();
        assert!(first.is_sorted_by(|a, b| path_order(a, b).is_lt()));
        it.remove(&first, u64::MAX).await.unwrap();
        let (rest, truncated) = it.paths(everything()).await;
        assert_eq!((rest.len(), rest[0].as_str(), truncated), (100, "10000", false));
        assert_eq!(it.usage("").await.unwrap().entries, 100);
    }
}
