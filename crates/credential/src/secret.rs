//! A value that is wiped when its last holder lets go, and that nothing can print.

use std::sync::Arc;

use openmiosa_policy::Place;
use zeroize::Zeroizing;

/// A secret value. It has no `Debug`, `Display` or `Serialize`, so that it cannot get into a log by accident.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

/// Why a value cannot stand where it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// Nothing to send.
    #[error("the value is empty")]
    Empty,
    /// Line ends and NUL would start another header or another message.
    #[error("the value holds a line end or a control character")]
    Control,
    /// It would move the border between user name and password.
    #[error("the value holds a colon, which a user name cannot")]
    Colon,
    /// It would change which path is meant.
    #[error("the value is a dot segment")]
    DotSegment,
}

impl Secret {
    /// Takes a value over. The vector's own memory is wiped in the end, so it must not have been cut from a larger one.
    pub fn new(value: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(value)))
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether the value can stand in a place without changing the shape of the request around it.
    pub(crate) fn check(&self, place: Place, before_colon: bool) -> Result<(), GrammarError> {
        let value = self.expose();
        if value.is_empty() {
            return Err(GrammarError::Empty);
        }
        if value.iter().any(|byte| matches!(byte, 0..0x20 | 0x7f)) {
            return Err(GrammarError::Control);
        }
        match place {
            Place::Basic if before_colon && value.contains(&b':') => Err(GrammarError::Colon),
            Place::Path if value.iter().all(|byte| *byte == b'.') => Err(GrammarError::DotSegment),
            _ => Ok(()),
        }
    }
}
