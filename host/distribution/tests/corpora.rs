//! The fuzz targets on the compiler that builds everything else: the corpus as it is, and changed in many ways. `cargo xtask soak`
//! goes on with that for ten minutes each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many changed inputs a target gets at least, and for how long it gets more.
struct Effort {
    inputs: usize,
    time: Duration,
}

const SHORT: Effort = Effort { inputs: 3_000, time: Duration::ZERO };
const LONG: Effort = Effort { inputs: 0, time: Duration::from_secs(600) };

#[test]
fn archive() {
    let effort = if tests::soak!() { LONG } else { SHORT };
    fuzz("archive", targets::archive, change_archive, &effort);
}

/// Changes an input, with pieces of another.
type Change = fn(&mut Vec<u8>, &[u8], &mut Dice);

fn fuzz(name: &str, target: fn(&[u8]), change: Change, effort: &Effort) {
    let corpus = corpus(name);
    assert!(corpus.len() >= 8, "{name} has a corpus");
    corpus.iter().for_each(|input| target(input));
    let (mut dice, begun) = (Dice(tests::seed()), Instant::now());
    let mut done = 0;
    while done < effort.inputs || begun.elapsed() < effort.time {
        let mut input = corpus[dice.below(corpus.len())].clone();
        let other = &corpus[dice.below(corpus.len())];
        change(&mut input, other, &mut dice);
        target(&input);
        done += 1;
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Numbers that follow from a seed: what failed once fails again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

/// What a few bytes' change can break: one of them another, some gone, some twice, a piece of another input, a word of JSON.
fn change(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const WORDS: [&str; 10] = ["{", "}", "[", "]", "\"", ",", "1e9", "null", "\"size\":0,", "\\u0000"];
    for _ in 0..=dice.below(3) {
        let at = dice.below(input.len() + 1);
        let end = (at + dice.below(16)).min(input.len());
        match dice.below(5) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 => drop(input.drain(at..end)),
            2 => drop(input.splice(at..at, input[at..end].to_vec())),
            3 => {
                let from = dice.below(other.len());
                drop(input.splice(at..end, other[from..(from + 16).min(other.len())].to_vec()));
            }
            _ => drop(input.splice(at..at, WORDS[dice.below(WORDS.len())].bytes())),
        }
    }
}

/// Changes an archive's bytes, or what is in one of its files: then the digests that name it are changed with it, or no change would
/// ever come further than to the first digest that does not hold.
fn change_archive(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let mut files = files(input);
    if files.is_empty() || dice.below(2) == 0 {
        return change(input, other, dice);
    }
    let at = dice.below(files.len());
    change(&mut files[at].1, other, dice);
    // Two manifests lie between a blob and the index.
    for _ in 0..3 {
        for at in 0..files.len() {
            let Some(old) = files[at].0.strip_prefix("blobs/sha256/").map(str::to_owned) else { continue };
            let new = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&files[at].1));
            let size = files[at].1.len();
            files[at].0 = format!("blobs/sha256/{new}");
            for (_, bytes) in files.iter_mut().filter(|_| old != new) {
                rename(bytes, &old, &new, size);
            }
        }
    }
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in &files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        if archive.append_data(&mut header, path, bytes.as_slice()).is_err() {
            return;
        }
    }
    *input = archive.into_inner().unwrap();
}

/// The files of an archive, as far as it has any.
fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().into_iter().flatten().map_while(Result::ok);
    let files = entries.filter(|entry| entry.header().entry_type().is_file()).map_while(|mut entry| {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).ok()?;
        Some((String::from_utf8_lossy(&entry.path_bytes()).into_owned(), bytes))
    });
    files.collect()
}

/// Says another digest in a document, and the size beside it.
fn rename(document: &mut Vec<u8>, old: &str, new: &str, size: usize) {
    let Ok(text) = std::str::from_utf8(document) else { return };
    let Some(at) = text.find(old) else { return };
    let mut text = text.replace(old, new);
    if let Some(from) = text[at..].find("\"size\":").map(|from| at + from + 7) {
        let to = text[from..].find(|it: char| !it.is_ascii_digit()).map_or(text.len(), |to| from + to);
        text.replace_range(from..to, &size.to_string());
    }
    *document = text.into_bytes();
}
