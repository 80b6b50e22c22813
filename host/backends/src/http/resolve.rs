use std::net::{IpAddr, SocketAddr};

use contract::types::Error;
use model::{Scope, origin};
use url::Url;

use crate::errors;

use super::ADDRESSES_MAX;
use super::errors::denied;

/// Finds the addresses of a name.
#[async_trait::async_trait]
pub trait Resolve: Send + Sync {
    /// All of them, in the order to be tried.
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's own resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait::async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Where a URL's host may be reached: its addresses, as far as the scope allows them. What is connected to is one of these, and
/// the name is not resolved again, so nobody can answer differently the second time.
pub(super) async fn vetted(resolver: &dyn Resolve, scope: &Scope, url: &Url) -> Result<Vec<SocketAddr>, Error> {
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = match origin::address_of(url) {
        Some(address) => vec![address],
        None => {
            let host = url.host_str().unwrap_or_default();
            let resolved = resolver.resolve(host).await;
            resolved.map_err(|error| errors::unavailable("resolve", format!("`{host}` has no address: {error}")))?
        }
    };
    let allowed: Vec<SocketAddr> = addresses
        .iter()
        .filter(|&&address| scope.allows_address(address))
        .take(ADDRESSES_MAX)
        .map(|&address| SocketAddr::new(address, port))
        .collect();
    match addresses.first() {
        None => Err(errors::unavailable("resolve", "the host has no address")),
        Some(address) if allowed.is_empty() => {
            let message = "the host's address is not public, and no range in the scope names it";
            Err(denied("address", message).with("address", address.to_string()))
        }
        Some(_) => Ok(allowed),
    }
}
