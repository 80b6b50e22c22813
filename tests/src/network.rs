//! Managed hosts that reach each other, and nothing else: a switch in the network of one of them, which goes with that host. Nothing
//! of it is seen by this machine, so several tests have one each, and none is left behind.

use std::ffi::OsStr;
use std::process::Command;

use crate::Host;

/// The switch, at the host that has it; and the plug at each other.
const SWITCH: &str = "switch";
const PLUG: &str = "lan0";

/// Where a host is, by its number.
pub fn address(number: u8) -> String {
    format!("10.77.0.{number}")
}

impl Host {
    /// Has a switch here from now on, and is number 1 at it.
    pub fn have_switch(&self) {
        self.ip(&["link", "add", SWITCH, "type", "bridge"]);
        self.ip(&["address", "add", &format!("{}/24", address(1)), "dev", SWITCH]);
        self.ip(&["link", "set", SWITCH, "up"]);
    }

    /// Plugs another host in, with a number of its own; again after each boot of that.
    pub fn plug(&self, other: &Self, number: u8) {
        let (port, leader) = (format!("port{number}"), other.leader().expect("the host is up").to_string());
        // What a host that lost its power had goes a moment after it.
        let _ = self.ip_command(&["link", "delete", &port]).output();
        self.ip(&["link", "add", &port, "type", "veth", "peer", "name", PLUG, "netns", &leader]);
        self.ip(&["link", "set", &port, "master", SWITCH, "up"]);
        other.ip(&["address", "add", &format!("{}/24", address(number)), "dev", PLUG]);
        other.ip(&["link", "set", PLUG, "up"]);
    }

    /// A program of this machine that reaches what this host does.
    pub fn in_network(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command.args(["--net", "--target", &self.leader().expect("the host is up").to_string(), "--"]).arg(program);
        command
    }

    fn ip_command(&self, args: &[&str]) -> Command {
        let mut command = self.in_network("/usr/sbin/ip");
        command.args(args);
        command
    }

    fn ip(&self, args: &[&str]) {
        let output = self.ip_command(args).output().unwrap();
        assert!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
