//! Which addresses are part of the public Internet. Everything else (this machine, its networks, the metadata services of
//! clouds) a plugin reaches only where its scope names a range.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// IPv4 ranges that are not public: IANA's special-purpose registry, multicast, and what clouds serve their machines' metadata
/// from though it looks public (Azure's 168.63.129.16).
const NOT_PUBLIC_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Inside 2000::/3, which is all that is public of IPv6, what is not: protocol assignments with Teredo, documentation, 6to4 (which
/// carries any IPv4 address to wherever a relay is).
const NOT_PUBLIC_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The well-known prefix of NAT64, behind which an IPv6-only network has all of IPv4.
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// Whether an address belongs to the public Internet. An IPv4 address inside an IPv6 one counts as what it is.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) if v6_in(address, NAT64, 96) => {
            let [.., a, b, c, d] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(address) => {
            v6_in(address, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
                && !NOT_PUBLIC_V6.iter().any(|&(network, length)| v6_in(address, network, length))
        }
    }
}

/// Whether every address of a range belongs to the public Internet.
pub fn is_public_range(range: IpNet) -> bool {
    // Two ranges that meet are one inside the other: so one of them holds the other's first address.
    is_public(range.network())
        && match range {
            IpNet::V4(range) => !NOT_PUBLIC_V4.iter().any(|&(network, _)| range.contains(&network)),
            IpNet::V6(range) if v6_in(range.network(), NAT64, 96) => {
                let [.., a, b, c, d] = range.network().octets();
                let length = range.prefix_len().saturating_sub(96);
                Ipv4Net::new(Ipv4Addr::new(a, b, c, d), length).is_ok_and(|range| is_public_range(range.into()))
            }
            IpNet::V6(range) => {
                // 2000::/3 is wider than any range that a scope can have, so its last address is in it too.
                !NOT_PUBLIC_V6.iter().any(|&(network, _)| range.contains(&network))
            }
        }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |network: Ipv4Addr, length: u32| {
        let shift = 32 - length;
        address.to_bits() >> shift == network.to_bits() >> shift
    };
    !NOT_PUBLIC_V4.iter().any(|&(network, length)| is_in(network, length))
}

fn v6_in(address: Ipv6Addr, network: Ipv6Addr, length: u32) -> bool {
    let shift = 128 - length;
    address.to_bits() >> shift == network.to_bits() >> shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_public_is() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "168.63.129.17",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_range_is_public_where_all_of_it_is() {
        for text in ["1.1.1.0/24", "8.0.0.0/8", "1.1.1.1/32", "2606:4700::/32", "2a00::/16", "64:ff9b::101:100/120"] {
            assert!(is_public_range(text.parse().unwrap()), "{text}");
        }
        for text in [
            "10.0.0.0/8",
            "127.0.0.1/32",
            "127.0.0.0/8",
            "169.254.169.254/32",
            "172.0.0.0/8",
            "192.168.0.0/16",
            "168.63.129.0/24",
            "203.0.0.0/8",
            "::1/128",
            "fc00::/7",
            "fe80::/10",
            "2000::/8",
            "2001::/16",
            "64:ff9b::/96",
            "64:ff9b::a00:0/104",
        ] {
            assert!(!is_public_range(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:101:101::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }
}
