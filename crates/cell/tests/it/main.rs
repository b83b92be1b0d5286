//! The real daemon on a real kernel, driven over its sockets, as root (where the tests are root) and as an ordinary user.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on should say where and stop")]

mod confinement;
mod files;
mod handover;
mod kit;
mod lifecycle;
mod limits;
mod network;
mod processes;
mod trust;
mod usage;
mod watch;
