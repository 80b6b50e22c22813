//! Scripts to run, and devices that have compiled what runs them.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::Remit;

/// A script that looks, says what it sees, and is content.
pub const LOOK: &str = r#"import { getContext } from "msp:automation/run";
export const manifest = { name: "look", description: "Looks and is content" };
export function detect() {
  console.log("mode", getContext().mode, { random: Math.random(), now: Date.now() });
  return { verdict: "compliant", summary: "all is well" };
}
"#;

/// A script that declares nothing; its own lines begin with the second.
pub fn plain(name: &str, body: &str) -> String {
    format!("export const manifest = {{ name: \"{name}\", description: \"A test\" }};\n{body}")
}

/// Writes a script into a folder of the device's own.
pub fn write(remit: &Remit, name: &str, text: &str) -> PathBuf {
    let path = remit.folder("scripts").join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A device that has compiled the script runtime: in a debug build that takes seconds, once.
pub fn device() -> Remit {
    static COMPILED: LazyLock<Remit> = LazyLock::new(|| {
        let remit = Remit::new();
        let script = write(&remit, "look.js", LOOK);
        remit.run_plugin(&script, &[]).expect(0);
        remit
    });
    let remit = Remit::new();
    let folder = remit.state().join("compiled");
    std::fs::create_dir_all(&folder).unwrap();
    for file in std::fs::read_dir(COMPILED.state().join("compiled")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    remit
}
