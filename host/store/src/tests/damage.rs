//! A damaged file is set aside and named, and the device goes on with a new one.

use std::fs;
use std::os::unix::fs::FileExt as _;

use super::*;

/// A store of some size, all of it in its file, and a run in it.
fn filled(folder: &Path) -> RunId {
    let store = Arc::new(Store::open(folder).unwrap());
    let run = RunId::new();
    whole_run(&store, run, |_| ()).unwrap();
    for key in 0..200 {
        store.put("c", &key.to_string(), &"x".repeat(2_000), Expected::Any, None, 1).unwrap().unwrap();
    }
    store.writer().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    run
}

fn set_aside_in(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = names.filter(|it| it.to_str().unwrap().contains("state.db.corrupt-")).collect();
    found.sort();
    found
}

/// Opens it and uses it, as one does who looks when they start.
fn used(folder: &Path) -> (Arc<Store>, Result<(), Error>) {
    let store = Arc::new(Store::open(folder).unwrap());
    let checked = store.check();
    (store, checked)
}

#[test]
fn what_is_damaged_is_set_aside_and_named_and_what_is_not_is_left_alone() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage, bool); 5] = [
        ("nothing", |_| (), false),
        ("garbage", |file| fs::write(file, "no database ".repeat(10_000)).unwrap(), true),
        (
            "cut in half",
            |file| fs::File::options().write(true).open(file).unwrap().set_len(50 * 4_096 + 7).unwrap(),
            true,
        ),
        ("its first page gone", |file| write_at(file, &[0xa5; 4_096], 0), true),
        ("a page of something else", |file| write_at(file, &[0xa5; 4_096], 20 * 4_096), true),
    ];
    for (name, damage, is_damaged) in cases {
        let folder = tempfile::tempdir().unwrap();
        let run = filled(folder.path());
        let file = folder.path().join("state.db");
        damage(&file);
        let damaged = fs::read(&file).unwrap();
        let (store, checked) = used(folder.path());
        let named = store.set_aside();
        assert_eq!(named.len(), usize::from(is_damaged), "{name}: {checked:?}");
        assert_eq!(
            named,
            set_aside_in(folder.path()).into_iter().filter(|it| is_file(it)).collect::<Vec<_>>(),
            "{name}"
        );
        match named.first() {
            Some(aside) => assert_eq!(fs::read(aside).unwrap(), damaged, "{name}: as it was found"),
            None => assert_eq!((checked.is_ok(), events_of(&store, run)), (true, 4), "{name}"),
        }
        if let Err(error) = checked {
            assert!(error.to_string().contains(named[0].to_str().unwrap()), "{name}: {error}");
        }
        // The new one is as good as any.
        let next = RunId::new();
        whole_run(&store, next, |_| ()).unwrap();
        drop(store);
        let (store, checked) = used(folder.path());
        assert_eq!((checked.is_ok(), events_of(&store, next), store.set_aside().len()), (true, 4, 0), "{name}");
    }
}

/// No part of another one.
fn is_file(path: &Path) -> bool {
    !["-wal", "-shm"].iter().any(|part| path.to_str().unwrap().ends_with(part))
}

fn write_at(file: &Path, bytes: &[u8], at: u64) {
    fs::File::options().write(true).open(file).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn what_stands_in_the_place_of_a_log_is_kept_and_the_file_goes_on() {
    for (garbage, is_kept) in [("no log ".repeat(10_000), true), ("\0".repeat(10_000), false), (String::new(), false)] {
        let folder = tempfile::tempdir().unwrap();
        let run = filled(folder.path());
        fs::write(folder.path().join("state.db-wal"), &garbage).unwrap();
        let (store, checked) = used(folder.path());
        assert!(checked.is_ok());
        assert_eq!(events_of(&store, run), 4, "what was folded in is there");
        let named = store.set_aside();
        assert_eq!(named.len(), usize::from(is_kept));
        assert!(named.iter().all(|it| fs::read_to_string(it).unwrap() == garbage));
        whole_run(&store, RunId::new(), |_| ()).unwrap();
    }
}

#[test]
fn the_latest_three_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let mut named = Vec::new();
    for time in 0..5 {
        make_private_folder(folder.path()).unwrap();
        // All that is in the file is in its log too, which would put it right.
        let _ = fs::remove_file(folder.path().join("state.db-wal"));
        fs::write(&file, format!("damage {time} ").repeat(1_000)).unwrap();
        named.extend(Store::open(folder.path()).unwrap().set_aside());
    }
    assert_eq!(named.len(), 5);
    let left: Vec<PathBuf> = set_aside_in(folder.path()).into_iter().filter(|it| is_file(it)).collect();
    assert_eq!(left, named[2..]);
    assert!(fs::read_to_string(&left[2]).unwrap().starts_with("damage 4 "));
}

#[test]
fn a_newer_file_is_refused_and_never_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let run = filled(folder.path());
    let set = |version: i64| {
        let connection = Connection::open(folder.path().join("state.db")).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
    };
    set(SCHEMA_VERSION + 1);
    assert!(matches!(Store::open(folder.path()).map(drop), Err(Error::TooNew { .. })));
    assert!(set_aside_in(folder.path()).is_empty());
    set(SCHEMA_VERSION);
    assert_eq!(events_of(&Store::open(folder.path()).unwrap(), run), 4);
}

#[test]
fn a_run_does_not_go_on_in_another_file_than_it_began_in() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let store = Arc::new(Store::open(folder.path()).unwrap());
    let (run, before) = (RunId::new(), RunId::new());
    let mut log = store.begin(run).unwrap();
    log.append(vec![(1, Event::Resumed)]).unwrap();
    let mut not_yet = store.begin(before).unwrap();
    write_at(&folder.path().join("state.db"), &[0xa5; 4_096], 20 * 4_096);
    assert!(matches!(store.check(), Err(Error::Corrupt { aside: Some(_), .. })));
    assert!(matches!(log.append(vec![(2, Event::Resumed)]), Err(Error::Elsewhere { .. })));
    assert_eq!(store.events(run).unwrap(), []);
    // One of which nothing was written yet begins in the new one.
    not_yet.append(vec![(2, Event::Resumed)]).unwrap();
    not_yet.append(vec![(3, Event::Resumed)]).unwrap();
    assert_eq!(store.events(before).unwrap().len(), 2);
}

#[test]
fn what_another_process_has_set_aside_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let (one, other) = (Arc::new(Store::open(folder.path()).unwrap()), Arc::new(Store::open(folder.path()).unwrap()));
    whole_run(&other, RunId::new(), |_| ()).unwrap();
    write_at(&folder.path().join("state.db"), &[0xa5; 4_096], 20 * 4_096);
    assert!(one.check().is_err());
    // It has the old one open still, and is not told that what it wrote there lasts.
    let lost = whole_run(&other, RunId::new(), |_| panic!("it was told"));
    assert!(matches!(lost, Err(Error::Corrupt { aside: None, .. })), "{lost:?}");
    let run = RunId::new();
    whole_run(&other, run, |_| ()).unwrap();
    assert_eq!((events_of(&one, run), one.set_aside().len(), other.set_aside().len()), (4, 1, 0));
}
