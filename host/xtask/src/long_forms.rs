//! Which tests have a long form: those that ask `tests::soak!()`. They are found in the sources, so that none can be forgotten.

use std::fmt;

use crate::workspace::Workspace;

/// How a test asks. In pieces, or it would be found here.
const ASKS: &str = concat!("so", "ak!(");

/// A test that has a long form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LongForm {
    /// The binary that it is in.
    pub(crate) target: String,
    /// Its name there.
    pub(crate) test: String,
}

/// As the test itself tells its name.
impl fmt::Display for LongForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.target.replace('-', "_"), self.test)
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
        found.add(file, &std::fs::read_to_string(workspace.root.join(file))?);
    }
    Ok(found)
}

/// Every long form is one that `soak` runs.
pub(crate) fn astray(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    Ok(find(workspace)?.astray)
}

impl LongForms {
    fn add(&mut self, file: &str, text: &str) {
        for (line, test) in asked(text) {
            match (integration_test(file), test) {
                (Some(target), Some(test)) => {
                    let form = LongForm { target: target.to_owned(), test: test.to_owned() };
                    if !self.tests.contains(&form) {
                        self.tests.push(form);
                    }
                }
                _ => {
                    let where_then = "directly in a `#[test]`, at the top of a file `tests/NAME.rs`";
                    self.astray.push(format!("{file}:{line}: a long form is asked for {where_then}"));
                }
            }
        }
    }
}

/// The binary that cargo makes of a file `tests/NAME.rs` beside some Cargo.toml.
fn integration_test(file: &str) -> Option<&str> {
    let (folder, name) = file.rsplit_once('/')?;
    let is_target = folder.ends_with("/tests") || folder == "tests";
    name.strip_suffix(".rs").filter(|_| is_target)
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
        found.add(file, &text.replace("ASK", &format!("tests::{ASKS})")));
        found
    }

    const TEST: &str =
        "#[test]\nfn kills() {\n    let n = if ASK { 200 } else { 20 };\n    // ASK\n    let m = ASK;\n}\n";

    #[test]
    fn a_test_that_asks_is_found_once() {
        let found = found("tests/tests/limits-of.rs", TEST);
        assert_eq!(found.astray, [""; 0]);
        assert_eq!(found.tests.iter().map(ToString::to_string).collect::<Vec<_>>(), ["limits_of::kills"]);
        assert_eq!(found.tests[0].target, "limits-of");
    }

    #[test]
    fn who_asks_where_soak_does_not_look_is_named() {
        let helper = "#[test]\nfn kills() {\n    helper();\n}\n\nfn helper() -> bool {\n    ASK\n}\n";
        for (file, text, line) in [
            ("tests/tests/crash.rs", helper, 7),
            ("tests/tests/hostile/mod.rs", TEST, 3),
            ("host/store/src/tests.rs", TEST, 3),
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
            assert!(found.tests.iter().any(|it| it.target == known), "{known} has a long form: {:?}", found.tests);
        }
    }
}
