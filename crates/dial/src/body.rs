//! The body type of requests that go up.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// Whatever went wrong while a body was read.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
