//! A hub, three devices and two technicians, wherever they are.

use std::fs;
use std::path::PathBuf;

use tests::remit::Ran;
use tests::{Msp, Remit, built, msp};

/// How many devices there are.
pub(crate) const DEVICES: usize = 3;

/// The technicians: the first two are for all clients, the last for one.
pub(crate) const TECHNICIANS: [&str; 3] = ["tess", "tom", "gus"];

/// A plugin that is a component of its own, and only looks.
pub(crate) const COMPONENT: &str = "disk-space";

/// Where the scenario plays: processes of this machine, or booted hosts.
pub(crate) trait World {
    /// A command of a technician, on a machine of their own, in the folder with their keys and plugins.
    fn technician(&self, who: &str, args: &[&str]) -> Ran;

    /// Writes a file into that folder.
    fn write(&self, name: &str, text: &str);

    /// Has a device join, with its agent running.
    fn join(&mut self, at: usize, token: &str) -> Ran;

    /// A device loses its power.
    fn off(&mut self, at: usize);

    /// And has it again.
    fn on(&mut self, at: usize);

    /// The folder of a device that plugins may write, as this process sees it.
    fn work(&self, at: usize) -> PathBuf;

    /// What the agents wrote.
    fn log(&self) -> String;
}

/// Who releases agents, and orders nothing.
pub(crate) const RELEASES: &str = "ray";

/// Has these have technicians' seats, `gus` for `globex` alone, and one more who releases, in a roster that is signed and not taken by
/// anybody yet.
pub(crate) fn seat(msp: &Msp, technicians: &[&str]) {
    let seat = |(list, holder): (&str, &str)| {
        msp.make_key(holder);
        let time = "from = \"2020-01-01T00:00:00Z\"\nuntil = \"2050-01-01T00:00:00Z\"\n";
        let (key, client) = (msp.public(holder), if holder == "gus" { "globex" } else { "*" });
        format!(
            "[[{list}]]\nholder = \"{holder}\"\nkey = \"{key}\"\n{time}clients = [\"{client}\"]\nclass-max = \"L4\"\n"
        )
    };
    let technicians = technicians.iter().map(|holder| ("technicians", *holder));
    let seats: String = technicians.chain([("releases", RELEASES)]).map(seat).collect();
    let roster = msp.roster().replace("serial = 1", "serial = 2");
    msp.write("roster.toml", &(roster + &seats));
    msp.ok(&["roster", "make", "roster.toml", "--key", "ann"]);
    msp.ok(&["sign", "roster.statement", "--key", "ben"]);
}

/// A script that marks a machine and raises a ticket about it, and fails where the machine is broken.
const MARK: &str = r#"
import { getEntry } from "msp:automation/files";
import { writeFile } from "msp:automation/files-write";
import { raiseTicket } from "msp:automation/ticket";

export const manifest = {
  name: "mark", version: "1.0.0", publisher: "remit", description: "Marks a machine",
  capabilities: {
    files: { scope: ["work"], reason: "Looks for the mark" },
    "files-write": { scope: ["work"], reason: "Makes it" },
    ticket: { scope: ["*"], reason: "Tells a person" },
  },
};

export function detect() {
  if (getEntry("work", "mark")) return { verdict: "compliant", summary: "it is marked" };
  const title = "there is no mark";
  const findings = [{ fingerprint: "mark", title, severity: "info", target: "work", evidence: "", remediable: true }];
  return { verdict: "non-compliant", summary: title, findings };
}

export function remediate() {
  raiseTicket({
    fingerprint: "mark", kind: "incident", title: "it had no mark", body: "It is being marked.", impact: "low", urgency: "low",
    severity: "info", attributes: {},
  });
  if (getEntry("work", "broken")) throw new Error("the machine is broken");
  writeFile("work", "mark", "by an order", "create");
  return { summary: "marked" };
}
"#;

/// Both plugins, built, signed and approved; the approvals' files.
pub(crate) fn plugins(msp: &Msp) -> [String; 2] {
    fs::copy(built::plugin(COMPONENT), msp.folder.join(format!("{COMPONENT}.wasm"))).unwrap();
    msp.write("mark.js", MARK);
    msp.ok(&["build", "mark.js"]);
    let looks: &[&str] = &["--mode", "detect", "--grant", "notify [technician]"];
    [(COMPONENT, looks), ("mark", &[])].map(|(name, more)| {
        let file = format!("{name}.wasm");
        msp.ok(&["sign", &file, "--key", "remit"]);
        msp.ok(&[&["approve", &file, "--name", name, "--client", "*", "--key", "rob"], more].concat());
        format!("{name}.approval.statement")
    })
}

/// A machine that has compiled what the plugins are made of: in a debug build that takes seconds.
pub(crate) fn compiled() -> Remit {
    let remit = msp::compiled();
    // What it finds is nobody's business here.
    remit.run_plugin(&built::plugin(COMPONENT), &[]);
    remit
}

/// The files of what it compiled.
pub(crate) fn compiled_files(remit: &Remit) -> Vec<PathBuf> {
    let entries = fs::read_dir(remit.state().join("compiled")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}

/// Host policy of a device that lets plugins write this folder.
pub(crate) fn policy(work: &str) -> String {
    format!("[files.roots]\nwork = \"{work}\"\n")
}

/// What a technician types to ask a hub.
#[rustfmt::skip]
pub(crate) fn use_hub<'a>(url: &'a str, authority: &'a str, key: &'a str, fingerprint: &'a str) -> [&'a str; 11] {
    [
        "hub", "use", url, "--authority", authority, "--key", key, "--root-statement", "root.statement", "--fingerprint",
        fingerprint,
    ]
}
