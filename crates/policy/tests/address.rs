//! Which addresses are dialled: rows N-04, N-05, N-06 and N-07.

use std::net::IpAddr;

use openmiosa_policy::{Denied, Guard, Networks};

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn allowing(ranges: &[&str]) -> Networks {
    Networks { allowed: ranges.iter().map(|range| range.parse().expect("a range")).collect(), denied: Vec::new() }
}

fn check(text: &str, networks: &Networks) -> Result<(), Denied> {
    Guard::default().check(address(text), networks)
}

#[test]
fn n_04_an_inner_address_in_ipv6_dress_is_denied() {
    let dressed = [
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::",
        "2001:0:a9fe:a9fe::",
        "2001:0:102:304::5601:5601",
        "::ffff:0:a9fe:a9fe",
        "2606:4700::5efe:a9fe:a9fe",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2606:4700::200:5efe:a00:1",
        "fe80::1",
        "fec0::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "fd00:ec2::254",
        "::",
        "::1",
    ];
    for text in dressed {
        assert!(check(text, &Networks::default()).is_err(), "{text}");
    }
}

#[test]
fn n_05_metadata_is_denied_even_when_a_rule_names_it() {
    let everything = allowing(&["0.0.0.0/0", "::/0"]);
    let metadata = [
        "169.254.169.254",
        "169.254.169.253",
        "169.254.170.2",
        "169.254.170.23",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fe80::a9fe:a9fe",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
        "2001:0:a9fe:a9fe::",
    ];
    for text in metadata {
        assert!(matches!(check(text, &everything), Err(Denied::Metadata(_))), "{text}");
    }
}

#[test]
fn n_06_the_ends_of_every_special_range_are_denied_and_their_neighbours_are_not() {
    // First and last address of each range, then the neighbours outside that are public.
    let ranges: &[(&str, &str, &[&str])] = &[
        ("0.0.0.0", "0.255.255.255", &["1.0.0.0"]),
        ("10.0.0.0", "10.255.255.255", &["9.255.255.255", "11.0.0.0"]),
        ("100.64.0.0", "100.127.255.255", &["100.63.255.255", "100.128.0.0"]),
        ("127.0.0.0", "127.255.255.255", &["126.255.255.255", "128.0.0.0"]),
        ("169.254.0.0", "169.254.255.255", &["169.253.255.255", "169.255.0.0"]),
        ("172.16.0.0", "172.31.255.255", &["172.15.255.255", "172.32.0.0"]),
        ("192.0.0.0", "192.0.0.255", &["191.255.255.255", "192.0.1.0"]),
        ("192.0.2.0", "192.0.2.255", &["192.0.1.255", "192.0.3.0"]),
        ("192.88.99.0", "192.88.99.255", &["192.88.98.255", "192.88.100.0"]),
        ("192.168.0.0", "192.168.255.255", &["192.167.255.255", "192.169.0.0"]),
        ("198.18.0.0", "198.19.255.255", &["198.17.255.255", "198.20.0.0"]),
        ("198.51.100.0", "198.51.100.255", &["198.51.99.255", "198.51.101.0"]),
        ("203.0.113.0", "203.0.113.255", &["203.0.112.255", "203.0.114.0"]),
        ("224.0.0.0", "239.255.255.255", &["223.255.255.255"]),
        ("240.0.0.0", "255.255.255.255", &[]),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", &["2001:200::"]),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", &["2001:db7:ffff::", "2001:db9::"]),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["2003::"]),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", &["3ffe::", "3fff:1000::"]),
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["3fff:ffff::"]),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[]),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[]),
        ("ff00::", "ff02::1", &[]),
        ("100::", "100:0:0:1:ffff:ffff:ffff:ffff", &[]),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", &[]),
    ];
    for (first, last, neighbours) in ranges {
        for text in [first, last] {
            assert!(matches!(check(text, &Networks::default()), Err(Denied::Special(..))), "{text}");
        }
        for text in *neighbours {
            assert_eq!(check(text, &Networks::default()), Ok(()), "{text}");
        }
    }
}

#[test]
fn n_06_public_addresses_pass_translated_ones_included() {
    for text in ["1.1.1.1", "8.8.8.8", "104.18.7.192", "2606:4700::6812:7c0", "2a00:1450::8a", "64:ff9b::808:808", "::ffff:8.8.8.8"] {
        assert_eq!(check(text, &Networks::default()), Ok(()), "{text}");
    }
}

#[test]
fn n_07_a_private_address_needs_a_rule_that_names_its_range() {
    assert!(matches!(check("10.0.0.5", &Networks::default()), Err(Denied::Special(_, "private"))));
    assert_eq!(check("10.0.0.5", &allowing(&["10.0.0.0/24"])), Ok(()));
    assert_eq!(check("::ffff:10.0.0.5", &allowing(&["10.0.0.0/24"])), Ok(()));
    assert!(check("10.0.1.5", &allowing(&["10.0.0.0/24"])).is_err());
    assert!(check("64:ff9b::a00:5", &allowing(&["64:ff9b::/96"])).is_err(), "the inner address is named by no rule");
}

#[test]
fn a_rule_that_denies_a_range_denies_what_resolves_into_it() {
    let networks = Networks {
        allowed: vec!["10.0.0.0/8".parse().expect("a range")],
        denied: vec!["10.9.0.0/16".parse().expect("a range"), "8.8.0.0/16".parse().expect("a range")],
    };
    assert_eq!(check("10.1.0.1", &networks), Ok(()));
    assert!(matches!(check("10.9.0.1", &networks), Err(Denied::Rule(..))));
    assert!(matches!(check("8.8.8.8", &networks), Err(Denied::Rule(..))));
    assert!(matches!(check("64:ff9b::808:808", &networks), Err(Denied::Rule(..))));
}

#[test]
fn n_08_this_machines_own_public_address_is_no_way_back_in() {
    let guard = Guard::new(vec![address("198.41.0.4"), address("2606:4700::1")]);
    assert!(matches!(guard.check(address("198.41.0.4"), &Networks::default()), Err(Denied::Special(..))));
    assert!(guard.check(address("::ffff:198.41.0.4"), &Networks::default()).is_err());
    assert!(guard.check(address("2606:4700::1"), &Networks::default()).is_err());
    assert_eq!(guard.check(address("198.41.0.4"), &allowing(&["198.41.0.4/32"])), Ok(()));
}
