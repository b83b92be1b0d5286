//! A body that is searched frame by frame, and keeps its length.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use openmiosa_credential::EchoStream;

use crate::relay::{Body, BoxError};

/// The body of an answer with the values in it written over.
pub struct Masking {
    inner: Body,
    stream: EchoStream,
    /// Trailers that wait until what was held back is out.
    after: Option<Frame<Bytes>>,
    ended: bool,
}

impl Masking {
    /// Searches `inner`.
    pub fn new(inner: Body, stream: EchoStream) -> Self {
        Self { inner, stream, after: None, ended: false }
    }

    fn end(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.ended = true;
        let rest = self.stream.finish();
        if rest.is_empty() { Poll::Ready(self.after.take().map(Ok)) } else { data(rest) }
    }
}

impl HttpBody for Masking {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(self.after.take().map(Ok));
        }
        loop {
            let frame = match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Pending => {
                    let let_go = self.stream.pause();
                    return if let_go.is_empty() { Poll::Pending } else { data(let_go) };
                }
                Poll::Ready(None) => return self.end(),
                // What was held back is dropped with the rest: half a value is never passed on unread.
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            match frame.into_data() {
                Ok(chunk) => {
                    let passed = self.stream.feed(&chunk);
                    if !passed.is_empty() {
                        return data(passed);
                    }
                }
                Err(frame) => {
                    self.after = frame.into_trailers().ok().map(|mut trailers| {
                        super::fields(self.stream.echo(), &mut trailers);
                        Frame::trailers(trailers)
                    });
                    return self.end();
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.after.is_none() && (self.ended || self.inner.is_end_stream() && self.stream.held() == 0)
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, held) = (self.inner.size_hint(), self.stream.held() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + held);
        }
        hint.set_lower(inner.lower() + held);
        hint
    }
}

fn data(bytes: Vec<u8>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
}
