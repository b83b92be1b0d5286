//! What a rule or a binding says about hosts: an exact name, everything below a suffix, or a range of addresses.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use crate::host::{Host, HostError, literal};

/// A parsed host pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This name alone.
    Exact(Host),
    /// Any name below this one, at any depth, and not the name itself.
    Below(Host),
    /// Literal addresses in this range, and the permission to dial it when it is private.
    Network(IpNet),
}

/// Why a text is not a host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The name in it is none.
    #[error(transparent)]
    Host(#[from] HostError),
    /// An asterisk anywhere but as the whole first label.
    #[error("an asterisk stands for whole labels in front: *.example.com")]
    Wildcard,
    /// A range whose host bits are set, so it is unclear which range is meant.
    #[error("the address range has host bits set; write {0}")]
    HostBits(IpNet),
    /// Something with a slash that is no range.
    #[error("not an address range")]
    Network,
}

impl HostPattern {
    /// Reads a pattern as it stands in a rule.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if let Some(address) = literal(text) {
            return Ok(Self::Network(IpNet::from(address)));
        }
        if text.contains('/') {
            return network(text);
        }
        match text.strip_prefix("*.") {
            Some(suffix) => Ok(Self::Below(name(suffix)?)),
            None => Ok(Self::Exact(name(text)?)),
        }
    }

    /// Whether a name is meant.
    pub fn matches_host(&self, host: &Host) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below(suffix) => is_below(host.as_str(), suffix.as_str()),
            Self::Network(_) => false,
        }
    }

    /// Whether a literal address is meant.
    pub fn matches_literal(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if network.contains(&address.to_canonical()))
    }

    /// Who owns the names that it covers.
    pub fn breadth(&self) -> Breadth {
        match self {
            Self::Below(suffix) => breadth(suffix.as_str()),
            _ => Breadth::Owned,
        }
    }
}

/// Who owns the names below a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// One owner, as far as the public suffix list knows.
    Owned,
    /// The customers of one provider: `*.github.io`. A rule may say so; a secret may not go there.
    Tenants,
    /// Anybody who registers a name: `*.com`, `*.co.uk`. Only a deny rule may say so.
    Registry,
}

/// The label boundary makes `evilgithub.com` no match for `*.github.com`.
pub(crate) fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
}

fn breadth(suffix: &str) -> Breadth {
    // A name without a dot is a top-level domain even when the list does not know it yet.
    if !suffix.contains('.') {
        return Breadth::Registry;
    }
    match psl::suffix(suffix.as_bytes()) {
        Some(public) if public == suffix.as_bytes() => match public.typ() {
            Some(psl::Type::Private) => Breadth::Tenants,
            _ => Breadth::Registry,
        },
        _ => Breadth::Owned,
    }
}

fn name(text: &str) -> Result<Host, PatternError> {
    if text.contains('*') {
        return Err(PatternError::Wildcard);
    }
    Ok(Host::parse(text)?)
}

fn network(text: &str) -> Result<HostPattern, PatternError> {
    let network: IpNet = text.parse().map_err(|_| PatternError::Network)?;
    let truncated = network.trunc();
    if truncated != network {
        return Err(PatternError::HostBits(truncated));
    }
    Ok(HostPattern::Network(network))
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => name.fmt(f),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::Network(network) => network.fmt(f),
        }
    }
}
