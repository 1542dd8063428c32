//! Which addresses a request may go to: a peer must not be able to aim ours at internal hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the connections of a request may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Anywhere: the relay was chosen by the local owner.
    #[default]
    Anywhere,
    /// Public addresses only, judged after name resolution: the relay was named by a peer.
    PublicOnly,
}

impl Reach {
    /// Whether a connection to `address` is within this reach.
    pub fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::PublicOnly => is_public(address),
        }
    }
}

/// Whether `address` is globally reachable by the IANA special-purpose registries (RFC 6890).
///
/// Forms of IPv6 that carry an IPv4 address (mapped, NAT64, 6to4) are judged by what they carry.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(a: Ipv4Addr) -> bool {
    let [b0, b1, b2, _] = a.octets();
    let shared = b0 == 100 && (b1 & 0xc0) == 64; // RFC 6598
    let protocol = b0 == 192 && b1 == 0 && b2 == 0; // RFC 6890
    let relay_anycast = b0 == 192 && b1 == 88 && b2 == 99; // RFC 7526
    let benchmark = b0 == 198 && (b1 & 0xfe) == 18; // RFC 2544
    !(a.is_private()
        || a.is_loopback()
        || a.is_link_local()
        || a.is_documentation()
        || a.is_multicast()
        || b0 == 0
        || b0 >= 240
        || shared
        || protocol
        || relay_anycast
        || benchmark)
}

fn is_public_v6(a: Ipv6Addr) -> bool {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = a.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (s0, s1, s2, s3, s4, s5) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => v4(s6, s7), // RFC 4291, RFC 6052
        (0x2002, ..) => v4(s1, s2),                                         // 6to4, RFC 3056
        (0x2001, 0..=0x01ff, ..) | (0x2001, 0x0db8, ..) => false,           // RFC 2928, RFC 3849
        (0x3fff, 0..=0x0fff, ..) => false,                                  // RFC 9637
        _ => (s0 & 0xe000) == 0x2000, // the only block given out for global unicast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(!is_public(address), "{text}");
            assert!(!Reach::PublicOnly.admits(address), "{text}");
            assert!(Reach::Anywhere.admits(address), "{text}");
        }
    }

    #[test]
    fn public_addresses_are() {
        for text in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "223.255.255.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
