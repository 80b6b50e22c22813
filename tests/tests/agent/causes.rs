//! What runs of ours change themselves: plugins that write the files that orders watch.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Site, wait_for};

/// Writes a file each time, and stays for a while.
const WRITER: &str = r#"import { writeFile } from "msp:automation/files-write";
import { getParameters, now, sleep } from "msp:automation/run";

export const manifest = {
  name: "NAME",
  description: "Writes a file",
  publisher: "remit",
  version: "1.0.0",
  capabilities: { "files-write": { scope: ["scratch", "alias", "whole"], reason: "Writes it" } },
  parameters: {
    type: "object",
    properties: {
      root: { type: "string", default: "scratch" },
      file: { type: "string" },
      mode: { type: "string", default: "replace" },
      "stays-ms": { type: "integer", default: 0 },
    },
  },
};

export function detect() {
  const findings = [{ fingerprint: "due", title: "It is to be written", severity: "info", target: "it", evidence: "",
    remediable: true }];
  return { verdict: "non-compliant", summary: "it is to be written", findings };
}

export function remediate() {
  const wanted = JSON.parse(getParameters());
  const content = new TextEncoder().encode(`ours, ${now()}`);
  writeFile(wanted.root, wanted.file, content, wanted.mode);
  if (wanted["stays-ms"]) sleep(wanted["stays-ms"]);
  return { summary: "written" };
}
"#;

/// A site with a plugin that writes files in three roots: one of them is called by a link, too.
struct Files {
    site: Site,
    scratch: PathBuf,
    whole: PathBuf,
    digest: String,
}

impl Files {
    fn new() -> Self {
        let site = Site::new();
        let (scratch, whole) = (site.machine.folder("scratch"), site.machine.folder("whole"));
        let alias = scratch.with_file_name("alias");
        symlink(&scratch, &alias).unwrap();
        let roots = format!("[files.roots]\nscratch = {scratch:?}\nalias = {alias:?}\nwhole = {whole:?}\n");
        fs::write(site.machine.policy(), roots).unwrap();
        let digest = installed(&site, "writer");
        Self { site, scratch, whole, digest }
    }

    /// An order that watches a path and writes a file.
    fn order(&self, name: &str, watched: &Path, parameters: &Value) {
        let watch = format!("watch = {{ type = \"file-change\", path = {watched:?} }}\n");
        self.put(name, &self.digest, "writer", &watch, parameters);
    }

    fn put(&self, name: &str, digest: &str, plugin: &str, event: &str, parameters: &Value) {
        let parameters = parameters.as_object().unwrap().iter();
        let parameters: String = parameters.map(|(name, value)| format!("{name} = {value}\n")).collect();
        let order = format!(
            "format = 1\nplugin = \"{plugin}\"\ndigest = \"{digest}\"\nmode = \"enforce\"\n[event]\n{event}[parameters]\n{parameters}"
        );
        fs::write(self.site.orders.join(format!("{name}.toml")), order).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        let file = self.scratch.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "as it was").unwrap();
        file
    }

    /// How many runs have come to their ends, all of them well.
    fn runs(&self, order: &str) -> usize {
        let runs = self.site.runs_of(order);
        let ended = runs.iter().filter(|run| !run["ended"].is_null());
        ended.inspect(|run| assert_eq!(run["ended"]["outcome"], "completed", "{run}")).count()
    }

    #[track_caller]
    fn expect_runs(&self, expected: &[(&str, usize)]) {
        let are = || expected.iter().all(|(order, runs)| self.runs(order) >= *runs);
        let seen = || -> Vec<_> {
            expected.iter().map(|(order, _)| (*order, self.runs(order), self.site.codes(order))).collect()
        };
        assert!(wait_for(are), "{:#?}", seen());
        // As long as any source takes to notice.
        thread::sleep(Duration::from_secs(3));
        assert!(expected.iter().all(|(order, runs)| self.runs(order) == *runs), "{:#?}", seen());
    }

    fn tickets(&self) -> Vec<Value> {
        let tickets = self.site.told(&["ticket", "list"]);
        tickets.as_array().unwrap().clone()
    }
}

/// A plugin of this name is signed, approved and installed.
fn installed(site: &Site, name: &str) -> String {
    site.msp.write(&format!("{name}.js"), &WRITER.replace("NAME", name));
    site.msp.ok(&["build", &format!("{name}.js")]);
    let file = format!("{name}.wasm");
    site.msp.ok(&["sign", &file, "--key", "remit"]);
    let grant = "files-write [scratch, alias, whole]";
    site.msp.ok(&["approve", &file, "--name", name, "--client", "*", "--key", "rob", "--grant", grant]);
    let installed = ["plugin", "install", &file, "--output", "json"];
    let installed = site.msp.run_on(&site.machine, &installed).expect(0).json();
    site.msp.run_on(&site.machine, &["take", &format!("{name}.approval.statement")]).expect(0);
    installed["installed"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_that_changes_what_its_order_watches_runs_once() {
    let files = Files::new();
    let (link, named) = (files.scratch.with_file_name("link"), files.scratch.with_file_name("named"));
    symlink(&files.scratch, &link).unwrap();
    for folder in ["plain", "linked", "hard", "aliased", "folder"] {
        files.file(&format!("{folder}/it"));
    }
    fs::hard_link(files.scratch.join("hard/it"), &named).unwrap();
    fs::write(files.whole.join("it"), "as it was").unwrap();
    let within = |name: &str| files.scratch.join(name);
    // What is watched, what is written, and what somebody else changes.
    let cases: [(&str, PathBuf, Value, PathBuf); 6] = [
        ("plain", within("plain/it"), json!({ "file": "plain/it" }), within("plain/it")),
        ("linked", link.join("linked/it"), json!({ "file": "linked/it" }), within("linked/it")),
        ("hard", named.clone(), json!({ "file": "hard/it", "mode": "append" }), named.clone()),
        ("aliased", within("aliased/it"), json!({ "root": "alias", "file": "aliased/it" }), within("aliased/it")),
        ("folder", within("folder"), json!({ "file": "folder/it" }), within("folder/other")),
        ("whole", files.whole.clone(), json!({ "root": "whole", "file": "it" }), files.whole.join("it")),
    ];
    for (name, watched, parameters, _) in &cases {
        files.order(name, watched, parameters);
    }
    let _agent = files.site.start();
    for round in 1..=2 {
        for (name, _, _, changed) in &cases {
            // As most programs do, but where that would make it another file.
            let is_kept = *name == "hard";
            let temporary = if is_kept { changed.clone() } else { files.scratch.join(format!("{name}.new")) };
            fs::write(&temporary, format!("somebody else's, {round}")).unwrap();
            fs::rename(&temporary, changed).unwrap();
        }
        let expected: Vec<_> = cases.iter().map(|(name, ..)| (*name, round)).collect();
        files.expect_runs(&expected);
        for (name, ..) in &cases {
            assert!(files.site.codes(name).contains(&"cause".to_owned()), "{name}: {:?}", files.site.codes(name));
        }
    }
    let explained = files.site.told(&["agent", "explain", "plain"]);
    let rows = explained["decided"].as_array().unwrap();
    let why = rows.iter().find(|row| row["code"] == "cause").unwrap()["detail"].as_str().unwrap();
    let runs = files.site.runs_of("plain");
    assert!(runs.iter().any(|run| why.contains(run["run"].as_str().unwrap())), "{why}: {runs:?}");
    assert_eq!(files.tickets().len(), 0, "that is how an order works");
}

#[test]
fn what_somebody_else_changes_meanwhile_is_not_lost() {
    let files = Files::new();
    let (busy, quiet) = (files.file("busy/it"), files.file("quiet/it"));
    files.order("busy", &busy, &json!({ "file": "busy/it", "stays-ms": 2_500 }));
    files.order("quiet", &quiet, &json!({ "file": "quiet/it", "stays-ms": 2_500 }));
    let agent = files.site.start();
    let is_ours = |file: &Path| fs::read_to_string(file).unwrap().starts_with("ours");
    fs::write(&quiet, "somebody else's").unwrap();
    files.expect_runs(&[("quiet", 1), ("busy", 0)]);
    fs::write(&busy, "somebody else's").unwrap();
    assert!(wait_for(|| is_ours(&busy)), "{:?}", files.site.codes("busy"));
    // It has written, and is still there.
    thread::sleep(Duration::from_millis(300));
    fs::write(&busy, "somebody else's, meanwhile").unwrap();
    files.expect_runs(&[("busy", 2), ("quiet", 1)]);
    assert!(
        is_ours(&busy) && files.site.codes("busy").contains(&"overlap".to_owned()),
        "{:?}",
        files.site.codes("busy")
    );

    // While nobody looks, longer than anything takes to be noticed: who wrote what is there, tells what is in it.
    drop(agent);
    thread::sleep(Duration::from_secs(16));
    fs::write(&quiet, fs::read(&quiet).unwrap()).unwrap();
    fs::write(&busy, "somebody else's, again").unwrap();
    let _agent = files.site.start();
    files.expect_runs(&[("busy", 3), ("quiet", 1)]);
}

#[test]
fn a_circle_of_three_files_is_broken_with_one_ticket() {
    let files = Files::new();
    let circle = [("a", "b"), ("b", "c"), ("c", "a"), ("line-a", "line-b"), ("line-b", "line-c")];
    for (watched, written) in circle {
        files.order(&format!("on-{watched}"), &files.file(watched), &json!({ "file": written }));
    }
    files.order("on-line-c", &files.file("line-c"), &json!({ "file": "line-end" }));
    let _agent = files.site.start();
    let names = ["on-a", "on-b", "on-c"];
    let line = [("on-line-a", 1), ("on-line-b", 1), ("on-line-c", 1)];
    fs::write(files.scratch.join("line-a"), "begin").unwrap();
    files.expect_runs(&line);
    assert!(files.tickets().is_empty(), "a line is no circle");
    fs::write(files.scratch.join("a"), "begin").unwrap();
    files.expect_runs(&names.map(|name| (name, 1)));
    assert!(files.site.codes("on-a").contains(&"tripped".to_owned()), "{:?}", files.site.codes("on-a"));
    assert!(wait_for(|| files.tickets().len() == 1), "{:?}", files.tickets());
    assert!(files.tickets()[0].to_string().contains("on-a, then on-b, then on-c"), "{:?}", files.tickets());
    // It is off, whoever changes what it watches; the others are not.
    fs::write(files.scratch.join("a"), "again").unwrap();
    fs::write(files.scratch.join("b"), "again").unwrap();
    files.expect_runs(&[("on-a", 1), ("on-b", 2), ("on-c", 2)]);
    assert_eq!(files.tickets().len(), 1, "{:?}", files.tickets());
    files.site.ask(&["agent", "resume", "on-a"]).expect(0);
    fs::write(files.scratch.join("a"), "once more").unwrap();
    files.expect_runs(&[("on-a", 2), ("on-b", 3), ("on-c", 3)]);
}

#[test]
fn a_circle_of_three_ends_is_broken_with_one_ticket() {
    let files = Files::new();
    let third = installed(&files.site, "third");
    let after = |what: &str| format!("watch = {{ type = \"run-finished\", {what} }}\n");
    let put = |name: &str, digest: &str, plugin: &str, what: &str| {
        files.put(name, digest, plugin, &after(what), &json!({ "file": name }));
    };
    put("one", &files.digest, "writer", "plugin = \"third\"");
    put("two", &files.digest, "writer", "order = \"one\"");
    put("three", &third, "third", "order = \"two\"");
    let _agent = files.site.start();
    let by_hand = ["run", "third", "--mode", "enforce", "--param", "file=by-hand"];
    let names = ["one", "two", "three"];
    files.site.ask(&by_hand).expect(11);
    files.expect_runs(&names.map(|name| (name, 1)));
    assert!(files.site.codes("one").contains(&"tripped".to_owned()), "{:?}", files.site.codes("one"));
    assert!(wait_for(|| files.tickets().len() == 1), "{:?}", files.tickets());
    files.site.ask(&by_hand).expect(11);
    files.expect_runs(&names.map(|name| (name, 1)));
    assert_eq!(files.tickets().len(), 1, "it is off until somebody looks");
    files.site.ask(&["agent", "resume", "one"]).expect(0);
    files.site.ask(&by_hand).expect(11);
    files.expect_runs(&names.map(|name| (name, 2)));
}
