//! One plugin in each form that a plugin has: `tests/scenarios/site-guard`, which does the same in all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{built, toolchains};

/// What a plugin may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A component of its own, from cargo.
    Rust,
    /// One file, run by the script runtime.
    Script,
    /// The same file in a project, and so a component of its own, from componentize-qjs.
    JavaScript,
    /// A component of its own, from componentize-py.
    Python,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Script, Self::JavaScript, Self::Python];

    /// The plugin, built by this `remit`.
    pub fn plugin(self, remit: &Path) -> PathBuf {
        match self {
            Self::Rust => built::with(remit, &scenario().join("rust")),
            Self::Script => built::with(
                remit,
                &project("script", &[(scenario().join("site-guard.js"), "site-guard.js")]).join("site-guard.js"),
            ),
            Self::JavaScript => {
                build(remit, &project("javascript", &[(scenario().join("site-guard.js"), "src/index.js")]))
            }
            Self::Python => build(remit, &project("python", &[])),
        }
    }
}

/// The scenario's folder.
pub fn scenario() -> PathBuf {
    built::repository().join("tests/scenarios/site-guard")
}

/// The folder of a form, copied to where what its tools install does not lie among the sources, with files from elsewhere.
fn project(name: &str, more: &[(PathBuf, &str)]) -> PathBuf {
    let (from, to) = (scenario().join(name), built::target().join("tools/site-guard").join(name));
    let own = files(&from).into_iter().map(|file| (file.clone(), to.join(file.strip_prefix(&from).unwrap())));
    for (from, to) in own.chain(more.iter().map(|(file, name)| (file.clone(), to.join(name)))) {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
    to
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn build(remit: &Path, project: &Path) -> PathBuf {
    let mut build = Command::new(remit);
    toolchains::kept(build.arg("build").arg(project), built::target());
    let output = build.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} does not build", project.display());
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}
