//! The one canonical form of a host name: lower case, A-labels, no trailing dot.

use std::{borrow::Borrow, fmt, net::IpAddr, sync::Arc};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// A host name in its canonical form. Two spellings of one name are equal; a literal address is not a `Host`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Arc<str>);

/// Why a text is not a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The text is a literal address in its ordinary spelling, which is decided on as an address.
    #[error("{0} is an address, not a name")]
    Literal(IpAddr),
    /// The last label is a number, so some resolvers would read an address that others do not see.
    #[error("the name ends in a number; write an address in its ordinary spelling")]
    Numeric,
    /// Characters, labels or lengths that a host name cannot have.
    #[error("not a host name: letters, digits and hyphens in labels of 1 to 63, 253 in all")]
    Syntax,
}

impl Host {
    /// Reads a name as a client or a person wrote it.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(address) = literal(text) {
            return Err(HostError::Literal(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() || name.len() > 1024 {
            return Err(HostError::Syntax);
        }
        if is_canonical(name) {
            return Ok(Self(name.into()));
        }
        // Letters outside ASCII and capital letters go through UTS-46; what it maps to digits is caught below.
        let ascii = Uts46::new()
            .to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
            .map_err(|_| HostError::Syntax)?;
        if ends_in_number(&ascii) {
            return Err(HostError::Numeric);
        }
        Ok(Self(ascii.as_ref().into()))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// An address in the one spelling that every parser reads alike.
pub(crate) fn literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// Whether the name needs no mapping at all, which is what nearly every client sends.
fn is_canonical(name: &str) -> bool {
    name.len() <= 253
        && !name.contains("xn--")
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
        && !ends_in_number(name)
}

/// The URL standard's test: such a name would be read as an IPv4 address by some parsers.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit())
}

impl AsRef<str> for Host {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Host {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
