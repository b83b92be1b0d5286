//! Netlink messages by hand: a handful of fixed ones, for which a library would bring more code than they have.

#![expect(clippy::cast_possible_truncation, reason = "constants of the kernel's interface, which libc calls int and which fit")]

use std::{io, mem::size_of_val};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

/// The length of every message's head.
const HEAD: usize = 16;
/// The kind of an acknowledgement.
const ACKNOWLEDGEMENT: u16 = libc::NLMSG_ERROR as u16;

/// Messages that go to the kernel in one call.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
    expected: usize,
}

impl Batch {
    /// Adds one message; `head` is the family's own header, `attributes` what follows it.
    pub fn push(&mut self, kind: u16, flags: u16, head: &[u8], attributes: &[u8]) {
        self.add(kind, flags | libc::NLM_F_ACK as u16, head, attributes);
        self.expected += 1;
    }

    /// Adds one that is not acknowledged, as the edges of an `nf_tables` batch.
    pub fn push_silent(&mut self, kind: u16, head: &[u8]) {
        self.add(kind, 0, head, &[]);
    }

    fn add(&mut self, kind: u16, flags: u16, head: &[u8], attributes: &[u8]) {
        let length = HEAD + head.len() + attributes.len();
        self.bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | libc::NLM_F_REQUEST as u16).to_ne_bytes());
        self.bytes.extend(self.sequence.to_ne_bytes());
        self.bytes.extend(0u32.to_ne_bytes());
        self.bytes.extend(head);
        self.bytes.extend(attributes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.sequence += 1;
    }

    /// Sends everything and waits until the kernel has said yes to each message.
    pub fn run(&self, protocol: Option<rustix::net::Protocol>) -> io::Result<()> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        // A kernel that does not know the protocol may not answer at all.
        rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, Some(std::time::Duration::from_secs(5)))?;
        send(&socket, &self.bytes, SendFlags::empty())?;
        let mut buffer = vec![0u8; 32 << 10];
        let mut seen = 0;
        while seen < self.expected {
            let (length, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            seen += read_answers(&buffer[..length])?;
        }
        Ok(())
    }
}

/// Counts acknowledgements; a refusal among them is an error.
fn read_answers(mut bytes: &[u8]) -> io::Result<usize> {
    let mut count = 0;
    while bytes.len() >= HEAD + size_of_val(&0i32) {
        let length = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
        if kind == ACKNOWLEDGEMENT {
            let error = i32::from_ne_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
            if error != 0 {
                return Err(io::Error::from_raw_os_error(-error));
            }
            count += 1;
        }
        bytes = bytes.get(length.max(HEAD).next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(count)
}

/// One attribute.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len() + 8);
    bytes.extend(u16::try_from(value.len() + 4).unwrap_or(u16::MAX).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// An attribute made of attributes.
pub fn nested(kind: u16, parts: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | libc::NLA_F_NESTED as u16, &parts.concat())
}

/// An attribute that is a text.
pub fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), b"\0"].concat())
}

/// An attribute that is a number in network order, as `nf_tables` wants them.
pub fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

/// The protocol of routes and addresses is number zero, which rustix spells as none.
pub const ROUTING: Option<rustix::net::Protocol> = None;

/// The protocol of `nf_tables`.
pub const NETFILTER: Option<rustix::net::Protocol> = Some(netlink::NETFILTER);
