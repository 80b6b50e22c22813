//! What an event rule watches.

mod check;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use check::log_pattern;

/// What a rule watches: a case for each source of events, written as `watch = { type = "disk-free", path = "/", below = "10%" }`.
///
/// A source of *levels* tells when something begins to hold ([`crate::Change::Raised`]) and when it no longer does
/// ([`crate::Change::Cleared`]); what holds when the agent starts is raised then. A source of *moments* tells what happened
/// ([`crate::Change::Happened`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Watch {
    /// A level: a file system has little room left.
    DiskFree {
        /// A folder in it.
        path: PathBuf,
        /// Raised where what is free to everybody is less: `10%` or `2GiB`.
        below: String,
        /// Cleared where it is at least so much again; `below`, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clear: Option<String>,
    },
    /// A level: a service is in this state. systemd says so over D-Bus; where it does not run, init scripts do. One that this
    /// system does not have is in none.
    ServiceState {
        /// Its name, such as `nginx`.
        service: String,
        /// Which state.
        state: ServiceState,
    },
    /// A level: a process of this name is there, or none is.
    Process {
        /// The name of its program, without folders.
        name: String,
        /// Raised when there is at least one, and again when others have taken the place of all that were there; else, when
        /// there is none.
        is_present: bool,
    },
    /// A moment: a file was written, made, moved or removed, or its owner or mode changed.
    FileChange {
        /// The file, or a folder, whose files count then, but not those of the folders in it. It need not be there yet.
        path: PathBuf,
    },
    /// A moment: a log has a line like this.
    LogMatch {
        /// The log.
        log: Log,
        /// A regular expression that finds it anywhere in the line; at most 1 KiB.
        pattern: String,
    },
    /// A moment: somebody logged in, as utmp, wtmp or logind say. Becoming somebody else (`su`, `sudo`) is no login.
    Login {
        /// Who; anybody, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// A moment: a user or a group was added, removed or changed; members of groups that mean administration are told apart.
    AccountChange {
        /// Only who may administer: root's equals, and members of `sudo`, `admin`, `wheel`.
        #[serde(default)]
        only_admins: bool,
    },
    /// A moment: the machine was started. Once a boot, however often the agent starts; a rule that is new hears of a boot that is
    /// less than ten minutes old.
    Boot,
    /// A moment: the machine was suspended, and is awake again.
    Resume,
    /// A moment: an address or a default route came or went, or an interface came, went, or went up or down.
    NetworkChange,
    /// A moment: a port is listened on that was not before. What is open when the agent first looks is no event. Ports of UDP that
    /// the kernel gives to whoever asks for none count only by number.
    ListeningPort {
        /// Which; any, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// Whether ports count that only this machine reaches.
        #[serde(default)]
        loopback: bool,
    },
    /// A level: packages have updates, by the index that the system has. Looking fetches nothing.
    UpdatesAvailable {
        /// Whether only security updates count.
        #[serde(default)]
        only_security: bool,
    },
    /// A level: the system waits for a reboot.
    RebootPending,
    /// A level: a certificate is no longer valid soon, or now.
    CertificateExpiring {
        /// A file with certificates in PEM, or a folder with such files.
        path: PathBuf,
        /// Raised so long before its end: `30d`.
        within: String,
    },
    /// A level: more wants to run than there are processors.
    Load {
        /// Raised where the load average of a minute, by processor, is above: `1.5`.
        above: String,
        /// Cleared where it is at most: `1.0`; `above`, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clear: Option<String>,
    },
    /// A level: little memory is left.
    MemoryFree {
        /// Raised where what the kernel calls available is less: `10%` or `512MiB`.
        below: String,
        /// Cleared where it is at least so much again; `below`, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clear: Option<String>,
    },
    /// A level: work waits, because there is not enough of something, as the kernel's pressure stall information says.
    Pressure {
        /// Of what.
        resource: Resource,
        /// Raised where some of it waited for more of the last ten seconds: `20%`.
        above: String,
        /// Cleared where it is at most: `5%`; `above`, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clear: Option<String>,
    },
    /// A moment: a run ended.
    RunFinished {
        /// Of this order; of any, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<String>,
        /// Of this plugin; of any, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plugin: Option<String>,
    },
    /// A moment: `remit emit NAME`.
    Emitted {
        /// The name.
        name: String,
    },
}

/// A log that is read for matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Log {
    /// The journal's lines of a unit, such as `ssh.service`; all, where it is `*`.
    Journal(String),
    /// A file, followed by name when it is rotated.
    File(PathBuf),
}

/// A state of a service that is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It does not, and nothing is wrong with that.
    Stopped,
    /// It ended as it should not.
    Failed,
}

/// What there may not be enough of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Processors.
    Cpu,
    /// Memory.
    Memory,
    /// Disks.
    Io,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
        })
    }
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

impl Watch {
    /// The event's type, as plugins read it.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::DiskFree { .. } => "disk-free",
            Self::ServiceState { .. } => "service-state",
            Self::Process { .. } => "process",
            Self::FileChange { .. } => "file-change",
            Self::LogMatch { .. } => "log-match",
            Self::Login { .. } => "login",
            Self::AccountChange { .. } => "account-change",
            Self::Boot => "boot",
            Self::Resume => "resume",
            Self::NetworkChange => "network-change",
            Self::ListeningPort { .. } => "listening-port",
            Self::UpdatesAvailable { .. } => "updates-available",
            Self::RebootPending => "reboot-pending",
            Self::CertificateExpiring { .. } => "certificate-expiring",
            Self::Load { .. } => "load",
            Self::MemoryFree { .. } => "memory-free",
            Self::Pressure { .. } => "pressure",
            Self::RunFinished { .. } => "run-finished",
            Self::Emitted { .. } => "emitted",
        }
    }

    /// Whether it tells levels, which may be sustained; else moments.
    pub fn is_level(&self) -> bool {
        match self {
            Self::DiskFree { .. }
            | Self::ServiceState { .. }
            | Self::Process { .. }
            | Self::UpdatesAvailable { .. }
            | Self::RebootPending
            | Self::CertificateExpiring { .. }
            | Self::Load { .. }
            | Self::MemoryFree { .. }
            | Self::Pressure { .. } => true,
            Self::FileChange { .. }
            | Self::LogMatch { .. }
            | Self::Login { .. }
            | Self::AccountChange { .. }
            | Self::Boot
            | Self::Resume
            | Self::NetworkChange
            | Self::ListeningPort { .. }
            | Self::RunFinished { .. }
            | Self::Emitted { .. } => false,
        }
    }
}
