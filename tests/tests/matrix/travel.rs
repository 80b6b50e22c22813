//! The attacks on the way: registries and archives that are not as they should be. What arrives is what was sent, or nothing.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tar::{EntryType, Header};
use tests::registry::Registry;
use tests::registry_between::{Answer, Between};
use tests::remit::Ran;
use trust::statement::{Approval, Plugin};

use crate::documents::Made;
use crate::scene::{Place, Scene, about, plugin};
use crate::{Attack, ran_once, refused_untouched};

pub(crate) const ATTACKS: &[Attack] = &[
    ("tag moved between resolve and pull", |of| moved(of)),
    ("registry that serves other bytes", |of| from_registry(of, other_bytes, "is not what was asked for")),
    ("registry that truncates", |of| from_registry(of, truncated, "ended after")),
    ("registry that stalls", |of| from_registry(of, stalled, "sent nothing for")),
    ("registry that redirects to a private address", |of| from_registry(of, redirected, "sends us on to")),
    ("tar with `..`", |of| from_archive(of, with_dots, "is none of an OCI layout")),
    ("tar with links", |of| from_archive(of, with_links, "is a link")),
    ("tar with bombs", |of| from_archive(of, compressed, "it is compressed")),
    ("tar with bombs", |of| from_archive(of, with_entries, "more than 2048 entries")),
    ("tar with bombs", |of| from_archive(of, with_sizes, "")),
];

#[test]
fn what_a_registry_changes_does_not_arrive() {
    let is_it = |of: &str| of.starts_with("registry") && !of.ends_with("stalls");
    ATTACKS.iter().filter(|(of, _)| is_it(of)).for_each(|(of, attack)| attack(of));
}

/// By itself: it takes as long as anybody waits for a registry.
#[test]
fn what_never_comes_does_not_arrive() {
    ATTACKS.iter().filter(|(of, _)| of.ends_with("stalls")).for_each(|(of, attack)| attack(of));
}

#[test]
fn a_tag_that_moves_moves_nothing_that_was_approved() {
    ATTACKS.iter().filter(|(of, _)| of.starts_with("tag")).for_each(|(of, attack)| attack(of));
}

#[test]
fn what_an_archive_smuggles_does_not_arrive() {
    ATTACKS.iter().filter(|(of, _)| of.starts_with("tar")).for_each(|(of, attack)| attack(of));
}

/// A registry with the scene's plugin in it, and a machine that would run it.
fn pushed(scene: &Scene) -> (Registry, Place) {
    let (registry, place) = (Registry::start(), scene.laid());
    place.lay("tidy.wasm", &scene.plugin, &scene.said.signed());
    push(&place, "tidy.wasm", &registry, &[]).expect(0);
    (registry, place)
}

fn push(place: &Place, file: &str, registry: &Registry, more: &[&str]) -> Ran {
    let file = place.folder.join(file);
    let there = format!("{}/tidy:1.2.0", registry.address());
    place.remit.run(&[&["plugin", "push", file.to_str().unwrap(), &there], more].concat())
}

/// Pulls it from this address into a file of this name.
fn pull(place: &Place, between: &Between, file: &str) -> Ran {
    let there = format!("{}/tidy:1.2.0", between.address());
    fetch(place, &["plugin", "pull", &there], file)
}

/// What is fetched is fetched without anything being compiled or mapped, whatever comes of it.
fn fetch(place: &Place, args: &[&str], file: &str) -> Ran {
    let (touched, to) = (place.folder.join("touched.json"), place.folder.join(file));
    let ran = place.remit.run(&[&["--touched", touched.to_str().unwrap()], args, &[to.to_str().unwrap()]].concat());
    assert_eq!(fs::read_to_string(touched).unwrap(), r#"{"compiled":0,"mapped":0}"#, "{ran}");
    ran
}

/// It did not arrive, for this reason, and so there is nothing to run.
fn nothing_arrived(of: &str, place: &Place, ran: &Ran, why: &str) {
    assert_eq!(ran.code, Some(1), "{of}\n{ran}");
    assert!(ran.stderr.contains(why), "{of}: `{why}`\n{ran}");
    assert!(!place.folder.join("pulled.wasm").exists(), "{of}");
    let run = place.run("pulled.wasm", "acme");
    assert_ne!(run.ran.code, Some(0), "{of}");
    assert_eq!((run.compiled, run.mapped, run.is_entered), (0, 0, false), "{of}");
}

fn from_registry(of: &str, change: fn(&[u8]) -> Answer, why: &str) {
    let scene = Scene::new();
    let (registry, place) = pushed(&scene);
    let component = format!("/blobs/{}", scene.said.body.digest);
    let between = Between::before(registry.address(), move |asked, honest| match asked.contains(&component) {
        true => change(&honest),
        false => Answer::Bytes(honest),
    });
    nothing_arrived(of, &place, &pull(&place, &between, "pulled.wasm"), why);
    let honest = Between::before(registry.address(), |_, honest| Answer::Bytes(honest));
    pull(&place, &honest, "pulled.wasm").expect(0);
    ran_once(of, &place.run("pulled.wasm", "acme"));
}

fn other_bytes(honest: &[u8]) -> Answer {
    let mut other = honest.to_vec();
    let last = other.len() - 1;
    other[last] ^= 1;
    Answer::Bytes(other)
}

fn truncated(honest: &[u8]) -> Answer {
    Answer::Bytes(honest[..honest.len() - 100].to_vec())
}

fn stalled(honest: &[u8]) -> Answer {
    Answer::Stall(honest[..honest.len() - 100].to_vec())
}

fn redirected(_: &[u8]) -> Answer {
    let head = "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://169.254.169.254/latest/meta-data\r\nContent-Length: 0\r\n";
    Answer::Bytes(format!("{head}Connection: close\r\n\r\n").into_bytes())
}

/// Somebody who may push puts another plugin in its place, signed by the same publisher, as soon as the tag was resolved.
fn moved(of: &str) {
    let scene = Scene::new();
    let (registry, place) = pushed(&scene);
    let other = plugin("tidy", "1.2.1");
    let said: Made<Plugin> = Made { body: about(&other), ..scene.said.clone() };
    place.lay("other.wasm", &other, &said.signed());
    let (place, registry) = (Arc::new(place), Arc::new(registry));
    let (mover, there, is_moved) = (Arc::clone(&place), Arc::clone(&registry), AtomicBool::new(false));
    let between = Between::before(registry.address(), move |asked, honest| {
        if asked.contains("/manifests/1.2.0") && !is_moved.swap(true, Ordering::Relaxed) {
            push(&mover, "other.wasm", &there, &["--replace"]).expect(0);
        }
        Answer::Bytes(honest)
    });
    // What was resolved is what comes; who resolves again gets the other one, which nobody approved.
    pull(&place, &between, "pulled.wasm").expect(0);
    assert_eq!(fs::read(place.folder.join("pulled.wasm")).unwrap(), scene.plugin);
    pull(&place, &between, "again.wasm").expect(0);
    assert_eq!(fs::read(place.folder.join("again.wasm")).unwrap(), other);
    let met = place.run("again.wasm", "acme");
    assert_eq!(met.ran.codes(), ["no-approval"], "{}", met.ran);
    refused_untouched(of, &met);
    let mut approval: Made<Approval> = scene.approval.clone();
    (approval.body.serial, approval.body.plugins) = (6, vec![said.body.digest]);
    assert_eq!(place.take(&[approval.signed()]), [""; 0]);
    ran_once(of, &place.run("again.wasm", "acme"));
}

fn from_archive(of: &str, change: fn(&[u8]) -> Vec<u8>, why: &str) {
    let scene = Scene::new();
    let place = scene.laid();
    place.lay("tidy.wasm", &scene.plugin, &scene.said.signed());
    let (file, archive) = (place.folder.join("tidy.wasm"), place.folder.join("tidy.tar"));
    place.remit.run(&["plugin", "save", file.to_str().unwrap(), archive.to_str().unwrap()]).expect(0);
    let honest = fs::read(&archive).unwrap();
    fs::write(&archive, change(&honest)).unwrap();
    let load = || fetch(&place, &["plugin", "load", archive.to_str().unwrap()], "pulled.wasm");
    nothing_arrived(of, &place, &load(), why);
    assert!(!Path::new("/tmp/remit-matrix").exists(), "nothing was unpacked");
    fs::write(&archive, honest).unwrap();
    load().expect(0);
    ran_once(of, &place.run("pulled.wasm", "acme"));
}

/// The archive with another entry before its own.
fn with(honest: &[u8], entries: &[Header]) -> Vec<u8> {
    let mut archive: Vec<u8> = entries.iter().flat_map(|header| header.as_bytes().to_vec()).collect();
    archive.extend_from_slice(honest);
    archive
}

fn header(path: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    header
}

fn with_dots(honest: &[u8]) -> Vec<u8> {
    with(honest, &[header("../../../../../../tmp/remit-matrix", EntryType::Regular, 0)])
}

fn with_links(honest: &[u8]) -> Vec<u8> {
    with(honest, &[header(&format!("blobs/sha256/{}", "0".repeat(64)), EntryType::Symlink, 0)])
}

/// Entries without end.
fn with_entries(honest: &[u8]) -> Vec<u8> {
    with(honest, &vec![header("blobs/", EntryType::Directory, 0); 3_000])
}

/// One that says to have eight exbibytes.
fn with_sizes(honest: &[u8]) -> Vec<u8> {
    with(honest, &[header(&format!("blobs/sha256/{}", "0".repeat(64)), EntryType::Regular, u64::MAX >> 1)])
}

/// A gigabyte of nothing in a megabyte.
fn compressed(_: &[u8]) -> Vec<u8> {
    let mut bomb = Vec::new();
    flate2::read::GzEncoder::new(std::io::repeat(0).take(64 << 20), flate2::Compression::best())
        .read_to_end(&mut bomb)
        .unwrap();
    bomb
}
