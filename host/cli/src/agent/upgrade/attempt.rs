//! What is to be done, and how far it is: one file, which both agents and the unit between them read.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use model::RunId;
use semver::Version;
use serde::{Deserialize, Serialize};
use store::whole;

/// In the folder of state. The unit is started only where it is there.
const FILE: &str = "upgrade.json";

/// The form of what is written. Agents of two releases read it.
const FORMAT: u32 = 1;

/// An attempt to replace the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Attempt {
    format: u32,
    /// The run of the order that wants it.
    pub(crate) run: RunId,
    pub(crate) from: Version,
    pub(crate) to: Version,
    /// Whether the old agent had heard the hub: then the new one has to.
    pub(crate) is_heard: bool,
    pub(crate) begun_ms: u64,
    pub(crate) stage: Stage,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", rename_all_fields = "kebab-case")]
pub(crate) enum Stage {
    /// Nothing was touched.
    Asked,
    /// The new one is started, or is to be, for the so many-th time.
    Trying { times: u32 },
    /// The old one is started again, or is to be: whatever happens, the new one is not tried any more.
    Back { why: String },
    /// The new one runs, and is well.
    Done,
    /// The old one runs.
    Failed { why: String },
}

impl Attempt {
    pub(super) fn new(run: RunId, from: Version, to: Version, is_heard: bool, begun_ms: u64) -> Self {
        Self { format: FORMAT, run, from, to, is_heard, begun_ms, stage: Stage::Asked }
    }

    /// Whether nothing more comes of it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Done | Stage::Failed { .. })
    }

    fn path(state: &Path) -> PathBuf {
        state.join(FILE)
    }

    /// What is under way, or was last.
    pub(crate) fn read(state: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(state);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("{}", path.display()))?,
        };
        let attempt: Self = serde_json::from_slice(&bytes).with_context(|| format!("{}", path.display()))?;
        if attempt.format != FORMAT {
            bail!("{} has format {}, and {FORMAT} is read", path.display(), attempt.format);
        }
        Ok(Some(attempt))
    }

    /// Durable when it returns.
    pub(super) fn write(&self, state: &Path) -> anyhow::Result<()> {
        let path = Self::path(state);
        whole::write_private(&path, &serde_json::to_vec(self)?).with_context(|| format!("{}", path.display()))
    }

    /// The same, further.
    pub(super) fn at(&mut self, stage: Stage, state: &Path) -> anyhow::Result<()> {
        self.stage = stage;
        self.write(state)
    }

    /// It was told, and is nobody's any more.
    pub(crate) fn forget(state: &Path) {
        // One that stays is told again, and has been: it changes nothing.
        let _ = std::fs::remove_file(Self::path(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_by_any_agent() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Attempt::read(state.path()).unwrap(), None);
        let run = "run_01KB3P3M00E5V8CXJ6ZV8Y4R5T".parse().unwrap();
        let mut attempt = Attempt::new(run, Version::new(1, 3, 0), Version::new(1, 4, 0), true, 7);
        attempt.at(Stage::Back { why: "it does not answer".to_owned() }, state.path()).unwrap();
        assert_eq!(Attempt::read(state.path()).unwrap(), Some(attempt));
        let text = std::fs::read_to_string(state.path().join(FILE)).unwrap();
        let golden = r#"{"format":1,"run":"run_01KB3P3M00E5V8CXJ6ZV8Y4R5T","from":"1.3.0","to":"1.4.0","is-heard":true,"begun-ms":7,"stage":{"is":"back","why":"it does not answer"}}"#;
        assert_eq!(text, golden, "agents of two releases read it");
        std::fs::write(state.path().join(FILE), golden.replace("\"format\":1", "\"format\":2")).unwrap();
        assert!(Attempt::read(state.path()).is_err());
        Attempt::forget(state.path());
        assert_eq!(Attempt::read(state.path()).unwrap(), None);
    }
}
