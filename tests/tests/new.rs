//! A plugin of one's own: written by `remit new`, built and run far from this repository.

use std::path::PathBuf;
use std::process::{Command, Output};

use tests::built;

/// A shell in a folder that has nothing to do with the repository.
struct Shell {
    folder: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn command(&self, below: &str, args: &[&str]) -> Command {
        let mut command = Command::new(built::remit());
        command.args(args).current_dir(self.path(below)).env_clear();
        for kept in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        // Kept between two runs of this test: what is new in each is the project.
        command.env("CARGO_TARGET_DIR", built::target().join("new-project"));
        command.env("REMIT_STATE", self.path("state"));
        command
    }

    #[track_caller]
    fn run(&self, below: &str, args: &[&str]) -> String {
        said(&self.command(below, args).output().unwrap(), 0)
    }

    /// Standard error of what is refused with this code.
    #[track_caller]
    fn refused(&self, below: &str, args: &[&str], code: i32) -> String {
        let output = self.command(below, args).output().unwrap();
        said(&output, code);
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_new_plugin_is_built_and_run_outside_the_repository() {
    let shell = Shell::new();
    assert_eq!(shell.run("", &["new", "hello-there"]), "hello-there\n");
    let built = PathBuf::from(shell.run("hello-there", &["build"]).trim());
    assert!(built.ends_with("remit/hello-there.wasm") && built.is_file(), "{built:?}");
    let tested = shell.run("hello-there", &["test"]);
    assert!(tested.ends_with("3 fixtures, 0 failed\n"), "{tested}");

    // Changed, so that there is something to build; and nothing to fetch it with.
    let source = shell.path("hello-there/src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    assert!(text.contains("struct HelloThere"), "{text}");
    std::fs::write(&source, text.replace("volumes looked at", "volumes greeted")).unwrap();
    let mut run = shell.command("hello-there", &["run", ".", "--mode", "detect", "--output", "json"]);
    let output = run.env("CARGO_NET_OFFLINE", "true").output().unwrap();
    // Whether a volume of this machine is full is not ours to say.
    let is_full = output.status.code() == Some(10);
    let summary = said(&output, if is_full { 10 } else { 0 });
    assert_eq!(summary.contains("\"verdict\": \"compliant\""), !is_full, "{summary}");
    assert!(summary.contains("volumes greeted") && summary.contains("\"plugin\": \"hello-there\""), "{summary}");

    let project = std::fs::read_to_string(shell.path("hello-there/.remit/sdk/Cargo.toml")).unwrap();
    assert!(!project.contains("workspace = true"), "it needs no workspace");
    assert!(shell.path("hello-there/.remit/sdk/wit/world.wit").is_file());
}

#[test]
fn what_is_there_stays_and_a_bad_name_is_none() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("mine")).unwrap();
    std::fs::write(shell.path("mine/note"), "kept").unwrap();
    let error = shell.refused("", &["new", "mine"], 1);
    assert!(error.contains("`mine` is there already"), "{error}");
    let inside: Vec<_> = std::fs::read_dir(shell.path("mine")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(inside, ["note"]);
    for bad in ["Mine", "../mine", "serde", "my_plugin"] {
        let error = shell.refused("", &["new", bad], 2);
        assert!(error.contains("such as `disk-report`"), "{error}");
    }
    assert_eq!(std::fs::read_dir(shell.path("")).unwrap().count(), 1, "nothing was written");
    shell.run("", &["new", "mine-too"]);
    assert!(shell.path("mine-too/plugin.toml").is_file());
}
