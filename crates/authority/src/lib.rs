//! Leaf certificates for intercepted names, minted from a sandbox's own authority.

mod authority;
mod leaf;

pub use authority::{Authority, AuthorityError};
