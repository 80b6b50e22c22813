//! A plugin of one's own: written by `remit new`, built and run far from this repository.

use std::path::{Path, PathBuf};
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
    let first = std::fs::read(&built).unwrap();
    // The same sources are the same bytes, wherever they lie.
    std::fs::create_dir(shell.path("deeper")).unwrap();
    shell.run("deeper", &["new", "hello-there"]);
    std::fs::copy(shell.path("hello-there/Cargo.lock"), shell.path("deeper/hello-there/Cargo.lock")).unwrap();
    assert_eq!(shell.run("deeper/hello-there", &["build"]).trim(), built.to_str().unwrap());
    assert!(std::fs::read(&built).unwrap() == first, "another folder gave other bytes");
    let home = shell.folder.path().to_str().unwrap().as_bytes();
    let machine = [home, std::env::home_dir().unwrap().to_str().unwrap().as_bytes()].map(<[u8]>::to_vec);
    let names = |folder: &Vec<u8>| first.windows(folder.len()).any(|it| it == folder);
    assert!(!machine.iter().any(names), "a folder of this machine is in it");
    has_its_packages(&shell, &built);
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

/// What was linked: the SDK and what it stands on, with versions and licences; no macro, and nothing that only builds.
#[track_caller]
fn has_its_packages(shell: &Shell, built: &Path) {
    let label = shell.run("", &["--output", "json", "inspect", built.to_str().unwrap()]);
    let label: serde_json::Value = serde_json::from_str(&label).unwrap();
    let packages = label["packages"].as_array().unwrap();
    let has = |name: &str| packages.iter().any(|it| it["name"] == name);
    assert!(["remit-sdk", "serde_core", "schemars", "rust-std"].into_iter().all(has), "{label:#}");
    assert!(!["serde_derive", "schemars_derive", "syn", "wit-parser", "hello-there"].into_iter().any(has), "{label:#}");
    assert!(packages.iter().all(|it| it["license"].is_string() && it["version"].is_string()), "{label:#}");
}

#[test]
fn a_script_is_packed_alike_wherever_it_lies() {
    let shell = Shell::new();
    let packed = |below: &str, text: &str| {
        std::fs::create_dir_all(shell.path(below)).unwrap();
        std::fs::write(shell.path(below).join("look.ts"), text).unwrap();
        shell.run(below, &["build", "look.ts"]);
        std::fs::read(shell.path(below).join("look.wasm")).unwrap()
    };
    let text = "export const manifest = { description: \"Looks\" };\nexport function detect(): void {}\n";
    let first = packed("one", text);
    assert!(first == packed("one", text) && first == packed("two/deeper", text));
    assert!(first != packed("one", &format!("{text}// more\n")), "the control");
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
