//! Plugins on their way between people who do not know each other: files, a registry, an archive. What arrives is what was sent,
//! with everything that was signed about it, or nothing arrives.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::files::Files;
use tests::msp::{DEVICE, look, trust_of_latest};
use tests::registry::{Registry, skopeo};
use tests::{Msp, Remit};

const SCRIPT: &str = r#"
export const manifest = { name: "traveller", version: "1.2.3", description: "Finds nothing" };
export const detect = () => ({ verdict: "compliant", summary: "NOTHING", findings: [] });
"#;
const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n";

/// A built plugin with a statement beside it. What that says is not looked at on the way.
fn built(remit: &Remit, summary: &str) -> PathBuf {
    let folder = remit.folder(summary);
    let script = folder.join("traveller.js");
    fs::write(&script, SCRIPT.replace("NOTHING", summary)).unwrap();
    remit.run(&["build", script.to_str().unwrap()]).expect(0);
    fs::write(folder.join("traveller.wasm.statement"), "{\"kind\":\"plugin\"}").unwrap();
    fs::write(folder.join("traveller.wasm.statement.sig"), SIGNATURE).unwrap();
    folder.join("traveller.wasm")
}

fn run(remit: &Remit, args: &[&str]) -> Value {
    remit.run(&[&["--output", "json", "plugin"], args].concat()).expect(0).json()
}

/// A file, and what is beside it.
fn all(file: &Path) -> [Vec<u8>; 3] {
    ["", ".statement", ".statement.sig"].map(|ending| fs::read(format!("{}{ending}", file.display())).unwrap())
}

#[test]
fn what_is_pushed_arrives_and_what_is_saved_needs_no_network() {
    let (sender, receiver, island) = (Remit::new(), Remit::new(), Remit::new());
    let (registry, sent) = (Registry::start(), built(&sender, "nothing"));
    let there = format!("{}/plugins/traveller", registry.address());
    let pushed = run(&sender, &["push", sent.to_str().unwrap(), &there]);
    assert_eq!(pushed["to"], format!("oci://{there}:1.2.3"));
    assert_eq!(pushed["statements"], 1);

    let here = receiver.folder("here").join("it.wasm");
    let pulled = run(&receiver, &["pull", &there, here.to_str().unwrap()]);
    println!("push: {}, pull: {}", pushed["traffic"], pulled["traffic"]);
    assert_eq!((&pulled["digest"], &pulled["manifest"]), (&pushed["digest"], &pushed["manifest"]));
    assert_eq!(all(&here), all(&sent));
    let by_digest = format!("{there}@{}", pushed["manifest"].as_str().unwrap());
    assert_eq!(run(&receiver, &["pull", &by_digest, here.to_str().unwrap()])["digest"], pushed["digest"]);

    let archive = receiver.folder("stick").join("traveller.tar");
    run(&receiver, &["save", here.to_str().unwrap(), archive.to_str().unwrap()]);
    drop(registry);
    let raw = skopeo(&["inspect", "--raw", &format!("oci-archive:{}:1.2.3", archive.display())]);
    let raw: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(raw.pointer("/layers/0/digest"), pushed.get("digest"));
    let landed = island.folder("island").join("traveller.wasm");
    assert_eq!(
        run(&island, &["load", archive.to_str().unwrap(), landed.to_str().unwrap()])["digest"],
        pushed["digest"]
    );
    assert_eq!(all(&landed), all(&sent));
    let ran = island.run_plugin(&landed, &[]).expect(0).json();
    assert_eq!(ran["verdict"], "compliant");
}

#[test]
fn what_is_not_as_it_was_does_not_arrive() {
    let remit = Remit::new();
    let (registry, sent) = (Registry::start(), built(&remit, "nothing"));
    let there = format!("{}/traveller", registry.address());
    run(&remit, &["push", sent.to_str().unwrap(), &there]);
    let refused = |args: &[&str], why: &str| {
        let ran = remit.run(&[&["plugin"], args].concat()).expect(1);
        assert!(ran.stderr.contains(why), "{why}\n{ran}");
    };
    // Another plugin of the same version, unless somebody means it.
    let other = built(&remit, "other");
    refused(&["push", other.to_str().unwrap(), &there], "a version is never replaced");
    run(&remit, &["push", other.to_str().unwrap(), &there, "--replace"]);
    refused(&["push", sent.to_str().unwrap(), "./a.wasm"], "is no registry");
    refused(&["pull", &format!("{there}:9.9.9")], "is not there");

    let folder = remit.folder("out");
    let (archive, out) = (folder.join("a.tar"), folder.join("out.wasm"));
    let load = ["load", archive.to_str().unwrap(), out.to_str().unwrap()];
    run(&remit, &["save", sent.to_str().unwrap(), archive.to_str().unwrap()]);
    let good = fs::read(&archive).unwrap();
    let at = good.windows(16).position(|it| it == b"{\"kind\":\"plugin\"").expect("the statement is in it");
    let mut touched = good.clone();
    touched[at + 10] ^= 1;
    fs::write(&archive, touched).unwrap();
    refused(&load, "it was changed");
    fs::write(&archive, &good[..at + 10]).unwrap();
    refused(&load, "it ends in the middle");
    assert!(!out.exists(), "and nothing was written");
    fs::write(&archive, good).unwrap();
    run(&remit, &load);
    assert_eq!(all(&out), all(&sent), "the control");

    // What is no plugin goes nowhere.
    let nothing = folder.join("nothing.wasm");
    fs::write(&nothing, b"\0asm\x0d\0\x01\0").unwrap();
    refused(&["push", nothing.to_str().unwrap(), &there], "has no manifest");
    refused(&["push", remit.folder("other").join("traveller.js").to_str().unwrap(), &there], "what travels is built");
}

#[test]
fn what_there_is_to_install_is_found_where_somebody_may_say_so() {
    let (msp, registry) = (Msp::new(), Registry::start());
    msp.script("look", "1.2.3", DEVICE);
    let there = format!("{}/plugins/look", registry.address());
    msp.ok(&["plugin", "push", "look.wasm", &there]);
    let served = Files::serve(&msp.folder);
    let address = format!("{served}/remit.index.statement");
    let index = |more: &[&str]| {
        msp.ok(&[&["plugin", "index", "remit", "--key", "remit"], more].concat());
    };
    index(&[&format!("oci://{there}")]);
    let search = |args: &[&str]| msp.ok(&[&["--output", "json", "plugin", "search"], args].concat()).json();

    msp.run(&["plugin", "search"]).expect(1);
    let found = search(&["LOOKS", "--index", &address]);
    assert_eq!(found[0]["name"], "look");
    let release = &found[0]["releases"][0];
    assert_eq!(release["source"], format!("oci://{there}:1.2.3"), "and not the newest, whatever that will be");
    assert_eq!(release["classes"], serde_json::json!(["L0"]));
    drop(served);
    assert_eq!(search(&["look"]), found, "without a network");
    assert_eq!(search(&["other"]), serde_json::json!([]));

    // A version that is taken back is offered no longer.
    index(&["--yank", "look@1.2.3", "--reason", "it looks away"]);
    let newer = search(&["--index", "remit.index.statement"]);
    assert_eq!(newer[0]["releases"][0]["yanked"], "it looks away");
    let told = msp.ok(&["plugin", "search"]);
    assert!(told.stderr.contains("look has no version that is offered"), "{told}");

    // Who may say nothing is not heard, and an older one is not taken in the place of a newer.
    msp.ok(&["plugin", "index", "forged", &format!("oci://{there}"), "--key", "other"]);
    msp.refused(&["plugin", "search", "--index", "forged.index.statement"], &["out-of-scope"]);
    msp.ok(&["plugin", "index", "remit", &format!("oci://{there}"), "--key", "remit", "--out", "first.statement"]);
    msp.refused(&["plugin", "search", "--index", "first.statement"], &["rolled-back"]);

    // Where no root is pinned it is a hint, and says so.
    let alone = Remit::new();
    let told = msp.run_on(&alone, &["plugin", "search", "--index", "first.statement"]).expect(0);
    assert!(told.stderr.contains("nobody vouches") && told.stdout.contains("look"), "{told}");
}

#[test]
fn what_is_not_what_was_signed_named_or_locked_is_not_installed() {
    let (msp, registry) = (Msp::new(), Registry::start());
    let there = format!("{}/plugins/look", registry.address());
    let at = |tag: &str| format!("{there}:{tag}");
    let machine = msp.machine();
    let install = |args: &[&str]| msp.run_on(&machine, &[&["plugin", "install"], args].concat());
    let refused = |args: &[&str], codes: &[&str]| {
        let ran = install(args).expect(20);
        assert_eq!(ran.codes(), codes, "{ran}");
    };
    let remove = || drop(msp.run_on(&machine, &["plugin", "remove", "look"]).expect(0));

    // Its publisher's word: none, another publisher's, about other bytes.
    msp.script("one", "1.0.0", DEVICE);
    fs::copy(msp.folder.join("one.wasm"), msp.folder.join("alone.wasm")).unwrap();
    refused(&["alone.wasm"], &["no-signature"]);
    msp.ok(&["sign", "alone.wasm", "--key", "other"]);
    refused(&["alone.wasm"], &["other-publisher"]);
    let changed = msp.changed("one.wasm", |bytes| {
        let at = bytes.windows(11).position(|it| it == b"all is well").unwrap();
        bytes[at] ^= 1;
    });
    refused(&["one.wasm"], &["other-bytes"]);
    drop(changed);
    install(&["one.wasm"]).expect(0);
    remove();

    // A name belongs to who was there first, and a version stays what it is.
    msp.write("theirs.js", &look("9.0.0", DEVICE).replace("publisher: \"remit\"", "publisher: \"other\""));
    msp.ok(&["build", "theirs.js"]);
    msp.ok(&["sign", "theirs.wasm", "--key", "other"]);
    install(&["theirs.wasm"]).expect(0);
    refused(&["one.wasm"], &["other-publisher"]);
    remove();
    msp.write("again.js", &look("1.0.0", DEVICE).replace("all is well", "all is different"));
    msp.ok(&["build", "again.js"]);
    msp.ok(&["sign", "again.wasm", "--key", "remit"]);
    install(&["again.wasm"]).expect(0);
    refused(&["one.wasm"], &["lock-mismatch", "other-bytes"]);
    remove();

    // A tag that says another version, and one that was moved since it was locked.
    msp.ok(&["plugin", "push", "one.wasm", &at("9.9.9")]);
    refused(&[&at("9.9.9")], &["relabelled"]);
    msp.ok(&["plugin", "push", "one.wasm", &at("1.0.0")]);
    install(&[&at("1.0.0"), "--lock", "team.lock"]).expect(0);
    remove();
    msp.ok(&["plugin", "push", "again.wasm", &at("1.0.0"), "--replace"]);
    refused(&[&at("1.0.0"), "--lock", "team.lock"], &["lock-mismatch"]);
    refused(&["again.wasm", "--lock", "team.lock"], &["lock-mismatch"]);
    // What is locked is still there, whatever its tag stands for.
    let locked = install(&["--lock", "team.lock"]).expect(0);
    assert!(locked.stdout.contains("look 1.0.0 is installed"), "{locked}");
    remove();
    install(&[&at("1.0.0")]).expect(0);

    // What does not belong to it does not go along.
    msp.ok(&["approve", "one.wasm", "--name", "one", "--client", "*", "--key", "rob"]);
    let with = |plugin: &str| msp.run(&["plugin", "push", plugin, &at("2.0.0"), "--with", "one.approval.statement"]);
    let other = with("again.wasm").expect(1);
    assert!(other.stderr.contains("it is about other plugins"), "{other}");
    with("one.wasm").expect(0);
    for ending in ["", ".sig"] {
        let from = msp.folder.join(format!("one.approval.statement{ending}"));
        fs::copy(from, msp.folder.join(format!("again.wasm.statement.2{ending}"))).unwrap();
    }
    remove();
    let told = install(&["again.wasm"]).expect(0);
    assert!(told.stderr.contains("is about other plugins"), "{told}");
    let approvals = |machine: &Remit| fs::read_dir(machine.state().join("trust/approval")).map_or(0, Iterator::count);
    assert_eq!(approvals(&machine), 0, "and it was not taken");
    remove();
    install(&[&at("2.0.0")]).expect(20);
    fs::rename(msp.folder.join("again.wasm.statement.2"), msp.folder.join("one.wasm.statement.2")).unwrap();
    fs::rename(msp.folder.join("again.wasm.statement.2.sig"), msp.folder.join("one.wasm.statement.2.sig")).unwrap();
    install(&["one.wasm"]).expect(0);
    assert_eq!(approvals(&machine), 1, "beside its own it is");
}

#[test]
fn an_address_and_a_file_are_as_good_as_a_registry() {
    let msp = Msp::new();
    let served = Files::serve(&msp.folder);
    let (address, file) = (format!("{served}/look.wasm"), "look.wasm".to_owned());
    for source in [&address, &file] {
        let machine = msp.machine();
        let upgrade = |code| {
            let ran = msp.run_on(&machine, &["--output", "json", "plugin", "upgrade"]).expect(code).json();
            (ran[0]["became"].as_str().unwrap().to_owned(), ran[0]["means"].as_str().unwrap().to_owned())
        };
        let became = |what: &str, means: &str| (what.to_owned(), means.to_owned());
        msp.script("look", "1.0.0", DEVICE);
        msp.run_on(&machine, &["plugin", "install", source]).expect(0);
        assert_eq!(upgrade(0), became("newest", "1.0.0"));
        msp.script("look", "1.1.0", DEVICE);
        let other = msp.run_on(&machine, &["plugin", "install", source]).expect(20);
        assert_eq!(other.codes(), ["lock-mismatch"], "what is locked is not changed by accident\n{other}");
        msp.run_on(&machine, &["approve", source, "--name", "look", "--client", "*", "--key", "rob"]).expect(0);
        assert_eq!(upgrade(0), became("upgraded", "1.1.0"));
        msp.run_on(&machine, &["run", "look"]).expect(0);
        assert_eq!(trust_of_latest(&machine), "signed by remit, approved by rob in look");
    }
    // A carrier that has gone is no reason to fail.
    let machine = msp.machine();
    msp.run_on(&machine, &["plugin", "install", &file]).expect(0);
    fs::remove_file(msp.folder.join(&file)).unwrap();
    let told = msp.run_on(&machine, &["plugin", "upgrade"]).expect(0);
    assert!(told.stderr.contains("which is not here"), "{told}");
}
