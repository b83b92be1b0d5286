//! Why a request with a placeholder does not leave. A placeholder that cannot be swapped is never forwarded.

use openmiosa_policy::Place;

use crate::secret::GrammarError;

/// A request that does not leave, with the secret's name where that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// On the way to a host or port that the secret is not bound to.
    #[error("secret {name} is not bound to this host and port")]
    Unbound {
        /// The secret's name.
        name: String,
    },
    /// In a part of the request that the binding does not ask for.
    #[error("secret {name} is not bound to this part of a request ({})", place.as_str())]
    Place {
        /// The secret's name.
        name: String,
        /// The part that it stood in.
        place: Place,
    },
    /// Bound to no host at all.
    #[error("secret {name} is bound to no host yet")]
    Inert {
        /// The secret's name.
        name: String,
    },
    /// Over a connection without TLS.
    #[error("secret {name} never travels without TLS")]
    NeedsTls {
        /// The secret's name.
        name: String,
    },
    /// Expired, to be connected again, or not lent.
    #[error("secret {name} has no value now: {why}")]
    Unavailable {
        /// The secret's name.
        name: String,
        /// What is missing.
        why: &'static str,
    },
    /// A value that would change the shape of the request.
    #[error("secret {name} cannot stand there: {error}")]
    Value {
        /// The secret's name.
        name: String,
        /// What is wrong with it.
        error: GrammarError,
    },
    /// Another sandbox's.
    #[error("the placeholder belongs to another sandbox")]
    Foreign,
    /// Nobody's.
    #[error("the placeholder belongs to no secret")]
    Unknown,
    /// Recognised in a form, or in a field, in which placeholders are not swapped.
    #[error("a placeholder stands there encoded or in a field in which it is not swapped; send it as it was handed out")]
    Disguised,
    /// More swapped text than a request head may have.
    #[error("the request is too large after swapping")]
    TooLarge,
}

impl Refusal {
    /// The contract's word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unbound { .. } | Self::Place { .. } => "secret-unbound",
            Self::Inert { .. } => "secret-inert",
            Self::NeedsTls { .. } => "secret-needs-tls",
            Self::Unavailable { .. } | Self::Value { .. } => "secret-unavailable",
            Self::Foreign => "placeholder-foreign",
            Self::Unknown | Self::Disguised => "placeholder-unknown",
            Self::TooLarge => "too-large",
        }
    }
}
