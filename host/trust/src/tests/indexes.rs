//! What there is to install, and who may say so.

use contract::Class;
use model::Digest;

use super::world::{NOW, World, name, signed, time};
use crate::statement::{Index, Listed, Release, write};
use crate::{Folder, Signed, Trust};

const CREATED: &str = "2026-09-01T00:00:00Z";

pub(super) fn index() -> Index {
    let release = |version: &str, yanked: Option<&str>| Release {
        version: version.parse().unwrap(),
        digest: Digest::of(version.as_bytes()),
        size_bytes: 4,
        source: format!("oci://a.example/disk-cleanup:{version}"),
        classes: vec![Class::L0, Class::L2],
        yanked: yanked.map(str::to_owned),
    };
    let plugin = Listed {
        name: name("disk-cleanup"),
        publisher: name("remit"),
        description: "Frees space on full volumes".to_owned(),
        releases: vec![
            release("1.10.0", None),
            release("1.9.0", None),
            release("1.11.0", Some("it removes too much")),
            release("2.0.0-rc.1", None),
        ],
    };
    let address = Some("https://a.example/index.statement".to_owned());
    Index { name: name("remit"), serial: 3, expires: time("2026-12-31T00:00:00Z"), address, plugins: vec![plugin] }
}

#[test]
fn the_newest_that_nobody_took_back_is_offered() {
    let index = index();
    let found = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|&it| it.to_owned()).collect();
        index.search(&words).count()
    };
    assert_eq!((found(&[]), found(&["SPACE", "disk"]), found(&["space", "patch"])), (1, 1, 0));
    let version = |wanted: Option<&str>| {
        let wanted = wanted.map(|it| it.parse().unwrap());
        index.plugins[0].release(wanted.as_ref()).map(|it| it.version.to_string())
    };
    assert_eq!(version(None).as_deref(), Some("1.10.0"), "neither what was taken back nor a preview");
    assert_eq!(version(Some("1.11.0")).as_deref(), Some("1.11.0"), "unless it is named");
    assert_eq!(version(Some("3.0.0")), None);
}

#[test]
fn what_is_wrong_is_signed_by_nobody() {
    let is_wrong = |why: &str, change: &dyn Fn(&mut Index)| {
        let mut index = index();
        change(&mut index);
        let refusal = write(time(CREATED), &index).expect_err(why);
        assert!(refusal.to_string().contains(why), "{why}: {refusal}");
    };
    assert!(write(time(CREATED), &index()).is_ok(), "the control");
    is_wrong("expected one line", &|it| it.plugins[0].description = "\u{1b}[2J".to_owned());
    is_wrong("begins with none of", &|it| it.plugins[0].releases[0].source = "./a.wasm".to_owned());
    is_wrong("1.9.0 is there twice", &|it| it.plugins[0].releases[0].version = "1.9.0".parse().unwrap());
    is_wrong("of remit is there twice", &|it| {
        it.plugins.push(Listed { description: "Another".to_owned(), ..index().plugins.remove(0) });
    });
    is_wrong("`releases`", &|it| it.plugins[0].releases.clear());
    is_wrong("begins with https://", &|it| it.address = Some("http://a.example/index".to_owned()));
}

/// Whether an index is taken, and believed.
fn is_believed(trust: &mut Trust, index: &Index, by: &[&str]) -> Result<bool, Vec<&'static str>> {
    let taken = trust.take(&signed(CREATED, index, by), time(NOW));
    taken.map_err(|refusals| refusals.iter().map(crate::Refusal::code).collect::<Vec<_>>())?;
    Ok(trust.indexes(time(NOW)).any(|it| it == index))
}

#[test]
fn a_publisher_lists_its_own_and_the_msp_whatever_there_is() {
    let world = World::new();
    let take = |change: &dyn Fn(&mut Index), by: &[&str]| {
        let mut index = index();
        change(&mut index);
        is_believed(&mut world.trust().unwrap(), &index, by)
    };
    let same = |_: &mut Index| ();
    let of_other = |it: &mut Index| it.plugins[0].publisher = name("other");
    let called = |it: &mut Index| it.name = name("other");
    assert_eq!(take(&same, &["remit"]), Ok(true));
    assert_eq!(take(&of_other, &["remit"]), Err(vec!["out-of-scope"]));
    assert_eq!(take(&called, &["remit"]), Err(vec!["out-of-scope"]), "it would take another's place");
    assert_eq!(take(&of_other, &["rob"]), Ok(true));
    assert_eq!(take(&called, &["ann", "ben"]), Ok(true));
    assert_eq!(take(&same, &["ann"]), Err(vec!["unknown-key"]));
    assert_eq!(take(&same, &["tess"]), Err(vec!["other-role"]));
    let mut trust = world.trust().unwrap();
    assert_eq!(is_believed(&mut trust, &index(), &["rob"]), Ok(true));
    let older = Index { serial: 2, ..index() };
    assert_eq!(is_believed(&mut trust, &older, &["rob"]), Err(vec!["rolled-back"]));
    let over = Index { serial: 4, expires: time("2026-11-21T12:00:00Z"), ..index() };
    assert_eq!(is_believed(&mut trust, &over, &["rob"]), Ok(false), "it is over");
}

#[test]
fn no_run_reads_what_there_is_to_install() {
    let world = World::new();
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::new(place.path().to_owned());
    let mut trust = world.trust().unwrap();
    folder.pin(&trust, &world.root.signed()).unwrap();
    for document in [world.roster.signed(), signed(CREATED, &index(), &["remit"])] {
        let document: Signed = document;
        let taken = trust.take(&document, time(NOW)).unwrap();
        folder.keep(&taken, &document, &trust).unwrap();
    }
    assert_eq!(folder.load().unwrap().unwrap().trust.indexes(time(NOW)).count(), 0);
    let loaded = folder.load_with_indexes().unwrap().unwrap();
    assert_eq!(loaded.trust.indexes(time(NOW)).collect::<Vec<_>>(), [&index()]);
}
