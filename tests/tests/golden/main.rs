//! Old plugins keep working. Of every version of the contract some plugins are kept, built, which together import and export all
//! of it; each does on a device what it did then. What was built for another version is refused in words, and by no linker.

mod make;
mod mismatch;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use contract::versions;
use tests::{Remit, built, msp, wasm_tools};

/// The most bytes of one, and of those of one version: they are in the repository for ever.
const BYTES_MAX: usize = 150_000;
const ALL_BYTES_MAX: usize = 1_000_000;

/// Where those of a version lie.
pub(crate) fn folder(version: &str) -> PathBuf {
    built::repository().join("tests/golden").join(version)
}

/// The names of those in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|it| it.extension().is_some_and(|it| it == "wasm"));
    let mut names: Vec<String> = paths.map(|it| it.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// What `cargo xtask golden` asks for: this version's plugins and their answers, anew.
fn bless() {
    let current = versions::current();
    assert!(current.released_with.is_empty(), "{} was released: what was kept of it stays", current.version);
    let folder = folder(current.version);
    let remit = msp::compiled();
    for (name, bytes) in make::all() {
        fs::write(folder.join(format!("{name}.wasm")), bytes).unwrap();
        let answers = make::answers(&remit, &folder, name);
        fs::write(folder.join(format!("{name}.json")), format!("{answers:#}\n")).unwrap();
    }
}

#[test]
fn every_plugin_of_every_version_answers_as_it_did() {
    if std::env::var_os("REMIT_BLESS").is_some() {
        bless();
    }
    let remit = msp::compiled();
    for version in versions::known() {
        let folder = folder(version.version);
        for name in names(&folder) {
            let kept = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
            let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
            let now = make::answers(&remit, &folder, &name);
            assert_eq!(now, kept, "{name} of {} answers otherwise: {now:#}", version.version);
            assert!(now.as_object().unwrap().values().all(|run| run["outcome"] == "completed"), "{now:#}");
        }
    }
}

#[test]
fn together_they_import_and_export_all_of_their_version() {
    for version in versions::known() {
        let folder = folder(version.version);
        let (mut imported, mut exported) = (BTreeMap::<String, BTreeSet<String>>::new(), BTreeSet::new());
        let (mut looks, mut repairs, mut scripts, mut total) = (0, 0, 0, 0);
        for name in names(&folder) {
            let path = folder.join(format!("{name}.wasm"));
            let bytes = fs::read(&path).unwrap();
            assert!(bytes.len() <= BYTES_MAX, "{name} has {} bytes", bytes.len());
            total += bytes.len();
            let plugin = artifact::verify_local(bytes, None).unwrap();
            match (plugin.script(), plugin.has_remediation()) {
                (Some(_), _) => scripts += 1,
                (None, false) => looks += 1,
                (None, true) => repairs += 1,
            }
            for need in plugin.needs() {
                imported.entry(need.import.interface).or_default().extend(need.import.functions);
            }
            let wit = wasm_tools::wit(&path);
            let exports = wit.lines().filter_map(|line| line.trim().strip_prefix("export msp:automation/"));
            exported.extend(exports.filter_map(|line| line.split('@').next()).map(str::to_owned));
        }
        assert!(
            looks > 0 && repairs > 0 && scripts > 0 && total <= ALL_BYTES_MAX,
            "{looks} {repairs} {scripts} {total}"
        );
        let all = version.interfaces.iter().filter(|(name, _)| !exported.contains(**name));
        let all: BTreeMap<String, BTreeSet<String>> = all
            .map(|(name, functions)| ((*name).to_owned(), functions.iter().map(|it| (*it).to_owned()).collect()))
            .collect();
        assert_eq!(imported, all, "the plugins kept of {}", version.version);
        assert_eq!(exported.iter().map(String::as_str).collect::<Vec<_>>(), ["detection", "parameters", "remediation"]);
    }
}

#[test]
fn what_a_kept_plugin_needs_and_how_two_differ_is_told() {
    let (remit, folder) = (Remit::new(), folder(contract::VERSION));
    let [looks, repairs] = ["looks", "repairs"].map(|name| folder.join(format!("{name}.wasm")).display().to_string());
    for host in [contract::VERSION, env!("CARGO_PKG_VERSION")] {
        let checked = remit.run(&["--output", "json", "check", &looks, "--host", host]).expect(0).json();
        assert_eq!((&checked["fit"], &checked["host"]["contract"]), (&true.into(), &contract::VERSION.into()));
    }
    let unknown = remit.run(&["check", &looks, "--host", "99.0.0"]).expect(1);
    assert!(unknown.stderr.contains(&format!("contract {} (remit ", contract::VERSION)), "{unknown}");

    let differs = |old: &str, new: &str| {
        let compared = remit.run(&["--output", "json", "inspect", new, "--against", old]).expect(0).json();
        assert_eq!(compared["label"]["form"], "component");
        compared["difference"].clone()
    };
    let grows = differs(&looks, &repairs);
    let new: Vec<_> = grows["changes"].as_array().unwrap().iter().filter(|it| it["what"] == "capability").collect();
    assert!(grows["grows"] == true && new.len() == 11 && new.iter().all(|it| it["grows"] == true), "{grows:#}");
    assert_eq!(differs(&repairs, &looks)["grows"], false);
    assert_eq!(differs(&looks, &looks)["changes"], serde_json::json!([]));
    let shown = remit.run(&["inspect", &repairs, "--against", &looks]).expect(0).stdout;
    assert!(
        shown.contains("! capability `files-erase`: new: ") && shown.ends_with("it may do more than before (!)\n"),
        "{shown}"
    );
}

#[test]
fn each_folder_is_of_a_version_that_is_known() {
    let known: BTreeSet<String> = versions::known().map(|it| it.version.to_owned()).collect();
    let folders = fs::read_dir(built::repository().join("tests/golden")).unwrap();
    let folders: BTreeSet<String> = folders.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, known, "and the other way round: this version too has its plugins");
}
