//! Host patterns, rules and the decision: pure functions over a snapshot. No clock, no sockets, no files.

pub mod address;
mod compiled;
mod decide;
mod glob;
mod host;
mod method;
pub mod path;
mod pattern;
mod ranges;
mod reason;
mod snapshot;
mod target;

pub use address::{Denied, Guard, Networks};
pub use compiled::{Compiled, SnapshotError};
pub use decide::{Decision, Request};
pub use glob::{Glob, GlobError};
pub use host::{Host, HostError};
pub use path::{CanonicalPath, PathError};
pub use pattern::{Breadth, HostPattern, PatternError};
pub use reason::Reason;
pub use snapshot::{AuthorityRef, Binding, BindingState, Effect, Mode, Place, Rule, Scope, Snapshot};
pub use target::{HostPort, Target};
