//! Why a decision was a refusal, in the contract's words.

use std::fmt;

/// The reasons that a decision over a snapshot can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A deny rule matched, or `enforce` found no allow.
    HostDenied,
    /// Neither a name nor an address to decide on.
    HostSyntax,
    /// The address, or a name that stands for one, is never dialled.
    AddrDenied,
    /// A literal address without a range that allows it.
    LiteralDenied,
    /// The host is allowed, on other ports.
    PortDenied,
    /// The host is allowed, with other methods; or a method that never passes.
    MethodDenied,
}

impl Reason {
    /// The contract's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HostDenied => "host-denied",
            Self::HostSyntax => "host-syntax",
            Self::AddrDenied => "addr-denied",
            Self::LiteralDenied => "literal-denied",
            Self::PortDenied => "port-denied",
            Self::MethodDenied => "method-denied",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
