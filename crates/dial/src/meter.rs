//! Counts what is written to the socket, so that the first byte of a request is an event that can be waited for.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

/// What one connection has written so far.
#[derive(Default)]
pub(crate) struct Meter {
    written: AtomicU64,
    closed: AtomicBool,
    severed: AtomicBool,
    changed: Notify,
}

/// A stream whose writes are counted. It stands below TLS: what is still in a buffer has not been sent.
pub(crate) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl Meter {
    pub fn wrap<S>(stream: S) -> (Metered<S>, Arc<Self>) {
        let meter = Arc::new(Self::default());
        (Metered { stream, meter: Arc::clone(&meter) }, meter)
    }

    /// Resolves when something was written after this call, or never will be.
    pub fn next_write(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let meter = Arc::clone(self);
        let before = meter.written.load(Ordering::Acquire);
        async move {
            loop {
                let changed = meter.changed.notified();
                if meter.written.load(Ordering::Acquire) != before || meter.closed.load(Ordering::Acquire) {
                    return;
                }
                changed.await;
            }
        }
    }

    fn add(&self, written: usize) {
        if written > 0 {
            self.written.fetch_add(written as u64, Ordering::AcqRel);
            self.changed.notify_waiters();
        }
    }

    /// Nothing more reaches the socket, not even what is in a buffer above it.
    pub fn sever(&self) {
        self.severed.store(true, Ordering::Release);
        self.close();
    }

    fn check(&self) -> io::Result<()> {
        if self.severed.load(Ordering::Acquire) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }
}

impl<S> Drop for Metered<S> {
    fn drop(&mut self) {
        self.meter.close();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.meter.check()?;
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = &done {
            self.meter.add(*written);
        }
        done
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.meter.check()?;
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        if let Poll::Ready(Ok(written)) = &done {
            self.meter.add(*written);
        }
        done
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
