//! Why a call was refused: one word each, spelled alike in the contract, the record and the refusal itself.

use serde::{Deserialize, Serialize};

/// The reasons of `contracts/link/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // each variant is the contract's own word
pub enum Reason {
    HostDenied,
    HostSyntax,
    AddrDenied,
    LiteralDenied,
    PortDenied,
    AuthorityMismatch,
    SniMissing,
    UnknownProtocol,
    Framing,
    SecretUnbound,
    SecretInert,
    SecretNeedsTls,
    SecretUnavailable,
    PlaceholderForeign,
    PlaceholderUnknown,
    UpstreamTls,
    UpstreamUnreachable,
    UpstreamTimeout,
    AnswerUnreadable,
    AuditUnavailable,
    NoSnapshot,
    MethodDenied,
    TooLarge,
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
            Self::AuthorityMismatch => "authority-mismatch",
            Self::SniMissing => "sni-missing",
            Self::UnknownProtocol => "unknown-protocol",
            Self::Framing => "framing",
            Self::SecretUnbound => "secret-unbound",
            Self::SecretInert => "secret-inert",
            Self::SecretNeedsTls => "secret-needs-tls",
            Self::SecretUnavailable => "secret-unavailable",
            Self::PlaceholderForeign => "placeholder-foreign",
            Self::PlaceholderUnknown => "placeholder-unknown",
            Self::UpstreamTls => "upstream-tls",
            Self::UpstreamUnreachable => "upstream-unreachable",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::AnswerUnreadable => "answer-unreadable",
            Self::AuditUnavailable => "audit-unavailable",
            Self::NoSnapshot => "no-snapshot",
            Self::MethodDenied => "method-denied",
            Self::TooLarge => "too-large",
        }
    }

    /// The reason of that spelling.
    pub fn from_word(word: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
    }

    /// The status that the sandbox gets.
    pub fn status(self) -> u16 {
        match self {
            Self::Framing | Self::UnknownProtocol => 400,
            Self::TooLarge => 431,
            Self::AuthorityMismatch => 421,
            Self::UpstreamTls | Self::UpstreamUnreachable | Self::AnswerUnreadable => 502,
            Self::AuditUnavailable | Self::NoSnapshot => 503,
            Self::UpstreamTimeout => 504,
            _ => 403,
        }
    }

    /// Whether a policy said no, as opposed to something that failed.
    pub fn is_refusal(self) -> bool {
        !matches!(self, Self::UpstreamTls | Self::UpstreamUnreachable | Self::UpstreamTimeout)
    }

    /// What the person behind the agent can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::HostDenied | Self::MethodDenied | Self::PortDenied => {
                "ask for a rule: openmiosa network allow <host> (see: openmiosa network pending)"
            }
            Self::HostSyntax => "use a plain host name",
            Self::AddrDenied => "private and special addresses need a rule that names their CIDR",
            Self::LiteralDenied => "use the host's name, or ask for a rule that names the address's CIDR",
            Self::AuthorityMismatch => "send the Host header of the host that is connected to",
            Self::SniMissing => "send the server name in the TLS handshake, and connect by name",
            Self::UnknownProtocol => "only TLS and HTTP/1.1 leave a sandbox",
            Self::Framing => "send one plain HTTP/1.1 message: one length, no folded lines",
            Self::SecretUnbound => "bind the secret to this host: openmiosa secrets set <name> --host <host>",
            Self::SecretInert => "the secret is bound to no host yet: openmiosa secrets set <name> --host <host>",
            Self::SecretNeedsTls => "use https: a secret never travels in the clear",
            Self::SecretUnavailable => "the secret has expired or must be connected again",
            Self::PlaceholderForeign | Self::PlaceholderUnknown => "use the placeholder in this sandbox's own environment",
            Self::UpstreamTls => "the host's certificate could not be verified",
            Self::AnswerUnreadable => "the host compresses its answer in a way that cannot be searched for secrets",
            Self::UpstreamUnreachable | Self::UpstreamTimeout => "the host did not answer; retry later",
            Self::AuditUnavailable => "the call could not be recorded; retry later, and tell the operator",
            Self::NoSnapshot => "the sandbox is not ready; retry",
            Self::TooLarge => "send a smaller request head",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn a_reason_is_spelled_alike_in_json_and_in_headers() {
        for reason in [Reason::HostDenied, Reason::SniMissing, Reason::SecretNeedsTls, Reason::AuditUnavailable] {
            assert_eq!(serde_json::to_string(&reason).expect("json"), format!("\"{}\"", reason.as_str()));
            assert_eq!(Reason::from_word(reason.as_str()), Some(reason));
        }
    }
}
