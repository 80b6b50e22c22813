//! Recipes about services, mounts and packages.

use crate::managed::Managed;

/// Answers, until a file says that it hangs; a start clears that.
const APP: &str = r#"
import http.server, os, time
if os.path.exists("/run/app-hangs"):
    os.remove("/run/app-hangs")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        while os.path.exists("/run/app-hangs"):
            time.sleep(0.1)
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"#;

pub(crate) fn hung(host: &Managed) {
    let given = ["--param", "service=app", "--param", "url=http://localhost:8080/", "--param", "seconds=1"];
    host.says("restart-hung-service", &given, "not-applicable");
    host.write("/opt/app.py", APP);
    host.write("/etc/systemd/system/app.service", "[Service]\nExecStart=python3 /opt/app.py\n");
    host.sh("systemctl daemon-reload");
    host.finds("restart-hung-service", &given, &["app does not answer"]);
    host.acts("restart-hung-service", &given, "fixed", &["app"]);
    host.says("restart-hung-service", &given, "compliant");
    let pid = || host.sh("systemctl show --property MainPID app");
    let before = pid();
    host.sh("touch /run/app-hangs");
    assert_eq!(host.sh("systemctl is-active app"), "active\n");
    host.finds("restart-hung-service", &given, &["app does not answer"]);
    host.acts("restart-hung-service", &given, "fixed", &["app"]);
    assert_ne!(pid(), before);
}

pub(crate) fn crash_loop(host: &Managed) {
    let crasher =
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=100ms\n";
    host.write("/etc/systemd/system/crasher.service", crasher);
    host.write("/etc/systemd/system/steady.service", "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\n");
    host.sh("systemctl daemon-reload && systemctl start --no-block crasher && systemctl start steady");
    host.wait_until("[ $(systemctl show --property NRestarts --value crasher) -ge 5 ]");
    host.says("crash-loop", &["--param", r#"services=["steady", "nothing"]"#], "compliant");
    let given = ["--param", r#"services=["crasher", "steady"]"#];
    let ran = host.says("crash-loop", &given, "non-compliant");
    assert_eq!((&ran["findings"][0]["target"], ran["findings"].as_array().unwrap().len()), (&"crasher".into(), 1));
    host.acts("crash-loop", &given, "fixed", &["crasher", "crash-loop:crasher"]);
    host.wait_until("! systemctl is-active crasher");
    assert!(host.remit(&["ticket", "list"]).contains("crasher was started again"));
    assert_eq!(host.sh("systemctl is-active steady"), "active\n");
}

pub(crate) fn mount_missing(host: &Managed) {
    host.says("mount-missing", &[], "compliant");
    let given = ["--param", r#"mounts=["/", "/srv/data"]"#];
    host.finds("mount-missing", &given, &["/srv/data is not mounted"]);
    host.sh("mkdir -p /srv/data && mount -t tmpfs tmpfs /srv/data");
    host.says("mount-missing", &given, "compliant");
    host.sh("mount -o remount,ro /srv/data");
    host.finds("mount-missing", &given, &["/srv/data can only be read"]);
    host.says("mount-missing", &[&given[..], &["--param", "readOnly=true"]].concat(), "compliant");
}

pub(crate) fn packages(host: &Managed) {
    host.says("package-presence", &["--param", r#"present=["procps"]"#], "compliant");
    let given = ["--param", r#"present=["procps", "nothing"]"#, "--param", r#"absent=["needrestart"]"#];
    host.finds("package-presence", &given, &["nothing is not installed", "needrestart should not be installed"]);
    host.sh("dpkg --remove needrestart");
    host.finds("package-presence", &given, &["nothing is not installed"]);
}
