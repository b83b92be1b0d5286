//! Synthetic DNS: every name has an address of this sandbox's own making, and no question ever leaves.

pub mod answer;
pub mod names;
pub mod server;
pub mod window;
