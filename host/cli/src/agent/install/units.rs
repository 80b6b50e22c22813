//! The systemd units, and why each is allowed what it is allowed.

use std::fmt::Write as _;
use std::path::Path;

use super::Plan;
use crate::agent::upgrade::{LINK, UNIT};

/// A unit.
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// What is started with the machine, in this order.
pub(crate) const NAMES: &[&str] = &["remit-executor.service", "remit-agent.service"];

/// What a unit may not do: on, or off with the reason.
pub(super) enum Guard {
    On(&'static str),
    Off(&'static str),
}

use Guard::{Off, On};

/// What systemd can keep from a service, for the half that speaks to the network, and for the executor. What plugins are granted
/// is kept by the executor itself, call by call; a directive that is off there is off because a plugin may be granted just that.
#[rustfmt::skip]
pub(super) const GUARDS: &[(&str, Guard, Guard)] = &[
    ("NoNewPrivileges", On("yes"), Off("commands and hooks of the owner may be setuid, or change their security label")),
    ("CapabilityBoundingSet", On(""), Off("packages, files, services and processes of every user are what plugins look after")),
    ("AmbientCapabilities", On(""), On("")),
    ("ProtectSystem", On("strict"), Off("plugins change files of the system where they are granted to")),
    ("ProtectHome", On("yes"), Off("plugins look at and clean up what users have, where they are granted to")),
    ("PrivateTmp", On("yes"), Off("the machine's own /tmp is what plugins clean up")),
    ("PrivateMounts", On("yes"), Off("what plugins mount and unmount is the machine's")),
    ("PrivateDevices", On("yes"), Off("disks and their state are looked at")),
    ("PrivateUsers", On("yes"), Off("users are looked at as they are")),
    ("PrivateNetwork", Off("it speaks to the network"), Off("plugins are granted servers by name, and ports are looked at")),
    ("PrivateIPC", On("yes"), Off("what the machine's processes share is looked at, as they see it")),
    ("RestrictAddressFamilies", On("AF_UNIX AF_INET AF_INET6"), Off("commands of the owner may need any; the executor itself listens on AF_UNIX alone")),
    ("RestrictNamespaces", On("yes"), Off("commands of the owner may start containers")),
    ("RestrictRealtime", On("yes"), On("yes")),
    ("RestrictSUIDSGID", On("yes"), Off("a file that is put back after a change gets the mode that it had")),
    ("ProtectProc", On("invisible"), Off("processes of every user are looked at")),
    ("ProcSubset", On("pid"), Off("memory, load and mounts are read there")),
    ("ProtectKernelTunables", On("yes"), Off("commands of the owner may set them")),
    ("ProtectKernelModules", On("yes"), Off("it would hide /lib/modules, which packages and disk-cleanup are about")),
    ("ProtectKernelLogs", On("yes"), Off("the kernel's log is one that rules watch")),
    ("ProtectControlGroups", On("yes"), Off("the compiling child is put under limits of its own")),
    ("ProtectClock", On("yes"), Off("commands of the owner may set the clock; it also needs a device policy, which is off")),
    ("ProtectHostname", On("yes"), Off("it would freeze the machine's name as it was when the agent was started")),
    ("LockPersonality", On("yes"), On("yes")),
    ("MemoryDenyWriteExecute", On("yes"), Off("plugins are compiled to machine code, which is written and then run")),
    ("SystemCallArchitectures", On("native"), Off("commands of the owner may be of another word size")),
    ("SystemCallFilter", On("@system-service\nSystemCallFilter=~@privileged @resources"), Off("what plugins and commands do on behalf of the owner is not known beforehand")),
    ("SystemCallErrorNumber", On("EPERM"), Off("there is no filter")),
    ("KeyringMode", On("private"), On("private")),
    ("RemoveIPC", On("yes"), Off("root's are nobody's to take away")),
    ("UMask", On("0077"), Off("what plugins make has the mode that it would have by hand; what is the agent's own says its mode itself")),
    ("DevicePolicy", On("closed"), Off("disks and their state are looked at")),
    ("IPAddressDeny", Off("servers are where the owner has them; which are asked is in the agent's configuration"), Off("plugins are granted servers by name")),
    ("RootDirectory", Off("the machine's authorities, names and zones are read where they are"), Off("it manages this root")),
    ("SupplementaryGroups", On(""), On("")),
    ("Delegate", On("no"), On("no")),
    ("NotifyAccess", On("main"), On("main")),
];

pub(super) fn all(plan: &Plan) -> Vec<Unit> {
    vec![
        Unit { name: "remit-executor.service", text: executor() },
        Unit { name: "remit-agent.service", text: agent(plan) },
        Unit { name: UNIT, text: upgrade() },
    ]
}

fn executor() -> String {
    let mut text = format!(
        "{HEAD}\
         [Unit]\n\
         Description=Remit: runs plugins on schedule and on events\n\
         After=local-fs.target dbus.service systemd-logind.service time-sync.target\n\
         # An upgrade that a cut of power interrupted goes on.\n\
         Wants={UNIT}\n\
         # It never gives up for ever.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={program} agent run\n\
         ExecReload=/bin/kill -HUP $MAINPID\n\
         Restart=always\n\
         RestartSec=2s\n\
         WatchdogSec=90s\n\
         TimeoutStartSec=120s\n\
         # A run that is under way is told to stop, and its end is recorded.\n\
         TimeoutStopSec=90s\n\
         KillMode=mixed\n\
         # When memory is short, what looks after the machine goes late.\n\
         OOMScoreAdjust=-500\n\
         {run}\
         StateDirectory=remit\n\
         StateDirectoryMode=0700\n\n",
        program = LINK,
        run = runtime_directory("remit", "0755"),
    );
    guards(&mut text, |(name, _, guard)| (name, guard));
    text += "\n[Install]\nWantedBy=multi-user.target\n";
    text
}

fn agent(plan: &Plan) -> String {
    let folder = plan.metrics_folder().and_then(|it| it.strip_prefix("/run").ok()).and_then(Path::to_str);
    let run = folder.filter(|it| !it.is_empty()).map(|it| runtime_directory(it, "0755")).unwrap_or_default();
    let mut text = format!(
        "{HEAD}\
         [Unit]\n\
         Description=Remit: the half of the agent that speaks to the network\n\
         # It waits for the executor by itself, and serves what it has until then.\n\
         After=remit-executor.service network.target\n\
         Wants=remit-executor.service\n\
         # It never gives up for ever.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={program} agent run --half network\n\
         ExecReload=/bin/kill -HUP $MAINPID\n\
         Restart=always\n\
         RestartSec=2s\n\
         WatchdogSec=90s\n\
         User={user}\n\
         Group={user}\n\
         # What it parses comes from outside: none of it may take the machine's memory or processes.\n\
         MemoryMax=128M\n\
         TasksMax=32\n\
         LimitCORE=0\n\
         {run}\n",
        program = LINK,
        user = plan.config.user,
    );
    guards(&mut text, |(name, guard, _)| (name, guard));
    text += "\n[Install]\nWantedBy=multi-user.target\n";
    text
}

/// It runs the program that ran before, which outlives what it restarts.
fn upgrade() -> String {
    let mut text = format!(
        "{HEAD}\
         [Unit]\n\
         Description=Remit: replaces the agent, and puts it back where that is not well\n\
         ConditionPathExists=/var/lib/remit/upgrade.json\n\
         # It never gives up for ever.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=exec\n\
         ExecStart={LINK}.before agent upgrade\n\
         Restart=on-failure\n\
         RestartSec=2s\n\n",
    );
    guards(&mut text, |(name, _, guard)| (name, guard));
    text
}

const HEAD: &str =
    "# Written by `remit agent install`, which writes it again: what is to differ goes into a drop-in.\n";

/// Both halves put sockets below one folder, and neither takes it away from the other.
fn runtime_directory(name: &str, mode: &str) -> String {
    format!("RuntimeDirectory={name}\nRuntimeDirectoryMode={mode}\nRuntimeDirectoryPreserve=yes\n")
}

fn guards(
    text: &mut String,
    of: impl Fn(&'static (&'static str, Guard, Guard)) -> (&'static &'static str, &'static Guard),
) {
    for row in GUARDS {
        // Writing to a string cannot fail.
        let _ = match of(row) {
            (name, On(value)) => writeln!(text, "{name}={value}"),
            (name, Off(reason)) => writeln!(text, "# {name} is off: {reason}."),
        };
    }
}
