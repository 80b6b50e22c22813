//! Signed plugins, from a publisher's key to a run: who vouches, what is refused, and what the record says.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::msp::{DEVICE, NOTHING};
use tests::{Msp, Remit, built};

#[test]
fn a_plugin_runs_when_both_have_signed_and_the_record_says_so() {
    let msp = Msp::new();
    msp.script("look", "1.0.0", DEVICE);
    msp.refused(&["run", "look.wasm"], &["no-approval"]);
    assert_eq!(msp.remit.runs()[0]["ended"]["outcome"], "refused", "a refusal has a record");
    msp.run(&["verify", "look.wasm"]).expect(20);
    msp.approve("look.wasm", &[]);
    let verified = msp.ok(&["--output", "json", "verify", "look.wasm"]).json();
    assert_eq!(verified["ok"], true);
    assert!(verified["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{verified:#}");
    msp.ok(&["run", "look.wasm"]);
    assert_eq!(msp.trust_of_latest(), "signed by remit, approved by rob in look");
    msp.run(&["run", "look.wasm", "--allow", "files-write"]).expect(1);
    fs::rename(msp.folder.join("look.wasm.statement"), msp.folder.join("gone")).unwrap();
    msp.ok(&["run", "look.wasm"]);
    assert_eq!(msp.trust_of_latest(), "unsigned", "by hand, from a file, and the record says so");
}

#[test]
fn a_component_is_signed_as_a_script_is() {
    let msp = Msp::new();
    let component = built::folder(&built::repository().join("plugins/inventory"));
    fs::copy(component, msp.folder.join("inventory.wasm")).unwrap();
    msp.ok(&["sign", "inventory.wasm", "--key", "remit"]);
    let before = fs::read_dir(msp.remit.state().join("compiled")).unwrap().count();
    msp.refused(&["run", "inventory.wasm"], &["no-approval"]);
    let after: Vec<String> = fs::read_dir(msp.remit.state().join("compiled"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let labels = after.iter().filter(|name| name.ends_with(".label")).count();
    assert_eq!((after.len(), labels), (before + 1, 2), "its label was read, and nothing of it compiled: {after:?}");
    msp.approve("inventory.wasm", &[]);
    msp.ok(&["run", "inventory.wasm"]);
    assert_eq!(msp.trust_of_latest(), "signed by remit, approved by rob in look");
}

#[test]
fn what_was_changed_on_the_way_does_not_run() {
    let msp = Msp::new();
    msp.script("look", "1.0.0", DEVICE);
    msp.script("other", "2.0.0", DEVICE);
    msp.approve("look.wasm", &[]);
    let run = ["run", "look.wasm"];
    msp.ok(&run);
    let flip = |what: &'static [u8]| {
        move |bytes: &mut Vec<u8>| {
            let at = bytes.windows(what.len()).position(|it| it == what).unwrap();
            bytes[at] ^= 1;
        }
    };
    let changed = msp.changed("look.wasm", flip(b"all is well"));
    msp.refused(&run, &["other-bytes", "no-approval"]);
    drop(changed);
    let changed = msp.changed("look.wasm", flip(b"Reads what"));
    msp.refused(&run, &["other-bytes", "other-manifest", "no-approval"]);
    drop(changed);
    let changed = msp.changed("look.wasm.statement", flip(b"look"));
    msp.refused(&run, &["bad-signature", "relabelled"]);
    drop(changed);
    let changed = msp.changed("look.wasm.statement.sig", |bytes| bytes.clear());
    msp.refused(&run, &["no-signature"]);
    drop(changed);
    let other = fs::read(msp.folder.join("other.wasm.statement.sig")).unwrap();
    let changed = msp.changed("look.wasm.statement.sig", |bytes| bytes.clone_from(&other));
    msp.refused(&run, &["bad-signature"]);
    drop(changed);
    msp.ok(&run);
}

#[test]
fn an_upgrade_that_asks_for_more_needs_more_words_and_a_downgrade_too() {
    let msp = Msp::new();
    msp.script("one", "1.0.0", NOTHING);
    msp.script("two", "2.0.0", DEVICE);
    msp.approve("one.wasm", &[]);
    msp.ok(&["run", "one.wasm"]);
    msp.refused(&["run", "two.wasm"], &["no-approval"]);
    // The old version keeps an approval of its own.
    msp.ok(&["approve", "one.wasm", "--name", "narrow", "--client", "*", "--key", "rob", "--out", "."]);
    msp.approve("two.wasm", &[]);
    msp.ok(&["run", "two.wasm"]);
    msp.refused(&["run", "one.wasm"], &["older-version"]);
    msp.refused(&["run", "one.wasm", "--downgrade"], &["older-version"]);
    msp.approve("one.wasm", &["--downgrade"]);
    msp.refused(&["run", "one.wasm"], &["older-version"]);
    msp.ok(&["run", "one.wasm", "--downgrade"]);
}

#[test]
fn an_approval_is_for_whom_it_says_and_ends_when_it_is_revoked() {
    let msp = Msp::new();
    msp.script("look", "1.0.0", DEVICE);
    let approve = ["approve", "look.wasm", "--name", "look", "--client", "acme", "--tag", "server", "--key", "rob"];
    msp.ok(&[&approve[..], &["--mode", "detect"]].concat());
    msp.refused(&["run", "look.wasm"], &["other-client", "other-tags"]);
    let there = ["run", "look.wasm", "--client", "acme", "--tag", "server"];
    msp.ok(&there);
    msp.refused(&[&there[..], &["--mode", "enforce"]].concat(), &["other-mode"]);
    msp.write(
        "policy.toml",
        "serial = 1\nexpires = \"2050-01-01T00:00:00Z\"\nclient = \"acme\"\nclass-max = \"L2\"\nmodes = [\"detect\"]\n\
         publishers = [\"other\"]\n",
    );
    msp.ok(&["policy", "make", "policy.toml", "--key", "ann"]);
    msp.run(&["take", "policy.statement"]).expect(20);
    msp.ok(&["sign", "policy.statement", "--key", "ben"]);
    msp.ok(&["take", "policy.statement"]);
    msp.refused(&there, &["policy-forbids"]);
    let mut allowed = fs::read_to_string(msp.folder.join("policy.toml")).unwrap();
    allowed = allowed.replace("\"other\"", "\"*\"").replace("serial = 1", "serial = 2");
    msp.write("policy.toml", &allowed);
    msp.ok(&["policy", "make", "policy.toml", "--key", "ann"]);
    msp.ok(&["sign", "policy.statement", "--key", "ben"]);
    msp.ok(&["take", "policy.statement"]);
    msp.ok(&there);
    let revoke = ["revoke", "--end", "compromised", "--reason", "it does harm", "--plugin", "look.wasm"];
    msp.ok(&[&revoke[..], &["--key", "remit"]].concat());
    msp.refused(&there, &["revoked"]);
}

#[test]
fn a_roster_that_is_rolled_back_is_not_taken() {
    let msp = Msp::new();
    let make = |serial: &str| {
        msp.write("roster.toml", &msp.roster().replace("serial = 1", serial));
        msp.ok(&["roster", "make", "roster.toml", "--key", "ann"]);
        msp.ok(&["sign", "roster.statement", "--key", "ben"]);
    };
    make("serial = 3");
    msp.ok(&["take", "roster.statement"]);
    make("serial = 2");
    msp.refused(&["take", "roster.statement"], &["rolled-back"]);
    let shown = msp.ok(&["--output", "json", "roster", "show"]).json();
    assert_eq!(shown["serial"], Value::from(3));
    assert!(Path::new(&msp.remit.state().join("trust/pin")).exists());
}

#[test]
fn the_msp_in_the_readme_is_one() {
    let readme = fs::read_to_string(built::repository().join("README.md")).unwrap();
    let files = readme.split("## Plugins that others sign").nth(1).unwrap().split("```toml\n").nth(1).unwrap();
    let (root, roster) = files.split("```").next().unwrap().split_once("# roster.toml").unwrap();
    let msp = Msp::new();
    msp.write("readme.root.toml", root);
    msp.write("readme.roster.toml", roster.split_once('\n').unwrap().1);
    let fresh = Remit::new();
    let ok = |args: &[&str]| msp.run_on(&fresh, args).expect(0);
    let shown = ok(&["root", "make", "readme.root.toml", "--key", "ann"]).stderr;
    ok(&["sign", "readme.root.statement", "--key", "ben"]);
    let fingerprint = shown.split("its fingerprint is ").nth(1).unwrap().trim();
    ok(&["root", "pin", "readme.root.statement", "--fingerprint", fingerprint]);
    ok(&["roster", "make", "readme.roster.toml", "--key", "ann"]);
    ok(&["sign", "readme.roster.statement", "--key", "ben"]);
    ok(&["take", "readme.roster.statement"]);
    let seats = ok(&["roster", "show"]).stdout;
    assert!(seats.contains("reviewer") && seats.contains("L3"), "{seats}");
}
