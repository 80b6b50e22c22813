//! A plugin by hand reaches nothing that only this machine reaches, unless somebody allows exactly that.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::{Remit, built, remit};

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
}

#[test]
fn what_is_inside_is_asked_where_it_was_named_and_allowed() {
    let (remit, server) = (Remit::new(), Server::start());
    let urls = format!("urls=[\"{}\"]", server.url);
    let probe = |args: &[&str]| -> remit::Ran {
        remit.run_plugin(&built::plugin("http-probe"), &[&["--param", &urls][..], args].concat())
    };
    let networks = ["--param", "networks=[\"127.0.0.0/8\"]"];

    // Nobody named the network: the address answers `denied`.
    let denied = probe(&[]).expect(21).json();
    assert_eq!(denied["failed-calls"][0]["error"]["code"], "address", "{denied}");
    // Named, and not allowed: refused, with the line that would allow exactly that.
    let refused = probe(&networks).expect(20);
    assert!(refused.stderr.contains("`http [127.0.0.0/8]` (L1) is not granted"), "{refused}");
    assert!(refused.stderr.contains("--allow 'http [127.0.0.0/8]'"), "{refused}");
    let other = [&networks[..], &["--allow", "http [10.0.0.0/8]"]].concat();
    probe(&other).expect(20);
    // A dry run asks for real, so it is no exception.
    probe(&[&networks[..], &["--mode", "dry-run"]].concat()).expect(20);
    assert_eq!(server.came.load(Ordering::Relaxed), 0, "nobody came");

    let allowed = [&networks[..], &["--allow", "http [127.0.0.0/8]"]].concat();
    assert_eq!(probe(&allowed).expect(0).json()["verdict"], "compliant");
    assert_eq!(server.came.load(Ordering::Relaxed), 1);
    std::fs::write(remit.policy(), "[[allow]]\nplugin = \"http-probe\"\ncapability = \"http [127.0.0.0/8]\"\n")
        .unwrap();
    probe(&networks).expect(0);
    // One address of it is less than was named, and so much is granted.
    std::fs::write(remit.policy(), "[[allow]]\ncapability = \"http [127.0.0.1/32]\"\n").unwrap();
    probe(&networks).expect(0);
    std::fs::write(remit.policy(), "[[allow]]\ncapability = \"http [127.0.0.2/32]\"\n").unwrap();
    let elsewhere = probe(&networks).expect(21).json();
    assert_eq!(elsewhere["failed-calls"][0]["error"]["code"], "address", "{elsewhere}");
}
