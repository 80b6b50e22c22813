use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use model::manifest;

use crate::{output, shipped};

/// Write the project of a new plugin, with all that it is built from
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Lower-case letters, digits and hyphens, beginning with a letter; a folder of this name is made
    name: Name,

    /// What it is written in; but for Rust, only its own package manager is needed
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
}

/// What a plugin can be written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    #[default]
    Rust,
    /// JavaScript, with npm
    Js,
    /// TypeScript, with npm
    Ts,
    /// Python, with pip
    Python,
}

impl Language {
    /// The folders of the SDK that its projects are made of, each with the folder that it becomes.
    fn parts(self) -> Vec<(&'static str, &'static str)> {
        // The devices are the same, and so is what is said of them.
        let shared = [("project", ""), ("template/fixtures", "fixtures")];
        let own = match self {
            Self::Rust => return vec![("template", "")],
            Self::Js => [("javascript/template", ""), ("javascript/types", ".remit/types")],
            Self::Ts => [("javascript/template-ts", ""), ("javascript/types", ".remit/types")],
            Self::Python => [("python/template", ""), ("python/msp", "msp")],
        };
        shared.into_iter().chain(own).collect()
    }
}

/// What of the SDK's folder is for the repository, and not for a plugin's project.
const NOT_VENDORED: [&str; 7] = ["template", "tests", "target", "project", "recipes", "javascript", "python"];

/// A name that cargo, Rust and the plugin's label all take.
#[derive(Clone)]
struct Name(String);

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_word = manifest::is_name(text) && text.starts_with(|first: char| first.is_ascii_lowercase());
        if !is_word || text.ends_with('-') || text.contains("--") {
            let shape = manifest::NAME_SHAPE;
            let more = "it begins with a letter, and its hyphens are single and inside";
            return Err(format!("a plugin's name has {shape}; {more}, such as `disk-report`"));
        }
        if TAKEN.contains(&text) {
            return Err("the name means something else to Rust: take another, such as `disk-report`".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a crate cannot be called: Rust's own words and crates, and what the project depends on.
#[rustfmt::skip]
const TAKEN: &[&str] = &[
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue", "core", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "proc-macro", "pub", "ref", "remit-sdk", "return", "schemars",
    "self", "serde", "serde-json", "static", "std", "struct", "super", "test", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

impl Name {
    /// The template with this name in the places of its own.
    fn fill(&self, text: &str) -> String {
        let camel: String = self.0.split('-').map(capitalised).collect();
        text.replace("new-plugin", &self.0)
            .replace("new_plugin", &self.0.replace('-', "_"))
            .replace("NewPlugin", &camel)
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Name(name) = &args.name;
    let folder = PathBuf::from(name);
    if let Err(error) = std::fs::create_dir(&folder) {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            bail!("`{name}` is there already, and stays as it is: take another name, or another folder to be in");
        }
        return Err(error).with_context(|| format!("the folder `{name}`"));
    }
    for (part, below) in args.lang.parts() {
        shipped::write(shipped::of_sdk(part)?, &folder.join(below), &[], &|text| args.name.fill(text))?;
    }
    if args.lang == Language::Rust {
        let sdk = folder.join(".remit/sdk");
        shipped::write(&shipped::SDK, &sdk, &NOT_VENDORED, &str::to_owned)?;
        shipped::write(&shipped::WIT, &sdk.join("wit"), &[], &str::to_owned)?;
    }
    output::text(name);
    output::say(&format!("next: cd {name} && remit build && remit run . --mode detect"));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_cargo_and_rust() {
        for good in ["hello", "disk-report", "a1", "x2-y3"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "Hello", "1st", "-a", "a-", "a--b", "a_b", "a/b", "../a", "self", "serde", &"a".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_place_of_the_name_is_filled() {
        let name: Name = "disk-report".parse().unwrap();
        assert_eq!(name.fill("new-plugin new_plugin NewPlugin"), "disk-report disk_report DiskReport");
    }
}
