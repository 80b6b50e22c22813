use std::collections::HashMap;
use std::net::SocketAddr;

use contract::types::Error;
use procfs::net::{TcpNetEntries, TcpState, UdpNetEntries, UdpState};
use procfs::process::{FDTarget, all_processes_with_root};
use procfs::{FromReadSI, ProcResult, current_system_info};

use crate::errors;

use super::{Row, Source};

/// The numbers of IANA and of Linux that osquery shows.
const TCP: i64 = 6;
const UDP: i64 = 17;
const UNIX: i64 = 1;
/// `__SO_ACCEPTCON`: the socket waits for connections.
const ACCEPTS: u32 = 0x1_0000;
/// The most sockets of processes that are remembered: the table that says who holds which.
const SOCKETS_MAX: usize = 1_000_000;

type Holders = HashMap<u64, (i32, i32)>;

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let failed = |error: procfs::ProcError| errors::failed("proc", error.to_string());
    let tcp = sockets::<TcpNetEntries>(source, "tcp").map_err(failed)?.0;
    let udp = sockets::<UdpNetEntries>(source, "udp").map_err(failed)?.0;
    // A kernel without IPv6 has neither.
    let tcp6 = sockets::<TcpNetEntries>(source, "tcp6").map(|entries| entries.0).unwrap_or_default();
    let udp6 = sockets::<UdpNetEntries>(source, "udp6").map(|entries| entries.0).unwrap_or_default();
    let holders = holders(source)?;
    let tcp = tcp.iter().chain(&tcp6).filter(|entry| entry.state == TcpState::Listen);
    let udp = udp.iter().chain(&udp6).filter(|entry| entry.state == UdpState::Close);
    let mut rows: Vec<Row> = tcp.map(|entry| inet(TCP, entry.local_address, entry.inode, &holders)).collect();
    rows.extend(udp.map(|entry| inet(UDP, entry.local_address, entry.inode, &holders)));
    rows.extend(source.text("proc/net/unix").unwrap_or_default().lines().filter_map(|line| unix(line, &holders)));
    Ok(rows)
}

fn sockets<T: FromReadSI>(source: &Source, name: &str) -> ProcResult<T> {
    T::from_file(source.root.path(&format!("proc/net/{name}")), current_system_info())
}

fn inet(protocol: i64, address: SocketAddr, inode: u64, holders: &Holders) -> Row {
    held(inode, holders)
        .number("protocol", protocol)
        .number("family", if address.is_ipv4() { 2 } else { 10 })
        .text("address", address.ip().to_string())
        .number("port", address.port())
        .text("path", "")
}

/// `Num RefCount Protocol Flags Type St Inode Path`, where the path may hold spaces.
fn unix(line: &str, holders: &Holders) -> Option<Row> {
    let mut words = line.split_whitespace();
    let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
    let inode = words.nth(2)?.parse().ok()?;
    let path = words.collect::<Vec<_>>().join(" ");
    (flags & ACCEPTS != 0 && !path.is_empty()).then(|| {
        held(inode, holders)
            .number("protocol", 0)
            .number("family", UNIX)
            .text("address", "")
            .number("port", 0)
            .text("path", path)
    })
}

fn held(inode: u64, holders: &Holders) -> Row {
    let (pid, fd) = holders.get(&inode).copied().unwrap_or((-1, -1));
    Row::default().number("pid", pid).number("fd", fd).number("socket", inode)
}

/// Which process holds a socket, by its inode: the one of the lowest number where several share it.
fn holders(source: &Source) -> Result<Holders, Error> {
    let processes =
        all_processes_with_root(source.root.path("proc")).map_err(|error| errors::failed("proc", error.to_string()))?;
    let mut holders = Holders::new();
    for process in processes.flatten() {
        source.check_time()?;
        // Gone meanwhile, or not ours to see.
        let Ok(descriptors) = process.fd() else { continue };
        for descriptor in descriptors.flatten() {
            if let FDTarget::Socket(inode) = descriptor.target
                && holders.len() < SOCKETS_MAX
            {
                let holder = holders.entry(inode).or_insert((process.pid(), descriptor.fd));
                *holder = (*holder).min((process.pid(), descriptor.fd));
            }
        }
    }
    Ok(holders)
}
