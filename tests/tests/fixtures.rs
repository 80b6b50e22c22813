//! Every first-party plugin does what its fixtures say.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tests::built::{self, repository};
use wit_component::WitPrinter;
use wit_parser::decoding;

/// Fewer fixtures show a plugin from one side only.
const FIXTURES_MIN: usize = 2;
/// What every toolchain's standard library imports; the host links it, and it gives nothing.
const INERT: [&str; 6] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// What is linked for every plugin, and granted to none.
const AMBIENT: [&str; 2] = ["types", "run"];

/// Compiled components are kept between the runs of one test.
static STATE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn remit(args: &[&str]) -> Output {
    let mut command = Command::new(built::remit());
    command.args(args).env("REMIT_STATE", STATE.path()).current_dir(repository()).stdin(Stdio::null());
    built::own(&mut command).output().unwrap()
}

fn plugins() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository().join("plugins")).unwrap().map(|entry| entry.unwrap().path());
    let mut plugins: Vec<PathBuf> = entries.filter(|path| path.join("plugin.toml").exists()).collect();
    plugins.sort();
    assert!(!plugins.is_empty());
    plugins
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
    for plugin in plugins() {
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
    assert!(text.contains("ok     fixed (enforce: fixed)\n"), "{text}");
    assert!(text.ends_with("5 fixtures, 0 failed\n"), "{text}");
}

/// What a component imports, as `wit-component` prints it: the reader behind `wasm-tools component wit`. The host has its
/// own reader, which this one does not know.
fn imports(component: &Path) -> Vec<String> {
    let bytes = std::fs::read(component).unwrap();
    let decoded = decoding::decode(&bytes).unwrap();
    let mut printer = WitPrinter::default();
    printer.print(decoded.resolve(), decoded.package(), &[]).unwrap();
    let text = printer.output.to_string();
    let imports = text.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'));
    imports.map(str::to_owned).collect()
}

/// What of these imports is neither inert, nor for every plugin, nor declared.
fn undeclared(imports: &[String], declared: &[&str]) -> Vec<String> {
    let is_fine = |name: &&String| {
        let ours = name.strip_prefix("msp:automation/").and_then(|name| name.split('@').next());
        match ours {
            Some(interface) => AMBIENT.contains(&interface) || declared.contains(&interface),
            None => INERT.iter().any(|package| name.starts_with(package)),
        }
    };
    imports.iter().filter(|name| !is_fine(name)).cloned().collect()
}

#[test]
fn a_plugin_imports_nothing_but_what_its_label_declares_and_inert_wasi() {
    for plugin in plugins() {
        let imports = imports(&built::folder(&plugin));
        let label: toml::Table = std::fs::read_to_string(plugin.join("plugin.toml")).unwrap().parse().unwrap();
        let capabilities = label["capabilities"].as_table().unwrap();
        let declared: Vec<&str> = capabilities.keys().map(String::as_str).collect();
        assert_eq!(undeclared(&imports, &declared), Vec::<String>::new(), "{}", plugin.display());
        // The other way round: each that is declared is really used, and would be missed.
        for missing in &declared {
            let fewer: Vec<&str> = declared.iter().copied().filter(|name| name != missing).collect();
            let found = undeclared(&imports, &fewer);
            assert_eq!(found.len(), 1, "{}: `{missing}` is declared, {found:?} is imported", plugin.display());
        }
    }
}

#[test]
fn what_is_not_inert_is_found() {
    let imports =
        ["wasi:http/outgoing-handler@0.2.0", "wasi:io/streams@0.2.6", "msp:automation/run@0.1.0"].map(str::to_owned);
    assert_eq!(undeclared(&imports, &[]), ["wasi:http/outgoing-handler@0.2.0"]);
}
