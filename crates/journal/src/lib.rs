//! The record of every outbound call: append-only segments and their shipping.
//!
//! `Journal::append` returns after `write(2)`: a record that it numbered survives the death of the process.
//! With `Durability::Power`, `Journal::durable` also waits for a group-committed `fdatasync`.
#![forbid(unsafe_code)]

mod identity;
mod journal;
mod segment;
mod ship;
mod sync;

pub use identity::gateway_id;
pub use journal::{Durability, Journal, JournalError, Options};
pub use ship::Shipper;
