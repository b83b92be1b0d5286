//! Addresses that are not the public Internet: the tables behind the guard.
//!
//! From the IANA special-purpose registries, plus the ranges that carry an IPv4 address inside an IPv6 one. Own tables,
//! because standard libraries call several of these global.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// First address, prefix length, what people call it.
type Range4 = ([u8; 4], u8, &'static str);
type Range6 = ([u16; 8], u8, &'static str);

const SPECIAL4: &[Range4] = &[
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "carrier-grade NAT"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "protocol assignments"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 31, 196, 0], 24, "AS112"),
    ([192, 52, 193, 0], 24, "AMT"),
    ([192, 88, 99, 0], 24, "6to4 relay"),
    ([192, 168, 0, 0], 16, "private"),
    ([192, 175, 48, 0], 24, "AS112"),
    ([198, 18, 0, 0], 15, "benchmarking"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

const SPECIAL6: &[Range6] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, "unspecified, loopback or IPv4-compatible"),
    ([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4-translated"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "local NAT64"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discard-only"),
    ([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "dummy prefix"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "protocol assignments, Teredo included"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4"),
    ([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, "AS112"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation"),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique local"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local"),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site-local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

/// Outside `2000::/3` and the NAT64 prefix nothing is assigned for general use.
const GLOBAL6: Range6 = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, "global unicast");
const NAT64: Range6 = ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "NAT64");

/// Instance metadata and credential services of clouds: never dialled, whatever a rule says.
const METADATA4: &[[u8; 4]] = &[
    [169, 254, 169, 254],
    [169, 254, 169, 253],
    [169, 254, 169, 250],
    [169, 254, 170, 2],
    [169, 254, 170, 23],
    [169, 254, 42, 42],
    [169, 254, 0, 23],
    [168, 63, 129, 16],
    [100, 100, 100, 200],
    [192, 0, 0, 192],
];
const METADATA6: &[[u16; 8]] = &[
    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],
    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253],
    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23],
    [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42],
    [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254],
    [0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe],
];

/// Names that clouds give to those services.
const METADATA_NAMES: &[&str] =
    &["metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal", "metadata.azure.internal"];

/// The range that keeps an address from being public, if any.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => SPECIAL4.iter().find(|range| in4(address, range)).map(|range| range.2),
        IpAddr::V6(address) => {
            let named = SPECIAL6.iter().find(|range| in6(address, range)).map(|range| range.2);
            let global = in6(address, &GLOBAL6) || in6(address, &NAT64);
            named.or((!global).then_some("not assigned"))
        }
    }
}

/// Whether it is a cloud's metadata service.
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => METADATA4.contains(&address.octets()),
        IpAddr::V6(address) => METADATA6.contains(&address.segments()),
    }
}

/// Whether a name stands for a cloud's metadata service.
pub(crate) fn is_metadata_name(name: &str) -> bool {
    METADATA_NAMES.contains(&name)
}

/// The IPv4 addresses that an IPv6 address carries: where a translator or a tunnel would send the packet.
pub(crate) fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let segments = address.segments();
    let pair = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let last = pair(segments[6], segments[7]);
    let mut found = Vec::new();
    // Compatible, mapped, translated and NAT64 forms, and ISATAP interface identifiers, end in the IPv4 address.
    if matches!(
        segments,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, ..] | [_, _, _, _, 0 | 0x200, 0x5efe, ..]
    ) {
        found.push(last);
    }
    match segments {
        // A local NAT64 prefix may also put the address right behind its 48 bits, around bits 64 to 71, which stay zero.
        [0x64, 0xff9b, 1, high, middle, low, ..] => found.push(pair(high, (middle << 8) | (low >> 8))),
        [0x2002, high, low, ..] => found.push(pair(high, low)),
        // A Teredo address names its server openly and its client with every bit turned.
        [0x2001, 0, high, low, ..] => found.extend([pair(high, low), pair(!segments[6], !segments[7])]),
        _ => {}
    }
    found
}

fn in4(address: Ipv4Addr, (first, length, _): &Range4) -> bool {
    let mask = u32::MAX << (32 - u32::from(*length));
    u32::from(address) & mask == u32::from_be_bytes(*first)
}

fn in6(address: Ipv6Addr, (first, length, _): &Range6) -> bool {
    let mask = u128::MAX << (128 - u32::from(*length));
    u128::from(address) & mask == u128::from(Ipv6Addr::from(*first))
}
