//! Every first-party plugin does what its fixtures say.

use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tests::built::{self, repository};

/// Fewer fixtures show a plugin from one side only.
const FIXTURES_MIN: usize = 2;

/// Compiled components are kept between the runs of one test.
static STATE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn remit(args: &[&str]) -> Output {
    let mut command = Command::new(built::remit());
    command.args(args).env("REMIT_STATE", STATE.path()).current_dir(repository()).stdin(Stdio::null());
    built::own(&mut command).output().unwrap()
}

fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// What `remit test` said of each fixture, by name.
fn tested(output: &Output) -> Vec<(String, Value)> {
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(output)));
    all.into_iter().map(|it| (it["fixture"].as_str().unwrap().to_owned(), it)).collect()
}

#[test]
fn every_plugin_passes_its_fixtures_and_has_enough_of_them() {
    let mut problems = Vec::new();
    for plugin in built::plugins() {
        let plugin = plugin.to_str().unwrap();
        let output = remit(&["test", plugin, "--output", "json"]);
        if !output.status.success() {
            problems.push(format!("{plugin}: {}", shown(&output)));
            continue;
        }
        let count = tested(&output).len();
        if count < FIXTURES_MIN {
            problems.push(format!("{plugin} has {count} fixtures: at least {FIXTURES_MIN} show what it does"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The fixtures of a plugin, to be changed; run with `--fixtures`.
struct Changed(tempfile::TempDir);

impl Changed {
    fn of(fixture: &str, right: &str, wrong: &str) -> Self {
        let source = repository().join("plugins/disk-cleanup/fixtures").join(fixture);
        let text = std::fs::read_to_string(source).unwrap();
        assert!(text.contains(right), "{fixture} has no `{right}`");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(fixture), text.replacen(right, wrong, 1)).unwrap();
        Self(folder)
    }

    fn test(&self, format: &str) -> Output {
        let (plugin, fixtures) = (built::plugin("disk-cleanup"), self.0.path().to_str().unwrap());
        remit(&["test", plugin.to_str().unwrap(), "--fixtures", fixtures, "--output", format])
    }
}

#[test]
fn each_expectation_can_be_disappointed() {
    let changes = [
        ("fixed.toml", "verdict = \"fixed\"", "verdict = \"recurred\"", "verdict"),
        ("fixed.toml", "effect = \"changed\"", "effect = \"planned\"", "planned"),
        ("fixed.toml", "target = \"scratch/old.log\"", "target = \"scratch/new.log\"", "effect 1"),
        ("fixed.toml", "exists = false", "exists = true", "is not there then"),
        ("fixed.toml", "age-seconds = 5184000", "age-seconds = 5", "no effect"),
        ("old-files.toml", "old-files:scratch", "old-files:attic", "unexpected finding"),
        ("old-files.toml", "2 files", "3 files", "3 files"),
        ("old-files.toml", "files.find-entries", "files.read-tail", "was not called"),
        ("quarantine-full.toml", "outcome = \"plugin-error\"", "outcome = \"trap\"", "outcome"),
        ("quarantine-full.toml", "kind = \"unavailable\", code", "kind = \"conflict\", code", "refusal"),
        ("compliant.toml", "[expect]", "[expect]\nlog = [\"hello\"]", "no line of the log"),
    ];
    for (fixture, right, wrong, word) in changes {
        let as_it_is = Changed::of(fixture, right, right).test("json");
        assert!(as_it_is.status.success(), "{fixture}: {}", shown(&as_it_is));
        let changed = Changed::of(fixture, right, wrong).test("json");
        assert_eq!(changed.status.code(), Some(1), "{wrong}: {}", shown(&changed));
        let (_, it) = &tested(&changed)[0];
        let differences = it["differences"].to_string();
        assert!(differences.contains(word), "{wrong}: {differences}");
    }
}

#[test]
fn an_unknown_key_is_told_with_file_and_line() {
    let changed = Changed::of("fixed.toml", "path = \"old.log\"", "way = \"old.log\"").test("table");
    assert_eq!(changed.status.code(), Some(1), "{}", shown(&changed));
    let talk = String::from_utf8_lossy(&changed.stderr).into_owned();
    assert!(talk.contains("fixed.toml:5") && talk.contains("way"), "{talk}");
}

#[test]
fn a_person_reads_one_line_for_each_fixture() {
    let output = remit(&["test", "plugins/disk-cleanup"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("ok     fixed (enforce: fixed)\n"), "{}", shown(&output));
    assert!(text.ends_with("5 fixtures, 0 failed\n"), "{}", shown(&output));
}
