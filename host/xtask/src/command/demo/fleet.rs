//! A hub and three devices that join it: one line runs a plugin on all of them, first on one, and what they signed comes back.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::hand::{Hand, saw, text};
use super::machine::{Machine, make_keys};

const PLUGIN: &str = "disk-space";

const DEVICES: [&str; 3] = ["device-1", "device-2", "device-3"];

/// How long devices may take until they are there.
const THERE_MAX: Duration = Duration::from_secs(60);

pub(super) fn run(hand: &Hand) -> anyhow::Result<()> {
    let folder = hand.path("fleet");
    fs::create_dir(&folder)?;
    let machine = |state| Machine { hand, folder: &folder, state };
    let (office, desk) = (machine("office"), machine("desk"));
    let fingerprint = people(&folder, &office)?;
    let file = format!("{PLUGIN}.wasm");
    fs::copy(hand.plugin(PLUGIN), folder.join(&file))?;
    office.does(&["sign", &file, "--key", "remit"], 0)?;
    #[rustfmt::skip]
    let approve = [
        "approve", &file, "--name", PLUGIN, "--client", "*", "--mode", "detect", "--grant", "notify [technician]", "--key", "rob",
    ];
    office.does(&approve, 0)?;

    #[rustfmt::skip]
    let init = [
        "hub", "init", "--folder", "hub", "--root-statement", "root.statement", "--name", "127.0.0.1", "--listen", "127.0.0.1:0",
    ];
    office.does(&init, 0)?;
    let signed = ["roster.statement".to_owned(), format!("{PLUGIN}.approval.statement")];
    signed.iter().try_for_each(|it| office.does(&["hub", "take", "--folder", "hub", it], 0).map(drop))?;
    let hub = Hub::start(&office)?;
    #[rustfmt::skip]
    let ask = [
        "hub", "use", &hub.url, "--authority", "hub/ca.pem", "--key", "tess",
        "--root-statement", "root.statement", "--fingerprint", &fingerprint,
    ];
    desk.does(&ask, 0)?;
    let make = ["token", "make", "--client", "acme", "--site", "berlin", "--uses", "3", "--yes"];
    let made = desk.command(&make).output().context("remit cannot be started")?;
    let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    ensure!(made.status.success(), "no token: {}", String::from_utf8_lossy(&made.stderr));
    saw("a technician signed that three devices of acme may join, and has a token for them");

    let devices = DEVICES.map(machine);
    let mut halves = Vec::new();
    for device in &devices {
        let joined = device.command(&["agent", "join", &hub.url, &token]).output()?;
        ensure!(joined.status.success(), "{}", String::from_utf8_lossy(&joined.stderr));
        halves.extend(agent(device)?);
    }
    online(&desk)?;
    saw("three devices joined, and are online with what they told of themselves");

    let run = ["fleet", "run", &file, "--where", "client == \"acme\"", "--rings", "1,100%", "--soak", "1s", "--yes"];
    let said = desk.does(&run, 0)?;
    let order = said.split([' ', '`', '\n']).find(|word| word.starts_with("order_")).context("the order's name")?;
    desk.does(&["fleet", "watch", order], 0)?;
    let told = desk.tells(&["fleet", "results", order])?;
    let results = told.get("results").and_then(Value::as_array).context("a list of results")?;
    let rings =
        |wanted: u64| results.iter().filter(|it| it.get("ring").and_then(Value::as_u64) == Some(wanted)).count();
    let went_well = results.iter().all(|it| it.pointer("/report/outcome").and_then(Value::as_str) == Some("completed"));
    ensure!(results.len() == DEVICES.len() && rings(1) == 1 && rings(2) == 2 && went_well, "{told}");
    saw("it ran on one device, and then on two: each signed what came of it, and this machine verified that");
    let ran = devices.iter().map(|device| device.tells(&["runs", "list"]));
    for runs in ran.collect::<anyhow::Result<Vec<_>>>()? {
        ensure!(runs.as_array().is_some_and(|it| it.len() == 1), "not one run: {runs}");
    }
    desk.does(&["audit", "verify"], 0)?;
    saw("each device ran it once, and the hub's chain of what was done holds");
    Ok(())
}

/// Who signs what, and the machine that believes them. The root's fingerprint.
fn people(folder: &Path, office: &Machine<'_>) -> anyhow::Result<String> {
    make_keys(folder, &["ann", "rob", "remit", "tess"])?;
    fs::write(
        folder.join("root.toml"),
        "msp = \"example\"\nthreshold = 1\nexpires = \"2050-01-01T00:00:00Z\"\nkeys = [{ person = \"ann\", key = \"ann.pub\" }]\n",
    )?;
    let seat = |list: &str, holder: &str| {
        format!(
            "{list} = [{{ holder = \"{holder}\", key = \"{holder}.pub\", clients = [\"*\"], class-max = \"L3\" }}]\n"
        )
    };
    let seats = [seat("reviewers", "rob"), seat("publishers", "remit"), seat("technicians", "tess")].concat();
    fs::write(folder.join("roster.toml"), format!("expires = \"2050-01-01T00:00:00Z\"\n{seats}"))?;
    office.pins("ann")
}

/// A process that is killed with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A hub on loopback.
struct Hub {
    _running: Running,
    url: String,
}

impl Hub {
    fn start(office: &Machine<'_>) -> anyhow::Result<Self> {
        let mut command = office.command(&["hub", "run", "--folder", "hub"]);
        let mut child =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().context("remit cannot be started")?;
        let mut lines = BufReader::new(child.stderr.take().context("what it says")?).lines().map_while(Result::ok);
        let running = Running(child);
        let address = lines.by_ref().find_map(|line| Some(line.strip_prefix("the hub listens at ")?.to_owned()));
        thread::spawn(move || lines.for_each(drop));
        let address = address.context("the hub does not start")?;
        Ok(Self { _running: running, url: format!("https://{address}") })
    }
}

/// Both halves of a device's agent, with a configuration that is its own.
fn agent(device: &Machine<'_>) -> anyhow::Result<Vec<Running>> {
    let (orders, state) = (device.folder.join(format!("{}.orders", device.state)), device.folder.join(device.state));
    fs::create_dir(&orders)?;
    let config = device.folder.join(format!("{}.toml", device.state));
    let (orders, state) = (orders.display(), state.display());
    fs::write(
        &config,
        format!(
            "orders = \"{orders}\"\nrun-dir = \"{state}\"\n[metrics]\nlisten = \"unix:{state}/metrics.sock\"\n[log]\nformat = \"stderr\"\n"
        ),
    )?;
    let config = config.display().to_string();
    let start = |half| {
        let mut command = device.command(&["agent", "run", "--half", half, "--config", &config]);
        let log = fs::File::create(device.folder.join(format!("{}.{half}.log", device.state)))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Ok(Running(child.context("remit cannot be started")?))
    };
    ["executor", "network"].into_iter().map(start).collect()
}

/// Waits until all devices are there, and told what they are.
fn online(desk: &Machine<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let mut list = desk.command(&["device", "list", "--output", "json"]);
        let listed: Value = serde_json::from_slice(&list.output()?.stdout).unwrap_or_default();
        let is_there =
            |it: &&Value| text(it, "presence") == "online" && it.get("facts").is_some_and(|facts| !facts.is_null());
        let there = listed.as_array().map_or(0, |all| all.iter().filter(is_there).count());
        if there == DEVICES.len() {
            return Ok(());
        }
        if began.elapsed() > THERE_MAX {
            bail!("{there} of {} devices are there: {listed}", DEVICES.len());
        }
        thread::sleep(Duration::from_millis(200));
    }
}
