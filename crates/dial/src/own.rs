//! This machine's own addresses, so that a public one of them is no way back in.

use std::net::{IpAddr, Ipv6Addr};

/// The addresses of this machine's interfaces, as far as the kernel shows them without privileges.
pub(crate) fn public_addresses() -> Vec<IpAddr> {
    let mut own: Vec<IpAddr> = Vec::new();
    if let Ok(table) = std::fs::read_to_string("/proc/net/if_inet6") {
        own.extend(table.lines().filter_map(parse_inet6));
    }
    if let Ok(table) = std::fs::read_to_string("/proc/net/fib_trie") {
        own.extend(local_leaves(&table));
    }
    own.sort_unstable();
    own.dedup();
    own
}

fn parse_inet6(line: &str) -> Option<IpAddr> {
    let digits = line.split_whitespace().next()?;
    u128::from_str_radix(digits, 16).ok().map(|bits| IpAddr::V6(Ipv6Addr::from(bits)))
}

/// A leaf line `|-- 192.0.2.7` that is followed by `/32 host LOCAL` is an address of this machine.
fn local_leaves(table: &str) -> impl Iterator<Item = IpAddr> {
    let mut leaf = None;
    table.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        }
        if line.starts_with("/32 host LOCAL") { leaf } else { None }
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{local_leaves, parse_inet6};

    #[test]
    fn the_kernels_tables_are_read() {
        let table =
            "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.7\n        /32 host LOCAL\n";
        assert_eq!(local_leaves(table).collect::<Vec<_>>(), ["192.0.2.7".parse::<IpAddr>().expect("address")]);
        let line = "20010db8000000000000000000000007 02 40 00 80 eth0";
        assert_eq!(parse_inet6(line), "2001:db8::7".parse().ok());
    }
}
