use std::net::{IpAddr, Ipv4Addr};

use contract::types::Error;
use ipnet::IpNet;
use sysinfo::Networks;

use crate::errors;

use super::{Row, Source};

pub(super) fn rows(_: &Source) -> Result<Vec<Row>, Error> {
    let networks = Networks::new_with_refreshed_list()
        .map_err(|error| errors::failed("network", format!("listing interfaces: {error}")))?;
    let mut rows: Vec<Row> = Vec::new();
    for (interface, data) in networks.iter() {
        let nets = data.ip_networks().iter().filter_map(|net| IpNet::new(net.addr, net.prefix).ok());
        rows.extend(nets.map(|net| row(&interface.to_string_lossy(), net)));
    }
    rows.dedup();
    Ok(rows)
}

fn row(interface: &str, net: IpNet) -> Row {
    Row::default()
        .text("interface", interface)
        .text("address", net.addr().to_string())
        .text("mask", net.netmask().to_string())
        .text("broadcast", broadcast(net).map(|address| address.to_string()).unwrap_or_default())
}

/// A host route and loopback have none.
fn broadcast(net: IpNet) -> Option<Ipv4Addr> {
    match net.broadcast() {
        IpAddr::V4(address) if net.prefix_len() < 31 && !net.addr().is_loopback() => Some(address),
        _ => None,
    }
}
