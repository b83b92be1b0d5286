//! The life of a sandbox on the kernel, one file per step.
//!
//! Read [`launch`] first: it is the list. [`spawner`] is the process that runs it, [`front`] the one that answers.

pub mod cgroups;
pub mod confine;
pub mod control;
pub mod error;
pub mod etc;
pub mod exec;
pub mod front;
pub mod host;
mod host_checks;
pub mod identity;
pub mod init;
pub mod launch;
pub mod limits;
pub mod namespaces;
mod netlink;
mod nft;
mod proc;
pub mod redirect;
pub mod rootfs;
mod seccomp;
pub mod spawner;
pub mod spec;
mod syscalls;
pub mod trust;
mod trust_stores;
