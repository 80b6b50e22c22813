//! Removes files that nobody has written for long. They move to the host's quarantine, and `remit undo` brings them back.

use remit_sdk::files::{self, Entries, Selection};
use remit_sdk::files_write::{self, Removal};
use remit_sdk::human;
use remit_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// The most files in one listing and in one removal: what the host allows.
const PAGE_FILES_MAX: u32 = 10_000;
/// The most pages in a run: a million files are left to the next runs.
const PAGES_MAX: u32 = 100;
/// So many paths show what a finding is about.
const EVIDENCE_PATHS_MAX: usize = 20;

/// Removes files that nobody has written for long, so that it can be undone.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DiskCleanup {
    /// The root to look in, as host policy or `--bind` names it.
    #[serde(default = "scratch")]
    root: String,
    /// A folder below the root.
    #[serde(default)]
    path: String,
    /// Which files, as a glob over the path below the folder, such as `**/*.log`; without it, all.
    #[serde(default)]
    pattern: Option<String>,
    /// Days since a file was written, counted back from last midnight UTC.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 3650))]
    older_than_days: u64,
    /// Smaller files stay.
    #[serde(default)]
    min_size_bytes: u64,
}

fn scratch() -> String {
    "scratch".to_owned()
}

fn thirty() -> u64 {
    30
}

impl Detect for DiskCleanup {
    fn detect(&self) -> Result<Report> {
        let found = self.find()?;
        let bytes: u64 = found.items.iter().map(|file| file.size_bytes).sum();
        run::metric("old-files", found.items.len() as f64, "1", &[]);
        run::metric("old-files-size", bytes as f64, "By", &[]);
        let at_least = if found.truncated { "at least " } else { "" };
        let count = found.items.len();
        let days = self.older_than_days;
        if found.items.is_empty() {
            return Ok(Report::compliant(format!("no file in {} is older than {days} days", self.place())));
        }
        let title =
            format!("{at_least}{count} files in {} are older than {days} days: {}", self.place(), human::bytes(bytes));
        let evidence: Vec<String> = found
            .items
            .iter()
            .take(EVIDENCE_PATHS_MAX)
            .map(|file| format!("{} ({})", file.path, human::bytes(file.size_bytes)))
            .collect();
        let finding = Finding::new(format!("old-files:{}", self.place()), title)
            .target(self.place())
            .evidence(evidence.join("\n"))
            .with("files", count)
            .with("bytes", bytes)
            .remediable();
        Ok(Report::non_compliant("").finding(finding))
    }
}

impl Remediate for DiskCleanup {
    fn remediate(&self, _findings: &[Finding]) -> Result<Remedy> {
        let mut removed = Removed::default();
        for page in 0..PAGES_MAX {
            run::check_cancelled()?;
            // What is written after this is left alone: it may have come back to use meanwhile.
            let listed_ms = run::now();
            let found = self.find()?;
            let paths: Vec<String> = found.items.into_iter().map(|file| file.path).collect();
            if paths.is_empty() {
                break;
            }
            run::progress(page.min(99), &format!("{} files removed", removed.files));
            let before = removed.files;
            for removal in files_write::remove_entries(&self.root, &paths, listed_ms)? {
                removed.add(&removal);
            }
            // Without a step forward the next page would be this one again.
            if !found.truncated || removed.files == before {
                break;
            }
        }
        run::metric("quarantined", removed.quarantined_bytes as f64, "By", &[]);
        run::metric("freed", removed.freed_bytes as f64, "By", &[]);
        Ok(removed.remedy())
    }
}

impl DiskCleanup {
    /// Files that are old enough, one page. The limit is a midnight, so that a plan that is made in the morning still is true in
    /// the afternoon.
    fn find(&self) -> Result<Entries> {
        let midnight_ms = run::now() / DAY_MS * DAY_MS;
        let selection = Selection {
            max_depth: 64,
            pattern: self.pattern.clone(),
            modified_before_ms: Some(midnight_ms.saturating_sub(self.older_than_days * DAY_MS)),
            min_size_bytes: Some(self.min_size_bytes),
            limit: PAGE_FILES_MAX,
            attributes: vec![("kind".into(), "file".into()), ("one-file-system".into(), "true".into())],
        };
        files::find_entries(&self.root, &self.path, &selection).context(format!("looking in {}", self.place()))
    }

    fn place(&self) -> String {
        match self.path.is_empty() {
            true => self.root.clone(),
            false => format!("{}/{}", self.root, self.path),
        }
    }
}

/// What became of the files.
#[derive(Default)]
struct Removed {
    files: u64,
    left: u64,
    quarantined_bytes: u64,
    freed_bytes: u64,
    is_planned: bool,
}

impl Removed {
    fn add(&mut self, removal: &Removal) {
        if let Some(error) = &removal.error {
            self.left += 1;
            warn!(path = removal.path, code = error.code; "left alone: {}", error.message);
            return;
        }
        self.is_planned |= removal.change.effect == Effect::Planned;
        self.files += u64::from(removal.change.effect != Effect::Unchanged);
        self.quarantined_bytes += removal.quarantined_bytes;
        self.freed_bytes += removal.freed_bytes;
    }

    fn remedy(&self) -> Remedy {
        let verb = if self.is_planned { "would be removed" } else { "removed" };
        let summary = format!(
            "{} files {verb}: {} to the quarantine, {} free at once; {} left alone",
            self.files,
            human::bytes(self.quarantined_bytes),
            human::bytes(self.freed_bytes),
            self.left
        );
        Remedy::new(summary)
            .with("files", self.files)
            .with("left", self.left)
            .with("quarantined-bytes", self.quarantined_bytes)
            .with("freed-bytes", self.freed_bytes)
    }
}

remit_sdk::plugin!(DiskCleanup: Detect + Remediate);

#[cfg(test)]
mod tests;
