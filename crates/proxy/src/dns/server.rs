//! DNS over the sandbox's UDP sockets, and over TCP connections to port 53.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_proto::rr::RecordType;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use openmiosa_policy::Host;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest},
    net::UdpSocket,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{answer::answer, window};
use crate::{gateway::Gateway, sandbox::Sandbox};

/// Queries above this are cut; none that a resolver sends comes near.
const QUERY: usize = 4096;
/// An idle DNS connection is closed after this, as resolvers themselves do.
const IDLE: Duration = Duration::from_secs(10);

/// Answers on one UDP socket until `stop`.
pub async fn serve_udp(gateway: Arc<Gateway>, sandbox: Arc<Sandbox>, socket: UdpSocket, stop: CancellationToken) {
    let mut buffer = vec![0; QUERY];
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = socket.async_io(Interest::READABLE, || receive(&socket, &mut buffer)) => received,
        };
        match received {
            Ok((length, client, asked)) => {
                let Some(reply) = reply_to(&gateway, &sandbox, &buffer[..length]) else { continue };
                // A reply that cannot be sent is a lost datagram: the resolver asks again.
                if let Err(error) = send(&socket, &reply, &client, asked) {
                    tracing::debug!(%error, sandbox = %sandbox.id, "a DNS reply was not sent");
                }
            }
            Err(error) => {
                tracing::warn!(%error, sandbox = %sandbox.id, "the DNS socket failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers on one TCP connection until it is idle.
pub async fn serve_tcp<S: AsyncRead + AsyncWrite + Unpin>(gateway: &Arc<Gateway>, sandbox: &Sandbox, mut stream: S) -> io::Result<()> {
    while let Ok(Ok(length)) = timeout(IDLE, stream.read_u16()).await {
        let mut query = vec![0; usize::from(length)];
        timeout(IDLE, stream.read_exact(&mut query)).await??;
        let Some(reply) = reply_to(gateway, sandbox, &query) else { return Ok(()) };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes(), reply.as_slice()].concat();
        timeout(IDLE, stream.write_all(&framed)).await??;
    }
    Ok(())
}

fn reply_to(gateway: &Arc<Gateway>, sandbox: &Sandbox, query: &[u8]) -> Option<Vec<u8>> {
    gateway.metrics.dns_queries.inc();
    answer(query, |host: &Host, _: RecordType| {
        let (address, displaced) = sandbox.names.lock().ask(host, Instant::now());
        if let Some(unused) = displaced {
            window::record(gateway, sandbox, &unused);
        }
        address
    })
}

/// The query's length, who asked, and the address that was asked.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SockaddrStorage, Option<IpAddr>)> {
    let mut space = nix::cmsg_space!([u8; 128]);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let mut asked = None;
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => asked = Some(IpAddr::V4(u32::from_be(info.ipi_addr.s_addr).into())),
            // A query over IPv4 to a dual-stack socket says its address in the mapped form too; the plain one wins.
            ControlMessageOwned::Ipv6PacketInfo(info) if asked.is_none() => asked = Some(IpAddr::V6(info.ipi6_addr.s6_addr.into())),
            _ => {}
        }
    }
    let client = message.address.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
    Ok((message.bytes, client, asked))
}

/// Sends a reply with the asked address as its source. Every address is local in a sandbox, so no capability is needed.
fn send(socket: &UdpSocket, reply: &[u8], client: &SockaddrStorage, asked: Option<IpAddr>) -> io::Result<()> {
    let parts = [IoSlice::new(reply)];
    let over_v6 = matches!(socket.local_addr()?, SocketAddr::V6(_));
    let descriptor = socket.as_raw_fd();
    let none = MsgFlags::MSG_DONTWAIT;
    match asked {
        Some(IpAddr::V4(address)) if !over_v6 => {
            let info = nix::libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: nix::libc::in_addr { s_addr: u32::from(address).to_be() },
                ipi_addr: nix::libc::in_addr { s_addr: 0 },
            };
            sendmsg(descriptor, &parts, &[ControlMessage::Ipv4PacketInfo(&info)], none, Some(client))?;
        }
        Some(address) => {
            let source = match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                IpAddr::V6(v6) => v6,
            };
            let info = nix::libc::in6_pktinfo { ipi6_addr: nix::libc::in6_addr { s6_addr: source.octets() }, ipi6_ifindex: 0 };
            sendmsg(descriptor, &parts, &[ControlMessage::Ipv6PacketInfo(&info)], none, Some(client))?;
        }
        None => {
            sendmsg(descriptor, &parts, &[], none, Some(client))?;
        }
    }
    Ok(())
}
