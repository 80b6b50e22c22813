//! `remit hub`: made once, served with its own authority, looked at, backed up while it works, and put elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use tests::hub::{Hub, init};
use tests::{Msp, Remit};

/// A hub of an MSP in a folder, and what it said.
fn make(msp: &Msp, folder: &Path) -> Value {
    let folder = folder.to_str().unwrap();
    msp.ok(&[&init(folder, "root.statement")[..], &["--output", "json"]].concat()).json()
}

/// What is wrong with it, by what was looked at.
fn wrong(remit: &Remit, folder: &Path) -> Vec<(String, String)> {
    let ran = remit.run(&["hub", "doctor", "--folder", folder.to_str().unwrap(), "--output", "json"]);
    let looked = ran.json();
    let of = |it: &Value| Some((it["what"].as_str().unwrap().to_owned(), it["wrong"].as_str()?.to_owned()));
    let wrong: Vec<_> = looked.as_array().unwrap().iter().filter_map(of).collect();
    assert_eq!(ran.code == Some(0), wrong.is_empty(), "{ran}");
    wrong
}

#[test]
fn a_hub_is_made_once_and_serves_with_its_own_authority() {
    let msp = Msp::new();
    let (folder, other) = (msp.folder.join("hub"), msp.folder.join("elsewhere"));
    let made = make(&msp, &folder);
    assert_eq!(made["root"], msp.fingerprint());
    make(&msp, &other);
    let again = msp.run(&init(folder.to_str().unwrap(), "root.statement")).expect(1);
    assert!(again.stderr.contains("hub.toml"), "{again}");

    let hub = Hub::start(&msp.remit, &folder);
    let (status, said) = hub.get("/v1/health", &hub.ca).unwrap();
    assert!(status == 200 && said.contains("\"ok\""), "{status} {said}");
    assert_eq!(hub.get("/v1/ready", &hub.ca).unwrap().0, 200);
    // Nobody passes for it: the control of all that is said to it.
    let stranger = hub.get("/v1/health", &other.join("ca.pem")).unwrap_err();
    assert!(stranger.contains("CERTIFICATE_VERIFY_FAILED"), "{stranger}");
    assert_eq!(hub.get("/v1/devices", &hub.ca).unwrap().0, 401, "who asks is to be proved");
    assert_eq!(hub.get("/v1/nowhere", &hub.ca).unwrap().0, 404);
    let (_, openapi) = hub.get("/v1/openapi", &hub.ca).unwrap();
    let written = msp.ok(&["hub", "openapi"]).json();
    assert_eq!(serde_json::from_str::<Value>(&openapi).unwrap(), written);
    hub.stop();
    assert_eq!(wrong(&msp.remit, &folder), [], "it ended well");
    Hub::start(&msp.remit, &folder).stop();
}

#[test]
fn a_root_that_too_few_signed_is_nobody_s() {
    let msp = Msp::new();
    let folder = msp.folder.join("hub");
    fs::create_dir(msp.folder.join("young")).unwrap();
    msp.write("young/root.toml", &msp.root());
    msp.ok(&["root", "make", "young/root.toml", "--key", "ann"]);
    let ran = msp.run(&init(folder.to_str().unwrap(), "young/root.statement"));
    assert!(ran.code != Some(0) && ran.stderr.contains("2 are needed"), "{ran}");
    assert!(!folder.join("hub.toml").exists());
    msp.ok(&["sign", "young/root.statement", "--key", "ben"]);
    msp.ok(&init(folder.to_str().unwrap(), "young/root.statement"));
}

#[test]
fn a_backup_while_it_works_is_the_whole_hub_elsewhere() {
    let msp = Msp::new();
    let (folder, there) = (msp.folder.join("hub"), msp.folder.join("there"));
    make(&msp, &folder);
    let hub = Hub::start(&msp.remit, &folder);
    let in_hub = |folder: &Path, rest: &[&str]| {
        msp.run(&[&["hub", rest[0], "--folder", folder.to_str().unwrap()], &rest[1..]].concat())
    };
    in_hub(&folder, &["backup", "all"]).expect(0);
    let mode = msp.folder.join("all").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "it has a key in it");
    let twice = in_hub(&folder, &["backup", "all"]).expect(1);
    assert!(twice.stderr.contains("is there already"), "{twice}");
    assert_eq!(hub.get("/v1/ready", &hub.ca).unwrap().0, 200, "it goes on");
    in_hub(&there, &["restore", "all"]).expect(0);
    let over = in_hub(&there, &["restore", "all"]).expect(1);
    assert!(over.stderr.contains("there is a hub in"), "{over}");
    // Devices that believe the old one's authority believe this one.
    let restored = Hub::start(&msp.remit, &there);
    assert_eq!(restored.get("/v1/health", &hub.ca).unwrap().0, 200);
    assert_eq!(wrong(&msp.remit, &there), []);
}

#[test]
fn what_is_wrong_with_a_hub_is_said() {
    let msp = Msp::new();
    let folder = msp.folder.join("hub");
    make(&msp, &folder);
    assert_eq!(wrong(&msp.remit, &folder), []);
    let key = folder.join("ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let [(what, why)] = &wrong(&msp.remit, &folder)[..] else { panic!("one thing is wrong") };
    assert!(what == "who may read the authority's key" && why.contains("chmod 600"), "{what}: {why}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let config = folder.join("hub.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\nlisten-to = 1\n")).unwrap();
    let found = wrong(&msp.remit, &folder);
    assert!(found.iter().any(|(what, why)| what == "the configuration" && why.contains("listen-to")), "{found:?}");
    let ran = msp.run(&["hub", "run", "--folder", folder.to_str().unwrap()]);
    assert!(ran.code == Some(1) && ran.stderr.contains("listen-to"), "{ran}");
    fs::write(&config, text).unwrap();
    assert_eq!(wrong(&msp.remit, &folder), []);
}

/// Has a client be there with something of its own, as if its devices had been: a row in each table of what they said.
fn with_client(folder: &Path, client: &str) {
    let script = r#"
import sqlite3, sys
file, client = sys.argv[1:]
base = sqlite3.connect(file)
base.execute("INSERT INTO client VALUES (?, 1, 365)", [client])
for table in ["ticket", "ticket_note", "kv", "notification", "fact", "fact_change", "item"]:
    columns = base.execute("SELECT name, type FROM pragma_table_info(?) WHERE NOT (pk AND type = 'INTEGER')", [table])
    other = {"INTEGER": len(client), "TEXT": "secret-of-" + client, "BLOB": b"secret"}
    row = {name: client if name == "client" else other[kind] for name, kind in columns}
    names, marks, values = ", ".join(row), ", ".join("?" for _ in row), list(row.values())
    base.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
base.commit()
"#;
    let mut python = std::process::Command::new("/usr/bin/python3");
    let ran = python.args(["-c", script]).arg(folder.join("hub.db")).arg(client).status().unwrap();
    assert!(ran.success());
}

#[test]
fn a_client_is_exported_and_erased_and_nothing_of_it_is_left() {
    let msp = Msp::new();
    let folder = msp.folder.join("hub");
    make(&msp, &folder);
    ["acme", "globex"].iter().for_each(|client| with_client(&folder, client));
    let in_hub =
        |rest: &[&str]| msp.run(&[&["hub", rest[0], "--folder", folder.to_str().unwrap()], &rest[1..]].concat());
    let hub = Hub::start(&msp.remit, &folder);
    in_hub(&["export", "acme", "acme.jsonl"]).expect(0);
    let file = msp.folder.join("acme.jsonl");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "it is somebody's data");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("secret-of-acme") && !text.contains("globex"), "{text}");
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["table"].is_string()));
    let twice = in_hub(&["export", "acme", "acme.jsonl"]).expect(1);
    assert!(twice.stderr.contains("acme.jsonl"), "{twice}");
    let nobody = in_hub(&["export", "nobody", "nobody.jsonl"]).expect(1);
    assert!(nobody.stderr.contains("no such client"), "{nobody}");
    // What runs has more of it than the file.
    let while_it_runs = in_hub(&["erase", "acme"]).expect(1);
    assert!(while_it_runs.stderr.contains("stop it first"), "{while_it_runs}");
    let second = in_hub(&["run"]).expect(1);
    assert!(second.stderr.contains("stop it first"), "{second}");
    hub.stop();
    // Whatever lies in its folder: the database, its log, and what a restore left.
    let holds = |text: &str| {
        let files = fs::read_dir(&folder).unwrap().map(|it| fs::read(it.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(text.len()).any(|it| it == text.as_bytes()))
    };
    // A backup from before has all of it, as `erase` says: whoever keeps backups deletes them.
    in_hub(&["backup", "before"]).expect(0);
    assert!(holds("secret-of-acme"), "the control");
    let erased = in_hub(&["erase", "acme"]).expect(0);
    assert!(erased.stderr.contains("backups and exports are yours to delete"), "{erased}");
    assert!(!holds("secret-of-acme") && holds("secret-of-globex"));
    in_hub(&["backup", "after"]).expect(0);
    let backup_holds = |name: &str, text: &str| {
        fs::read(msp.folder.join(name)).unwrap().windows(text.len()).any(|it| it == text.as_bytes())
    };
    assert!(backup_holds("before", "secret-of-acme") && !backup_holds("after", "secret-of-acme"));
    let again = in_hub(&["erase", "acme"]).expect(1);
    assert!(again.stderr.contains("no such client"), "{again}");
    assert_eq!(wrong(&msp.remit, &folder), []);
}
