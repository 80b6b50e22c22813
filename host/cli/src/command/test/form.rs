//! The form of a fixture, as sdk/FIXTURES.md has it: `[run]`, `[expect]`, and all else describes the device.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use backends::Fixture;
use backends::trouble::CallName;
use contract::run::Mode;
use contract::service::ServiceState;
use contract::ticket::Status;
use contract::types::{Effect, ErrorKind, Severity};
use model::capability::Capability;
use model::{Outcome, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

/// The keys that do not describe the device.
const FRAME: [&str; 3] = ["description", "expect", "run"];

/// One fixture.
pub(in crate::command) struct Case {
    /// Its file's name, without the ending.
    pub(super) name: String,
    pub(super) run: Run,
    pub(super) expect: Expect,
    pub(super) device: Fixture,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Frame {
    /// For whoever reads the file.
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default)]
    run: Run,
    expect: Expect,
}

/// `[run]`: what is asked of the plugin.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Run {
    pub(super) mode: Mode,
    pub(super) parameters: Map<String, Value>,
    /// What started it; by hand if left out.
    pub(super) event: Option<Event>,
    /// What is granted; everything that the manifest asks for if left out.
    pub(super) grants: Option<Vec<Capability>>,
    /// Whether the reboot that the run was granted is taken, and the run goes on after it.
    pub(super) reboot: bool,
    limits: BTreeMap<String, u64>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            mode: Mode::Detect,
            parameters: Map::new(),
            event: None,
            grants: None,
            reboot: false,
            limits: BTreeMap::new(),
        }
    }
}

impl Run {
    pub(super) fn limits(&self) -> Vec<(String, String)> {
        self.limits.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
    }
}

/// `[run.event]`
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) event_type: String,
    #[serde(default)]
    pub(super) cause: Option<String>,
    #[serde(default)]
    pub(super) data: Map<String, Value>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

/// `[expect]`. Findings, effects and refused calls are all that there may be; logs, calls and facts are some of them.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) verdict: Verdict,
    #[serde(default = "completed")]
    pub(super) outcome: Outcome,
    /// A part of how it ended, in words.
    #[serde(default)]
    pub(super) detail: String,
    /// A part of the report's summary.
    #[serde(default)]
    pub(super) summary: String,
    /// Those of the last look, in any order.
    #[serde(default)]
    pub(super) findings: Vec<ExpectedFinding>,
    /// In order.
    #[serde(default)]
    pub(super) effects: Vec<ExpectedEffect>,
    /// Calls that were answered with an error, in order.
    #[serde(default)]
    pub(super) refused: Vec<ExpectedRefusal>,
    /// Parts of lines.
    #[serde(default)]
    pub(super) log: Vec<String>,
    #[serde(default)]
    pub(super) calls: Vec<CallName>,
    /// A part of the facts.
    #[serde(default)]
    pub(super) facts: Map<String, Value>,
    /// How the device is then.
    #[serde(default)]
    pub(super) after: After,
}

fn completed() -> Outcome {
    Outcome::Completed
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ExpectedFinding {
    pub(super) fingerprint: String,
    pub(super) severity: Option<Severity>,
    /// A part of it.
    #[serde(default)]
    pub(super) title: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ExpectedEffect {
    pub(super) call: CallName,
    pub(super) target: String,
    pub(super) effect: Effect,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ExpectedRefusal {
    pub(super) call: CallName,
    pub(super) kind: ErrorKind,
    pub(super) code: Option<String>,
}

/// `[expect.after]`
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct After {
    pub(super) files: Vec<AfterFile>,
    /// Values by key; an empty one for a key that is not there.
    pub(super) kv: BTreeMap<String, String>,
    /// States by name.
    pub(super) service: BTreeMap<String, ServiceState>,
    /// Statuses by fingerprint.
    pub(super) ticket: BTreeMap<String, Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AfterFile {
    pub(super) root: String,
    pub(super) path: String,
    /// Whether it is there.
    pub(super) exists: bool,
}

/// Every fixture in a folder, by name. Whatever is wrong with any of them is told at once.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}: a plugin has fixtures", folder.display()))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths: Vec<PathBuf> =
        paths?.into_iter().filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    paths.sort();
    if paths.is_empty() {
        bail!("{} has no fixture: no file that ends in `.toml`", folder.display());
    }
    let (mut cases, mut problems) = (Vec::new(), Vec::new());
    for path in &paths {
        match case(path)? {
            Ok(case) => cases.push(case),
            Err(problem) => problems.push(problem),
        }
    }
    match problems.is_empty() {
        true => Ok(cases),
        false => bail!("{}", problems.join("\n")),
    }
}

/// One fixture.
pub(in crate::command) fn read_one(path: &Path) -> anyhow::Result<Case> {
    case(path)?.map_err(anyhow::Error::msg)
}

/// A fixture, or what is wrong with it and where.
fn case(path: &Path) -> anyhow::Result<Result<Case, String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    Ok(match parse(&text) {
        Ok((frame, device)) => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Case { name, run: frame.run, expect: frame.expect, device })
        }
        Err(error) => {
            let line = error.span().map(|span| line_of(&text, span.start)).unwrap_or(1);
            Err(format!("{}:{line}: {}", path.display(), error.message()))
        }
    })
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Each half by its own type, both with their places in the text.
fn parse(text: &str) -> Result<(Frame, Fixture), toml::de::Error> {
    let whole = DeTable::parse(text)?;
    let span = whole.span();
    let (frame, device): (DeTable<'_>, DeTable<'_>) =
        whole.into_inner().into_iter().partition(|(key, _)| FRAME.contains(&key.get_ref().as_ref()));
    let half = |table| Deserializer::from(Spanned::new(span.clone(), table));
    // A key of the frame that is misspelt is one that no device has.
    let device = Fixture::deserialize(half(device))?;
    Ok((Frame::deserialize(half(frame))?, device))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[run]\nmode = \"enforce\"\n\n[[service]]\nname = \"nginx\"\n\n[expect]\nverdict = \"fixed\"\n";

    fn line_of_error(text: &str) -> usize {
        let Err(error) = parse(text) else { panic!("it was read") };
        line_of(text, error.span().unwrap().start)
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        assert!(parse(TEXT).is_ok());
        assert_eq!(line_of_error(&TEXT.replace("mode", "mood")), 2);
        assert_eq!(line_of_error(&TEXT.replace("name", "nmae")), 5);
        assert_eq!(line_of_error(&TEXT.replace("[[service]]", "[[services]]")), 4);
        assert_eq!(line_of_error(&TEXT.replace("fixed", "mended")), 8);
    }

    #[test]
    fn a_fixture_without_an_expectation_is_none() {
        assert!(parse("[run]\nmode = \"detect\"\n").is_err());
    }
}
