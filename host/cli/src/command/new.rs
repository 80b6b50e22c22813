use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use include_dir::{Dir, DirEntry, include_dir};

use crate::output;

/// Write the project of a new plugin, with all that it is built from
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Lower-case letters, digits and hyphens, beginning with a letter; a folder of this name is made
    name: Name,
}

static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk");
static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../wit");

/// What of the SDK's folder is for the repository, and not for a plugin's project.
const NOT_VENDORED: [&str; 4] = ["template", "tests", "target", "javascript"];
/// As long as the name of a plugin may be.
const NAME_BYTES_MAX: usize = 64;

/// A name that cargo, Rust and the plugin's label all take.
#[derive(Clone)]
struct Name(String);

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_word = text.bytes().all(is_plain) && text.starts_with(|first: char| first.is_ascii_lowercase());
        if !is_word || text.ends_with('-') || text.contains("--") || text.len() > NAME_BYTES_MAX {
            let shape = "lower-case letters, digits and single hyphens, beginning with a letter";
            return Err(format!("a plugin's name is {shape}, at most {NAME_BYTES_MAX} bytes, such as `disk-report`"));
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
    let template = SDK.get_dir("template").context("this program was built without the template")?;
    write(template, template.path(), &folder, &|text| args.name.fill(text))?;
    let sdk = folder.join(".remit/sdk");
    write(&SDK, Path::new(""), &sdk, &str::to_owned)?;
    write(&WIT, Path::new(""), &sdk.join("wit"), &str::to_owned)?;
    output::text(name);
    output::say(&format!("next: cd {name} && remit build && remit run . --mode detect"));
    Ok(ExitCode::SUCCESS)
}

/// Writes what is below `top`, except what stays in the repository.
fn write(dir: &Dir<'_>, top: &Path, target: &Path, fill: &dyn Fn(&str) -> String) -> anyhow::Result<()> {
    for entry in dir.entries() {
        let path = entry.path().strip_prefix(top)?;
        if NOT_VENDORED.iter().any(|name| path == Path::new(name)) {
            continue;
        }
        match entry {
            DirEntry::Dir(inner) => write(inner, top, target, fill)?,
            DirEntry::File(file) => {
                let file_path = target.join(path);
                let text = file.contents_utf8().with_context(|| format!("{} is no text", path.display()))?;
                let folder = file_path.parent().unwrap_or(target);
                std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
                std::fs::write(&file_path, fill(text)).with_context(|| format!("{}", file_path.display()))?;
            }
        }
    }
    Ok(())
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
