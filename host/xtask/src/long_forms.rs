//! Which tests have a long form: those that ask `tests::soak!()`. They are found in the sources, so that none can be forgotten.

use std::fmt;

use crate::workspace::Workspace;

/// How a test asks. In pieces, or it would be found here.
const ASKS: &str = concat!("so", "ak!(");

/// A test that has a long form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LongForm {
    /// The binary that it is in.
    pub(crate) binary: Binary,
    /// Its name there.
    pub(crate) test: String,
}

/// A binary with tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binary {
    /// Of a crate's own tests.
    Lib(String),
    /// Of a file `tests/NAME.rs`, or a folder `tests/NAME` with a `main.rs`.
    Test(String),
}

/// As the test itself tells its name.
impl fmt::Display for LongForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Binary::Lib(name) | Binary::Test(name)) = &self.binary;
        write!(f, "{}::{}", name.replace('-', "_"), self.test)
    }
}

/// Who asks for a long form.
#[derive(Default)]
pub(crate) struct LongForms {
    /// The tests that do.
    pub(crate) tests: Vec<LongForm>,
    /// Places where nobody would be found, a line each.
    pub(crate) astray: Vec<String>,
}

/// All of the repository.
pub(crate) fn find(workspace: &Workspace) -> anyhow::Result<LongForms> {
    let mut found = LongForms::default();
    for file in workspace.files.iter().filter(|file| file.ends_with(".rs")) {
        found.add(file, &std::fs::read_to_string(workspace.root.join(file))?, &workspace.files);
    }
    Ok(found)
}

/// Every long form is one that `soak` runs.
pub(crate) fn astray(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    Ok(find(workspace)?.astray)
}

impl LongForms {
    fn add(&mut self, file: &str, text: &str, files: &[String]) {
        for (line, test) in asked(text) {
            match (place(file, files), test) {
                (Some((binary, modules)), Some(test)) => {
                    let form = LongForm { binary, test: [&modules[..], &[test]].concat().join("::") };
                    if !self.tests.contains(&form) {
                        self.tests.push(form);
                    }
                }
                _ => {
                    let where_then = "directly in a `#[test]`, at the top of a file of a crate or of its `tests/`";
                    self.astray.push(format!("{file}:{line}: a long form is asked for {where_then}"));
                }
            }
        }
    }
}

/// The binary that cargo puts the tests of a file into, and the modules that they are in there.
fn place<'a>(file: &'a str, files: &[String]) -> Option<(Binary, Vec<&'a str>)> {
    let is_there = |file: String| files.contains(&file);
    if let Some((of_crate, modules)) = file.strip_suffix(".rs")?.split_once("/src/") {
        let name = of_crate.rsplit('/').next()?;
        let modules = modules.split('/').filter(|module| !["lib", "mod"].contains(module)).collect();
        return is_there(format!("{of_crate}/src/lib.rs")).then(|| (Binary::Lib(name.to_owned()), modules));
    }
    let (folder, name) = file.strip_suffix(".rs")?.rsplit_once('/')?;
    if folder.ends_with("/tests") {
        return Some((Binary::Test(name.to_owned()), Vec::new()));
    }
    let (_, target) = folder.rsplit_once("/tests/").filter(|_| is_there(format!("{folder}/main.rs")))?;
    let modules = if name == "main" { Vec::new() } else { vec![name] };
    Some((Binary::Test(target.to_owned()), modules))
}

/// Where a text asks, and the test in which it does. rustfmt wrote it: what begins in the first column ends there.
fn asked(text: &str) -> Vec<(usize, Option<&str>)> {
    let mut asked = Vec::new();
    let (mut is_test, mut test) = (false, None);
    for (at, line) in text.lines().enumerate() {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            test = rest.split('(').next().filter(|_| is_test);
            is_test = false;
        } else if line == "}" {
            test = None;
        }
        if line.contains(ASKS) && !line.trim_start().starts_with("//") {
            asked.push((at + 1, test));
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file in which a test, and a function that is none, ask.
    fn found(file: &str, text: &str) -> LongForms {
        let mut found = LongForms::default();
        let files = ["host/store/src/lib.rs", "tests/tests/crashes/main.rs"].map(str::to_owned);
        found.add(file, &text.replace("ASK", &format!("tests::{ASKS})")), &files);
        found
    }

    const TEST: &str =
        "#[test]\nfn kills() {\n    let n = if ASK { 200 } else { 20 };\n    // ASK\n    let m = ASK;\n}\n";

    #[test]
    fn a_test_that_asks_is_found_once() {
        let test = |name: &str| Binary::Test(name.to_owned());
        for (file, told, binary) in [
            ("tests/tests/limits-of.rs", "limits_of::kills", test("limits-of")),
            ("tests/tests/crashes/main.rs", "crashes::kills", test("crashes")),
            ("tests/tests/crashes/power.rs", "crashes::power::kills", test("crashes")),
            ("host/store/src/tests/power.rs", "store::tests::power::kills", Binary::Lib("store".to_owned())),
            ("host/store/src/tests/mod.rs", "store::tests::kills", Binary::Lib("store".to_owned())),
        ] {
            let found = found(file, TEST);
            assert_eq!(found.astray, [""; 0]);
            assert_eq!(found.tests.iter().map(ToString::to_string).collect::<Vec<_>>(), [told]);
            assert_eq!(found.tests[0].binary, binary);
        }
    }

    #[test]
    fn who_asks_where_soak_does_not_look_is_named() {
        let helper = "#[test]\nfn kills() {\n    helper();\n}\n\nfn helper() -> bool {\n    ASK\n}\n";
        for (file, text, line) in [
            ("tests/tests/crash.rs", helper, 7),
            ("tests/tests/hostile/mod.rs", TEST, 3),
            ("host/cli/src/tests.rs", TEST, 3),
            ("host/store/tests/deep/runs.rs", TEST, 3),
        ] {
            let found = found(file, text);
            assert!(found.tests.is_empty(), "{file}");
            assert!(found.astray[0].starts_with(&format!("{file}:{line}: ")), "{:?}", found.astray);
        }
    }

    #[test]
    fn those_of_this_repository_are_all_found() {
        let found = find(&Workspace::load().unwrap()).unwrap();
        assert_eq!(found.astray, [""; 0]);
        for known in ["crash", "limits_memory", "limits_neighbour"] {
            assert!(
                found.tests.iter().any(|it| it.binary == Binary::Test(known.to_owned())),
                "{known} has a long form: {:?}",
                found.tests
            );
        }
    }
}
