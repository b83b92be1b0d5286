//! Step 4: a network that has one way out, the gateway's sockets.
//!
//! The namespace has only `lo`. Every address is made local to it, and whatever is sent comes back to the listeners
//! made here. No rule, no listener or no gateway: still no way out.

#![expect(clippy::cast_possible_truncation, reason = "constants of the kernel's interface, which libc calls int and which fit")]

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV6},
    os::fd::OwnedFd,
};

use openmiosa_sys::set_socket_flag;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use crate::{
    error::{Doing, StepError},
    netlink::{Batch, ROUTING, attribute},
    nft,
};

/// Every sandbox has the same address: each is alone in its network.
pub const ADDRESS4: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
/// What resolv.conf names. Any address would do, all of them lead to the gateway.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Where `nf_tables` sends connections.
const STEERED_PORT: u16 = 15001;
const DNS_PORT: u16 = 53;
/// Without `nf_tables` only these ports lead anywhere.
const PLAIN_PORTS: [u16; 3] = [53, 80, 443];
const BACKLOG: i32 = 4096;

/// How connections find the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Steering {
    /// `nf_tables`: any port.
    Tproxy,
    /// One listener a port.
    Ports,
}

/// What the gateway is told of a sandbox's network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Network {
    /// Its own address.
    pub address4: Ipv4Addr,
    /// Its own address.
    pub address6: Ipv6Addr,
    /// How connections find the gateway.
    pub steering: Steering,
}

/// The sockets that the gateway gets.
pub struct Listeners {
    /// Whose they are.
    pub network: Network,
    /// Listening.
    pub tcp: Vec<OwnedFd>,
    /// Bound to port 53.
    pub udp: Vec<OwnedFd>,
}

/// Sets up the network of this process's namespace.
pub fn set_up(steering: Steering) -> Result<Listeners, StepError> {
    let network = Network { address4: ADDRESS4, address6: private_address(), steering };
    make_everything_local(network.address4, network.address6).doing("make all addresses local")?;
    tune()?;
    let ports: &[u16] = if steering == Steering::Tproxy { &[STEERED_PORT] } else { &PLAIN_PORTS };
    let tcp = ports.iter().map(|port| listen(*port, steering)).collect::<io::Result<Vec<_>>>().doing("listen for the gateway")?;
    let udp = vec![bind_dns(steering).doing("bind the DNS socket for the gateway")?];
    if steering == Steering::Tproxy {
        nft::steer(network.address4, network.address6, STEERED_PORT, DNS_PORT).doing("load nf_tables rules with tproxy")?;
    }
    Ok(Listeners { network, tcp, udp })
}

/// A unique local address with a random prefix.
fn private_address() -> Ipv6Addr {
    let mut address = [0; 16];
    address[1..6].copy_from_slice(&ulid::Ulid::new().random().to_be_bytes()[11..]);
    (address[0], address[15]) = (0xfd, 2);
    Ipv6Addr::from(address)
}

/// `lo` up, own addresses, and a route that calls every other address local too.
fn make_everything_local(own4: Ipv4Addr, own6: Ipv6Addr) -> io::Result<()> {
    const LOOPBACK: [u8; 4] = 1u32.to_ne_bytes();
    const UP: [u8; 4] = (libc::IFF_UP as u32).to_ne_bytes();
    let create = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
    let [v4, v6] = [libc::AF_INET as u8, libc::AF_INET6 as u8];
    let mut batch = Batch::default();
    batch.push(libc::RTM_NEWLINK, 0, &[[0; 4], LOOPBACK, UP, UP].concat(), &[]);
    for (family, prefix, flags, address) in
        [(v4, 32, 0, own4.octets().to_vec()), (v6, 128, libc::IFA_F_NODAD as u8, own6.octets().to_vec())]
    {
        let head = [[family, prefix, flags, 0], LOOPBACK].concat();
        batch.push(
            libc::RTM_NEWADDR,
            create,
            &head,
            &[attribute(libc::IFA_LOCAL, &address), attribute(libc::IFA_ADDRESS, &address)].concat(),
        );
    }
    // Preferred source: without it a connection would come from the very address that it goes to.
    for (family, scope, address) in
        [(v4, libc::RT_SCOPE_HOST, own4.octets().to_vec()), (v6, libc::RT_SCOPE_UNIVERSE, own6.octets().to_vec())]
    {
        let head = [family, 0, 0, 0, libc::RT_TABLE_LOCAL, libc::RTPROT_BOOT, scope, libc::RTN_LOCAL, 0, 0, 0, 0];
        batch.push(
            libc::RTM_NEWROUTE,
            create,
            &head,
            &[attribute(libc::RTA_OIF, &LOOPBACK), attribute(libc::RTA_PREFSRC, &address)].concat(),
        );
    }
    batch.run(ROUTING)
}

/// `/proc/sys/net` shows the network of whoever reads it.
fn tune() -> Result<(), StepError> {
    for (name, value) in [
        // The default reuses waiting ports for loopback addresses only; here every address is on loopback, and a search of full
        // tables costs milliseconds a connection.
        ("ipv4/tcp_tw_reuse", "1"),
        ("ipv4/ip_unprivileged_port_start", "0"),
        ("ipv4/icmp_echo_ignore_all", "1"),
        ("ipv6/icmp/echo_ignore_all", "1"),
    ] {
        let path = format!("/proc/sys/net/{name}");
        fs::write(&path, value).doing_to("write", &path)?;
    }
    Ok(())
}

fn listen(port: u16, steering: Steering) -> io::Result<OwnedFd> {
    let socket = dual_stack(Type::STREAM, steering)?;
    socket.bind(&everywhere(port).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_dns(steering: Steering) -> io::Result<OwnedFd> {
    let socket = dual_stack(Type::DGRAM, steering)?;
    // The asked address arrives beside the question, and goes back as the answer's source.
    for (level, name) in [
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        (libc::IPPROTO_IP, libc::IP_PKTINFO),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVORIGDSTADDR),
        (libc::IPPROTO_IP, libc::IP_RECVORIGDSTADDR),
    ] {
        set_socket_flag(&socket, level, name, 1)?;
    }
    socket.bind(&everywhere(DNS_PORT).into())?;
    Ok(socket.into())
}

fn dual_stack(kind: Type, steering: Steering) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, kind, None)?;
    socket.set_only_v6(false)?;
    // Accepted connections inherit it; without it one of them would keep the sandbox from listening on the same port.
    socket.set_reuse_address(true)?;
    if steering == Steering::Tproxy {
        set_socket_flag(&socket, libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT, 1)?;
        set_socket_flag(&socket, libc::IPPROTO_IP, libc::IP_TRANSPARENT, 1)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn everywhere(port: u16) -> SocketAddrV6 {
    SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0)
}
