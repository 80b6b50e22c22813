//! What sources say is written down, for whoever writes a filter or a plugin: a row for each source, and each name of its data.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::{Path, PathBuf};

/// The agent tells these itself.
const OF_THE_AGENT: [&str; 2] = ["run-finished", "emitted"];

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Sources, without their tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !path.ends_with("tests") && !path.ends_with("levels"));
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn each_type_has_a_row() {
    let (notices, watch) = (read("NOTICES.md"), read("../agent/src/watch/mod.rs"));
    let (_, names) = watch.split_once("fn event_type").unwrap();
    let (names, _) = names.split_once("\n    }\n").unwrap();
    let names: Vec<&str> = names.split("=> \"").skip(1).filter_map(|it| it.split('"').next()).collect();
    assert!(names.contains(&"boot") && names.contains(&"disk-free"), "{names:?}");
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !OF_THE_AGENT.contains(*name) && !notices.contains(&format!("\n| `{name}` |")))
        .collect();
    assert!(missing.is_empty(), "NOTICES.md has no row for {missing:?}");
}

#[test]
fn each_name_of_data_is_told_of() {
    let (notices, mut missing, mut found) = (read("NOTICES.md"), Vec::new(), 0);
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/linux")) {
        let text = read(&path);
        let text = text.split("mod tests {\n").next().unwrap();
        // `("name", json!(…))`, and `insert("name".to_owned(), json!(…))`.
        let before: Vec<&str> = text.split(", json!(").collect();
        for piece in before.iter().take(before.len() - 1) {
            let Some(name) = piece.trim_end_matches(".to_owned()").strip_suffix('"') else { continue };
            let name = name.rsplit('"').next().unwrap().to_owned();
            found += 1;
            if !notices.contains(&format!("`{name}`")) {
                missing.push((name, path.clone()));
            }
        }
    }
    assert!(found > 40, "only {found} were found");
    assert!(missing.is_empty(), "NOTICES.md does not say what these are: {missing:?}");
}
