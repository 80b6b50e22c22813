//! First-party plugins are written, built and shown; in a copy of the repository, because they would stay in it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics, and starts what a person would start"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tests::built;

/// A copy of this repository that is built where this one is: what is not ours is built already.
struct Copy {
    root: PathBuf,
    _lock: fs::File,
}

impl Copy {
    /// At the same place each time, because what cargo builds of it is kept by its path.
    fn new(name: &str) -> Self {
        let root = built::target().join("copies").join(name);
        fs::create_dir_all(root.parent().unwrap()).unwrap();
        let lock = fs::File::create(root.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        let listed = git(built::repository(), &["ls-files", "--cached", "--others", "--exclude-standard"]);
        for file in listed.lines().filter(|file| built::repository().join(file).is_file()) {
            let to = root.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(built::repository().join(file), to).unwrap();
        }
        git(&root, &["init", "--quiet"]);
        Self { root, _lock: lock }
    }

    fn command(&self, program: &str, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.root).env("CARGO_TARGET_DIR", built::target());
        built::own(command.stdin(Stdio::null())).output().unwrap()
    }

    fn xtask(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_xtask"), args)
    }

    /// `new-plugin`, or `plugins`.
    fn with_remit(&self, task: &str, names: &[&str]) -> Output {
        self.xtask(&[&[task, "--remit", built::remit().to_str().unwrap()], names].concat())
    }

    /// Has a plugin say something else.
    fn change(&self, file: &str, right: &str, wrong: &str) {
        let file = self.root.join("plugins").join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(right), "{text}");
        fs::write(file, text.replacen(right, wrong, 1)).unwrap();
    }
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(["-c", "safe.directory=*"]).args(args).current_dir(folder).output().unwrap();
    said(&output, 0).0
}

/// What it wrote, and what it told, when it ended with this code.
#[track_caller]
fn said(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (data, talk) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{data}\n{talk}");
    (data, talk)
}

/// The line of a table that is about a plugin, its columns parted by one space.
fn row(table: &str, plugin: &str) -> String {
    let row = table.lines().find(|line| line.split_whitespace().next() == Some(plugin));
    let words: Vec<&str> = row.unwrap_or_else(|| panic!("{plugin}:\n{table}")).split_whitespace().collect();
    words.join(" ")
}

#[test]
fn a_new_plugin_is_whole_and_keeps_every_rule() {
    let copy = Copy::new("whole");
    assert_eq!(said(&copy.with_remit("new-plugin", &["scratch-whole"]), 0).0, "plugins/scratch-whole\n");
    let lock = fs::read_to_string(copy.root.join("Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"scratch-whole\""), "it has its place in the lock file");
    for left_out in [".remit", ".gitignore"] {
        assert!(!copy.root.join("plugins/scratch-whole").join(left_out).exists(), "{left_out} is for who stands alone");
    }
    said(&copy.xtask(&["check", "format", "rules"]), 0);
    let (table, _) = said(&copy.with_remit("plugins", &["scratch-whole"]), 0);
    let row = row(&table, "scratch-whole");
    assert!(row.starts_with("scratch-whole 0.1.0 ") && row.ends_with(" device 3 of 3"), "{row}");
    assert!(table.ends_with("1 plugins, 0 failed\n"), "{table}");
}

#[test]
fn a_new_plugin_passes_its_tests_and_the_lints() {
    let copy = Copy::new("linted");
    said(&copy.with_remit("new-plugin", &["scratch-linted"]), 0);
    let tested = said(&copy.command("cargo", &["test", "--package", "scratch-linted", "--lib"]), 0).0;
    assert!(tested.contains("test result: ok. 1 passed"), "{tested}");
    let clippy = ["clippy", "--quiet", "--package", "scratch-linted", "--all-targets", "--", "-D", "warnings"];
    said(&copy.command("cargo", &clippy), 0);
    // The lints are the workspace's.
    copy.change(
        "scratch-linted/src/lib.rs",
        "let volumes = device::list_volumes()?;",
        "let volumes = device::list_volumes().unwrap();",
    );
    let talk = said(&copy.command("cargo", &clippy), 101).1;
    assert!(talk.contains("unwrap"), "{talk}");
}

#[test]
fn a_name_that_is_taken_or_none_is_refused() {
    let copy = Copy::new("names");
    for (name, why) in [
        ("disk-space", "plugins/disk-space is there already"),
        ("model", "host/model is called model"),
        ("Mine", "such as `disk-report`"),
        ("../mine", "such as `disk-report`"),
    ] {
        let talk = said(&copy.with_remit("new-plugin", &[name]), 1).1;
        assert!(talk.contains(why), "{talk}");
    }
    assert_eq!(fs::read_dir(copy.root.join("plugins")).unwrap().count(), built::plugins().len(), "nothing was written");
    assert!(said(&copy.with_remit("plugins", &["disk-sapce"]), 1).1.contains("there is no plugins/disk-sapce"));
}

#[test]
fn a_plugin_that_fails_is_named_and_the_others_are_shown() {
    let copy = Copy::new("failing");
    let names = ["scratch-asks", "scratch-fails", "scratch-fine"];
    for name in names {
        said(&copy.with_remit("new-plugin", &[name]), 0);
    }
    copy.change("scratch-asks/plugin.toml", "[capabilities.device]", "[capabilities.kv]\nscope = [\"*\"]");
    copy.change("scratch-fails/fixtures/full.toml", "5 % free", "6 % free");
    let (table, talk) = said(&copy.with_remit("plugins", &names), 1);
    assert!(row(&table, "scratch-asks").ends_with("FAILED"), "{table}");
    assert!(row(&table, "scratch-fails").ends_with(" device 2 of 3 FAILED"), "{table}");
    assert!(row(&table, "scratch-fine").ends_with(" device 3 of 3"), "{table}");
    assert!(table.ends_with("3 plugins, 2 failed\n"), "{table}");
    assert!(talk.contains("scratch-asks: it does not build: ") && talk.contains("[capabilities.device]"), "{talk}");
    assert!(talk.contains("scratch-fails: fixture \"full\" fails: ") && talk.contains("6 % free"), "{talk}");
}
