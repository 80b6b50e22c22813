use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use contract::Class;
use contract::types::{Attributes, Error};
use model::Digest;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::errors;

use super::{ARGUMENT_BYTES_MAX, OUTPUT_BYTES_MAX, TIMEOUT_MS_MAX};

/// What a template has that says nothing of its time.
const TIMEOUT_MS: u32 = 60_000;
/// The most bytes that a compiled pattern takes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What may run, in order and whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Template {
    description: String,
    class: Class,
    binary: PathBuf,
    digest: Pin,
    words: Vec<Word>,
    parameters: BTreeMap<String, Matcher>,
    timeout_ms: u32,
    output_bytes: usize,
}

/// A template as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    /// What it does, for a person.
    description: String,
    /// `L1` where it only reads, `L3` or `L4` where it changes something.
    class: Class,
    /// By absolute path.
    binary: PathBuf,
    digest: Pin,
    /// In order: text, or `{name}` for one argument.
    #[serde(default)]
    arguments: Vec<String>,
    /// What may stand for each `{name}`.
    #[serde(default)]
    parameters: BTreeMap<String, Grammar>,
    #[serde(default = "timeout_ms")]
    timeout_ms: u32,
    /// Kept of standard output, and as much of standard error.
    #[serde(default = "output_bytes")]
    output_bytes: usize,
}

fn timeout_ms() -> u32 {
    TIMEOUT_MS
}

fn output_bytes() -> usize {
    OUTPUT_BYTES_MAX
}

/// Which binary it must be. One of the two has to be chosen: a digest breaks with the next update of the package, and whoever
/// leaves it out should have thought of that.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Pin {
    /// `any-root-owned`: whatever is there, if only root can have put it there. For binaries that the distribution updates.
    AnyRootOwned,
    /// `sha256:…`: exactly this one.
    Exactly(Digest),
}

impl TryFrom<String> for Pin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "any-root-owned" => Ok(Self::AnyRootOwned),
            digest => digest.parse().map(Self::Exactly).map_err(|_| {
                format!("`{text}` is no digest: expected `sha256:` and 64 lower-case hex digits, or `any-root-owned`")
            }),
        }
    }
}

/// What may stand for an argument.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Grammar {
    /// A regular expression that must match all of it.
    Pattern(String),
    /// One of these.
    OneOf(Vec<String>),
    /// A whole number.
    Integer {
        /// At least.
        min: u64,
        /// At most.
        max: u64,
    },
}

#[derive(Clone, Debug)]
enum Word {
    Text(String),
    Argument(String),
}

#[derive(Clone, Debug)]
struct Matcher {
    grammar: Grammar,
    /// Of a pattern.
    regex: Option<Regex>,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTemplate(String);

impl TryFrom<Written> for Template {
    type Error = BadTemplate;

    fn try_from(written: Written) -> Result<Self, BadTemplate> {
        let bad = |problem: String| Err(BadTemplate(problem));
        if !matches!(written.class, Class::L1 | Class::L3 | Class::L4) {
            return bad(format!("class {}: a command is L1 (reads), L3 or L4 (changes)", written.class));
        }
        if written.description.trim().is_empty() || written.description.len() > 255 {
            return bad("description: say in 1 to 255 bytes what it does".to_owned());
        }
        let is_plain = |it: std::path::Component<'_>| !matches!(it, std::path::Component::ParentDir);
        if !written.binary.is_absolute() || !written.binary.components().all(is_plain) {
            return bad(format!("binary `{}`: expected an absolute path", written.binary.display()));
        }
        if let Some(problem) = wrong_program(&written.binary) {
            return bad(problem);
        }
        if !(1..=TIMEOUT_MS_MAX).contains(&written.timeout_ms) || written.output_bytes > OUTPUT_BYTES_MAX {
            return bad(format!(
                "expected `timeout-ms` of 1 to {TIMEOUT_MS_MAX}, `output-bytes` up to {OUTPUT_BYTES_MAX}"
            ));
        }
        let words = written.arguments.iter().map(|text| word(text)).collect::<Result<Vec<_>, _>>()?;
        let parameters = written
            .parameters
            .into_iter()
            .map(|(name, grammar)| Ok((name, Matcher::new(grammar)?)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let used: Vec<&String> =
            words.iter().filter_map(|it| if let Word::Argument(name) = it { Some(name) } else { None }).collect();
        if let Some(name) = used.iter().find(|name| !parameters.contains_key(**name)) {
            return bad(format!("`{{{name}}}` has no `parameters.{name}`"));
        }
        if let Some(name) = parameters.keys().find(|name| !used.contains(name)) {
            return bad(format!("`parameters.{name}` is used by no `{{{name}}}`"));
        }
        Ok(Self {
            description: written.description,
            class: written.class,
            binary: written.binary,
            digest: written.digest,
            words,
            parameters,
            timeout_ms: written.timeout_ms,
            output_bytes: written.output_bytes,
        })
    }
}

impl Template {
    /// What it does, for a person.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What running it risks.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether it changes something.
    pub fn changes(&self) -> bool {
        self.class > Class::L1
    }

    /// The binary, by absolute path.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Which binary it must be.
    pub fn digest(&self) -> &Pin {
        &self.digest
    }

    /// The longest that it may take.
    pub fn timeout_ms(&self) -> u32 {
        self.timeout_ms
    }

    /// How much of its output is kept.
    pub fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    /// The names of its arguments.
    pub fn parameters(&self) -> Vec<String> {
        self.parameters.keys().cloned().collect()
    }

    /// What may stand for its arguments, for a person.
    pub fn grammar(&self) -> String {
        let line = |(name, matcher): (&String, &Matcher)| match &matcher.grammar {
            Grammar::Pattern(pattern) => format!("{name}: {pattern}"),
            Grammar::OneOf(words) => format!("{name}: {}", words.join(" | ")),
            Grammar::Integer { min, max } => format!("{name}: {min} to {max}"),
        };
        self.parameters.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    /// The arguments in order: each that is given is one of them, whatever is in it.
    pub fn fill(&self, given: &Attributes) -> Result<Vec<String>, Error> {
        for (at, (name, value)) in given.iter().enumerate() {
            if given.iter().take(at).any(|(known, _)| known == name) {
                return Err(errors::invalid("argument", format!("`{name}` is given twice")));
            }
            let Some(matcher) = self.parameters.get(name) else {
                return Err(errors::invalid("argument", format!("the template has no argument `{name}`")));
            };
            matcher.check(name, value)?;
        }
        let value = |name: &String| {
            let found = given.iter().find(|(known, _)| known == name);
            found
                .map(|(_, value)| value.clone())
                .ok_or_else(|| errors::invalid("argument", format!("`{name}` is missing")))
        };
        self.words
            .iter()
            .map(|word| match word {
                Word::Text(text) => Ok(text.clone()),
                Word::Argument(name) => value(name),
            })
            .collect()
    }
}

impl Matcher {
    fn new(grammar: Grammar) -> Result<Self, BadTemplate> {
        let regex = match &grammar {
            Grammar::Pattern(pattern) => {
                let whole = RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(PATTERN_BYTES_MAX).build();
                Some(whole.map_err(|error| BadTemplate(format!("pattern `{pattern}`: {error}")))?)
            }
            Grammar::OneOf(words) if words.is_empty() => return Err(BadTemplate("`one-of` is empty".to_owned())),
            Grammar::OneOf(_) | Grammar::Integer { .. } => None,
        };
        Ok(Self { grammar, regex })
    }

    fn check(&self, name: &str, value: &str) -> Result<(), Error> {
        let invalid = |problem: &str| Err(errors::invalid("argument", format!("`{name}` {problem}")));
        if value.len() > ARGUMENT_BYTES_MAX || value.chars().any(char::is_control) {
            return invalid("is too long, or has control characters");
        }
        let is_inside = match &self.grammar {
            Grammar::OneOf(words) => {
                return if words.iter().any(|it| it == value) { Ok(()) } else { invalid("is none of them") };
            }
            Grammar::Pattern(_) => self.regex.as_ref().is_some_and(|regex| regex.is_match(value)),
            Grammar::Integer { min, max } => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                digits && value.parse::<u64>().is_ok_and(|number| (*min..=*max).contains(&number))
            }
        };
        // A pattern that forgot about options must not let one in: only a list says exactly what it means.
        match is_inside && !value.is_empty() && !value.starts_with('-') {
            true => Ok(()),
            false => invalid("is outside the template's grammar"),
        }
    }
}

fn word(text: &str) -> Result<Word, BadTemplate> {
    if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return Ok(Word::Argument(name.to_owned()));
    }
    match text.contains(['{', '}', '\0']) {
        true => Err(BadTemplate(format!("argument `{text}`: `{{name}}` stands alone, as an element of its own"))),
        false => Ok(Word::Text(text.to_owned())),
    }
}

/// Shells, interpreters, and programs that start whatever their arguments say: with one of them a template would not say what
/// runs. Versions at the end of a name do not count.
const NOT_TEMPLATES: &[&str] = &[
    "ash",
    "at",
    "awk",
    "bash",
    "batch",
    "busybox",
    "capsh",
    "chroot",
    "chrt",
    "csh",
    "dash",
    "deno",
    "docker",
    "ed",
    "emacs",
    "env",
    "expect",
    "ex",
    "fakeroot",
    "find",
    "fish",
    "flock",
    "gawk",
    "gdb",
    "git",
    "guile",
    "ionice",
    "java",
    "ksh",
    "ld",
    "lua",
    "luajit",
    "m4",
    "make",
    "mawk",
    "mksh",
    "nc",
    "ncat",
    "nice",
    "node",
    "nodejs",
    "nohup",
    "nsenter",
    "original-awk",
    "parallel",
    "perl",
    "php",
    "pkexec",
    "pwsh",
    "pypy",
    "python",
    "rbash",
    "rsync",
    "ruby",
    "run-parts",
    "runuser",
    "script",
    "sed",
    "setarch",
    "setpriv",
    "setsid",
    "sg",
    "sh",
    "socat",
    "ssh",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "tcsh",
    "tclsh",
    "time",
    "timeout",
    "toybox",
    "unshare",
    "vi",
    "view",
    "vim",
    "watch",
    "wish",
    "xargs",
    "zsh",
];

/// What speaks against a program, by its name.
pub(super) fn wrong_program(path: &Path) -> Option<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let bare = name.trim_end_matches(|it: char| it.is_ascii_digit() || ".-".contains(it));
    let is_known = |known: &&str| *known == name || *known == bare || bare.strip_suffix(".basic") == Some(known);
    let found = NOT_TEMPLATES.iter().any(is_known) || name.starts_with("ld-linux");
    found.then(|| format!("`{name}` runs what its arguments say: a command must be one program that does one thing"))
}
