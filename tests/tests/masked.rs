//! A secret that a server sends back is nowhere: not in the record, the log, the output or the store, in no form.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use tests::echo::Echo;
use tests::{Remit, remit};

/// With what each form writes in another way.
const SECRET: &str = "s3cr+t/va lue?&\"of~thé-token";
/// What the guest needs a word of the operator for; the server is on loopback.
const ALLOWED: [&str; 4] = ["--allow", "secrets [token]", "--allow", "http [127.0.0.0/8]"];
/// What is no secret, and must get through.
const MARK: &str = "this is what I heard";

fn percent(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match is_kept(byte) {
            true => escaped.push(char::from(byte)),
            false => write!(escaped, "%{byte:02X}").unwrap(),
        }
    }
    escaped
}

/// Every form that is looked for.
fn forms() -> Vec<(&'static str, String)> {
    let escaped = serde_json::to_string(SECRET).unwrap();
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    vec![
        ("raw", SECRET.to_owned()),
        ("JSON", escaped.trim_matches('"').to_owned()),
        ("base64", BASE64_STANDARD.encode(SECRET)),
        ("base64 for URLs", BASE64_URL_SAFE_NO_PAD.encode(SECRET)),
        ("hex", hex::encode(SECRET)),
        ("upper-case hex", hex::encode_upper(SECRET)),
        ("percent", percent(SECRET, unreserved)),
        ("form", percent(SECRET, unreserved).replace("%20", "+")),
    ]
}

/// What the server says of what it heard.
fn body(head: &str) -> String {
    let said: Vec<String> = forms().into_iter().map(|(name, form)| format!("{name}: {form}")).collect();
    format!("{MARK}\n{head}\n{}\n", said.join("\n"))
}

/// All of its answer.
fn reply(head: &str) -> String {
    let body = body(head);
    let (heard, length) = (hex::encode(SECRET), body.len());
    format!("HTTP/1.1 200 OK\r\nX-Echo: {heard}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn leaks(what: &str, bytes: &[u8]) -> Vec<String> {
    let holds = |form: &str| bytes.windows(form.len()).any(|window| window == form.as_bytes());
    forms().iter().filter(|(_, form)| holds(form)).map(|(name, _)| format!("{name} in {what}")).collect()
}

#[test]
fn a_secret_that_comes_back_is_nowhere() {
    let (remit, echo) = (Remit::new(), Echo::start(reply));
    let authority = remit.folder("trust").join("authority.pem");
    fs::write(&authority, &echo.authority).unwrap();
    fs::write(remit.policy(), format!("[http]\ntrust = [\"{}\"]\n", authority.display())).unwrap();
    let place = format!("http:127.0.0.1:{}", echo.port);
    let mut set = remit.command(&["secret", "set", "token", "--for", &place]).stdin(Stdio::piped()).spawn().unwrap();
    set.stdin.take().unwrap().write_all(SECRET.as_bytes()).unwrap();
    let set = remit::Ran::from(set.wait_with_output().unwrap()).expect(0);

    let record = remit.folder("records").join("run");
    let url = format!("url=https://127.0.0.1:{}", echo.port);
    let args = [&["--param", &url, "--record", record.to_str().unwrap()][..], &ALLOWED].concat();
    let ran = remit.run_plugin(&remit::guest("tell-tale"), &args).expect(10);
    let run = ran.json()["run"].as_str().unwrap().to_owned();
    let shown = remit.run(&["runs", "show", &run]).expect(0);
    let events = remit.run(&["runs", "show", &run, "--events"]).expect(0);

    // The controls: the server was told, and the plugin, the log and the record have what is no secret.
    let heard = echo.heard();
    assert!(heard.iter().any(|head| head.contains(&format!("Bearer {SECRET}"))), "{heard:?}");
    for text in [&ran.stdout, &ran.stderr, &shown.stdout, &events.stdout, &fs::read_to_string(&record).unwrap()] {
        assert!(text.contains(MARK), "{text}");
    }
    assert_eq!(leaks("the answer", body("").as_bytes()).len(), forms().len());

    let mut leaked = Vec::new();
    for (what, ran) in [("run", &ran), ("show", &shown), ("events", &events), ("set", &set)] {
        leaked.extend(leaks(&format!("stdout of {what}"), ran.stdout.as_bytes()));
        leaked.extend(leaks(&format!("stderr of {what}"), ran.stderr.as_bytes()));
    }
    let vault = remit.state().join("secrets");
    for file in files(&remit.state()).into_iter().filter(|file| !file.starts_with(&vault)).chain([record]) {
        leaked.extend(leaks(&file.display().to_string(), &fs::read(&file).unwrap()));
    }
    assert_eq!(leaked, [""; 0]);
    assert!(remit.state().join("state.db").exists());
}

#[test]
fn a_secret_goes_only_where_it_is_for() {
    let (remit, echo) = (Remit::new(), Echo::start(reply));
    let authority = remit.folder("trust").join("authority.pem");
    fs::write(&authority, &echo.authority).unwrap();
    fs::write(remit.policy(), format!("[http]\ntrust = [\"{}\"]\n", authority.display())).unwrap();
    let set = ["secret", "set", "token", "--for", "http:127.0.0.1:1"];
    let mut set = remit.command(&set).stdin(Stdio::piped()).spawn().unwrap();
    set.stdin.take().unwrap().write_all(SECRET.as_bytes()).unwrap();
    assert!(set.wait().unwrap().success());
    let url = format!("url=https://127.0.0.1:{}", echo.port);
    let guest = remit::guest("tell-tale");
    let denied = remit.run_plugin(&guest, &[&["--param", &url][..], &ALLOWED].concat()).expect(21).json();
    assert_eq!(denied["error"], serde_json::Value::Null);
    assert_eq!(denied["failed-calls"][0]["error"]["code"], "place", "{denied}");
    assert!(echo.heard().is_empty(), "the server was asked nothing");
    // And without a word of the operator it is not even opened.
    remit.run_plugin(&guest, &[&["--param", &url][..], &ALLOWED[2..]].concat()).expect(20);
}
