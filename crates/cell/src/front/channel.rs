//! A `SOCK_SEQPACKET` socket for tokio.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

use crate::control;

/// One end of a connection that carries packets and descriptors.
pub struct Channel {
    socket: AsyncFd<OwnedFd>,
}

impl Channel {
    /// Takes a connected socket.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self { socket: openmiosa_sys::watch_descriptor(socket)? })
    }

    /// Sends one packet.
    pub async fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.socket.async_io(Interest::WRITABLE, |socket| control::send(socket.as_fd(), bytes, descriptors)).await
    }

    /// Receives one packet of at most `limit` bytes; an empty one means that the other end has gone.
    pub async fn receive(&self, limit: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        self.socket.async_io(Interest::READABLE, |socket| control::receive_up_to(socket.as_fd(), limit)).await
    }
}

impl Channel {
    /// Ends the conversation in both directions.
    pub fn shut_down(&self) {
        let _ = rustix::net::shutdown(self.socket.get_ref(), rustix::net::Shutdown::Both);
    }
}
