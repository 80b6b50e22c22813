//! Fuzz targets, in two forms. The short one needs nothing but the compiler that builds everything else: the corpus as it is, and
//! changed in some thousand ways. The long one is libFuzzer, guided by what of the code an input reaches, for ten minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{built, seed};

/// How many changed inputs a target gets in the short form.
const INPUTS: usize = 5_000;

/// How long it gets others in the long form.
const SECONDS: &str = "600";

/// What has rustc count which edges of the code are taken, as libFuzzer reads it. cargo-fuzz passes the same, and needs a nightly
/// compiler only for the sanitizers, which look for what safe Rust cannot do.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Changes an input, with pieces of another.
pub type Change = fn(&mut Vec<u8>, &[u8], &mut Dice);

/// What is fuzzed.
pub struct Target {
    /// Where its crate is; the corpus is there too.
    pub folder: &'static str,
    /// The binary, and the folder of its corpus.
    pub name: &'static str,
    /// It panics where it finds something.
    pub target: fn(&[u8]),
    /// How inputs are changed.
    pub change: Change,
}

impl Target {
    /// The short form.
    pub fn replay(&self) {
        let corpus = self.corpus();
        assert!(corpus.len() >= 8, "{} has a corpus", self.name);
        corpus.iter().for_each(|input| (self.target)(input));
        let mut dice = Dice(seed());
        for _ in 0..INPUTS {
            let mut input = corpus[dice.below(corpus.len())].clone();
            (self.change)(&mut input, &corpus[dice.below(corpus.len())], &mut dice);
            (self.target)(&input);
        }
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        let mut paths: Vec<_> =
            fs::read_dir(self.corpus_folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    fn corpus_folder(&self) -> PathBuf {
        Path::new(self.folder).join("corpus").join(self.name)
    }

    /// The long form. An input that finds something is kept: laid into the corpus, it is in every short form from then on.
    pub fn soak(&self) {
        let found = built::target().join("fuzz/found");
        fs::create_dir_all(&found).unwrap();
        let fresh = tempfile::tempdir().unwrap();
        let output = Command::new(self.build())
            .args([&format!("-max_total_time={SECONDS}"), "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/{}-", found.display(), self.name))
            .args([fresh.path(), &self.corpus_folder()])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        assert!(output.status.success(), "{}:\n{}", self.name, lines[lines.len().saturating_sub(40)..].join("\n"));
        let done = lines.iter().find(|line| line.contains("DONE")).unwrap_or_else(|| panic!("{said}"));
        eprintln!("{}: {done}", self.name);
    }

    /// The binary for libFuzzer, in a target folder of its own: nothing else is built with these flags. It stands outside the
    /// workspace, and takes its versions from the workspace's lock.
    fn build(&self) -> PathBuf {
        let target = built::target().join("fuzz");
        fs::copy(built::repository().join("Cargo.lock"), Path::new(self.folder).join("Cargo.lock")).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        // Naming a target keeps the flags from build scripts.
        cargo.args(["build", "--quiet", "--release", "--target", "host-tuple", "--bin", self.name]);
        cargo.arg("--target-dir").arg(&target).env("RUSTFLAGS", COVERAGE).current_dir(self.folder);
        assert!(built::own(&mut cargo).status().unwrap().success(), "{} does not build", self.name);
        let folders = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().path().join("release").join(self.name));
        folders.into_iter().find(|program| program.exists()).unwrap()
    }
}

/// Numbers that follow from a seed: what failed once fails again.
pub struct Dice(pub u64);

impl Dice {
    /// The next one, below this.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

/// What a few bytes' change can break: one of them another, some gone, some twice, a piece of another input, a word of JSON.
pub fn change(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const WORDS: [&str; 11] = ["{", "}", "[", "]", "\"", ",", "1e9", "null", "\"format\":2", "\"size\":0,", "\\u0000"];
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
