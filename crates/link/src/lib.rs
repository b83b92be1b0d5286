//! Messages between server, egressd and cell, and the Unix-socket HTTP that carries them.
//!
//! The words are those of `contracts/link/README.md`; nothing here decides anything.
#![forbid(unsafe_code)]

pub mod client;
pub mod listeners;
pub mod messages;
pub mod peer;
pub mod reason;
pub mod records;
pub mod server;
pub mod text;

pub use client::{Client, ClientError};
pub use peer::PeerPolicy;
pub use reason::Reason;
pub use text::Text;
