//! An address or a default route came or went, or an interface went up or down.
//!
//! What the kernel tells is only taken as a sign that something changed: a moment later everything is looked at, and compared with
//! what was there. So nothing is lost where the kernel lost some of it, and what comes at once is told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use serde_json::{Value, json};
use tokio::io::unix::AsyncFd;

use super::netlink;
use super::ready::ready;
use crate::sink::happened;
use crate::{Error, Sink, Surroundings};

/// What comes within this time is one change.
const MERGED: Duration = Duration::from_secs(1);
/// The most addresses or routes that are told of one list: an event is at most 64 KiB.
const LIST_MAX: usize = 128;
/// Links, and addresses and routes of both families: the bits of rtnetlink(7).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// What an interface has. One that is not there has nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Interface {
    is_up: bool,
    /// With their prefix: `192.0.2.1/24`.
    addresses: BTreeSet<String>,
    /// Gateways of default routes; empty, where one needs none.
    default_routes: BTreeSet<String>,
}

type Interfaces = BTreeMap<String, Interface>;

pub(super) async fn watch(around: &Surroundings, sink: &Sink) -> Result<(), Error> {
    let failed = |source| Error::Io { what: "cannot ask the kernel for its network".to_owned(), source };
    let asked = Socket::new(NETLINK_ROUTE).map_err(failed)?;
    let heard = hear().map_err(failed)?;
    let mut known = look(&asked).map_err(failed)?;
    loop {
        let mut ready = heard.readable().await.map_err(failed)?;
        let mut is_change = false;
        let is_lost = netlink::told(heard.get_ref(), |it| is_change |= is_relevant(&it)).map_err(failed)?;
        ready.clear_ready();
        if !is_change && !is_lost {
            continue;
        }
        tokio::time::sleep(MERGED).await;
        let now = look(&asked).map_err(failed)?;
        let names: BTreeSet<&String> = known.keys().chain(now.keys()).collect();
        for name in names {
            let (before, after) = (known.get(name), now.get(name));
            if before != after {
                let nothing = Interface::default();
                let data = data(name, before.unwrap_or(&nothing), after.unwrap_or(&nothing), after.is_some());
                sink.room().await.send(happened(around.now_ms(), name, data));
            }
        }
        known = now;
    }
}

fn data(name: &str, before: &Interface, after: &Interface, exists: bool) -> [(&'static str, Value); 10] {
    let all = |it: &BTreeSet<String>| json!(it.iter().take(LIST_MAX).collect::<Vec<_>>());
    let less = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        json!(one.difference(other).take(LIST_MAX).collect::<Vec<_>>())
    };
    [
        ("interface", json!(name)),
        ("exists", json!(exists)),
        ("is-up", json!(after.is_up)),
        ("was-up", json!(before.is_up)),
        ("addresses", all(&after.addresses)),
        ("addresses-added", less(&after.addresses, &before.addresses)),
        ("addresses-removed", less(&before.addresses, &after.addresses)),
        ("default-routes", all(&after.default_routes)),
        ("default-routes-added", less(&after.default_routes, &before.default_routes)),
        ("default-routes-removed", less(&before.default_routes, &after.default_routes)),
    ]
}

fn hear() -> std::io::Result<AsyncFd<Socket>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind(&SocketAddr::new(0, GROUPS))?;
    socket.set_non_blocking(true)?;
    ready(socket)
}

/// Whether what is watched may have changed. A router learns routes all day, and few of them are default routes.
fn is_relevant(message: &RouteNetlinkMessage) -> bool {
    match message {
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => is_default(route),
        _ => true,
    }
}

fn is_default(route: &RouteMessage) -> bool {
    let header = &route.header;
    header.destination_prefix_length == 0
        && header.kind == RouteType::Unicast
        && header.table == RouteHeader::RT_TABLE_MAIN
}

fn look(socket: &Socket) -> std::io::Result<Interfaces> {
    let mut names = BTreeMap::new();
    let mut interfaces = Interfaces::new();
    netlink::dump(socket, RouteNetlinkMessage::GetLink(LinkMessage::default()), |answer| {
        let RouteNetlinkMessage::NewLink(link) = answer else { return };
        let name = link.attributes.iter().find_map(|it| match it {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
        let Some(name) = name else { return };
        names.insert(link.header.index, name.clone());
        interfaces.entry(name).or_default().is_up = link.header.flags.contains(LinkFlags::Up | LinkFlags::Running);
    })?;
    netlink::dump(socket, RouteNetlinkMessage::GetAddress(AddressMessage::default()), |answer| {
        let RouteNetlinkMessage::NewAddress(address) = answer else { return };
        // Nobody can be reached there yet, or because somebody else is; the kernel tells when that is over.
        if address.header.flags.intersects(AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed) {
            return;
        }
        let own = address.attributes.iter().find_map(|it| match it {
            AddressAttribute::Local(own) => Some(own),
            _ => None,
        });
        let own = own.or_else(|| {
            address.attributes.iter().find_map(|it| match it {
                AddressAttribute::Address(own) => Some(own),
                _ => None,
            })
        });
        let interface = names.get(&address.header.index).and_then(|name| interfaces.get_mut(name));
        if let (Some(own), Some(interface)) = (own, interface) {
            interface.addresses.insert(format!("{own}/{}", address.header.prefix_len));
        }
    })?;
    netlink::dump(socket, RouteNetlinkMessage::GetRoute(RouteMessage::default()), |answer| {
        let RouteNetlinkMessage::NewRoute(route) = answer else { return };
        if !is_default(&route) {
            return;
        }
        for (index, gateway) in ways(&route.attributes) {
            if let Some(interface) = names.get(&index).and_then(|name| interfaces.get_mut(name)) {
                interface.default_routes.insert(gateway);
            }
        }
    })?;
    Ok(interfaces)
}

/// Interfaces that a route leads over, each with its gateway.
fn ways(attributes: &[RouteAttribute]) -> Vec<(u32, String)> {
    let gateway = |attributes: &[RouteAttribute]| {
        let found = attributes.iter().find_map(|it| match it {
            RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => Some(gateway.to_string()),
            RouteAttribute::Gateway(RouteAddress::Inet6(gateway)) => Some(gateway.to_string()),
            _ => None,
        });
        found.unwrap_or_default()
    };
    let mut ways = Vec::new();
    for attribute in attributes {
        match attribute {
            RouteAttribute::Oif(index) => ways.push((*index, gateway(attributes))),
            RouteAttribute::MultiPath(hops) => {
                ways.extend(hops.iter().map(|hop| (hop.interface_index, gateway(&hop.attributes))));
            }
            _ => {}
        }
    }
    ways
}
