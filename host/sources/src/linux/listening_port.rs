//! A port is listened on that was not before.
//!
//! The kernel tells nobody when a port is opened, so it is asked: over netlink, for those that listen only, whatever the number of
//! connections. A port that is opened and closed between two looks is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::boot::boot_id;
use super::netlink;
use super::shared::beat;
use crate::kept::Kept;
use crate::sink::happened;
use crate::{Error, Sink, Surroundings};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);
/// The most addresses of a port that are told.
const ADDRESSES_MAX: usize = 32;

/// What listens, or why nobody knows.
pub(super) type Looked = std::io::Result<Vec<Listener>>;

/// Somebody listens there.
#[derive(Debug)]
pub(super) struct Listener {
    protocol: &'static str,
    port: u16,
    address: IpAddr,
    uid: u32,
    inode: u32,
}

/// What listens and counts, by `tcp/443`.
type Ports = BTreeMap<String, Port>;

struct Port {
    protocol: &'static str,
    number: u16,
    addresses: BTreeSet<IpAddr>,
    uid: u32,
    inodes: BTreeSet<u32>,
}

/// What was open when it was last looked. After a boot everything is opened anew.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Known {
    boot_id: String,
    open: BTreeSet<String>,
}

pub(super) async fn watch(
    port: Option<u16>,
    loopback: bool,
    around: &Surroundings,
    sink: &Sink,
    kept: &Kept,
) -> Result<(), Error> {
    let boot_id = boot_id()?;
    let mut known = kept.load().filter(|it: &Known| it.boot_id == boot_id);
    let mut since = Instant::now();
    loop {
        let looked = around.shared.ports.since(since, async |_| look()).await;
        let ports = match looked.as_ref() {
            Ok(listeners) => counting(listeners, port, loopback),
            Err(error) => {
                let source = std::io::Error::new(error.kind(), error.to_string());
                return Err(Error::Io { what: "cannot ask the kernel who listens".to_owned(), source });
            }
        };
        let open: BTreeSet<String> = ports.keys().cloned().collect();
        if let Some(known) = &known {
            for (name, port) in ports.iter().filter(|(name, _)| !known.open.contains(*name)) {
                let process = process(port.inodes.clone()).await;
                let addresses: Vec<_> = port.addresses.iter().take(ADDRESSES_MAX).map(IpAddr::to_string).collect();
                let data = [
                    ("protocol", json!(port.protocol)),
                    ("port", json!(port.number)),
                    ("addresses", json!(addresses)),
                    ("uid", json!(port.uid)),
                    ("pid", json!(process.as_ref().map(|it| it.pid))),
                    ("process", json!(process.as_ref().map(|it| it.name.as_str()))),
                    ("program", json!(process.and_then(|it| it.program))),
                ];
                sink.room().await.send(happened(around.now_ms(), name, data));
            }
        }
        if known.as_ref().is_none_or(|it| it.open != open) {
            let now = Known { boot_id: boot_id.clone(), open };
            kept.save(&now).await;
            known = Some(now);
        }
        since = beat(EVERY).await;
    }
}

/// All that listens. A kernel that may not load its modules for this has it as text, with every connection.
fn look() -> Looked {
    look_by_netlink().or_else(|_| look_by_text())
}

fn look_by_netlink() -> Looked {
    let socket = Socket::new(NETLINK_SOCK_DIAG)?;
    let mut listeners = Vec::new();
    for (number, protocol, states) in
        [(IPPROTO_TCP, "tcp", StateFlags::LISTEN), (IPPROTO_UDP, "udp", StateFlags::CLOSE)]
    {
        for (family, socket_id) in [(AF_INET, SocketId::new_v4()), (AF_INET6, SocketId::new_v6())] {
            let states = states.clone();
            let request =
                InetRequest { family, protocol: number, extensions: ExtensionFlags::empty(), states, socket_id };
            netlink::dump(&socket, SockDiagMessage::InetRequest(request), |answer| {
                let SockDiagMessage::InetResponse(answer) = answer else { return };
                let (header, socket) = (&answer.header, &answer.header.socket_id);
                let (port, address) = (socket.source_port, socket.source_address.to_canonical());
                listeners.push(Listener { protocol, port, address, uid: header.uid, inode: header.inode });
            })?;
        }
    }
    Ok(listeners)
}

fn look_by_text() -> Looked {
    use procfs::net::{TcpState, UdpState, tcp, tcp6, udp, udp6};
    let listener = |protocol, local: SocketAddr, uid, inode: u64| Listener {
        protocol,
        port: local.port(),
        address: local.ip().to_canonical(),
        uid,
        inode: u32::try_from(inode).unwrap_or_default(),
    };
    // Without IPv6 there are no files of it.
    let tcp = tcp().map_err(std::io::Error::other)?.into_iter().chain(tcp6().unwrap_or_default());
    let udp = udp().map_err(std::io::Error::other)?.into_iter().chain(udp6().unwrap_or_default());
    let tcp =
        tcp.filter(|it| it.state == TcpState::Listen).map(|it| listener("tcp", it.local_address, it.uid, it.inode));
    let udp =
        udp.filter(|it| it.state == UdpState::Close).map(|it| listener("udp", it.local_address, it.uid, it.inode));
    Ok(tcp.chain(udp).collect())
}

/// Those that a rule asks for.
fn counting(listeners: &[Listener], wanted: Option<u16>, loopback: bool) -> Ports {
    let mut ports = Ports::new();
    // Whoever asks a name server has such a port open for a moment: nobody listens there.
    let passing = if wanted.is_none() { Some(ephemeral()) } else { None };
    for it in listeners {
        let is_passing = it.protocol == "udp" && passing.as_ref().is_some_and(|passing| passing.contains(&it.port));
        let is_meant = wanted.is_none_or(|wanted| wanted == it.port) && (loopback || !it.address.is_loopback());
        if it.port == 0 || is_passing || !is_meant {
            continue;
        }
        let port = ports.entry(format!("{}/{}", it.protocol, it.port)).or_insert_with(|| Port {
            protocol: it.protocol,
            number: it.port,
            addresses: BTreeSet::new(),
            uid: it.uid,
            inodes: BTreeSet::new(),
        });
        port.addresses.insert(it.address);
        port.inodes.insert(it.inode);
    }
    ports
}

/// Ports that the kernel gives to whoever asks for none.
fn ephemeral() -> std::ops::RangeInclusive<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = range.split_whitespace().filter_map(|it| it.parse().ok());
    bounds.next().unwrap_or(32_768)..=bounds.next().unwrap_or(60_999)
}

/// A process.
struct Process {
    pid: u32,
    name: String,
    program: Option<PathBuf>,
}

/// Who holds one of these sockets, where it can be known.
async fn process(inodes: BTreeSet<u32>) -> Option<Process> {
    // Every descriptor of every process is looked at: other sources do not wait for it.
    tokio::task::spawn_blocking(move || find(&inodes)).await.ok()?
}

fn find(inodes: &BTreeSet<u32>) -> Option<Process> {
    let links: BTreeSet<PathBuf> = inodes.iter().map(|inode| PathBuf::from(format!("socket:[{inode}]"))).collect();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(descriptors) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let is_held =
            descriptors.flatten().any(|it| std::fs::read_link(it.path()).is_ok_and(|link| links.contains(&link)));
        if is_held {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default().trim().to_owned();
            return Some(Process { pid, name, program: std::fs::read_link(entry.path().join("exe")).ok() });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn both_ways_to_look_see_the_same() {
        let (one, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::]:0").unwrap());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
        connected.connect(socket.local_addr().unwrap()).unwrap();
        let ways = [look_by_netlink(), look_by_text()].map(Result::unwrap);
        for (listeners, way) in ways.iter().zip(["netlink", "text"]) {
            let is_seen = |protocol: &str, local: SocketAddr| {
                listeners.iter().any(|it| (it.protocol, it.port, it.address) == (protocol, local.port(), local.ip()))
            };
            let seen = [
                is_seen("tcp", one.local_addr().unwrap()),
                is_seen("tcp", other.local_addr().unwrap()),
                is_seen("udp", socket.local_addr().unwrap()),
                is_seen("udp", connected.local_addr().unwrap()),
            ];
            assert_eq!(seen, [true, true, true, false], "{way}");
        }
    }
}
