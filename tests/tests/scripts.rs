//! Scripts: one file, no toolchain, and the sandbox, plan and record of any plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tests::scripts::{LOOK, device, plain, write};
use tests::{Remit, remit};

/// Removes what nobody wrote for 30 days; with `greedy` more in an enforce run than in a dry run.
const OLD_FILES: &str = r#"import { findEntries } from "msp:automation/files";
import { removeEntries } from "msp:automation/files-write";
import { getContext, getParameters, now } from "msp:automation/run";

export const manifest = {
  name: "old-files",
  description: "Removes what nobody wrote for 30 days",
  capabilities: {
    files: { scope: ["scratch"], reason: "Looks for old files" },
    "files-write": { scope: ["scratch"], reason: "Removes them" },
  },
  parameters: { type: "object", properties: { greedy: { type: "boolean", default: false } } },
};

const old = (days) => findEntries("scratch", "", {
  maxDepth: 3, pattern: null, modifiedBeforeMs: now() - days * 86_400_000, limit: 100,
}).items.filter(({ kind }) => kind === "file");

export function detect() {
  const findings = old(30).map(({ path, sizeBytes }) => ({
    fingerprint: `old/${path}`, title: `${path} is old`, severity: "info", target: path, evidence: `${sizeBytes} bytes`,
    remediable: true,
  }));
  return { verdict: findings.length ? "non-compliant" : "compliant", summary: `${findings.length} old`, findings };
}

export function remediate(findings) {
  const { greedy } = JSON.parse(getParameters());
  const paths = findings.map(({ target }) => target);
  if (greedy && getContext().mode === "enforce") paths.push("new.log");
  removeEntries("scratch", paths, now());
  return { summary: `removed ${paths.length}` };
}
"#;

/// Two old files and a new one.
fn scratch(remit: &Remit) -> (PathBuf, String) {
    let scratch = remit.folder("scratch");
    for name in ["a.log", "b.log", "new.log"] {
        fs::write(scratch.join(name), name).unwrap();
    }
    let old = fs::FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(60 * 86_400));
    for name in ["a.log", "b.log"] {
        fs::File::open(scratch.join(name)).unwrap().set_times(old).unwrap();
    }
    let bind = format!("scratch={}", scratch.display());
    (scratch, bind)
}

fn targets(run: &Value, effect: &str) -> Vec<String> {
    let effects = run["effects"].as_array().unwrap().iter();
    effects.filter(|it| it["effect"] == effect).map(|it| it["target"].as_str().unwrap().to_owned()).collect()
}

fn attribute<'a>(error: &'a Value, name: &str) -> &'a str {
    let attributes = error["attributes"].as_array().unwrap();
    attributes.iter().find(|it| it[0] == name).and_then(|it| it[1].as_str()).unwrap_or_default()
}

#[test]
fn a_script_needs_no_toolchain() {
    let remit = device();
    let typed = LOOK.replace("detect() {", "detect(): { verdict: \"compliant\", summary: string } {");
    for (name, text) in [("look.js", LOOK), ("look.ts", &typed)] {
        let script = write(&remit, name, text);
        let mut command = remit.command(&["--output", "json", "run", script.to_str().unwrap(), "--mode", "dry-run"]);
        let ran = remit::Ran::from(command.env("PATH", "/nonexistent").output().unwrap()).expect(0).json();
        assert_eq!((&ran["verdict"], &ran["summary"]), (&"compliant".into(), &"all is well".into()));
        let line = ran["log"][0]["message"].as_str().unwrap();
        assert!(line.starts_with("mode dry-run {\"random\":0."), "{line}");
        let started = &remit.events(ran["run"].as_str().unwrap())[0];
        assert_eq!(started["digest"], ran["digest"]);
        assert_eq!(started["runtime"], include_str!("../../host/script/runtime.digest").trim());
    }
    // The control: without its types the same text is no JavaScript.
    let wrong = write(&remit, "typed.js", &typed);
    let refused = remit.run_plugin(&wrong, &[]).expect(20);
    assert!(refused.stderr.contains("typed.js:3:25: "), "{refused}");
}

#[test]
fn a_dry_run_plans_what_an_enforce_run_does() {
    let remit = device();
    let ((scratch, bind), script) = (scratch(&remit), write(&remit, "old-files.js", OLD_FILES));
    let dry = remit.run_plugin(&script, &["--mode", "dry-run", "--bind", &bind]).expect(0).json();
    assert_eq!(dry["verdict"], "planned");
    assert!(scratch.join("a.log").exists(), "a dry run changes nothing");
    let enforce = ["--mode", "enforce", "--bind", &bind];
    let refused = remit.run_plugin(&script, &enforce).expect(20);
    assert!(refused.stderr.contains("--allow 'files-write [scratch]'"), "{refused}");
    let tied = [&enforce[..], &["--allow", "files-write", "--plan", dry["run"].as_str().unwrap()]].concat();
    let enforced = remit.run_plugin(&script, &tied).expect(0).json();
    assert_eq!((&enforced["verdict"], &enforced["remedy"]), (&"fixed".into(), &"removed 2".into()));
    let planned = targets(&dry, "planned");
    assert_eq!((planned.len(), &planned), (2, &targets(&enforced, "changed")));
    assert!(!scratch.join("a.log").exists() && scratch.join("new.log").exists());
    remit.run(&["undo", enforced["run"].as_str().unwrap()]).expect(0);
    assert!(scratch.join("a.log").exists());
}

#[test]
fn a_script_that_does_more_than_its_plan_is_stopped() {
    let remit = device();
    let ((scratch, bind), script) = (scratch(&remit), write(&remit, "old-files.js", OLD_FILES));
    let greedy = ["--bind", &bind, "--param", "greedy=true"];
    let dry = remit.run_plugin(&script, &[&greedy[..], &["--mode", "dry-run"]].concat()).expect(0).json();
    let tied = ["--mode", "enforce", "--allow", "files-write", "--plan", dry["run"].as_str().unwrap()];
    let stopped = remit.run_plugin(&script, &[&greedy[..], &tied].concat()).expect(21).json();
    assert!(stopped["detail"].as_str().unwrap().contains("new.log"), "{stopped}");
    assert!(scratch.join("new.log").exists() && scratch.join("a.log").exists());
    // The control: without a plan nothing stops it, and everything is shown.
    let shown = remit.run_plugin(&script, &[&greedy[..], &tied[..4]].concat()).expect(0).json();
    assert_eq!(targets(&shown, "changed").len(), 3);
}

#[test]
fn a_recorded_script_replays() {
    let remit = device();
    let script = write(&remit, "look.js", LOOK);
    let record = remit.folder("records").join("run");
    let run = remit.run_plugin(&script, &["--record", record.to_str().unwrap()]).expect(0).json();
    let replay = |record: &Path, script: &Path| {
        remit.run(&["--output", "json", "replay", record.to_str().unwrap(), "--plugin", script.to_str().unwrap()])
    };
    // Its random number and its clock stand in a line of the log, and lines are compared.
    let replayed = replay(&record, &script).expect(0).json();
    assert_eq!((&replayed["divergence"], &replayed["verdict"]), (&Value::Null, &run["verdict"]));
    let another = remit.run_plugin(&script, &[]).expect(0).json();
    assert_ne!(another["log"], run["log"], "two runs have not the same random numbers");

    let text = fs::read_to_string(&record).unwrap();
    let digest = include_str!("../../host/script/runtime.digest").trim();
    let other = format!("sha256:{}", "0".repeat(64));
    assert!(text.contains(digest));
    let elsewhere = record.with_extension("elsewhere");
    fs::write(&elsewhere, text.replace(digest, &other)).unwrap();
    let missing = replay(&elsewhere, &script).expect(1);
    assert!(
        missing.stderr.contains(&format!("script runtime {other}")) && missing.stderr.contains(digest),
        "{missing}"
    );
    // The run kept its runtime; another one that was kept, by an earlier remit, replays what was recorded with it.
    let runtimes = remit.state().join("script-runtimes");
    let file = |digest: &str| runtimes.join(format!("{}.wasm", digest.trim_start_matches("sha256:")));
    let mut earlier = fs::read(file(digest)).unwrap();
    assert_eq!(format!("sha256:{}", hex::encode(Sha256::digest(&earlier))), digest);
    // A section that says nothing: the same runtime with another digest.
    earlier.extend(b"\0\x05\x04kept");
    let of_earlier = format!("sha256:{}", hex::encode(Sha256::digest(&earlier)));
    fs::write(&elsewhere, text.replace(digest, &of_earlier)).unwrap();
    replay(&elsewhere, &script).expect(1);
    fs::write(file(&of_earlier), &earlier).unwrap();
    let replayed = replay(&elsewhere, &script).expect(0).json();
    assert_eq!((&replayed["divergence"], &replayed["verdict"]), (&Value::Null, &run["verdict"]));
    earlier.push(0);
    fs::write(file(&of_earlier), &earlier).unwrap();
    let touched = replay(&elsewhere, &script).expect(1);
    assert!(touched.stderr.contains("is not what its name says"), "{touched}");
    let changed = write(&remit, "look.js", &LOOK.replace("all is well", "all is fine"));
    replay(&record, &changed).expect(1);
}

#[test]
fn an_error_names_file_line_and_column() {
    let remit = device();
    let wrong = write(&remit, "wrong.js", &plain("wrong", "export function detect() {\n  if (true {\n  }\n}\n"));
    let refused = remit.run_plugin(&wrong, &[]).expect(20);
    assert!(refused.stderr.contains("wrong.js:3:12: "), "{refused}");

    let late = write(&remit, "late.js", &plain("late", "export function detect() {\n  new Function(\"(\");\n}\n"));
    let failed = remit.run_plugin(&late, &[]).expect(22).json();
    assert!(failed["detail"].as_str().unwrap().contains("late.js:3:"), "{failed}");

    let deep =
        "const check = (info) => {\n  return info.nothing.at;\n};\nexport function detect() {\n  [{}].map(check);\n}\n";
    let denied = "export async function detect() {\n  const { getService } = await import(\"msp:automation/service\");\n  \
                  getService(\"cups\");\n}\n";
    for (name, text, code, place, words) in [
        ("thrown.js", plain("thrown", deep), 22, (3, 10), "TypeError: "),
        ("typed.ts", plain("typed", &deep.replace("(info)", "(info: any)")), 22, (3, 10), "TypeError: "),
        ("denied.js", plain("denied", denied), 21, (4, 3), "`service` is not granted"),
    ] {
        let script = write(&remit, name, &text);
        let ended = remit.run_plugin(&script, &[]).expect(code).json();
        let expected = format!("{name}:{}:{}: {words}", place.0, place.1);
        assert!(ended["detail"].as_str().unwrap().contains(&expected), "{expected}: {ended}");
        let shown = remit.run(&["run", script.to_str().unwrap()]).expect(code);
        assert!(format!("{shown}").contains(&expected), "{shown}");
        let events = remit.events(ended["run"].as_str().unwrap());
        let error = &events.last().unwrap()["error"];
        let of = |name| attribute(error, name).to_owned();
        assert_eq!((of("file"), of("line"), of("column")), (name.into(), place.0.to_string(), place.1.to_string()));
        assert!(of("stack").contains(name), "{error}");
    }
}

#[test]
fn what_is_wrong_before_a_run_is_said_with_its_place() {
    let remit = device();
    let body = "export function detect() { return { verdict: \"compliant\", summary: \"\" }; }\n";
    let head = "export const manifest = {\n  description: \"A test\",\n";
    for (text, says) in [
        (
            format!("{head}}};\nimport {{ getService }} from \"msp:automation/service\";\n{body}"),
            "x.js:4:1: it imports `service` (getService)",
        ),
        (format!("{head}}};\nimport fs from \"node:fs\";\n{body}"), "x.js:4:16: `node:fs`"),
        (
            format!(
                "{head}  capabilities: {{ service: {{ scope: [\"a\"], reason: \"…\" }} }},\n}};\nimport {{ get }} from \"msp:automation/service\";\n{body}"
            ),
            "x.js:5:10: `service` has no function `get`",
        ),
        (
            format!("{head}  capabilities: {{ flies: {{ reason: \"…\" }} }},\n}};\n{body}"),
            "x.js:3:19: capabilities.flies: no such interface",
        ),
        (format!("{head}  version: String(1),\n}};\n{body}"), "x.js:3:12: a manifest is read, and never run"),
        (format!("{head}  versoin: \"1\",\n}};\n{body}"), "x.js:3:3: a manifest has no `versoin`"),
        (format!("{head}}};\n"), "x.js:1:1: it exports no function `detect`"),
        (body.to_owned(), "x.js:1:1: there is no `export const manifest"),
    ] {
        let script = write(&remit, "x.js", &text);
        let refused = remit.run_plugin(&script, &[]).expect(20);
        assert!(refused.stderr.contains(says), "{says}: {refused}");
        let checked = remit.run(&["check", script.to_str().unwrap()]).expect(20);
        assert!(checked.stderr.contains(says), "{says}: {checked}");
    }
    let script = write(&remit, "x.js", &format!("{head}}};\n{body}"));
    remit.run_plugin(&script, &[]).expect(0);
}

#[test]
fn a_check_tells_all_that_is_wrong_and_what_is_asked_for_in_vain() {
    let remit = device();
    let text = "import { getService, gotService } from \"msp:automation/service\";\n\
                import { removeEntries } from \"msp:automation/files-write\";\n\
                export const manifest = {\n  description: \"A test\",\n  capabilities: {\n    \
                service: { scope: [\"{nmae}\"], reason: \"To look\" },\n    \
                files: { scope: [\"scratch\"], reason: \"To look\" },\n  },\n};\n";
    let script = write(&remit, "wrong.js", text);
    let checked = remit.run(&["check", script.to_str().unwrap()]).expect(20);
    for says in [
        "wrong.js:1:1: it exports no function `detect`",
        "wrong.js:1:22: `service` has no function `gotService`; it has listServices, getService",
        "wrong.js:2:1: it imports `files-write` (removeEntries), which its manifest does not declare\n      \
         2 | import { removeEntries } from \"msp:automation/files-write\";\n        | ^\n      \
         add to `capabilities`, line 5:\n        \"files-write\": { scope: [\"…\"], reason: \"…\" },",
        "wrong.js:6:16: capabilities.service.scope: `{nmae}` is not a parameter",
    ] {
        assert!(checked.stderr.contains(says), "{says}: {checked}");
    }
    let told = remit.run(&["--output", "json", "check", script.to_str().unwrap()]).expect(20).json();
    let places = |list: &Value| {
        let place = |it: &Value| (it["line"].as_u64().unwrap(), it["column"].as_u64().unwrap());
        list.as_array().unwrap().iter().map(place).collect::<Vec<_>>()
    };
    assert_eq!((&told["fit"], places(&told["problems"])), (&false.into(), vec![(1, 1), (1, 22), (2, 1), (6, 16)]));

    let text = text.replace(", gotService", "").replace("nmae", "name").replacen("import { removeEntries", "// ", 1);
    let text =
        text.replace("  description", "  parameters: { properties: { name: { type: \"string\" } } },\n  description");
    let text = format!("{text}export function detect() {{ getService(\"\"); }}\n");
    let vain = write(&remit, "vain.js", &text);
    let checked = remit.run(&["check", vain.to_str().unwrap()]).expect(0);
    let note = "note: vain.js:8:5: `files` is declared and never imported";
    assert!(checked.stderr.contains(note) && !checked.stderr.contains("`service`"), "{checked}");
    let told = remit.run(&["--output", "json", "check", vain.to_str().unwrap()]).expect(0).json();
    assert_eq!((&told["fit"], places(&told["notes"])), (&true.into(), vec![(8, 5)]));
}

#[test]
fn the_first_run_of_a_second_script_compiles_nothing() {
    let remit = device();
    let compiled = || {
        let files = fs::read_dir(remit.state().join("compiled")).unwrap().map(|file| file.unwrap());
        let code = files.filter(|file| file.file_name().to_str().unwrap().ends_with(".cwasm"));
        code.map(|it| (it.file_name(), it.metadata().unwrap().modified().unwrap())).collect::<Vec<_>>()
    };
    let before = compiled();
    assert_eq!(before.len(), 1);
    for name in ["one", "two"] {
        let body = "export function detect() { return { verdict: \"compliant\", summary: \"\" }; }\n";
        let script = write(&remit, &format!("{name}.js"), &plain(name, body));
        remit.run_plugin(&script, &[]).expect(0);
    }
    assert_eq!(compiled(), before);
}

#[test]
fn a_packed_script_is_a_plugin_like_any_other() {
    let remit = device();
    let script = write(&remit, "old-files.js", OLD_FILES);
    let built = remit.run(&["build", script.to_str().unwrap()]).expect(0);
    let packed = PathBuf::from(built.stdout.trim_end());
    assert!(fs::metadata(&packed).unwrap().len() < 8 << 10, "kilobytes");
    let label = |plugin: &Path| remit.run(&["--output", "json", "inspect", plugin.to_str().unwrap()]).expect(0).json();
    let (of_file, of_packed) = (label(&script), label(&packed));
    assert_eq!(of_file, of_packed);
    assert_eq!(of_packed["remediates"], true);
    let functions = |at: usize| of_packed["capabilities"][at]["functions"].clone();
    assert_eq!((functions(0), functions(1)), (vec!["find-entries"].into(), vec!["remove-entries"].into()));
    remit.run(&["check", packed.to_str().unwrap()]).expect(0);
    let (_, bind) = scratch(&remit);
    remit.run_plugin(&packed, &["--mode", "dry-run", "--bind", &bind]).expect(0);

    let fixtures = remit.folder("scripts/old-files.fixtures");
    let fixture = |age_days: u32, verdict: &str| {
        let age = age_days * 86_400;
        let file =
            format!("[[files.entries]]\nroot = \"scratch\"\npath = \"a.log\"\nsize-bytes = 1\nage-seconds = {age}\n");
        let found = "[[expect.findings]]\nfingerprint = \"old/a.log\"\nseverity = \"info\"\n";
        let found = if verdict == "compliant" { "" } else { found };
        format!("description = \"A file\"\n{file}[run]\nmode = \"detect\"\n[expect]\nverdict = \"{verdict}\"\n{found}")
    };
    fs::write(fixtures.join("old.toml"), fixture(60, "non-compliant")).unwrap();
    fs::write(fixtures.join("new.toml"), fixture(1, "compliant")).unwrap();
    remit.run(&["test", script.to_str().unwrap()]).expect(0);
    fs::write(fixtures.join("new.toml"), fixture(1, "non-compliant")).unwrap();
    remit.run(&["test", script.to_str().unwrap()]).expect(1);
}

#[test]
fn a_refused_call_says_which_line_it_needs() {
    let remit = device();
    let text = |capabilities: &str, body: &str| {
        format!(
            "export const manifest = {{\n  description: \"A test\",\n  parameters: {{ properties: {{ name: {{ type: \"string\" \
             }} }} }},{capabilities}\n}};\nexport async function detect() {{\n  {body}\n  \
             return {{ verdict: \"compliant\", summary: \"\" }};\n}}\n"
        )
    };
    let asks = |interface: &str, call: &str| {
        format!("const it = await import(\"msp:automation/\" + \"{interface}\"); try {{ it.{call}; }} catch {{}}")
    };
    let service =
        |scope: &str| format!("\n  capabilities: {{\n    service: {{ scope: [{scope}], reason: \"To look\" }},\n  }},");
    let cups = asks("service", "getService(\"cups\")");
    for (capabilities, body, advice) in [
        (
            String::new(),
            cups.clone(),
            "`service [cups]` is not declared: add at needs.js:1:25\nservice: { scope: [\"cups\"], reason: \"…\" },",
        ),
        (
            service("\"nginx\""),
            asks("device", "getOs()"),
            "`device` is not declared: add at needs.js:4:3\ndevice: { reason: \"…\" },",
        ),
        (
            service("\"nginx\""),
            cups.clone(),
            "`service [cups]` is outside the declared scope: add \"cups\" to `scope` at needs.js:5:16",
        ),
        (
            service("\"{name}\""),
            cups.clone(),
            "`service [cups]` is outside the declared scope: add \"cups\" to `scope` at needs.js:5:16, or give it in the \
             parameter that fills it",
        ),
    ] {
        let script = write(&remit, "needs.js", &text(&capabilities, &body));
        let args = ["--param", "name=nginx"];
        let ran = remit.run_plugin(&script, &args).expect(0).json();
        assert_eq!(ran["advice"], Value::from(vec![advice]));
        let shown = remit.run(&[&["run", script.to_str().unwrap()], &args[..]].concat()).expect(0);
        assert!(shown.stdout.contains(&format!("  next      {}", advice.lines().next().unwrap())), "{shown}");
    }
    // The control: with that line there is nothing to advise.
    let script = write(&remit, "needs.js", &text(&service("\"cups\""), &cups));
    assert_eq!(remit.run_plugin(&script, &[]).expect(0).json()["advice"], Value::Array(Vec::new()));

    // Declared, and allowed in part.
    let (_, bind) = scratch(&remit);
    let text = OLD_FILES
        .replace("\"files-write\": { scope: [\"scratch\"]", "\"files-write\": { scope: [\"scratch\", \"logs\"]");
    let script = write(&remit, "old-files.js", &text);
    let enforce = ["--bind", &bind, "--mode", "enforce"];
    let refused = remit.run_plugin(&script, &enforce).expect(20);
    assert!(refused.stderr.contains("Removes them (asked for at old-files.js:10:5)"), "{refused}");
    let part = [&enforce[..], &["--allow", "files-write [logs]"]].concat();
    let ran = remit.run_plugin(&script, &part).json();
    let advice = "`files-write [scratch]` is declared, and not granted: --allow 'files-write [scratch]'";
    assert_eq!(ran["advice"], Value::from(vec![advice]), "{ran}");
    let whole = [&enforce[..], &["--allow", "files-write [scratch]"]].concat();
    remit.run_plugin(&script, &whole).expect(0);
}
