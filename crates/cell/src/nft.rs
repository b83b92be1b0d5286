//! The `nf_tables` rules that bring every connection of a sandbox to one listener.

#![expect(clippy::cast_possible_truncation, reason = "constants of the kernel's interface, which libc calls int and which fit")]

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
};

use crate::netlink::{Batch, NETFILTER, attribute, nested, number, text};

const SUBSYSTEM: u16 = (libc::NFNL_SUBSYS_NFTABLES as u16) << 8;
const NEW_TABLE: u16 = SUBSYSTEM | libc::NFT_MSG_NEWTABLE as u16;
const NEW_CHAIN: u16 = SUBSYSTEM | libc::NFT_MSG_NEWCHAIN as u16;
const NEW_RULE: u16 = SUBSYSTEM | libc::NFT_MSG_NEWRULE as u16;
/// Beginning and end of what is applied as a whole or not at all.
const BATCH: [u16; 2] = [libc::NFNL_MSG_BATCH_BEGIN as u16, libc::NFNL_MSG_BATCH_END as u16];
const BATCH_HEAD: [u8; 4] = [0, 0, 0, libc::NFNL_SUBSYS_NFTABLES as u8];
/// The header of every `nf_tables` message: both address families.
const INET: [u8; 4] = [libc::NFPROTO_INET as u8, 0, 0, 0];

const TABLE: &str = "openmiosa";
const CHAIN: &str = "steer";
/// Before routing decisions, where tproxy may work.
const PRIORITY: i32 = -150;
/// The one register that the rules use.
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
const ACCEPT: u32 = 1;
const DROP: u32 = 0;

type Expression = Vec<u8>;

/// Loads the rules into the network namespace of this process.
pub fn steer(own4: Ipv4Addr, own6: Ipv6Addr, tcp_port: u16, dns_port: u16) -> io::Result<()> {
    let mut batch = Batch::default();
    batch.push_silent(BATCH[0], &BATCH_HEAD);
    let create = libc::NLM_F_CREATE as u16;
    batch.push(NEW_TABLE, create, &INET, &[text(1, TABLE), number(2, 0)].concat());
    let hook = nested(4, &[number(1, 0), number(2, PRIORITY.cast_unsigned())]);
    batch.push(NEW_CHAIN, create, &INET, &[text(1, TABLE), text(3, CHAIN), hook, number(5, ACCEPT), text(7, "filter")].concat());
    for rule in rules(own4, own6, tcp_port, dns_port) {
        batch.push(NEW_RULE, create | libc::NLM_F_APPEND as u16, &INET, &[text(1, TABLE), text(2, CHAIN), nested(4, &rule)].concat());
    }
    batch.push_silent(BATCH[1], &BATCH_HEAD);
    batch.run(NETFILTER)
}

/// In order; the first that matches decides.
fn rules(own4: Ipv4Addr, own6: Ipv6Addr, tcp_port: u16, dns_port: u16) -> Vec<Vec<Expression>> {
    let v4 = || [meta(META_NFPROTO), equals(&[libc::NFPROTO_IPV4 as u8]), payload(NETWORK_HEADER, 16, 4)];
    let v6 = || [meta(META_NFPROTO), equals(&[libc::NFPROTO_IPV6 as u8]), payload(NETWORK_HEADER, 24, 16)];
    let transport = |protocol: i32| [meta(META_L4PROTO), equals(&[u8::try_from(protocol).unwrap_or_default()])];
    vec![
        // What is the sandbox's own stays inside.
        join(v4(), [mask(&[255, 0, 0, 0]), equals(&[127, 0, 0, 0]), verdict(ACCEPT)]),
        join(v4(), [equals(&own4.octets()), verdict(ACCEPT)]),
        join(v6(), [equals(&Ipv6Addr::LOCALHOST.octets()), verdict(ACCEPT)]),
        join(v6(), [equals(&own6.octets()), verdict(ACCEPT)]),
        // Every other connection, and every DNS question, is the gateway's.
        join(transport(libc::IPPROTO_TCP), [load(&tcp_port.to_be_bytes()), tproxy(), verdict(ACCEPT)]),
        join(
            transport(libc::IPPROTO_UDP),
            [payload(TRANSPORT_HEADER, 2, 2), equals(&53u16.to_be_bytes()), load(&dns_port.to_be_bytes()), tproxy(), verdict(ACCEPT)],
        ),
        // Answers to the gateway's own packets; and other UDP, which nobody listens to, so that the sender hears "refused" at once.
        join(transport(libc::IPPROTO_TCP), [verdict(ACCEPT)]),
        join(transport(libc::IPPROTO_UDP), [verdict(ACCEPT)]),
        // The "unreachable" that says so.
        join(transport(libc::IPPROTO_ICMP), [payload(TRANSPORT_HEADER, 0, 1), equals(&[3]), verdict(ACCEPT)]),
        join(transport(libc::IPPROTO_ICMPV6), [payload(TRANSPORT_HEADER, 0, 1), equals(&[1]), verdict(ACCEPT)]),
        vec![verdict(DROP)],
    ]
}

fn join<const A: usize, const B: usize>(first: [Expression; A], then: [Expression; B]) -> Vec<Expression> {
    first.into_iter().chain(then).collect()
}

fn expression(name: &str, data: &[Vec<u8>]) -> Expression {
    nested(1, &[text(1, name), nested(2, data)])
}

fn meta(key: u32) -> Expression {
    expression("meta", &[number(1, REGISTER), number(2, key)])
}

fn payload(header: u32, offset: u32, length: u32) -> Expression {
    expression("payload", &[number(1, REGISTER), number(2, header), number(3, offset), number(4, length)])
}

fn equals(value: &[u8]) -> Expression {
    expression("cmp", &[number(1, REGISTER), number(2, 0), nested(3, &[attribute(1, value)])])
}

fn mask(value: &[u8]) -> Expression {
    let length = u32::try_from(value.len()).unwrap_or_default();
    let zero = vec![0; value.len()];
    expression(
        "bitwise",
        &[
            number(1, REGISTER),
            number(2, REGISTER),
            number(3, length),
            nested(4, &[attribute(1, value)]),
            nested(5, &[attribute(1, &zero)]),
        ],
    )
}

fn load(value: &[u8]) -> Expression {
    expression("immediate", &[number(1, REGISTER), nested(2, &[attribute(1, value)])])
}

fn verdict(code: u32) -> Expression {
    expression("immediate", &[number(1, VERDICT_REGISTER), nested(2, &[nested(2, &[number(1, code)])])])
}

/// To the port in the register, any address.
fn tproxy() -> Expression {
    expression("tproxy", &[number(1, 0), number(3, REGISTER)])
}
