//! The way down of another protocol, searched as one stream of bytes.
//!
//! Messages of a WebSocket server are not masked by the protocol, and what is written over keeps its length, so the frames around it
//! stay valid.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use openmiosa_credential::EchoStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at a time.
const CHUNK: usize = 16 << 10;

/// A stream whose reading side is searched.
pub struct MaskingReader<S> {
    inner: S,
    stream: Option<EchoStream>,
    ready: Bytes,
    ended: bool,
}

impl<S> MaskingReader<S> {
    /// Searches what is read from `inner`; without a stream it passes as it is.
    pub fn new(inner: S, stream: Option<EchoStream>) -> Self {
        Self { inner, stream, ready: Bytes::new(), ended: false }
    }

    /// What it reads from.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MaskingReader<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Pin::new(&mut this.inner).poll_read(context, out) };
        while this.ready.is_empty() && !this.ended {
            let mut chunk = [0; CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            match Pin::new(&mut this.inner).poll_read(context, &mut buffer) {
                Poll::Pending => {
                    this.ready = stream.pause().into();
                    if this.ready.is_empty() {
                        return Poll::Pending;
                    }
                }
                Poll::Ready(read) => {
                    read?;
                    this.ended = buffer.filled().is_empty();
                    this.ready = if this.ended { stream.finish() } else { stream.feed(buffer.filled()) }.into();
                }
            }
        }
        let step = this.ready.len().min(out.remaining());
        out.put_slice(&this.ready[..step]);
        this.ready.advance(step);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MaskingReader<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
