//! Moving bytes: from a process's pipes into its rings, and from callers into its input.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::process::{Process, Stream};

const PIECE: usize = 64 << 10;
/// A terminal's last words come a moment after the process has gone, by way of a kernel worker.
const TERMINAL_QUIET: Duration = Duration::from_millis(30);

/// Reads `source` into the ring of `stream` until nobody can write to it any more, or the sandbox has gone.
pub async fn pump(
    source: Arc<AsyncFd<OwnedFd>>,
    process: Arc<Process>,
    stream: Stream,
    surviving: Arc<Semaphore>,
    gone: CancellationToken,
) {
    let mut buffer = vec![0; PIECE];
    let open = tokio::select! {
        () = until_closed(&source, &process, stream, &mut buffer) => false,
        () = process.has_ended() => true,
        () = gone.cancelled() => false,
    };
    // The process has ended: what it wrote is in the pipe already, and is read before the end is told.
    if open && drain(&source, &process, stream, &mut buffer).await {
        process.drained();
        // Its children may still write; they must not be stopped by a full pipe. Only so many are listened to.
        let Ok(_turn) = surviving.try_acquire() else { return };
        tokio::select! {
            () = until_closed(&source, &process, stream, &mut buffer) => {}
            () = gone.cancelled() => {}
        }
        return;
    }
    process.drained();
}

async fn until_closed(source: &AsyncFd<OwnedFd>, process: &Process, stream: Stream, buffer: &mut [u8]) {
    while let Ok(length @ 1..) = source.async_io(Interest::READABLE, |fd| read(fd, buffer)).await {
        process.push(stream, &buffer[..length]);
    }
}

/// Reads what is there; whether there may be more one day.
async fn drain(source: &AsyncFd<OwnedFd>, process: &Process, stream: Stream, buffer: &mut [u8]) -> bool {
    loop {
        match read(source.get_ref(), buffer) {
            Ok(0) => return false,
            Ok(length) => process.push(stream, &buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !process.terminal {
                    return true;
                }
                match timeout(TERMINAL_QUIET, source.async_io(Interest::READABLE, |fd| read(fd, buffer))).await {
                    Ok(Ok(length @ 1..)) => process.push(stream, &buffer[..length]),
                    Ok(_) => return false,
                    Err(_) => return true,
                }
            }
            Err(_) => return false,
        }
    }
}

/// Writes all of `bytes`, as fast as they are read.
pub async fn feed(target: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let length = target.async_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd.as_fd(), bytes)?)).await?;
        bytes = &bytes[length..];
    }
    Ok(())
}

/// Makes a descriptor tokio's.
pub fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&descriptor, true)?;
    openmiosa_sys::watch_descriptor(descriptor)
}

fn read(descriptor: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(descriptor, buffer)?)
}
