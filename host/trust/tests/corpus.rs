//! The fuzz targets on the compiler that builds everything else: the corpus as it is, and changed in many ways. `cargo xtask soak`
//! goes on with that for ten minutes each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::Path;
use std::time::{Duration, Instant};

/// How many changed inputs a target gets at least, and for how long it gets more.
struct Effort {
    inputs: usize,
    time: Duration,
}

const SHORT: Effort = Effort { inputs: 5_000, time: Duration::ZERO };
const LONG: Effort = Effort { inputs: 0, time: Duration::from_secs(600) };

#[test]
fn statement() {
    let effort = if tests::soak!() { LONG } else { SHORT };
    fuzz("statement", targets::statement, &effort);
}

#[test]
fn signed() {
    let effort = if tests::soak!() { LONG } else { SHORT };
    fuzz("signed", targets::signed, &effort);
}

#[test]
fn manifest() {
    let effort = if tests::soak!() { LONG } else { SHORT };
    fuzz("manifest", targets::manifest, &effort);
}

fn fuzz(name: &str, target: fn(&[u8]), effort: &Effort) {
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
    const WORDS: [&str; 10] = ["{", "}", "[", "]", "\"", ",", "1e9", "null", "\"format\":2", "\\u0000"];
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
