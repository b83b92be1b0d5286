//! Why no upstream connection came about, and whose fault that is.

use std::{fmt, net::SocketAddr};

use openmiosa_policy::Denied;

/// No connection, for a stated reason.
#[derive(Debug)]
pub struct DialError {
    fault: Fault,
    message: String,
    address: Option<SocketAddr>,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The name has no address, or no name server answered.
    Resolve,
    /// Every address is one that is not dialled.
    Denied,
    /// Nothing accepted the connection.
    Unreachable,
    /// It took too long.
    Timeout,
    /// The certificate or the handshake.
    Tls,
}

impl DialError {
    pub(crate) fn resolve(message: impl fmt::Display) -> Self {
        Self { fault: Fault::Resolve, message: format!("the name could not be resolved: {message}"), address: None }
    }

    pub(crate) fn denied(denied: &Denied) -> Self {
        Self { fault: Fault::Denied, message: denied.to_string(), address: None }
    }

    pub(crate) fn unreachable(address: SocketAddr, error: &std::io::Error) -> Self {
        Self { fault: Fault::Unreachable, message: format!("{address} did not accept the connection: {error}"), address: Some(address) }
    }

    pub(crate) fn timeout(address: Option<SocketAddr>) -> Self {
        let who = address.map_or_else(|| "the host".to_owned(), |address| address.to_string());
        Self { fault: Fault::Timeout, message: format!("{who} did not answer in time"), address }
    }

    pub(crate) fn tls(address: SocketAddr, error: impl fmt::Display) -> Self {
        Self { fault: Fault::Tls, message: format!("TLS with {address} failed: {error}"), address: Some(address) }
    }

    /// What failed.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The contract's word.
    pub fn reason(&self) -> &'static str {
        match self.fault {
            Fault::Denied => "addr-denied",
            Fault::Resolve | Fault::Unreachable => "upstream-unreachable",
            Fault::Timeout => "upstream-timeout",
            Fault::Tls => "upstream-tls",
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn retry(&self) -> bool {
        matches!(self.fault, Fault::Resolve | Fault::Unreachable | Fault::Timeout)
    }

    /// The address that was tried last, if it came to that.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DialError {}
