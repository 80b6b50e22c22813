//! Plugins in JavaScript, TypeScript and Python: written by `remit new`, and built with nothing but their own package manager.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;
use tests::{built, toolchains, wasm_tools};

/// What npm itself needs: it starts scripts with a shell.
const NPM: [&str; 3] = ["node", "npm", "sh"];
const PIP: [&str; 2] = ["python3", "pip3"];

/// A folder where nothing else is installed than some programs.
struct Shell {
    folder: tempfile::TempDir,
}

impl Shell {
    fn new(programs: &[&str]) -> Self {
        let shell = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(shell.path("bin")).unwrap();
        toolchains::only(programs, &shell.path("bin"));
        shell
    }

    /// A project of this language.
    fn with_project(programs: &[&str], lang: &str) -> Self {
        let shell = Self::new(programs);
        shell.remit("", &["new", "disk-report", "--lang", lang], 0);
        shell
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn command(&self, program: &Path, below: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path(below));
        toolchains::kept(&mut command, built::target());
        command.env("PATH", self.path("bin")).env("HOME", self.path("")).env("REMIT_STATE", self.path("state"));
        command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH");
        command
    }

    #[track_caller]
    fn remit(&self, below: &str, args: &[&str], code: i32) -> Said {
        said(&self.command(built::remit(), below, args).output().unwrap(), &[code])
    }

    /// A program of those that are there.
    #[track_caller]
    fn own(&self, program: &str, args: &[&str]) -> Said {
        said(&self.command(&self.path("bin").join(program), "disk-report", args).output().unwrap(), &[0])
    }

    /// A run on this machine, whose disks may be full.
    #[track_caller]
    fn run(&self, args: &[&str]) -> Value {
        let all = [&["--output", "json", "run", "."][..], args].concat();
        json(&said(&self.command(built::remit(), "disk-report", &all).output().unwrap(), &[0, 10]))
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path("disk-report").join(file)).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path("disk-report").join(file), text).unwrap();
    }

    /// Declares an interface.
    fn declare(&self, table: &str) {
        self.write("plugin.toml", &(self.read("plugin.toml") + table));
    }
}

struct Said {
    stdout: String,
    stderr: String,
}

#[track_caller]
fn said(output: &Output, codes: &[i32]) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { stdout: text(&output.stdout), stderr: text(&output.stderr) };
    let code = output.status.code().unwrap_or(-1);
    assert!(codes.contains(&code), "{code}\n{}\n{}", said.stdout, said.stderr);
    said
}

#[track_caller]
fn json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {}", said.stdout))
}

/// What every project goes through, whatever it is written in.
#[track_caller]
fn is_built_tested_inspected_and_run(shell: &Shell) {
    // Wherever its author stands; and what is built again from the same sources is the same.
    let [first, again] = [("", "disk-report"), ("disk-report", ".")].map(|(below, folder)| {
        let file = shell.remit(below, &["build", folder], 0).stdout;
        assert_eq!(file, format!("{folder}/dist/disk-report.wasm\n"));
        fs::read(shell.path("disk-report/dist/disk-report.wasm")).unwrap()
    });
    assert!(first == again, "the second build gave other bytes");
    let tested = shell.remit("disk-report", &["test"], 0).stdout;
    assert!(tested.ends_with("3 fixtures, 0 failed\n"), "{tested}");

    let label = json(&shell.remit("disk-report", &["--output", "json", "inspect", "."], 0));
    let capabilities = label["capabilities"].as_array().unwrap();
    assert_eq!(capabilities.len(), 1, "{label}");
    assert_eq!((&label["name"], &capabilities[0]["capability"]), (&"disk-report".into(), &"device".into()));
    assert_eq!(label["parameters"]["properties"]["min-free-percent"]["default"], 10);
    let packages = label["packages"].as_array().unwrap();
    // componentize-py's own package names no licence, but a file of it.
    let has = |name: &str| packages.iter().any(|it| it["name"] == name);
    assert!(has("remit-sdk") && (has("componentize-qjs") || has("componentize-py")), "{label:#}");
    // A reader that is not ours says the same.
    let wit = wasm_tools::wit(&shell.path("disk-report/dist/disk-report.wasm"));
    let imports = wit.lines().filter_map(|line| line.trim().strip_prefix("import msp:automation/"));
    let imports: Vec<&str> = imports.map(|line| line.split('@').next().unwrap()).collect();
    assert_eq!(imports, ["types", "run", "device"], "{wit}");
    shell.remit("disk-report", &["check"], 0);

    let run = shell.run(&["--mode", "detect"]);
    assert!(run["summary"].as_str().unwrap().ends_with(" volumes looked at"), "{run}");
    assert_eq!((&run["outcome"], &run["plugin"]), (&"completed".into(), &"disk-report".into()));
}

#[test]
fn a_plugin_in_javascript_needs_npm_alone() {
    let shell = Shell::with_project(&NPM, "js");
    is_built_tested_inspected_and_run(&shell);
    assert!(shell.own("npm", &["test"]).stdout.contains("pass 2"));
    shell.own("node", &["node_modules/typescript/bin/tsc"]);
    // The control: a type that is wrong is told.
    shell.write("src/volumes.js", &shell.read("src/volumes.js").replace("\"warning\"", "\"loud\""));
    let checked = shell.command(&shell.path("bin/node"), "disk-report", &["node_modules/typescript/bin/tsc"]).output();
    assert!(said(&checked.unwrap(), &[2]).stdout.contains("src/volumes.js("));
}

#[test]
fn a_plugin_in_typescript_needs_npm_alone() {
    let shell = Shell::with_project(&NPM, "ts");
    is_built_tested_inspected_and_run(&shell);
    assert!(shell.own("npm", &["test"]).stdout.contains("pass 2"));
    shell.own("node", &["node_modules/typescript/bin/tsc"]);
}

/// Raises, where its parameter says so.
const RAISES: &str =
    "    volumes = list_volumes()\n    if least_percent == 99:\n        raise ValueError(\"ninety-nine\")\n";

#[test]
fn a_plugin_in_python_needs_pip_alone() {
    let shell = Shell::with_project(&PIP, "python");
    let text = shell.read("disk_report/__init__.py");
    shell.write("disk_report/__init__.py", &text.replace("    volumes = list_volumes()\n", RAISES));
    is_built_tested_inspected_and_run(&shell);

    let raised = shell.remit("disk-report", &["--output", "json", "run", ".", "--param", "min-free-percent=99"], 22);
    let detail = json(&raised)["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail, "other (threw): disk_report/__init__.py:17:9: ValueError: ninety-nine");
}

#[test]
fn the_python_template_is_tested_and_typed() {
    let shell = Shell::with_project(&PIP, "python");
    assert!(shell.own("python3", &["-m", "unittest"]).stderr.contains("\nRan 2 tests in "));

    let mypy = toolchains::mypy(built::target());
    assert!(mypy.is_dir(), "{} is missing: `cargo xtask test` installs it", mypy.display());
    let checks = |code: i32| {
        let mut command = shell.command(&shell.path("bin/python3"), "disk-report", &["-m", "mypy", "--strict"]);
        said(&command.env("PYTHONPATH", &mypy).output().unwrap(), &[code])
    };
    checks(0);
    let wrong = shell.read("disk_report/volumes.py").replace("remediable=False", "remediable=\"no\"");
    shell.write("disk_report/volumes.py", &wrong);
    assert!(checks(1).stdout.contains("disk_report/volumes.py:"));
}

/// A project in JavaScript whose toolchain is there already.
fn installed() -> Shell {
    static INSTALLED: LazyLock<Shell> = LazyLock::new(|| {
        let shell = Shell::with_project(&NPM, "js");
        shell.remit("disk-report", &["build"], 0);
        shell
    });
    let shell = Shell::with_project(&NPM, "js");
    let modules = "disk-report/node_modules";
    std::os::unix::fs::symlink(INSTALLED.path(modules), shell.path(modules)).unwrap();
    shell
}

#[test]
fn what_is_not_declared_is_refused_with_its_line() {
    let shell = installed();
    let import = "import { listProcesses } from \"msp:automation/process\";\n";
    shell.write("src/more.js", &format!("{import}export const count = () => listProcesses().length;\n"));
    shell.write("src/index.js", &format!("import {{ count }} from \"./more.js\";\n{}", shell.read("src/index.js")));
    let lines = shell.read("plugin.toml").lines().count();
    let refused = shell.remit("disk-report", &["check"], 20).stderr;
    let says = format!(
        "src/more.js:1:1: it imports `process` (listProcesses), which its manifest does not declare; add at ./plugin.toml:{}\n",
        lines + 1
    );
    assert!(refused.contains(&says) && refused.contains("[capabilities.process]"), "{refused}");
    shell.declare("[capabilities.process]\nscope = [\"*\"]\nreason = \"Counts them\"\n");
    shell.remit("disk-report", &["check"], 0);

    for (text, says) in [
        ("import fs from \"node:fs\";\n", "src/more.js:1:1: `node:fs` is not there"),
        ("import { kill } from \"msp:automation/process\";\n", "src/more.js:1:10: `process` has no function `kill`"),
        (
            "import { a } from \"msp:automation/processes\";\n",
            "src/more.js:1:1: this host has no interface `processes`",
        ),
        ("import \"../../outside.js\";\n", "src/more.js:1:1: there is no `../../outside.js`"),
        ("const = 1;\n", "src/more.js:1:7: "),
    ] {
        shell.write("src/more.js", &format!("{text}export const count = () => 1;\n"));
        let refused = shell.remit("disk-report", &["build"], 20).stderr;
        assert!(refused.contains(says), "{says}: {refused}");
    }
    shell.write("src/more.js", "export const count = () => 1;\n");
    shell.write("src/index.js", &shell.read("src/index.js").replace("export function", "export async function"));
    let refused = shell.remit("disk-report", &["build"], 20).stderr;
    assert!(refused.contains(": `detect` answers a promise"), "{refused}");
}

#[test]
fn python_is_told_the_same() {
    let shell = Shell::with_project(&PIP, "python");
    let text = shell.read("disk_report/volumes.py");
    let import = "from msp.automation.process import list_processes\n";
    shell.write("disk_report/volumes.py", &format!("{text}\n{import}"));
    let line = text.lines().count() + 2;
    let refused = shell.remit("disk-report", &["check"], 20).stderr;
    let says = format!("disk_report/volumes.py:{line}:36: it imports `process` (list_processes), which its manifest");
    assert!(refused.contains(&says) && refused.contains("[capabilities.process]"), "{refused}");
    shell.declare("[capabilities.process]\nscope = [\"*\"]\nreason = \"Counts them\"\n");
    shell.remit("disk-report", &["check"], 0);
    shell.write("disk_report/volumes.py", &format!("{text}\nfrom msp.automation.process import kill\n"));
    let refused = shell.remit("disk-report", &["check"], 20).stderr;
    assert!(refused.contains("`process` has no function `kill`; it has list_processes, get_process"), "{refused}");
    shell.write("disk_report/volumes.py", "def broken(:\n");
    let refused = shell.remit("disk-report", &["check"], 20).stderr;
    assert!(refused.contains("disk_report/volumes.py:1:12: "), "{refused}");
}

/// Leaves out what may be left out, and catches what the host refuses.
const SCRIPT: &str = r#"import { findEntries, getEntry } from "msp:automation/files";
import { getContext, log } from "msp:automation/run";

export const manifest = {
  name: "disk-report",
  description: "Looks about",
  capabilities: { files: { scope: ["scratch"], reason: "Looks" } },
};

const tried = (call) => {
  try {
    return call();
  } catch (error) {
    return [error.name, error.kind, error.code, error.message, error instanceof HostError];
  }
};

const look = (info) => {
  return info.nothing.at;
};

export function detect() {
  const seen = [
    findEntries("scratch", "", { maxDepth: 1, limit: 10, attributes: { order: "path" } }).items.map((it) => it.path),
    getEntry("scratch", "none") === undefined,
    tried(() => findEntries("elsewhere", "", { maxDepth: 1, limit: 1 })),
    tried(() => findEntries("scratch", "", { maxDepth: -1, limit: 1 })),
    tried(() => findEntries("scratch", "", { maxDepth: 1, limit: 1, order: "path" })),
    tried(() => log("loud", "no such level")),
    new TextDecoder().decode(new Uint8Array([0xe2, 0x82, 0xac, 0xff, 0xed, 0xa0, 0x80])),
    [...new TextEncoder().encode("€")],
    typeof performance,
  ];
  console.log("seen", { mode: getContext().mode });
  if (seen[0].includes("throws")) look({});
  if (seen[0].includes("answers")) return { verdict: "fine", summary: "" };
  return { verdict: "compliant", summary: JSON.stringify(seen), findings: undefined, attributes: { a: "b" } };
}
"#;

#[test]
fn a_script_that_moves_into_a_project_does_the_same() {
    let shell = installed();
    shell.write("src/index.js", SCRIPT);
    shell.declare("[capabilities.files]\nscope = [\"scratch\"]\nreason = \"Looks\"\n");
    shell.write("index.js", SCRIPT);
    fs::create_dir(shell.path("scratch")).unwrap();
    let bind = format!("scratch={}", shell.path("scratch").display());
    let ends = |plugin: &str, code: i32| {
        let args = ["--output", "json", "run", plugin, "--bind", &bind];
        let run = json(&shell.remit("disk-report", &args, code));
        let line = run["log"][0]["message"].clone();
        // A script is one file, and its name stands alone.
        let detail = run["detail"].as_str().unwrap().replace("src/index.js", "index.js");
        (run["verdict"].clone(), run["summary"].clone(), detail, run["outcome"].clone(), line)
    };
    for (file, code, says) in [
        ("plain", 0, ""),
        ("throws", 22, "other (threw): index.js:19:10: TypeError: "),
        ("answers", 22, "other (answer): index.js: what `detect` answered: `verdict` must be one of "),
    ] {
        let path = shell.path("scratch").join(file);
        fs::write(&path, "").unwrap();
        let (script, project) = (ends("index.js", code), ends(".", code));
        assert_eq!(script, project, "{file}");
        assert!(project.2.starts_with(says), "{project:?}");
        fs::remove_file(path).unwrap();
    }
}

/// A package of others, asks of servers, and random numbers.
const ASKS: &str = r#"import { fetch } from "remit:fetch";
import leftPad from "left-pad";

const refused = (call) => {
  try {
    return call();
  } catch (error) {
    return [error.kind, error.code, error.message];
  }
};

export function detect() {
  const seen = [
    refused(() => fetch("https://nowhere.invalid/")),
    refused(() => fetch("https://nowhere.invalid/", { method: "POST", body: "x" })),
    leftPad("7", 3, "0"),
  ];
  return { verdict: "compliant", summary: JSON.stringify(seen), attributes: { random: String(Math.random()) } };
}
"#;

#[test]
fn a_package_is_bundled_and_fetch_asks_what_is_granted() {
    let shell = Shell::with_project(&NPM, "js");
    shell.write("src/index.js", ASKS);
    shell.write(
        "package.json",
        &shell
            .read("package.json")
            .replace("\"devDependencies\"", "\"dependencies\": { \"left-pad\": \"1.3.0\" },\n  \"devDependencies\""),
    );
    let refused = shell.remit("disk-report", &["build"], 20).stderr;
    assert!(refused.contains("src/index.js:1:1: it imports `http` (fetch), which its manifest"), "{refused}");
    shell.declare("[capabilities.http]\nscope = [\"https://nowhere.invalid\"]\nreason = \"Asks\"\n");
    let run = shell.run(&[]);
    let seen: Value = serde_json::from_str(run["summary"].as_str().unwrap()).unwrap();
    assert_eq!(seen[0][0], "unavailable", "{seen}");
    assert_eq!(seen[1], serde_json::json!(["denied", "grant", "`http-write` is not granted"]));
    assert_eq!(seen[2], "007");
    let ask = json(&shell.remit("disk-report", &["--output", "json", "inspect", "."], 0));
    let names: Vec<&str> =
        ask["capabilities"].as_array().unwrap().iter().map(|it| it["capability"].as_str().unwrap()).collect();
    assert_eq!(names, ["device", "http [https://nowhere.invalid]"]);
    let pad = serde_json::json!({ "name": "left-pad", "version": "1.3.0", "license": "WTFPL" });
    assert!(ask["packages"].as_array().unwrap().contains(&pad), "{ask:#}");
    assert_ne!(shell.run(&[])["run"], run["run"]);
}
