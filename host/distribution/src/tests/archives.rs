//! Archives that somebody else made. Each flaw ends in its own error, and without it the same archive is read.

use std::io::Read as _;

use model::Digest;
use serde_json::{Value, json};
use tar::{EntryType, Header};

use super::{attachment, label, package};
use crate::archive::{BadArchive, read, write};
use crate::package::STATEMENT_BYTES_MAX;
use crate::{Error, Package};

/// An entry as it is written, whatever it says of itself.
#[derive(Clone)]
struct Raw {
    path: String,
    kind: EntryType,
    bytes: Vec<u8>,
    size: u64,
}

fn raw(path: &str, kind: EntryType, bytes: &[u8]) -> Raw {
    Raw { path: path.to_owned(), kind, bytes: bytes.to_vec(), size: bytes.len() as u64 }
}

fn blob(bytes: &[u8]) -> Raw {
    raw(&format!("blobs/sha256/{}", Digest::of(bytes).hex()), EntryType::Regular, bytes)
}

fn tar(entries: &[Raw]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in entries {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..entry.path.len()].copy_from_slice(entry.path.as_bytes());
        header.set_entry_type(entry.kind);
        header.set_size(entry.size);
        if entry.kind.is_symlink() || entry.kind.is_hard_link() {
            header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
        }
        if let (EntryType::GNUSparse, Some(header)) = (entry.kind, header.as_gnu_mut()) {
            header.set_real_size(entry.size);
        }
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(&entry.bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn good() -> Package {
    let mut package = package(3000);
    package.attachments.push(attachment("approval", &["one", "two"]));
    package.checked().unwrap()
}

/// A good archive, entry by entry.
fn entries() -> Vec<Raw> {
    let bytes = write(&good(), &label()).unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        raw(&String::from_utf8_lossy(&entry.path_bytes()), EntryType::Regular, &bytes)
    });
    entries.collect()
}

fn place<'a>(entries: &'a mut [Raw], path: &str) -> &'a mut Raw {
    entries.iter_mut().find(|it| it.path == path).unwrap()
}

fn refused(entries: &[Raw]) -> BadArchive {
    read(tar(entries).as_slice()).expect_err("it is an attack")
}

#[test]
fn what_is_written_is_read() {
    let bytes = write(&good(), &label()).unwrap();
    assert_eq!(bytes, write(&good(), &label()).unwrap(), "the same each time");
    assert_eq!(read(bytes.as_slice()).unwrap(), good());
    assert_eq!(read(tar(&entries()).as_slice()).unwrap(), good(), "as the tests write it");
    println!("a plugin of 3000 bytes with 2 statements is an archive of {} bytes", bytes.len());
}

#[test]
fn a_path_leads_nowhere() {
    let hex = Digest::of(b"x").hex();
    for path in [
        "../x".to_owned(),
        "/etc/cron.d/x".to_owned(),
        "blobs/sha256/../../x".to_owned(),
        format!("blobs/sha256/{hex}/x"),
        format!("blobs/sha256/{}", hex.to_uppercase()),
        format!("./blobs/sha256/{hex}"),
        format!("blobs/sha512/{hex}"),
        "C:\\x".to_owned(),
        "\u{1b}[2J".to_owned(),
        String::new(),
    ] {
        for kind in [EntryType::Regular, EntryType::Directory] {
            let error = refused(&[entries(), vec![raw(&path, kind, b"")]].concat());
            assert!(matches!(error, BadArchive::Path(ref found) if *found == path), "{path}: {error}");
        }
    }
    let fine = raw("blobs/sha256/", EntryType::Directory, b"");
    assert_eq!(read(tar(&[vec![fine], entries()].concat()).as_slice()).unwrap(), good(), "the control");
}

#[test]
fn there_are_files_and_nothing_else() {
    for (kind, name) in [
        (EntryType::Symlink, "link"),
        (EntryType::Link, "link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "pipe"),
        (EntryType::GNUSparse, "file with holes"),
        (EntryType::GNULongName, "thing of another kind"),
        (EntryType::GNULongLink, "thing of another kind"),
        (EntryType::new(b'V'), "thing of another kind"),
    ] {
        // Where it would do harm: under the name of a blob that is named.
        let mut entries = entries();
        let at = entries.iter().position(|it| it.path.starts_with("blobs/")).unwrap();
        entries[at].kind = kind;
        let error = refused(&entries);
        assert!(matches!(error, BadArchive::Kind { kind, .. } if kind == name), "{kind:?}: {error}");
    }
}

#[test]
fn nothing_is_there_twice() {
    for at in 0..entries().len() {
        let mut entries = entries();
        entries.push(entries[at].clone());
        let error = refused(&entries);
        assert!(matches!(error, BadArchive::Twice(ref path) if *path == entries[at].path), "{error}");
    }
}

#[test]
fn a_file_is_what_its_name_says() {
    for at in 2..entries().len() {
        let mut entries = entries();
        entries[at].bytes[0] ^= 1;
        let error = refused(&entries);
        assert!(matches!(error, BadArchive::Digest { ref path, .. } if *path == entries[at].path), "{error}");
    }
}

#[test]
fn what_is_too_much_is_not_read() {
    let folders = |count: usize| [vec![raw("blobs/", EntryType::Directory, b""); count], entries()].concat();
    let room = 2048 - entries().len();
    assert_eq!(read(tar(&folders(room)).as_slice()).unwrap(), good(), "the control");
    assert!(matches!(refused(&folders(room + 1)), BadArchive::TooManyEntries));
    // A stream without an end ends at the limit.
    assert!(matches!(read(std::io::repeat(0)), Err(BadArchive::TooLarge)));
    // A size is only a word: nothing is set aside for it.
    for size in [1 << 20, 1 << 40, u64::MAX >> 1] {
        let mut entries = entries();
        entries.last_mut().unwrap().size = size;
        assert!(matches!(refused(&entries), BadArchive::Cut(_) | BadArchive::Tar(_)), "{size}");
    }
    for compressed in [&b"\x1f\x8b\x08"[..], b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"] {
        assert!(matches!(read(compressed), Err(BadArchive::Compressed)));
    }
}

#[test]
fn what_is_cut_or_no_tar_says_so() {
    let whole = tar(&entries());
    let middle = whole.len() - 1024 - 700;
    assert!(matches!(read(&whole[..middle]), Err(BadArchive::Cut(_) | BadArchive::Tar(_))));
    let mut spoiled = whole.clone();
    spoiled[0] ^= 1;
    assert!(matches!(read(spoiled.as_slice()), Err(BadArchive::Tar(_))), "the checksum of a header");
    assert!(matches!(read(&b"not a tar at all"[..]), Err(BadArchive::Missing(_) | BadArchive::Tar(_))));
    assert!(matches!(read(&b""[..]), Err(BadArchive::Missing(_))));
    assert_eq!(read(whole.as_slice()).unwrap(), good(), "the control");
}

#[test]
fn what_is_named_is_there() {
    let count = entries().len();
    for at in 0..count {
        let mut entries = entries();
        let gone = entries.remove(at);
        let config = gone.bytes.starts_with(b"{\"architecture\"");
        match read(tar(&entries).as_slice()) {
            // Nobody reads the config, nor what statements have in its place.
            Ok(package) => assert!((config || gone.bytes == b"{}") && package == good(), "{}", gone.path),
            Err(error) => assert!(matches!(error, BadArchive::Missing(_)), "{}: {error}", gone.path),
        }
    }
}

#[test]
fn extensions_of_other_tools_change_nothing() {
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length = rest.len() + 2;
        format!("{length}{rest}").into_bytes()
    };
    let with = |kind, bytes: Vec<u8>| [vec![raw("PaxHeaders.0/x", kind, &bytes)], entries()].concat();
    for kind in [EntryType::XHeader, EntryType::XGlobalHeader] {
        let times = with(kind, record("mtime", "1.5"));
        assert_eq!(read(tar(&times).as_slice()).unwrap(), good(), "the control");
        for (key, value) in [("path", "../../x"), ("size", "123456"), ("linkpath", "/etc"), ("GNU.sparse.size", "1")] {
            let error = refused(&with(kind, record(key, value)));
            assert!(matches!(error, BadArchive::Tar(ref why) if why.contains(key)), "{key}: {error}");
        }
        let long = refused(&with(kind, vec![b'x'; 9000]));
        assert!(matches!(long, BadArchive::Kind { .. }), "{long}");
    }
}

/// An archive whose index was changed.
fn with_index(change: impl FnOnce(&mut Value)) -> Vec<Raw> {
    let mut entries = entries();
    let index = place(&mut entries, "index.json");
    let mut value = serde_json::from_slice(&index.bytes).unwrap();
    change(&mut value);
    *index = raw("index.json", EntryType::Regular, value.to_string().as_bytes());
    entries
}

#[test]
fn an_archive_has_one_plugin() {
    let nothing = with_index(|index| index["manifests"] = json!([]));
    assert!(matches!(refused(&nothing), BadArchive::Empty));
    let twice = with_index(|index| {
        let first = index["manifests"][0].clone();
        index["manifests"].as_array_mut().unwrap().push(first);
    });
    assert!(matches!(refused(&twice), BadArchive::Several(2)));
    let others = with_index(|index| {
        let other = json!({ "mediaType": "application/spdx+json", "digest": Digest::of(b"x").to_string(), "size": 1 });
        index["manifests"].as_array_mut().unwrap().push(other);
    });
    assert_eq!(read(tar(&others).as_slice()).unwrap(), good(), "what is of another kind is passed over");
}

#[test]
fn manifests_are_held_to_what_they_say() {
    let content = |entries: &[Raw]| match refused(entries) {
        BadArchive::Content(error) => *error,
        other => panic!("{other}"),
    };
    assert_eq!(read(tar(&with_index(|_| {})).as_slice()).unwrap(), good(), "the control");
    let wrong_size = with_index(|index| index["manifests"][0]["size"] = json!(7));
    assert!(matches!(content(&wrong_size), Error::WrongSize { .. }));
    let too_large = with_index(|index| index["manifests"][1]["size"] = json!(1 << 30));
    assert!(matches!(content(&too_large), Error::TooLarge { .. }));
    let many = with_index(|index| {
        let one = index["manifests"][1].clone();
        index["manifests"].as_array_mut().unwrap().resize(66, one);
    });
    assert!(matches!(content(&many), Error::TooMany { .. }));
    let mut deep = entries();
    *place(&mut deep, "index.json") = raw("index.json", EntryType::Regular, "[".repeat(100_000).as_bytes());
    assert!(matches!(content(&deep), Error::Layout { .. }));
    let mut twice = entries();
    let index = place(&mut twice, "index.json");
    let text = String::from_utf8(index.bytes.clone()).unwrap().replacen('{', "{\"manifests\":[],", 1);
    *index = raw("index.json", EntryType::Regular, text.as_bytes());
    assert!(matches!(content(&twice), Error::Layout { .. }), "a key that is there twice");
}

#[test]
fn a_statement_belongs_to_its_plugin() {
    let statement = entries().iter().position(|it| String::from_utf8_lossy(&it.bytes).contains("\"subject\"")).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let old = entries()[statement].clone();
        let mut manifest: Value = serde_json::from_slice(&old.bytes).unwrap();
        change(&mut manifest);
        let new = blob(manifest.to_string().as_bytes());
        let digest = |it: &Raw| it.path.replace("blobs/sha256/", "sha256:");
        let (from, to) = (digest(&old), digest(&new));
        let mut entries = with_index(|index| {
            for it in index["manifests"].as_array_mut().unwrap().iter_mut().filter(|it| it["digest"] == from) {
                it["digest"] = json!(to);
                it["size"] = json!(new.size);
            }
        });
        entries[statement] = new;
        read(tar(&entries).as_slice())
    };
    assert_eq!(with(&|_| {}).unwrap(), good(), "the control");
    let other = Digest::of(b"another").to_string();
    let error = with(&|it| it["subject"]["digest"] = json!(other)).unwrap_err();
    assert!(error.to_string().contains("it is about"), "{error}");
    let error = with(&|it| it["layers"][0]["size"] = json!(STATEMENT_BYTES_MAX + 1)).unwrap_err();
    assert!(matches!(error, BadArchive::Content(ref it) if matches!(**it, Error::TooLarge { .. })), "{error}");
    let error = with(&|it| it["layers"][0]["digest"] = json!(other)).unwrap_err();
    assert!(matches!(error, BadArchive::Missing(_)), "{error}");
}
