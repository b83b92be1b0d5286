//! The hand-over of listening sockets: JSON packets with descriptors over `SOCK_SEQPACKET`.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixDatagram as StdDatagram,
    },
    path::Path,
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, connect, recvmsg, sendmsg, socket_with,
};
use serde::{Deserialize, Serialize};
use tokio::{io::Interest, net::UnixDatagram};

/// The kernel's own limit of descriptors in one message (`SCM_MAX_FD`).
const MAX_DESCRIPTORS: usize = 253;
/// Above every packet of this protocol.
const PACKET: usize = 16 << 10;

/// What cell says.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum FromCell {
    /// A sandbox's sockets, the TCP listeners first.
    Add {
        /// `sbx_…`
        sandbox: String,
        /// The sandbox's own addresses.
        network: Network,
        /// How many of the descriptors are TCP listeners.
        tcp: usize,
        /// How many are UDP sockets.
        udp: usize,
    },
    /// The sandbox is going away.
    Remove {
        /// `sbx_…`
        sandbox: String,
    },
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// The addresses that belong to a sandbox itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Network {
    /// Its own IPv4 address.
    pub address4: std::net::Ipv4Addr,
    /// Its own IPv6 address.
    pub address6: Option<std::net::Ipv6Addr>,
    /// `tproxy` or `ports`.
    #[serde(default)]
    pub steering: String,
}

/// What egressd says.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ToCell<'a> {
    /// The first packet; replaces an earlier egressd.
    Hello {
        /// Message version.
        v: u32,
        /// One id for each run of egressd.
        boot: &'a str,
    },
    /// The sockets are taken.
    Added {
        /// `sbx_…`
        sandbox: &'a str,
    },
    /// Everything of it is closed.
    Removed {
        /// `sbx_…`
        sandbox: &'a str,
    },
}

/// A connection to cell's `listeners.sock`.
///
/// Held as a datagram socket, the nearest type there is: packets have edges, and both sides are connected.
pub struct Channel {
    socket: UnixDatagram,
}

impl Channel {
    /// Connects. The caller checks the peer with a `PeerPolicy`.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Self::from_descriptor(socket)
    }

    /// Wraps a connected SEQPACKET socket.
    pub fn from_descriptor(socket: OwnedFd) -> io::Result<Self> {
        let socket = StdDatagram::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixDatagram::from_std(socket)? })
    }

    /// The socket itself, for the check of the peer.
    pub fn descriptor(&self) -> impl AsFd + '_ {
        self.socket.as_fd()
    }

    /// Sends one packet.
    pub async fn send(&self, message: &ToCell<'_>) -> io::Result<()> {
        let packet = serde_json::to_vec(message)?;
        self.socket
            .async_io(Interest::WRITABLE, || {
                let mut control = SendAncillaryBuffer::default();
                Ok(sendmsg(&self.socket, &[IoSlice::new(&packet)], &mut control, SendFlags::NOSIGNAL)?)
            })
            .await
            .map(drop)
    }

    /// Receives one packet with its descriptors; `None` when cell has gone.
    pub async fn receive(&self) -> io::Result<Option<(FromCell, Vec<OwnedFd>)>> {
        let (bytes, descriptors) = self.socket.async_io(Interest::READABLE, || receive_packet(&self.socket)).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some((serde_json::from_slice(&bytes)?, descriptors)))
    }
}

fn receive_packet(socket: impl AsFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; PACKET];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    bytes.truncate(received.bytes);
    Ok((bytes, descriptors))
}
