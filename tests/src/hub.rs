//! A hub as a process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::Remit;

/// One that serves. It is killed with this value.
pub struct Hub {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// The certificate of its authority.
    pub ca: PathBuf,
}

impl Hub {
    /// `remit hub run` over a folder; it answers by now.
    #[track_caller]
    pub fn start(remit: &Remit, folder: &Path) -> Self {
        let mut child = remit.start(&["hub", "run", "--folder", folder.to_str().unwrap()]);
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("the hub listens at ");
        let address = address.unwrap_or_else(|| panic!("the hub does not listen: {line}")).to_owned();
        // Whatever else it says is read by somebody, so that it never waits for that.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, address, ca: folder.join("ca.pem") }
    }

    /// Asks it, as a program that believes only this authority: what it answered, or why it was not asked.
    pub fn get(&self, path: &str, ca: &Path) -> Result<(u16, String), String> {
        let script = "import http.client, ssl, sys\n\
            address, path, ca = sys.argv[1:]\n\
            host, port = address.rsplit(':', 1)\n\
            line = http.client.HTTPSConnection(host, int(port), context=ssl.create_default_context(cafile=ca), timeout=20)\n\
            line.request('GET', path)\n\
            answer = line.getresponse()\n\
            print(answer.status, answer.read().decode())";
        let mut python = Command::new("/usr/bin/python3");
        let output = python.args(["-c", script, &self.address, path]).arg(ca).output().unwrap();
        let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match said.trim().split_once(' ') {
            Some((status, body)) => Ok((status.parse().unwrap(), body.to_owned())),
            None => Err(wrong.into_owned()),
        }
    }

    /// Whether these bytes are anywhere in what it has in memory: also what it took out of TLS, and keeps no more.
    pub fn has_in_memory(&self, bytes: &[u8]) -> bool {
        crate::fleet::has_in_memory(self.child.id(), bytes)
    }

    /// As a power cut ends it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// As a supervisor ends it.
    #[track_caller]
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "it ends well");
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `remit hub init` takes, for a hub on loopback.
pub fn init<'a>(folder: &'a str, root: &'a str) -> [&'a str; 10] {
    ["hub", "init", "--folder", folder, "--root-statement", root, "--name", "127.0.0.1", "--listen", "127.0.0.1:0"]
}
