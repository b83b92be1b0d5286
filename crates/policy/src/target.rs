//! What a connection is meant for: a name or a literal address, and a port.

use std::{fmt, net::IpAddr};

use crate::host::{Host, HostError, literal};

/// A name or a literal address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A host name.
    Name(Host),
    /// An address that the client wrote itself.
    Literal(IpAddr),
}

impl Target {
    /// Reads either, an IPv6 address with or without brackets.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        match Host::parse(text) {
            Ok(host) => Ok(Self::Name(host)),
            Err(HostError::Literal(address)) => Ok(Self::Literal(address)),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(host) => host.fmt(f),
            Self::Literal(IpAddr::V4(address)) => address.fmt(f),
            Self::Literal(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// The value of a Host header or the target of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or address.
    pub target: Target,
    /// The port, where one was written.
    pub port: Option<u16>,
}

impl HostPort {
    /// Reads `name`, `name:port`, `address:port` or `[address]:port`; the port is plain decimal without sign or leading zero.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((inner, rest)) => (inner, after_bracket(rest)?),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let target = if text.starts_with('[') {
            Target::Literal(literal(host).filter(IpAddr::is_ipv6).ok_or(HostError::Syntax)?)
        } else {
            Target::parse(host)?
        };
        Ok(Self { target, port: port.map(strict_port).transpose()? })
    }
}

fn after_bracket(rest: &str) -> Result<Option<&str>, HostError> {
    match rest.strip_prefix(':') {
        Some(port) => Ok(Some(port)),
        None if rest.is_empty() => Ok(None),
        None => Err(HostError::Syntax),
    }
}

fn strict_port(text: &str) -> Result<u16, HostError> {
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HostError::Syntax);
    }
    text.parse().map_err(|_| HostError::Syntax)
}
