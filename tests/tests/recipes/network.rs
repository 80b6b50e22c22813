//! Recipes about the network.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

use crate::NETWORKS;
use crate::managed::Managed;

/// Serves with each certificate at a port of its own.
const TLS: &str = r#"
import socket, ssl, threading
def serve(name, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"/opt/{name}.pem")
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listener.accept()
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            pass
for name, port in [("good", 8443), ("late", 8444)]:
    threading.Thread(target=serve, args=(name, port)).start()
"#;

pub(crate) fn certificates(host: &Managed) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    for (name, until) in [("good", 2090), ("late", 2020)] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(until, 1, 1));
        let certificate = params.signed_by(&key, &authority).unwrap();
        host.write(&format!("/opt/{name}.pem"), format!("{}{}", key.serialize_pem(), certificate.pem()));
    }
    host.write("/etc/ssl/certs/ca-certificates.crt", authority.pem());
    host.python("tls", TLS);
    host.wait_until("ss -Htln sport = :8444 | grep -q .");
    let good = ["--param", NETWORKS, "--param", r#"urls=["https://localhost:8443"]"#];
    host.says("certificate-expiry", &good, "compliant");
    let soon = host.says("certificate-expiry", &[&good[..], &["--param", "days=99999"]].concat(), "non-compliant");
    let evidence = soon["findings"][0]["evidence"].as_str().unwrap();
    assert!(evidence.starts_with("good, from ") && evidence.ends_with("until 2090-01-01T00:00:00.000Z"), "{evidence}");
    let bad = r#"urls=["https://localhost:8444", "https://localhost:8445"]"#;
    let titles = [
        "the certificate of https://localhost:8444 is not trusted: expired",
        "the certificate of https://localhost:8445 cannot be looked at",
    ];
    host.finds("certificate-expiry", &["--param", NETWORKS, "--param", bad], &titles);
}

pub(crate) fn names(host: &Managed) {
    host.sh("echo 10.1.2.3 intranet.example >>/etc/hosts");
    let ran = host.says("dns-resolution", &["--param", r#"names=["intranet.example", "localhost"]"#], "compliant");
    assert_eq!(ran["summary"], "intranet.example: 10.1.2.3, localhost: 127.0.0.1");
    let given = ["--param", r#"names=["intranet.example", "extranet.example"]"#];
    host.finds("dns-resolution", &given, &["extranet.example does not resolve"]);
}

pub(crate) fn ports(host: &Managed) {
    let ran = host.says("listening-ports", &[], "non-compliant");
    assert_eq!(ran["findings"][0]["fingerprint"], "baseline");
    host.acts("listening-ports", &[], "fixed", &["ports"]);
    host.says("listening-ports", &[], "compliant");
    host.python(
        "backdoor",
        "import socket, time\nopen_port = socket.create_server((\"0.0.0.0\", 4444))\ntime.sleep(9999)\n",
    );
    host.wait_until("ss -Htln sport = :4444 | grep -q .");
    host.acts("listening-ports", &[], "non-compliant", &[]);
    host.finds("listening-ports", &[], &["opened: 0.0.0.0 4444 python3"]);
    host.acts("listening-ports", &["--param", "accept=true"], "fixed", &["ports"]);
    host.sh("systemctl stop backdoor");
    host.finds("listening-ports", &[], &["closed: 0.0.0.0 4444 python3"]);
}

/// One server whose clock is ours, and one whose clock is two minutes ahead.
const CLOCKS: &str = r#"
import http.server, threading, time
def serve(port, ahead):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()
        def date_time_string(self, timestamp=None):
            return super().date_time_string(time.time() + ahead)
    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
for port, ahead in [(8081, 0), (8082, 120)]:
    threading.Thread(target=serve, args=(port, ahead)).start()
"#;

pub(crate) fn clock(host: &Managed) {
    host.python("clocks", CLOCKS);
    host.wait_until("ss -Htln sport = :8082 | grep -q .");
    let says = |url: &str, verdict| host.says("time-drift", &["--param", NETWORKS, "--param", url], verdict);
    says("url=http://localhost:8081/", "compliant");
    let behind = says("url=http://localhost:8082/", "non-compliant");
    let title = behind["findings"][0]["title"].as_str().unwrap();
    assert!(title.starts_with("the clock is 1") && title.ends_with(" s behind http://localhost:8082/"), "{title}");
    says("url=http://localhost:8083/", "unknown");
}
