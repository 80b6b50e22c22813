use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr};

use contract::device::NetworkInterface;
use contract::types::Error;
use sysinfo::Networks;

use crate::attributes;
use crate::errors;
use crate::facts::Root;

use super::super::ITEMS_MAX;

/// `IFF_UP` and `IFF_RUNNING` of netdevice(7).
const UP_AND_RUNNING: u32 = 0x1 | 0x40;

pub(super) fn read(root: &Root) -> Result<Vec<NetworkInterface>, Error> {
    let networks = Networks::new_with_refreshed_list()
        .map_err(|error| errors::failed("network", format!("listing interfaces: {error}")))?;
    let gateways = gateways(root);
    let dns = name_servers(root);
    let names =
        root.names("sys/class/net").into_iter().filter(|name| root.has(&format!("sys/class/net/{name}/ifindex")));
    Ok(names.take(ITEMS_MAX).map(|name| interface(root, name, &networks, &gateways, &dns)).collect())
}

fn interface(
    root: &Root,
    name: String,
    networks: &Networks,
    gateways: &[(String, IpAddr)],
    dns: &str,
) -> NetworkInterface {
    let file = |file: &str| root.line(&format!("sys/class/net/{name}/{file}"));
    let mut addresses: Vec<String> = networks
        .get(OsStr::new(&name))
        .map(|data| data.ip_networks().iter().map(|net| format!("{}/{}", net.addr, net.prefix)).collect())
        .unwrap_or_default();
    addresses.sort();
    addresses.dedup();
    let gateway: Vec<String> =
        gateways.iter().filter(|(device, _)| *device == name).map(|(_, address)| address.to_string()).collect();
    let has_gateway = !gateway.is_empty();
    let leased = file("ifindex").map(|index| root.has(&format!("run/systemd/netif/leases/{index}")));
    NetworkInterface {
        mac: file("address").filter(|mac| mac.bytes().any(|byte| !matches!(byte, b'0' | b':'))).unwrap_or_default(),
        addresses,
        up: is_up(file("operstate").as_deref(), file("flags").as_deref()),
        attributes: attributes::known([
            ("gateway", has_gateway.then(|| gateway.join(","))),
            ("dns", has_gateway.then(|| dns.to_owned())),
            ("dhcp", leased.filter(|&leased| leased).map(|leased| leased.to_string())),
            ("mtu", file("mtu")),
            // -1 where there is no link, and unreadable where there is none to have.
            ("speed-mbps", file("speed").filter(|speed| !speed.starts_with('-'))),
        ]),
        name,
    }
}

/// A driver without a state to report (loopback, tunnels) says `unknown`: then its flags count.
fn is_up(state: Option<&str>, flags: Option<&str>) -> bool {
    let flags =
        flags.and_then(|flags| u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok()).unwrap_or_default();
    match state {
        Some("up") => true,
        Some("unknown") => flags & UP_AND_RUNNING == UP_AND_RUNNING,
        _ => false,
    }
}

/// The default routes: /proc/net/route has addresses in the machine's byte order, as hexadecimal words.
fn gateways(root: &Root) -> Vec<(String, IpAddr)> {
    let v4 = root.text("proc/net/route").unwrap_or_default();
    let v6 = root.text("proc/net/ipv6_route").unwrap_or_default();
    v4.lines().skip(1).filter_map(gateway_v4).chain(v6.lines().filter_map(gateway_v6)).collect()
}

fn gateway_v4(line: &str) -> Option<(String, IpAddr)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (&device, &destination, &gateway, &mask) = (fields.first()?, fields.get(1)?, fields.get(2)?, fields.get(7)?);
    let word = u32::from_str_radix(gateway, 16).ok()?;
    let is_default = destination == "00000000" && mask == "00000000" && word != 0;
    is_default.then(|| (device.to_owned(), IpAddr::V4(Ipv4Addr::from(word.to_ne_bytes()))))
}

fn gateway_v6(line: &str) -> Option<(String, IpAddr)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (&destination, &prefix, &gateway, &device) = (fields.first()?, fields.get(1)?, fields.get(4)?, fields.get(9)?);
    let address = u128::from_str_radix(gateway, 16).ok()?;
    let is_default = prefix == "00" && destination.bytes().all(|byte| byte == b'0') && address != 0;
    is_default.then(|| (device.to_owned(), IpAddr::V6(address.into())))
}

fn name_servers(root: &Root) -> String {
    let text = root.text("etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver")).map(str::trim);
    servers.collect::<Vec<_>>().join(",")
}
