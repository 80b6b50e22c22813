//! One plugin written in each language that has one: on the same devices they do the same, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use tests::built;
use tests::remit::Remit;
use tests::site_guard::{Form, scenario};

/// What a fixture shows of a run, and what of it is each language's own: the words of its errors.
const COMPARED: [&str; 9] = ["verdict", "outcome", "summary", "findings", "facts", "effects", "failed", "calls", "log"];

/// The plugin in each form.
static PLUGINS: LazyLock<Vec<(Form, PathBuf)>> =
    LazyLock::new(|| Form::ALL.map(|form| (form, form.plugin(built::remit()))).into());

/// What each fixture ends in, by its name.
fn tested(plugin: &Path) -> BTreeMap<String, Value> {
    let remit = Remit::new();
    let fixtures = scenario().join("fixtures");
    let args = ["--output", "json", "test", plugin.to_str().unwrap(), "--fixtures", fixtures.to_str().unwrap()];
    let ran = remit.run(&args);
    let all: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    let problems: Vec<String> = all
        .iter()
        .filter(|it| it["passed"] != true)
        .map(|it| format!("{}: {}: {}", plugin.display(), it["fixture"], it["differences"]))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    all.into_iter().map(|it| (it["fixture"].as_str().unwrap().to_owned(), it["run"].clone())).collect()
}

#[test]
fn every_language_does_the_same() {
    let mut differences = Vec::new();
    let (_, rust) = &PLUGINS[0];
    let of_rust = tested(rust);
    for (form, plugin) in &PLUGINS[1..] {
        let of_it = tested(plugin);
        assert_eq!(of_it.len(), of_rust.len());
        for (fixture, run) in &of_rust {
            for field in COMPARED {
                let (expected, there) = (&run[field], &of_it[fixture][field]);
                assert!(!run[field].is_null() || field == "facts", "{field} is no field of a run");
                if expected != there {
                    differences.push(format!("{fixture}: {field} in {form:?}: {there}\n  in rust: {expected}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_fixtures_show_all_that_the_plugin_can_do() {
    let runs = tested(&PLUGINS[0].1);
    let all = |field: &str| runs.values().map(|run| run[field].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert!(runs.len() >= 12, "{} fixtures", runs.len());
    let calls = runs.values().flat_map(|run| run["calls"].as_array().unwrap());
    let called: BTreeSet<&str> = calls.map(|call| call.as_str().unwrap().split_once('.').unwrap().0).collect();
    let manifest: toml::Table = fs::read_to_string(scenario().join("rust/plugin.toml")).unwrap().parse().unwrap();
    for interface in manifest["capabilities"].as_table().unwrap().keys() {
        assert!(called.contains(interface.as_str()), "no fixture uses {interface}: {called:?}");
    }
    for verdict in ["compliant", "non-compliant", "not-applicable", "planned", "fixed", "recurred"] {
        assert!(all("verdict").contains(verdict), "no fixture ends {verdict}");
    }
    for outcome in ["completed", "plugin-error", "denied", "refused"] {
        assert!(all("outcome").contains(outcome), "no fixture ends {outcome}");
    }
}
