//! Secret values in memory: the lease table, sealed leases, placeholders and injectors.

mod echo;
pub mod inject;
mod injectors;
mod lease;
mod mask;
pub mod placeholder;
mod refusal;
mod resolve;
pub mod scan;
mod sealed;
mod secret;

pub use echo::{Echo, EchoStream};
pub use inject::{Swapped, Use};
pub use lease::{LeaseTable, StaleVersion};
pub use mask::Masker;
pub use refusal::Refusal;
pub use resolve::{Resolved, Resolver};
pub use scan::Found;
pub use sealed::{KeyPair, OpenError};
pub use secret::{GrammarError, Secret};
