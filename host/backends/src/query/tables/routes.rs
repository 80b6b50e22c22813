use std::net::{Ipv4Addr, Ipv6Addr};

use contract::types::Error;

use super::{Row, Source};

/// The most routes: a router has the whole Internet.
const ROUTES_MAX: usize = 50_000;
/// `RTF_GATEWAY` and `RTF_LOCAL` of route.h.
const GATEWAY: u32 = 0x2;
const LOCAL: u32 = 0x8000_0000;

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let v4 = source.text("proc/net/route")?;
    let v6 = source.text("proc/net/ipv6_route").unwrap_or_default();
    let rows = v4.lines().skip(1).filter_map(row_v4).chain(v6.lines().filter_map(row_v6));
    Ok(rows.take(ROUTES_MAX).collect())
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask MTU …`; addresses are words in the machine's order of bytes.
fn row_v4(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[interface, destination, gateway, flags, _, _, metric, mask, mtu, ..] = fields.as_slice() else { return None };
    let address = |word: &str| Some(Ipv4Addr::from(u32::from_str_radix(word, 16).ok()?.to_ne_bytes()));
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let row = row(interface, flags, metric.parse().ok()?, mtu.parse().ok()?);
    Some(
        row.text("destination", address(destination)?.to_string())
            .number("netmask", u32::from(address(mask)?).count_ones())
            .text("gateway", if flags & GATEWAY == 0 { String::new() } else { address(gateway)?.to_string() }),
    )
}

/// `Destination Prefix Source Prefix Gateway Metric RefCnt Use Flags Iface`, all hexadecimal.
fn row_v6(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[destination, prefix, _, _, gateway, metric, _, _, flags, interface] = fields.as_slice() else { return None };
    let address = |word: &str| Some(Ipv6Addr::from(u128::from_str_radix(word, 16).ok()?));
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let row = row(interface, flags, u32::from_str_radix(metric, 16).ok()?, 0);
    Some(
        row.text("destination", address(destination)?.to_string())
            .number("netmask", u32::from_str_radix(prefix, 16).ok()?)
            .text("gateway", if flags & GATEWAY == 0 { String::new() } else { address(gateway)?.to_string() }),
    )
}

fn row(interface: &str, flags: u32, metric: u32, mtu: u32) -> Row {
    let kind = match flags {
        flags if flags & LOCAL != 0 => "local",
        flags if flags & GATEWAY != 0 => "gateway",
        _ => "unicast",
    };
    // osquery's column has 32 bits with a sign.
    Row::default()
        .text("interface", interface)
        .number("flags", flags.cast_signed())
        .number("metric", metric.cast_signed())
        .number("mtu", mtu)
        .text("type", kind)
}
