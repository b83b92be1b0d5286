//! The strict reader in front of hyper: what can be read two ways never reaches it.
//!
//! `Framer` is pure and says how many bytes may pass; `Guarded` is the stream that holds back the rest. A head that is
//! refused is replaced by a harmless one, so that the refusal is answered in its turn like any other request.

mod chunked;
mod head;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use openmiosa_link::Reason;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use self::{chunked::Chunked, head::BodyKind};

/// What hyper gets in the place of a head that is refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";
/// Room for a head and a good part of a body.
const BUFFER: usize = 16 << 10;

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `framing` or `too-large`.
    pub reason: Reason,
    /// A sentence for the record.
    pub what: &'static str,
}

impl Violation {
    fn framing(what: &'static str) -> Self {
        Self { reason: Reason::Framing, what }
    }
}

/// Follows the framing of a stream of requests.
#[derive(Default)]
pub struct Framer {
    state: State,
    heads: u64,
}

enum State {
    /// Inside a head, of which this much was searched for its end.
    Head(usize),
    Fixed(u64),
    Chunked(Chunked),
    /// After an `Upgrade` request: another protocol, or nothing more on this connection.
    Raw,
}

impl Default for State {
    fn default() -> Self {
        Self::Head(0)
    }
}

impl Framer {
    /// How many bytes at the start of `bytes` may pass, and why no more will, if so.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Violation>) {
        let mut passed = 0;
        while passed < bytes.len() {
            match self.step(&bytes[passed..]) {
                Ok(0) => break,
                Ok(step) => passed += step,
                Err(violation) => return (passed, Some(violation)),
            }
        }
        (passed, None)
    }

    fn step(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        match &mut self.state {
            State::Head(scanned) => {
                let Some(end) = head::end(rest, scanned)? else { return Ok(0) };
                let kind = head::check(&rest[..end])?;
                self.heads += 1;
                self.state = match kind {
                    BodyKind::None => State::default(),
                    BodyKind::Fixed(length) => State::Fixed(length),
                    BodyKind::Chunked => State::Chunked(Chunked::default()),
                    BodyKind::Upgrade => State::Raw,
                };
                Ok(end)
            }
            State::Fixed(left) => {
                let step = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= step as u64;
                if *left == 0 {
                    self.state = State::default();
                }
                Ok(step)
            }
            State::Chunked(chunked) => {
                let (step, done) = chunked.feed(rest)?;
                if done {
                    self.state = State::default();
                }
                Ok(step)
            }
            State::Raw => Ok(rest.len()),
        }
    }

    /// Whether it has given up reading after the latest head.
    fn is_raw(&self) -> bool {
        matches!(self.state, State::Raw)
    }

    /// Whether it stands inside a head, or before one.
    fn in_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }
}

/// What the reader has refused, for the service that answers.
#[derive(Clone, Default)]
pub struct Findings(Arc<Mutex<Found>>);

#[derive(Default)]
struct Found {
    served: u64,
    /// The number of the refused head, and why.
    refused: Option<(u64, Violation)>,
    /// The number of the head after which nothing is read strictly.
    raw_after: Option<u64>,
}

impl Findings {
    /// Called once for each request in turn: why it is refused, if it is the stand-in of a refused one.
    pub fn next(&self) -> Option<Violation> {
        let mut found = self.0.lock();
        found.served += 1;
        let served = found.served;
        found.refused.as_ref().filter(|(number, _)| *number == served).map(|(_, violation)| violation.clone())
    }

    /// Whether what follows the request being served was not read strictly: it must be another protocol, or nothing.
    pub fn raw_follows(&self) -> bool {
        let found = self.0.lock();
        found.raw_after == Some(found.served)
    }

    /// Why the body of the request being served was refused, if it was.
    pub fn body(&self) -> Option<Violation> {
        let found = self.0.lock();
        found.refused.as_ref().filter(|(number, _)| *number == found.served).map(|(_, violation)| violation.clone())
    }
}

/// A stream whose requests are strictly framed.
pub struct Guarded<S> {
    inner: S,
    framer: Framer,
    buffer: BytesMut,
    /// How many bytes at the front of the buffer may pass.
    clear: usize,
    findings: Findings,
    ended: Ended,
}

#[derive(PartialEq, Eq)]
enum Ended {
    No,
    /// The stand-in is in the buffer; nothing follows it.
    AfterStandIn,
    /// A body broke off.
    Broken,
}

impl<S> Guarded<S> {
    /// Guards a stream.
    pub fn new(inner: S) -> (Self, Findings) {
        let findings = Findings::default();
        (
            Self { inner, framer: Framer::default(), buffer: BytesMut::new(), clear: 0, findings: findings.clone(), ended: Ended::No },
            findings,
        )
    }

    fn refuse(&mut self, passed: usize, violation: Violation) {
        let in_head = self.framer.in_head();
        let number = self.framer.heads + u64::from(in_head);
        self.findings.0.lock().refused = Some((number, violation));
        // Whole requests before the refused one still go their way.
        self.buffer.truncate(passed);
        self.clear = passed;
        if in_head {
            self.buffer.extend_from_slice(STAND_IN);
            self.clear += STAND_IN.len();
            self.ended = Ended::AfterStandIn;
        } else {
            self.ended = Ended::Broken;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.clear > 0 {
                let step = this.clear.min(out.remaining());
                out.put_slice(&this.buffer[..step]);
                this.buffer.advance(step);
                this.clear -= step;
                return Poll::Ready(Ok(()));
            }
            match this.ended {
                Ended::No => {}
                // The answer to the stand-in closes the connection; there is nothing to wake up for.
                Ended::AfterStandIn => return Poll::Pending,
                Ended::Broken => return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the request's framing is refused"))),
            }
            this.buffer.reserve(BUFFER);
            if ready!(poll_read_buf(Pin::new(&mut this.inner), context, &mut this.buffer))? == 0 {
                return Poll::Ready(Ok(()));
            }
            let raw_before = this.framer.is_raw();
            match this.framer.feed(&this.buffer) {
                (passed, None) => this.clear = passed,
                (passed, Some(violation)) => this.refuse(passed, violation),
            }
            if this.framer.is_raw() && !raw_before {
                this.findings.0.lock().raw_after = Some(this.framer.heads);
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
