use model::Digest;
use semver::Version;

use super::world::{NOW, World, name, time};
use crate::belief::FirstUse;
use crate::folder::DOCUMENTS_MAX;
use crate::{Folder, Signed, Trust};

/// A folder that was given everything, document by document.
fn filled(world: &World) -> (tempfile::TempDir, Folder) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::new(place.path().join("trust"));
    std::fs::create_dir(place.path().join("trust")).unwrap();
    let root = world.root.signed();
    let mut trust = Trust::pinned(Digest::of(root.statement()), &root).unwrap();
    folder.pin(&trust, &root).unwrap();
    for document in [world.roster.signed(), world.approval.signed(), world.policy.signed()].iter().chain(&world.later) {
        let taken = trust.take(document, time(NOW)).unwrap();
        assert!(taken.is_new);
        folder.keep(&taken, document, &trust).unwrap();
    }
    (place, folder)
}

fn decides(world: &World, folder: &Folder) -> bool {
    let trust = folder.load().unwrap().unwrap().trust;
    world.decide(&trust, world.client.as_ref(), &world.tags).approved.is_some()
}

#[test]
fn what_was_kept_is_believed_again() {
    let mut world = World::new();
    let next = crate::statement::Root { serial: 2, ..world.root.body.clone() };
    world.later.push(super::world::signed("2026-09-01T00:00:00Z", &next, &["ann", "ben"]));
    let (_place, folder) = filled(&world);
    assert!(decides(&world, &folder));
    let loaded = folder.load().unwrap().unwrap();
    assert_eq!((loaded.trust.root().serial, loaded.left_out.len()), (2, 0));
    assert_eq!(loaded.trust.roster().unwrap(), &world.roster.body);
    assert_eq!(loaded.trust.policy(&name("acme")).unwrap(), &world.policy.body);
    assert_eq!(loaded.trust.approvals().count(), 1);
    assert!(Folder::new("/nowhere".into()).load().unwrap().is_none(), "nothing is pinned");
}

#[test]
fn which_versions_ran_is_kept() {
    let world = World::new();
    let (_place, folder) = filled(&world);
    let before = folder.load().unwrap().unwrap().trust;
    let mut loaded = folder.load().unwrap().unwrap();
    let approved = world.decide(&loaded.trust, world.client.as_ref(), &world.tags).approved.unwrap();
    loaded.trust.ran(&approved);
    folder.keep_versions(&loaded.trust).unwrap();
    assert!(decides(&world, &folder), "the same version again");
    let mut older = World::new();
    older.plugin.version = Version::new(1, 1, 9);
    older.said.body.version = older.plugin.version.clone();
    assert!(!decides(&older, &folder));
    // One that was loaded before, and keeps what it knows, takes nothing back.
    folder.keep_versions(&before).unwrap();
    assert!(!decides(&older, &folder));
    std::fs::remove_file(_place.path().join("trust/versions.json")).unwrap();
    assert!(decides(&older, &folder), "the control");
}

#[test]
fn what_expired_stays_expired_when_the_clock_is_set_back() {
    let world = World::new();
    let (place, folder) = filled(&world);
    let believed = || folder.load().unwrap().unwrap().trust;
    let seen = |clock: &str| folder.note_time(&mut believed(), time(clock)).unwrap();
    seen(NOW);
    assert!(decides(&world, &folder));
    // Clocks differ by some minutes, and what is seen is kept by the hour.
    seen("2026-11-22T12:59:59Z");
    assert_eq!(believed().time(time(NOW)), time(NOW));
    seen("2027-01-05T00:00:00Z");
    assert!(!decides(&world, &folder), "the approval is of last year");
    assert_eq!(believed().time(time("2027-01-04T23:55:00Z")), time("2027-01-04T23:55:00Z"));
    assert_eq!(believed().time(time("2027-01-04T23:54:59Z")), time("2027-01-05T00:00:00Z"));
    assert_eq!(believed().time(time("2027-01-06T00:00:00Z")), time("2027-01-06T00:00:00Z"));
    std::fs::write(folder.clock_file(), "yesterday").unwrap();
    assert!(folder.load().is_err(), "whoever looks after the host decides");
    std::fs::remove_file(place.path().join("trust/clock")).unwrap();
    assert!(decides(&world, &folder), "the control");
}

#[test]
fn who_signed_is_worked_out_once_and_of_the_very_bytes() {
    let world = World::new();
    let (place, folder) = filled(&world);
    let known = place.path().join("trust/known.json");
    let written = || std::fs::read(&known).unwrap();
    assert!(decides(&world, &folder));
    let first = written();
    assert!(decides(&world, &folder), "out of what is known");
    assert_eq!(written(), first);
    // What it says is believed: it lies where the pin lies.
    let text = String::from_utf8(first.clone()).unwrap();
    let stranger = super::world::key("stranger").to_string();
    std::fs::write(&known, text.replace(&super::world::key("rob").to_string(), &stranger)).unwrap();
    assert!(!decides(&world, &folder));
    // Of another version, cut, or gone: it is worked out again.
    for other in [text.replace("\"version\":\"", "\"version\":\"1"), text[..text.len() / 2].to_owned(), String::new()] {
        std::fs::write(&known, other).unwrap();
        assert!(decides(&world, &folder));
        assert_eq!(written(), first);
    }
    // Other bytes are not those whose signatures held.
    let approval = place.path().join("trust/approval/cleanup.signed");
    let changed = std::fs::read_to_string(&approval).unwrap().replace("\"acme\"", "\"acmf\"");
    std::fs::write(&approval, changed).unwrap();
    assert!(!decides(&world, &folder));
}

#[test]
fn a_file_that_was_touched_is_left_out_and_named() {
    let world = World::new();
    let (place, folder) = filled(&world);
    let path = place.path().join("trust/approval/cleanup.signed");
    let whole = std::fs::read(&path).unwrap();
    let mut touched = whole.clone();
    touched[200] ^= 1;
    std::fs::write(&path, &touched).unwrap();
    assert!(!decides(&world, &folder));
    std::fs::write(&path, b"x").unwrap();
    let left_out = folder.load().unwrap().unwrap().left_out;
    assert_eq!(left_out.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), std::slice::from_ref(&path));
    std::fs::write(&path, &whole).unwrap();
    assert!(decides(&world, &folder), "the control");
    std::fs::write(place.path().join("trust/roster/roster.signed"), b"x").unwrap();
    assert!(!decides(&world, &folder), "nobody may sign anything");
}

#[test]
fn a_folder_with_more_documents_than_are_read_is_refused() {
    let world = World::new();
    let (place, folder) = filled(&world);
    let revocations = place.path().join("trust/revocation");
    std::fs::create_dir_all(&revocations).unwrap();
    let file = |at: usize| revocations.join(format!("{at}.signed"));
    (0..DOCUMENTS_MAX).for_each(|at| std::fs::write(file(at), b"").unwrap());
    assert_eq!(folder.load().unwrap().unwrap().left_out.len(), DOCUMENTS_MAX, "each is looked at");
    std::fs::write(file(DOCUMENTS_MAX), b"").unwrap();
    let error = folder.load().unwrap_err();
    assert!(format!("{error:?}").contains("more than 10000 documents"), "{error:?}");
}

#[test]
fn a_folder_is_pinned_once() {
    let world = World::new();
    let (place, folder) = filled(&world);
    let mut other = World::new();
    other.root.body.msp = name("another-msp");
    let root = other.root.signed();
    let trust = Trust::pinned(Digest::of(root.statement()), &root).unwrap();
    assert!(folder.pin(&trust, &root).is_err());
    assert!(decides(&world, &folder), "nothing changed");
    let root = world.root.signed();
    folder.pin(&Trust::pinned(Digest::of(root.statement()), &root).unwrap(), &root).unwrap();
    std::fs::remove_dir_all(place.path().join("trust/root")).unwrap();
    assert!(folder.load().is_err(), "a pin without its root is no reason to believe nothing");
}

#[test]
fn a_root_is_taken_at_first_use_only_by_its_fingerprint() {
    let root = World::new().root.signed();
    let first = || FirstUse::of(&root).unwrap();
    assert_eq!(first().fingerprint(), Digest::of(root.statement()));
    assert_eq!(first().root().msp, name("example-msp"));
    assert!(first().confirm(first().fingerprint()).is_ok());
    assert_eq!(first().confirm(Digest::of(b"another")).unwrap_err().code(), "not-the-root");
    let half = Signed::new(root.statement().to_vec(), root.signatures()[..1].to_vec());
    assert_eq!(FirstUse::of(&half).unwrap_err()[0].code(), "too-few-keys");
}
