//! Errors of a launch: the step, what it was doing, and the kernel's word for it.

use std::io;

/// A step of a launch that did not work.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {source}")]
pub struct StepError {
    doing: String,
    source: io::Error,
}

impl StepError {
    /// A step that failed without the kernel's saying so.
    pub fn new(doing: impl Into<String>, why: &str) -> Self {
        Self { doing: doing.into(), source: io::Error::other(why.to_owned()) }
    }

    /// The kernel's word.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Says what was being done when a call failed.
pub trait Doing<T> {
    /// Turns the error into one that a reader can place.
    fn doing(self, what: &str) -> Result<T, StepError>;
    /// The same, with the thing it was done to.
    fn doing_to(self, what: &str, thing: impl AsRef<std::path::Path>) -> Result<T, StepError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Result<T, StepError> {
        self.map_err(|e| StepError { doing: what.to_owned(), source: e.into() })
    }

    fn doing_to(self, what: &str, thing: impl AsRef<std::path::Path>) -> Result<T, StepError> {
        self.map_err(|e| StepError { doing: format!("{what} {}", thing.as_ref().display()), source: e.into() })
    }
}
