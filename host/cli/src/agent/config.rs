//! `/etc/remit/agent.toml`: what the agent's owner decided about the agent itself. Both halves read it.
//!
//! `field.rs` is the one table of what it may say: the reader, the sample and what is refused come out of it.

mod field;
mod file;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

use super::log;

pub(crate) use file::{FILE, read, sample};
pub(crate) use values::private_file;

/// How the agent is set up. What the file leaves out is as in [`Config::default`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) orders: PathBuf,
    pub(crate) detect_runs_max: u32,
    pub(crate) queue_max: u32,
    pub(crate) client: Option<String>,
    pub(crate) site: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) ca: Vec<PathBuf>,
    pub(crate) run_dir: PathBuf,
    pub(crate) user: String,
    pub(crate) spool: Spool,
    pub(crate) log: Log,
    pub(crate) metrics: Option<Listen>,
    pub(crate) traces: Option<Traces>,
    pub(crate) proxy: Option<Proxy>,
}

/// How much may wait to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spool {
    pub(crate) bytes_max: u64,
    pub(crate) age_days_max: u32,
}

/// What the agent says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) format: Format,
    pub(crate) level: Level,
}

/// Where log lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// With their fields; to standard error where no journald is.
    Journald,
    /// One JSON object a line.
    Stderr,
}

/// How loud a log line is, by syslog's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error,
    Warning,
    Info,
    Debug,
}

/// Where metrics are served: nowhere that another machine can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Unix(PathBuf),
    Loopback(SocketAddr),
}

/// Where traces are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    pub(crate) endpoint: url::Url,
    pub(crate) headers: Option<PathBuf>,
}

/// Who stands between this machine and the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) address: url::Url,
    pub(crate) no_proxy: Vec<String>,
    pub(crate) credentials: Option<PathBuf>,
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Loopback(address) => write!(f, "{address}"),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            orders: "/etc/remit/orders.d".into(),
            detect_runs_max: 4,
            queue_max: 256,
            client: None,
            site: None,
            tags: Vec::new(),
            ca: Vec::new(),
            run_dir: "/run/remit".into(),
            user: "remit".to_owned(),
            spool: Spool { bytes_max: 256 << 20, age_days_max: 30 },
            log: Log { format: Format::Journald, level: Level::Info },
            metrics: Some(Listen::Unix("/run/remit/network/metrics.sock".into())),
            traces: None,
            proxy: None,
        }
    }
}

impl Log {
    /// Lines go there from now on; to standard error where no journald is.
    pub(crate) fn begin(self) -> anyhow::Result<()> {
        let level = match self.level {
            Level::Error => LevelFilter::ERROR,
            Level::Warning => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        match self.format {
            Format::Journald => log::begin(log::To::Journald, level).or_else(|_| log::begin(log::To::Stderr, level)),
            Format::Stderr => log::begin(log::To::Stderr, level),
        }
    }
}

impl Config {
    /// Where the executor listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir.join("agent.sock")
    }
}

#[cfg(test)]
mod tests;
