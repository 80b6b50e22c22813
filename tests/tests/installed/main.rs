//! The agent as it is installed: on a booted host, where systemd does not run, and where there is no IPv4.

mod causes;
mod packages;
mod reboots;
mod upgrades;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Host, Root, built, need_root, toolchains};

const REMIT: &str = "/usr/local/bin/remit";

fn host(root: Root) -> Host {
    Host::prepare(root).with_program("/opt/remit", built::remit()).boot()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Reads the page of metrics as a user that may do nothing.
const SCRAPE: &str = "import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect('/run/remit/network/metrics.sock')
s.sendall(b'GET /metrics HTTP/1.1\\r\\nhost: here\\r\\n\\r\\n')
page = b''
while more := s.recv(65536): page += more
sys.stdout.write(page.decode())
";

fn scrape(host: &Host) -> String {
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-c", SCRAPE];
    String::from_utf8(host.output(&nobody).stdout).unwrap()
}

#[test]
fn a_host_has_the_agent_installed_once_and_taken_back() {
    let host = host(need_root!());
    let told = host.run(&["/opt/remit", "agent", "install", "--binary", "--no-start", "--dry-run"]);
    assert!(told.contains("write /etc/systemd/system/remit-agent.service, mode 0644"), "{told}");
    assert!(
        !host.path("/etc/remit").exists() && !host.run(&["cat", "/etc/passwd"]).contains("remit:"),
        "it was only told"
    );

    host.run(&["/opt/remit", "agent", "install", "--binary", "--no-start"]);
    let again = host.output(&[REMIT, "agent", "install", "--no-start"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "", "{again:?}");
    assert!(again.status.success() && String::from_utf8_lossy(&again.stderr).contains("nothing was done"), "{again:?}");
    let stat = |path: &str| host.run(&["stat", "--format", "%U:%G %a", path]).trim().to_owned();
    for (path, expected) in [
        (REMIT, "root:root 755"),
        ("/etc/remit", "root:root 755"),
        ("/etc/remit/orders.d", "root:root 700"),
        ("/etc/remit/agent.toml", "root:root 644"),
        ("/var/lib/remit", "root:root 700"),
        ("/etc/systemd/system/remit-executor.service", "root:root 644"),
    ] {
        assert_eq!(stat(path), expected, "{path}");
    }
    assert!(host.run(&["getent", "passwd", "remit"]).contains(":/nonexistent:/usr/sbin/nologin"));

    // What systemd thinks of the units.
    let units = ["/etc/systemd/system/remit-executor.service", "/etc/systemd/system/remit-agent.service"];
    let verified = host.output(&["systemd-analyze", "verify", units[0], units[1]]);
    assert!(verified.status.success(), "{verified:?}");
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(!said.contains("remit-"), "{said}");
    let exposure = |unit: &str| -> f64 {
        let said = host.output(&["systemd-analyze", "security", "--no-pager", unit]).stdout;
        let said = String::from_utf8(said).unwrap();
        let level = said.lines().find_map(|it| it.split_once("exposure level for ")?.1.split(' ').nth(1)?.parse().ok());
        level.unwrap_or_else(|| panic!("{said}"))
    };
    let (network, executor) = (exposure("remit-agent.service"), exposure("remit-executor.service"));
    eprintln!("systemd-analyze security: network half {network}, executor {executor}");
    assert!(network <= 2.0, "{network}");

    // It runs as it is guarded, serves without an executor, and comes back.
    host.run(&["systemctl", "start", "--job-mode=ignore-dependencies", "remit-agent.service"]);
    let main =
        || host.run(&["systemctl", "show", "--property=MainPID", "--value", "remit-agent.service"]).trim().to_owned();
    let first = main();
    assert_eq!(host.run(&["ps", "-o", "user=", "-p", &first]).trim(), "remit");
    assert_eq!(
        host.run(&["grep", "CapBnd", &format!("/proc/{first}/status")]).split_whitespace().last(),
        Some("0000000000000000")
    );
    let page = scrape(&host);
    assert!(page.contains("\nremit_executor_up 0\n") && page.contains("remit_rss_bytes{half=\"network\"}"), "{page}");
    assert_eq!(stat("/run/remit/network"), "remit:remit 755");
    let status = host.run(&["systemctl", "show", "--property=StatusText", "--value", "remit-agent.service"]);
    assert!(status.contains("waiting for the executor"), "{status}");
    wait_until("journald has its lines", || {
        host.run(&["journalctl", "--unit=remit-agent.service"]).contains("waiting for the executor")
    });
    host.run(&["systemctl", "reload", "remit-agent.service"]);
    assert_eq!(main(), first, "a reload loses nothing");
    wait_until("it serves after a reload", || scrape(&host).contains("200 OK"));
    host.run(&["systemctl", "kill", "--signal=KILL", "remit-agent.service"]);
    wait_until("it comes back", || !["0", &first].contains(&main().as_str()) && scrape(&host).contains("200 OK"));

    // What somebody broke is named, and put right; what they wrote stays.
    host.run(&["chmod", "777", "/var/lib/remit"]);
    host.run(&[
        "sh",
        "-c",
        "echo 'site = \"here\"' >/etc/remit/agent.toml; echo x >>/etc/systemd/system/remit-agent.service",
    ]);
    let check = host.output(&[REMIT, "agent", "install", "--check", "--no-start"]);
    let wrong = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(1), "{wrong}");
    assert!(wrong.contains("/var/lib/remit has mode 0777, not 0700"), "{wrong}");
    assert!(wrong.contains("remit-agent.service is not as this `remit` writes it"), "{wrong}");
    host.run(&[REMIT, "agent", "install", "--no-start"]);
    host.run(&[REMIT, "agent", "install", "--check", "--no-start"]);
    assert_eq!(host.run(&["cat", "/etc/remit/agent.toml"]), "site = \"here\"\n");

    host.run(&[REMIT, "agent", "uninstall"]);
    let there = |path: &str| host.path(path).exists();
    assert!(!units.iter().any(|unit| there(unit)));
    assert!(there("/var/lib/remit") && there("/etc/remit/agent.toml") && there("/etc/remit/orders.d"));
    assert!(!host.output(&["systemctl", "is-active", "--quiet", "remit-agent.service"]).status.success());
    host.run(&[REMIT, "agent", "uninstall", "--purge"]);
    assert!(!there("/var/lib/remit") && !there("/etc/remit"));
    assert!(!host.run(&["cat", "/etc/passwd"]).contains("remit:"));
}

#[test]
fn what_others_may_replace_is_not_started_by_root() {
    let host = host(need_root!());
    host.run(&["sh", "-c", "mkdir /srv/open; chmod 777 /srv/open; cp /opt/remit /srv/open/remit"]);
    let refused = host.output(&["/srv/open/remit", "agent", "install", "--dry-run"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(20), "{said}");
    assert!(said.contains("/srv/open has mode 0777") && said.contains("--binary"), "{said}");
    host.run(&["/srv/open/remit", "agent", "install", "--binary", "--dry-run"]);
}

/// In namespaces in which nothing of systemd is to be seen.
const WITHOUT_SYSTEMD: &str = r#"
mount -t tmpfs -o mode=755 tmpfs /run
say() { echo "== $*"; }
/opt/remit agent install --binary --no-start
say again; /usr/local/bin/remit agent install --no-start
say check; /usr/local/bin/remit agent install --no-start --check
say links; ls /etc/rc2.d /etc/rc6.d | grep remit
service remit-agent status; say status $?
service remit-agent start; say start $?
service remit-agent status; say status $?
service remit-agent start; say start $?
first=$(cat /run/remit-agent.pid)
say user $(ps -o user= -p $first)
python3 -c "$SCRAPE" | grep -a remit_executor_up
service remit-agent reload; say reload $?
cp /usr/local/bin/remit /usr/local/bin/remit.new && mv /usr/local/bin/remit.new /usr/local/bin/remit
service remit-agent status; say replaced $?
service remit-agent restart; say restart $?
[ "$first" != "$(cat /run/remit-agent.pid)" ] && say another
kill -9 $(cat /run/remit-agent.pid); sleep 1
service remit-agent status; say killed $?
# Another program has the number of one that died.
sleep 60 & echo $! >/run/remit-agent.pid
service remit-agent status; say stranger $?
service remit-agent stop; say stop $?
kill -0 $! && say spared
service remit-agent start >/dev/null; service remit-agent stop; say stop $?
/usr/local/bin/remit agent uninstall --purge >/dev/null; say uninstalled $?
ls /etc/init.d /etc/rc2.d | grep remit
say end
"#;

#[test]
fn without_systemd_scripts_start_it_and_stop_it() {
    let host = host(need_root!());
    let script = WITHOUT_SYSTEMD.replace("$SCRAPE", SCRAPE);
    let output = host.output(&["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", &script]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let marks: Vec<&str> = said.lines().filter_map(|it| it.strip_prefix("== ")).collect();
    let expected = "again|check|links|status 3|start 0|status 0|start 0|user remit|reload 0|replaced 0|restart 0|another|killed 1|\
                    stranger 1|stop 0|spared|stop 0|uninstalled 0|end";
    assert_eq!(marks.join("|"), expected, "{all}");
    assert!(all.contains("nothing was done") && said.contains("remit_executor_up 0"), "{all}");
    assert!(said.contains("S01remit-agent") || said.contains("S02remit-agent"), "{all}");
    assert!(!said.split("uninstalled").nth(1).unwrap().contains("remit-"), "{all}");
}

/// A child that ends with this value.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Ends {
    Ends(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
}

/// What it writes, line by line.
fn lines(of: &mut Ends) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    let stdout = BufReader::new(of.0.stdout.take().unwrap());
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    receive
}

/// Where there is no IPv4 at all, not even of loopback.
fn in_a_network_of_ipv6(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    let set_up = "ip link set lo up && ip -4 address flush dev lo && ip address add fd00::1/128 dev lo && exec \"$@\"";
    command.args(["--net", "sh", "-c", set_up, "sh"]).arg(program);
    command
}

/// An executor of which one run has ended.
fn executor(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 4];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut ask = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut ask).unwrap();
            let ask: Value = serde_json::from_slice(&ask).unwrap();
            let value = match (ask["ask"].as_str().unwrap(), ask["after"].as_u64()) {
                ("traces", None) => json!({ "next": 0, "runs": [], "lost": 0 }),
                ("traces", Some(0)) => json!({ "next": 1, "runs": [run()], "lost": 0 }),
                ("traces", Some(_)) => json!({ "next": 1, "runs": [], "lost": 0 }),
                _ => json!({ "orders": 50 }),
            };
            let told = json!({ "told": "is", "value": value }).to_string();
            stream
                .write_all(&(told.len() as u32).to_be_bytes())
                .and_then(|()| stream.write_all(told.as_bytes()))
                .unwrap();
        }
    });
}

fn run() -> Value {
    json!({
        "run": "run_01ARZ3NDEKTSV4RRFFQ69G5FAV", "device": "dev_1", "plugin": "disk-cleanup", "version": "1.2.3",
        "digest": "sha256:00", "mode": "enforce", "trigger": "schedule", "order": "nightly",
        "began-ms": 1_700_000_000_000_u64, "ended-ms": 1_700_000_002_000_u64, "verdict": "fixed", "outcome": "completed",
        "phases": [{ "phase": "detect", "began-ms": 1_700_000_000_100_u64, "ended-ms": 1_700_000_001_000_u64 }],
        "calls": [{ "phase": "detect", "interface": "files", "function": "list", "ended-ms": 1_700_000_000_500_u64,
                    "duration-us": 1_500, "error": "denied" }],
        "calls-left-out": 0,
    })
}

/// Both in one network without IPv4: the collector that has OTLP's own definition, and the agent that sends to it.
#[test]
fn a_collector_takes_traces_where_there_is_no_ipv4() {
    let _root = need_root!();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    executor(&at("agent.sock"));
    let definition = toolchains::otlp(built::target());
    assert!(definition.exists(), "{} is missing: `cargo xtask test` installs it", definition.display());
    let script = built::repository().join("tests/tests/installed_collector.py");
    let mut collector = in_a_network_of_ipv6(Path::new("/usr/bin/python3"));
    let mut collector = start(collector.arg(script).arg("::1").env("PYTHONPATH", definition));
    let said = lines(&mut collector);
    let next = || said.recv_timeout(Duration::from_secs(50)).expect("the collector says more");
    let port = next();
    let config = format!(
        "run-dir = {:?}\n[metrics]\nlisten = \"[::1]:9464\"\n[log]\nformat = \"stderr\"\n[traces]\nendpoint = \"http://[::1]:{port}/v1/traces\"\n",
        folder.path()
    );
    std::fs::write(at("agent.toml"), config).unwrap();
    let mut agent = Command::new("nsenter");
    agent.args(["--net", "--target", &collector.0.id().to_string(), "--"]).arg(built::remit());
    let _agent = start(agent.args(["agent", "run", "--half", "network", "--config"]).arg(at("agent.toml")));

    let spans: Vec<Value> = (0..3).map(|_| serde_json::from_str(&next()).unwrap()).collect();
    let names: Vec<_> = spans.iter().map(|it| it["span"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["run disk-cleanup", "detect", "files.list"]);
    assert_eq!(spans[0]["service"], "remit");
    assert_eq!(spans[0]["span"]["kind"], "SPAN_KIND_INTERNAL");
    assert_eq!(
        (&spans[0]["span"]["status"]["code"], &spans[2]["span"]["status"]["code"]),
        (&json!("STATUS_CODE_OK"), &json!("STATUS_CODE_ERROR"))
    );
    assert_eq!(spans[2]["span"]["start_time_unix_nano"], "1700000000498500000");
    assert_eq!(spans[2]["span"]["parent_span_id"], spans[1]["span"]["span_id"]);
    let look = ["--net", "--target", &collector.0.id().to_string(), "--", "python3", "-c"];
    let ask = "import urllib.request; print(urllib.request.urlopen('http://[::1]:9464/metrics').read().decode())";
    let page = Command::new("nsenter").args(look).arg(ask).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("\nremit_orders 50\n") && page.contains("\nremit_traces_exported_total 1\n"), "{page}");
}

#[test]
fn an_order_runs_on_an_installed_host_and_goes_on_over_kills_reloads_and_reboots() {
    let mut host = host(need_root!());
    host.run(&["/opt/remit", "agent", "install", "--binary"]);
    let is_up = |host: &Host| host.output(&[REMIT, "agent", "status"]).status.success();
    wait_until("the executor answers", || is_up(&host));
    wait_until("the other half hears of it", || scrape(&host).contains("\nremit_executor_up 1\n"));
    // Nobody vouches for it here, so each run is refused: that is decided, recorded and told all the same.
    let order = "format = 1\nplugin = \"look\"\ndigest = \"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n\
                 mode = \"detect\"\n[event]\nwatch = { type = \"emitted\", name = \"go\" }\n";
    std::fs::write(host.path("/etc/remit/orders.d/told.toml"), order).unwrap();
    let codes = |host: &Host| -> Vec<String> {
        let told = host.output(&[REMIT, "agent", "explain", "told", "--output", "json"]).stdout;
        let told: Value = serde_json::from_slice(&told).unwrap_or_default();
        let rows = told["decided"].as_array().cloned().unwrap_or_default();
        rows.iter().rev().map(|row| row["code"].as_str().unwrap().to_owned()).collect()
    };
    wait_until("the order stands", || codes(&host) == ["placed"]);
    let mut runs = 0;
    let mut run_one_more = |host: &Host| {
        host.run(&[REMIT, "emit", "go"]);
        runs += 1;
        wait_until("it ran once more", || codes(host).iter().filter(|code| *code == "ended").count() == runs);
    };
    run_one_more(&host);
    let main =
        |host: &Host| host.run(&["systemctl", "show", "--property=MainPID", "--value", "remit-executor.service"]);
    let first = main(&host);
    host.run(&["systemctl", "reload", "remit-executor.service"]);
    assert_eq!(main(&host), first, "a reload loses nothing");
    run_one_more(&host);
    host.run(&["systemctl", "kill", "--signal=KILL", "remit-executor.service"]);
    wait_until("it comes back", || main(&host) != first && is_up(&host));
    run_one_more(&host);
    host.run(&[
        "sh",
        "-c",
        "cp /opt/remit /usr/local/bin/remit.new && mv /usr/local/bin/remit.new /usr/local/bin/remit",
    ]);
    host.run(&["systemctl", "restart", "remit-executor.service"]);
    wait_until("its own program was replaced", || is_up(&host));
    run_one_more(&host);
    let boot = host.boot_id();
    host.run(&["systemctl", "reboot"]);
    host.wait_for_reboot_after(&boot);
    wait_until("it is there after the boot", || is_up(&host));
    run_one_more(&host);
    wait_until("the journal has its lines", || {
        host.run(&["journalctl", "--unit=remit-executor.service", "--output=json"]).contains("the agent is at work")
    });

    // The other half may ask for little: taken over, it moves nothing.
    const TAKEN_OVER: &str = "import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect('/run/remit/agent.sock')
ask = sys.argv[1].encode()
s.sendall(struct.pack('>I', len(ask)) + ask)
head = s.recv(4, socket.MSG_WAITALL)
sys.stdout.write(s.recv(struct.unpack('>I', head)[0], socket.MSG_WAITALL).decode())
";
    let as_network = |ask: &str| {
        let id = |what: &str| host.run(&["id", what, "remit"]).trim().to_owned();
        let (user, group) = (format!("--reuid={}", id("-u")), format!("--regid={}", id("-g")));
        let asked = host.output(&["setpriv", &user, &group, "--clear-groups", "python3", "-c", TAKEN_OVER, ask]);
        String::from_utf8_lossy(&asked.stdout).into_owned()
    };
    assert!(as_network(r#"{"ask":"metrics"}"#).contains("\"is\""), "{}", as_network(r#"{"ask":"metrics"}"#));
    for ask in [
        r#"{"ask":"emit","name":"go","data":{}}"#,
        r#"{"ask":"pause","order":null}"#,
        r#"{"ask":"resume","order":null}"#,
        r#"{"ask":"explain","order":"told","count":1}"#,
    ] {
        assert!(as_network(ask).contains("\"refused\""), "{ask}: {}", as_network(ask));
    }
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "python3",
        "-c",
        TAKEN_OVER,
        r#"{"ask":"metrics"}"#,
    ];
    assert!(!host.output(&nobody).status.success(), "nobody else reaches it");
}
