//! Resolve, refuse denied addresses, connect, verify and pool upstream connections.

mod body;
mod connect;
mod dialer;
mod error;
mod meter;
mod own;
mod pool;
mod resolve;
mod tls;
mod upstream;

pub use body::{Body, BoxError};
pub use dialer::{Dialer, DialerConfig, DialerError, Origin};
pub use error::{DialError, Fault};
pub use pool::{Pool, PoolKey};
pub use upstream::{SendError, Upstream};
