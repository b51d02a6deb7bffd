//! The addresses that nobody means when a host is allowed: those of the machine itself, of its link, and of metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is only connected to if the list names it.
pub(super) fn is_guarded(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_guarded_v4(address),
        IpAddr::V6(address) => is_guarded_v6(address) || inner(address).is_some_and(is_guarded_v4),
    }
}

fn is_guarded_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_unspecified()
        || address.is_broadcast()
        // "This network" (RFC 791), and what is reserved (RFC 1112 §4).
        || first == 0
        || first >= 240
        // Metadata of a cloud outside of the link-local addresses (Alibaba, Oracle).
        || address == Ipv4Addr::new(100, 100, 100, 200)
        || address == Ipv4Addr::new(192, 0, 0, 192)
        // Azure's host.
        || address == Ipv4Addr::new(168, 63, 129, 16)
}

fn is_guarded_v6(address: Ipv6Addr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unicast_link_local()
        // Deprecated site-local (RFC 3879).
        || address.segments().first().is_some_and(|first| first & 0xffc0 == 0xfec0)
        // Metadata of a cloud (AWS, Google).
        || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        || address == Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)
}

/// The IPv4 address that an IPv6 address leads to: mapped and compatible (RFC 4291 §2.5.5), translated (RFC 6052,
/// RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380).
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x2001, 0, _, _, _, _, high, low] => Some(v4(!high, !low)),
        _ => None,
    }
}
