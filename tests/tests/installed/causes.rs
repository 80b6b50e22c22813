//! What a run does to a service, where a service is what its order watches.

use std::fs;
use std::time::Duration;

use tests::{Msp, need_root};

use super::reboots::{believing, rows_of};
use super::wait_until;

/// Stops a service, waits, and starts it again, each time.
const BOUNCE: &str = r#"import { startService, stopService } from "msp:automation/service-control";
import { getParameters, sleep } from "msp:automation/run";

export const manifest = {
  name: "bounce",
  description: "Stops a service and starts it again",
  publisher: "remit",
  version: "1.0.0",
  capabilities: { "service-control": { scope: ["{service}"], reason: "Stops it and starts it" } },
  parameters: { type: "object", properties: { service: { type: "string" } } },
};

export function detect() {
  const findings = [{ fingerprint: "due", title: "It is due", severity: "info", target: "it", evidence: "",
    remediable: true }];
  return { verdict: "non-compliant", summary: "it is due", findings };
}

export function remediate() {
  const { service } = JSON.parse(getParameters());
  stopService(service, 20_000);
  sleep(2_500);
  startService(service, 20_000);
  return { summary: "bounced" };
}
"#;

#[test]
fn a_run_that_restarts_the_service_that_its_order_watches_runs_once() {
    let root = need_root!();
    let msp = Msp::new();
    msp.write("bounce.js", BOUNCE);
    msp.ok(&["build", "bounce.js"]);
    let (host, digest) = believing(root, &msp, "bounce", &["service-control"], "");
    let sh = |line: &str| host.run(&["sh", "-c", line]);
    for service in ["one", "two", "three"] {
        let unit = host.path(&format!("/etc/systemd/system/{service}.service"));
        fs::write(unit, "[Service]\nExecStart=sleep infinity\n").unwrap();
    }
    sh("systemctl daemon-reload && systemctl start one two three");
    // The first changes what it watches itself; the second, the control, what nobody watches.
    for (order, watched, bounced) in [("own", "one", "one"), ("other", "two", "three")] {
        let order_text = format!(
            "format = 1\nplugin = \"bounce\"\ndigest = \"{digest}\"\nmode = \"enforce\"\n[event]\n\
             watch = {{ type = \"service-state\", service = \"{watched}\", state = \"running\" }}\n[parameters]\nservice = \"{bounced}\"\n"
        );
        fs::write(host.path(&format!("/etc/remit/orders.d/{order}.toml")), order_text).unwrap();
    }
    let count = |order: &str, code: &str| rows_of(&host, order).iter().filter(|row| row["code"] == code).count();
    wait_until("both ran", || ["own", "other"].iter().all(|order| count(order, "ended") == 1));
    wait_until("it knows why it does not run again", || count("own", "cause") == 1);
    sh("systemctl stop two; sleep 3; systemctl start two");
    wait_until("what somebody else restarts starts it", || count("other", "ended") == 2);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((count("own", "ended"), count("other", "cause")), (1, 0), "{:#?}", rows_of(&host, "own"));
    let ended = rows_of(&host, "own").into_iter().find(|row| row["code"] == "ended").unwrap();
    assert!(ended["detail"].as_str().unwrap().contains("completed"), "{ended}");
}
