//! How servers are reached that have plugins.

use std::path::PathBuf;

use distribution::{DockerConfig, Fetcher, Limits, Network, Roots};

use crate::context::Context;
use crate::installed;

/// How servers are reached.
#[derive(Default, clap::Args)]
pub(crate) struct Way {
    /// Ask the server that is named without TLS; on this machine that needs no word
    #[arg(long)]
    plain_http: bool,

    /// Take what `docker login` left from this folder instead of ~/.docker
    #[arg(long, env = "DOCKER_CONFIG", value_name = "DIR")]
    docker_config: Option<PathBuf>,
}

impl Way {
    /// Over the network, and what counts its bytes.
    pub(crate) fn open(&self, context: &Context) -> anyhow::Result<(Fetcher, Network)> {
        let network = Network::new(&Roots(context.host_policy()?.backends.http.trust), Limits::default())?;
        let folder = self.docker_config.clone().or_else(|| Some(std::env::home_dir()?.join(".docker")));
        let docker = folder.map(|folder| DockerConfig::read(&folder.join("config.json"))).transpose()?;
        let partial = installed::folder(context)?.partial();
        let fetcher = Fetcher::new(network.clone(), docker.unwrap_or_default(), self.plain_http, Some(partial));
        Ok((fetcher, network))
    }
}
