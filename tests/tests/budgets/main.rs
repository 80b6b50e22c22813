//! What a machine's owner lets run at all, and how much of it in a day: through the real `remit`, by what is done and what is
//! not. Each refusal has its control: the same with room for one more goes through.

mod allowed;
mod spent;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::budget::{self, Budget};
use serde_json::Value;
use store::Store;
use tests::{Remit, remit, scripts};

/// Every budget, and the test that shows it by what is done.
const TESTED: [(Budget, &str); 6] = [
    (Budget::Reboots, "reboots_are_counted"),
    (Budget::Installs, "installs_and_reboots_of_a_machine_are_counted_over_its_boots"),
    (Budget::DeletedBytes, "deleted_bytes_are_counted"),
    (Budget::EgressBytes, "sent_bytes_are_counted"),
    (Budget::L3Runs, "runs_are_counted_by_their_class"),
    (Budget::L4Runs, "runs_are_counted_by_their_class"),
];

#[test]
fn every_budget_has_a_test() {
    let source = include_str!("spent.rs");
    for budget in Budget::ALL {
        let (_, test) = TESTED.iter().find(|(tested, _)| *tested == budget).unwrap_or_else(|| panic!("{budget}"));
        assert!(source.contains(&format!("#[test]\nfn {test}()")), "{budget}: there is no {test}");
    }
}

/// More than anything here uses.
const PLENTY: u64 = 1 << 40;

/// What the plugins here need beside `[device]`.
const ALLOW: &str = r#"
[[allow]]
capability = "files-write"
[[allow]]
capability = "files-erase"
[[allow]]
capability = "http [127.0.0.0/8]"
[[allow]]
capability = "http-write"
[[allow]]
capability = "notify"
[[allow]]
capability = "kv-write"
[[allow]]
capability = "patch-install"
[notify.routes.technician]
kind = "webhook"
url = "http://127.0.0.1:1/"
[patch]
reboots = true
"#;

/// A device with a policy, and a folder for plugins to work on.
struct Bench {
    remit: Remit,
    scratch: PathBuf,
}

impl Bench {
    fn new(device: &str) -> Self {
        let remit = scripts::device();
        let bench = Self { scratch: remit.folder("scratch"), remit };
        bench.decide(device);
        bench
    }

    /// With room for so much.
    fn with(budget: Budget, limit: u64) -> Self {
        Self::new(&limited(budget, limit))
    }

    /// The machine's owner decides otherwise.
    fn decide(&self, device: &str) {
        fs::write(self.remit.policy(), format!("{ALLOW}\n{device}\n")).unwrap();
    }

    fn run(&self, script: &str, args: &[&str]) -> remit::Ran {
        let script = scripts::write(&self.remit, "script.js", script);
        let bind = format!("scratch={}", self.scratch.display());
        self.remit.run_plugin(&script, &[&["--bind", &bind], args].concat())
    }

    fn enforce(&self, script: &str) -> remit::Ran {
        self.run(script, &["--mode", "enforce"])
    }

    /// What is used of it by now.
    fn used(&self, budget: Budget) -> u64 {
        used(&self.remit.state(), budget)
    }

    /// The latest run's events of this kind.
    fn latest(&self, kind: &str) -> Vec<Value> {
        let run = self.remit.runs()[0]["run"].as_str().unwrap().to_owned();
        self.remit.events(&run).into_iter().filter(|event| event["event"] == kind).collect()
    }
}

fn limited(budget: Budget, limit: u64) -> String {
    format!("[device.budgets]\n{budget} = {limit}")
}

/// What the ledger of this state folder has of it.
fn used(state: &Path, budget: Budget) -> u64 {
    let ledger = Store::open(state).unwrap().get(budget::COLLECTION, budget::KEY, 1).unwrap();
    let Some(ledger) = ledger else { return 0 };
    let ledger: Value = serde_json::from_str(&ledger.value).unwrap();
    let slices = ledger["spent"][budget.name()].as_object();
    slices.into_iter().flat_map(|slices| slices.values()).map(|amount| amount.as_u64().unwrap()).sum()
}

/// That the run gave up because of this budget, and that its record says so once.
#[track_caller]
fn no_room(ran: remit::Ran, budget: Budget) -> Value {
    let ran = ran.expect(21).json();
    let failed = ran["failed-calls"].as_array().unwrap().last().unwrap();
    assert_eq!((&failed["error"]["kind"], &failed["error"]["code"]), (&"denied".into(), &"budget".into()), "{ran}");
    let attributes = failed["error"]["attributes"].as_array().unwrap();
    assert!(attributes.contains(&serde_json::json!(["budget", budget.name()])), "{ran}");
    let exhausted = ran["exhausted"].as_array().unwrap();
    assert_eq!((exhausted.len(), &exhausted[0]["budget"]), (1, &budget.name().into()), "{ran}");
    ran
}

/// A script that is never content, so that each run of it puts something right.
fn does(capabilities: &str, imports: &str, remediate: &str) -> String {
    format!(
        "{imports}\nimport {{ now }} from \"msp:automation/run\";\n\
         export const manifest = {{ name: \"spender\", description: \"A test\", capabilities: {{ {capabilities} }} }};\n\
         export function detect() {{\n  return {{ verdict: \"non-compliant\", summary: \"\", findings: [{{ fingerprint: \"it\", \
         title: \"it\", severity: \"info\", target: \"it\", evidence: \"\", remediable: true }}] }};\n}}\n\
         export function remediate() {{\n{remediate}\n  return {{ summary: \"done\" }};\n}}\n"
    )
}

/// A web server on loopback, and how many came.
struct Server {
    url: String,
    came: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let came = Arc::<AtomicUsize>::default();
        let server = Self { url: format!("http://{}/", listener.local_addr().unwrap()), came: Arc::clone(&came) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                came.fetch_add(1, Ordering::Relaxed);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
            }
        });
        server
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }
}
