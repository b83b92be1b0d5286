//! A descriptor of ours in tokio's event loop.

use std::{io, os::fd::OwnedFd};

use tokio::io::unix::AsyncFd;

/// Has tokio watch a non-blocking descriptor that is owned here.
pub fn watch_descriptor(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open and the same descriptor until it is dropped, and AsyncFd takes it out of the event
    // loop before that.
    Ok(unsafe { AsyncFd::register(descriptor) }?)
}
