//! How the executor is set up: out of the agent's configuration.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::agent::config::Config;
use crate::agent::{client, install};
use crate::context::Context;
use crate::vouched::Device;

const DAY_MS: u64 = 86_400_000;

/// How the executor is set up.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The folder of standing orders.
    pub(crate) orders: PathBuf,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    pub(crate) limits: agent::Limits,
    /// How much of the past is kept.
    pub(crate) spool: store::Limits,
    /// The user and the group of the other half, where there is one: who may reach the socket, and ask a little.
    pub(crate) network: Option<(u32, u32)>,
    /// Where it stands, for filters.
    pub(crate) site: String,
    /// Whose device it is.
    pub(crate) device: Device,
}

impl Settings {
    pub(crate) fn new(config: &Config, context: &Context) -> anyhow::Result<Self> {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let client = config.client.as_deref().map(str::parse).transpose().context("client")?;
        let mut device = Device::of(client);
        device.also(None, &config.tags);
        let age_ms = u64::from(config.spool.age_days_max).saturating_mul(DAY_MS);
        Ok(Self {
            orders: config.orders.clone(),
            site: config.site.clone().unwrap_or_default(),
            socket: client::socket_of(config, context),
            limits: agent::Limits { waiting_max: count(config.queue_max), looking_max: count(config.detect_runs_max) },
            spool: store::Limits { bytes: config.spool.bytes_max, age_ms },
            network: install::ids(Path::new("/"), &config.user),
            device,
        })
    }
}
