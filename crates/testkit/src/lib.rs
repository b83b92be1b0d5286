//! What tests of the data plane share: recording upstreams, test authorities, canaries, snapshots and sealed leases.

mod answer;
mod ca;
mod canary;
mod lease;
mod placeholder;
mod snapshot;
mod upstream;
mod wait;

pub use answer::{Answer, BoxError, Script, once_401};
pub use ca::TestCa;
pub use canary::Canary;
pub use lease::{seal, seal_lease, sealing_context};
pub use placeholder::placeholder;
pub use snapshot::SnapshotBuilder;
pub use upstream::{Recorded, RecordingUpstream};
pub use wait::until;
