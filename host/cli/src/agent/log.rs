//! The agent's log: what it does, with fields by name, for the journal or for standard error.

use anyhow::Context as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// To journald, with their fields.
    Journald,
    /// To standard error, one JSON object a line.
    Stderr,
}

/// Lines go there from now on.
pub(crate) fn begin(to: To, level: LevelFilter) -> anyhow::Result<()> {
    let registry = tracing_subscriber::registry().with(level);
    match to {
        To::Journald => {
            let layer = tracing_journald::layer().context("the journal: `log.to = \"stderr\"` does without")?;
            registry.with(layer.with_syslog_identifier("remit".to_owned())).try_init()?;
        }
        To::Stderr => {
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init()?;
        }
    }
    Ok(())
}
