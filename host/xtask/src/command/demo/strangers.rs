//! A plugin that somebody else made: signed, sent through a registry, approved and run; and what becomes of it where one byte is
//! another.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

use super::hand::{Hand, saw, text};
use super::machine::{Machine, make_keys};
use crate::process::output;

const PLUGIN: &str = "disk-space";

pub(super) fn signed(hand: &Hand) -> anyhow::Result<()> {
    let folder = hand.path("strangers");
    fs::create_dir(&folder)?;
    make_keys(&folder, &["ann", "rob", "remit"])?;
    let file = format!("{PLUGIN}.wasm");
    fs::copy(hand.plugin(PLUGIN), folder.join(&file))?;
    let registry = Registry::start(&folder)?;
    let there = format!("{}/plugins/{PLUGIN}", registry.address);
    let publisher = Machine { hand, folder: &folder, state: "publisher" };
    publisher.does(&["sign", &file, "--key", "remit"], 0)?;
    openssh_accepts(&folder, &file)?;
    saw("ssh-keygen -Y verify takes the signature, without remit");
    let pushed = publisher.tells(&["plugin", "push", &file, &there])?;
    saw(&format!("the registry has it, with its statement: {}", text(&pushed, "digest")));

    let device = Machine { hand, folder: &folder, state: "device" };
    fs::write(
        folder.join("root.toml"),
        "msp = \"example\"\nthreshold = 1\nexpires = \"2050-01-01T00:00:00Z\"\nkeys = [{ person = \"ann\", key = \"ann.pub\" }]\n",
    )?;
    let seat = |holder: &str| {
        format!("[{{ holder = \"{holder}\", key = \"{holder}.pub\", clients = [\"*\"], class-max = \"L3\" }}]")
    };
    let (reviewers, publishers) = (seat("rob"), seat("remit"));
    fs::write(
        folder.join("roster.toml"),
        format!("expires = \"2050-01-01T00:00:00Z\"\nreviewers = {reviewers}\npublishers = {publishers}\n"),
    )?;
    device.pins("ann")?;

    device.tells(&["plugin", "install", &there])?;
    let refused = device.does(&["run", PLUGIN], 20)?;
    ensure!(refused.contains("(no-approval)"), "{refused}");
    saw("installed, and refused: nobody approved it");
    #[rustfmt::skip]
    let approve = [
        "approve", PLUGIN, "--name", PLUGIN, "--client", "*", "--mode", "detect", "--grant", "notify [technician]", "--key", "rob",
    ];
    device.does(&approve, 0)?;
    // This machine may have a full volume or none.
    let ran = device.answers(&["run", PLUGIN], &[0, 10])?;
    let events = device.events(text(&ran, "run"))?;
    let vouched = events.first().map(|event| text(event, "trust").to_owned()).unwrap_or_default();
    ensure!(vouched == format!("signed by remit, approved by rob in {PLUGIN}"), "the record says: {vouched}");
    saw(&format!("it ran, and its record says who vouches: {vouched}"));

    let mut bytes = fs::read(folder.join(&file))?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("a plugin has bytes")? ^= 1;
    fs::write(folder.join(&file), bytes)?;
    let refused = device.does(&["run", &format!("./{file}")], 20)?;
    ensure!(refused.contains("(other-bytes)"), "{refused}");
    saw("with one bit of the file turned, it is refused");
    Ok(())
}

fn openssh_accepts(folder: &Path, file: &str) -> anyhow::Result<()> {
    let key = fs::read_to_string(folder.join("remit.pub"))?;
    fs::write(folder.join("allowed_signers"), format!("remit {key}"))?;
    let statement = fs::File::open(folder.join(format!("{file}.statement")))?;
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-Y", "verify", "-n", "remit-plugin@vnd.remit", "-I", "remit", "-f", "allowed_signers", "-s"]);
    output(keygen.arg(format!("{file}.statement.sig")).current_dir(folder).stdin(statement)).map(drop)
}

/// A real registry on loopback.
struct Registry {
    child: Child,
    address: String,
}

impl Registry {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let config = folder.join("registry.yml");
        let data = folder.join("registry");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n",
            data.display()
        );
        fs::write(&config, text)?;
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).env("OTEL_TRACES_EXPORTER", "none").stdin(Stdio::null());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("docker-registry")?;
        let mut lines = BufReader::new(child.stderr.take().context("its log")?).lines().map_while(Result::ok);
        let address = lines.by_ref().find_map(|line| listening(&line));
        // A pipe that nobody reads would hold it up.
        std::thread::spawn(move || lines.for_each(drop));
        let registry = |address| Self { child, address };
        address.map(registry).context("the registry does not start")
    }
}

/// `… msg="listening on 127.0.0.1:36363" …`
fn listening(line: &str) -> Option<String> {
    let rest = line.split_once("listening on ")?.1;
    Some(rest.split(['"', ' ', ',']).next()?.to_owned())
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
