//! A real registry on loopback: Debian's, in a process of its own, with everything that it keeps in a folder that goes with it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tempfile::TempDir;

/// Who may enter a registry that asks.
pub const USER: &str = "technician";
/// And with what.
pub const PASSWORD: &str = "correct horse";
/// The same for the registry, which reads bcrypt and nothing else.
const HTPASSWD: &str = "technician:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n";

/// A registry that runs until it is dropped.
pub struct Registry {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Registry {
    /// One that lets everybody in.
    pub fn start() -> Self {
        Self::with("")
    }

    /// One that demands a name and a password.
    pub fn with_password() -> Self {
        Self::with("auth:\n  htpasswd:\n    realm: test\n    path: FOLDER/htpasswd\n")
    }

    fn with(auth: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {path}/data\n  delete:\n    enabled: true\n\
             http:\n  addr: 127.0.0.1:0\n{}",
            auth.replace("FOLDER", &path)
        );
        fs::write(folder.path().join("config.yml"), config).unwrap();
        fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        let mut child = Command::new("docker-registry")
            .args(["serve", &format!("{path}/config.yml")])
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry: `cargo xtask test` installs it");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| listening(&line));
        let address = address.expect("it says where it listens");
        // A pipe that nobody reads would hold it up.
        thread::spawn(move || lines.for_each(drop));
        Self { child, address, _folder: folder }
    }

    /// Such as `127.0.0.1:41234`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    rest.split(['"', ' ', ',']).next()?.parse().ok()
}

/// What `skopeo`, another client of registries and reader of archives, answers to this; it panics where that is an error.
pub fn skopeo(arguments: &[&str]) -> String {
    let output = Command::new("skopeo").args(arguments).output().expect("skopeo: `cargo xtask test` installs it");
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A way to a server on which every byte is counted.
pub struct Wire {
    address: SocketAddr,
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
}

impl Wire {
    /// To this server. It lives as long as the test does.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self { address: listener.local_addr().unwrap(), sent: Arc::default(), received: Arc::default() };
        let (sent, received) = (Arc::clone(&wire.sent), Arc::clone(&wire.received));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                carry(client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(&sent));
                carry(server, client, Arc::clone(&received));
            }
        });
        wire
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes to the server and from it, since it was asked the last time.
    pub fn bytes(&self) -> (u64, u64) {
        (self.sent.swap(0, Ordering::Relaxed), self.received.swap(0, Ordering::Relaxed))
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, counter: Arc<AtomicU64>) {
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            counter.fetch_add(length as u64, Ordering::Relaxed);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}
