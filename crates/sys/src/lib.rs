//! The one crate with unsafe code: kernel calls that rustix does not offer.
//!
//! Every block says why it is sound. Nothing here knows what a sandbox is.

mod exec;
mod landlock;
mod mounts;
mod options;
mod processes;
mod thread_ids;
mod watch;

pub use exec::{arrange_descriptors, exec_descriptor};
pub use landlock::landlock_version;
pub use mounts::{MountFlags, set_mount_flags};
pub use options::set_socket_flag;
pub use processes::{Birth, Cloned, clone_process, exit_now, fork_and_report, unshare_namespaces};
pub use thread_ids::{FileIdentity, assume_file_identity};
pub use watch::watch_descriptor;
