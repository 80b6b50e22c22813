//! What was built for another contract than this host's, and what each command says of it.

use std::fs;
use std::path::{Path, PathBuf};

use tests::{Msp, Remit, built};

use super::{folder, make};

/// The golden plugin, with one word of its imports replaced by another of the same length.
fn changed(to: &Path, what: &str, by: &str) -> PathBuf {
    assert_eq!(what.len(), by.len());
    let mut bytes = fs::read(folder(contract::VERSION).join("looks.wasm")).unwrap();
    let mut found = 0;
    for at in 0..bytes.len() - what.len() {
        if bytes[at..].starts_with(what.as_bytes()) {
            bytes[at..at + what.len()].copy_from_slice(by.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{what}");
    let path = to.join("changed.wasm");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn what_this_host_lacks_is_said_by_interface_and_version_and_never_by_a_linker() {
    let msp = Msp::new();
    let signed = msp.folder.join("signed.wasm");
    fs::copy(folder(contract::VERSION).join("looks.wasm"), &signed).unwrap();
    msp.ok(&["sign", "signed.wasm", "--key", "remit"]);
    let statements = [".statement", ".statement.sig"];
    for (what, by, says) in [
        // A version of tomorrow.
        (
            "@1.0.0",
            "@1.7.0",
            "it imports `msp:automation/service@1.7.0`, this host speaks msp:automation@1.0.0: update remit",
        ),
        // A version that is no longer spoken.
        (
            "@1.0.0",
            "@0.9.0",
            "it imports `msp:automation/service@0.9.0`, this host speaks msp:automation@1.0.0: ask its publisher",
        ),
        // An interface of tomorrow.
        (
            "msp:automation/service@",
            "msp:automation/printer@",
            "it imports `msp:automation/printer@1.0.0` (list-services, get-service, list-dependencies), an interface that \
             msp:automation@1.0.0 does not have: update remit",
        ),
        // A function of tomorrow.
        (
            "list-services",
            "list-printers",
            "it imports `list-printers` of `msp:automation/service@1.0.0`, which msp:automation@1.0.0 does not have there: update remit",
        ),
        // One that is always linked.
        ("is-cancelled", "is-suspended", "it imports `is-suspended` of `msp:automation/run@1.0.0`, which"),
    ] {
        let path = changed(&msp.folder, what, by);
        statements.iter().for_each(|ending| {
            fs::copy(msp.folder.join(format!("signed.wasm{ending}")), format!("{}{ending}", path.display())).unwrap();
        });
        // All of them read a plugin in one place, and each has its own way there.
        let commands: &[&str] =
            if by == "@1.7.0" { &["run", "check", "inspect", "verify"] } else { &["run", "inspect"] };
        for command in commands {
            let ran = msp.run(&[*command, "changed.wasm"]).expect(20);
            assert!(ran.stderr.contains(says), "{command}, {by}: {ran}");
            assert!(!ran.stderr.contains("linker") && !ran.stderr.contains("matching implementation"), "{ran}");
        }
    }
    // The control: the same plugin, unchanged.
    msp.ok(&["check", "signed.wasm"]);
    let granted = || {
        let label = msp.ok(&["--output", "json", "inspect", "signed.wasm"]).json();
        label["capabilities"].as_array().unwrap().iter().map(|it| it["granted"].clone()).collect::<Vec<_>>()
    };
    assert!(granted().iter().all(|it| *it == serde_json::json!([{ "by": "nobody" }])), "{:?}", granted());
    let approve = ["approve", "signed.wasm", "--name", "look", "--client", "*", "--grant", "device", "--key", "rob"];
    let approved = msp.ok(&approve);
    assert!(approved.stderr.contains("functions used") && approved.stderr.contains("nobody yet"), "{approved}");
    let by_rob = |it: &serde_json::Value| (it[0]["by"] == "approval") && it[0]["reviewer"] == "rob";
    assert!(granted().iter().all(by_rob), "{:?}", granted());
    msp.ok(&["verify", "signed.wasm"]);
    fs::remove_file(msp.folder.join("signed.wasm.statement")).unwrap();
    let remit = Remit::new();
    remit.run_plugin(&signed, &["--allow", "secrets", "--allow", "command"]).expect(0);
}

/// `wit/` with one more field in a record of `service`: what was built against a draft.
fn draft(to: &Path) -> PathBuf {
    let wit = to.join("wit");
    fs::create_dir_all(&wit).unwrap();
    for file in fs::read_dir(built::repository().join("wit")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|it| it == "wit") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replacen("record service-info {", "record service-info {\n    more: u32,", 1);
            fs::write(wit.join(path.file_name().unwrap()), text).unwrap();
        }
    }
    let mut resolve = wit_parser::Resolve::default();
    resolve.push_dir(&wit).unwrap();
    let path = to.join("draft.wasm");
    fs::write(&path, make::caller(&resolve, "detect")).unwrap();
    path
}

#[test]
fn other_types_are_said_by_their_interface() {
    let remit = Remit::new();
    let path = draft(&remit.folder("draft"));
    let ran = remit.run(&["run", path.to_str().unwrap(), "--allow", "secrets", "--allow", "command"]).expect(20);
    let says = "`msp:automation/service@1.0.0` has other types in it than on this host";
    assert!(ran.stderr.contains(says) && ran.stderr.contains("`list-services`"), "{ran}");
}
