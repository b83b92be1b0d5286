//! The request's body on its way up: counted, streamed, and kept aside where a replay may be needed.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::relay::{Body, BoxError};

/// A longer body is not kept: its request is not replayed.
const KEEP_LIMIT: usize = 64 << 10;

/// The other end of a body that is being sent: its copy, and the means to stop it.
#[derive(Default)]
pub struct Kept {
    state: Mutex<KeptState>,
    abort: CancellationToken,
}

#[derive(Default)]
struct KeptState {
    wanted: bool,
    bytes: Vec<u8>,
    overflow: bool,
    complete: bool,
    last_read: Option<Instant>,
}

impl Kept {
    /// Asks for a copy; before the first byte is read.
    pub fn want(&self) {
        self.state.lock().wanted = true;
    }

    /// Breaks the body off; what was sent of it stays a fragment.
    pub fn abort(&self) {
        self.abort.cancel();
    }

    /// When a piece of it was last read.
    pub fn last_read(&self) -> Option<Instant> {
        self.state.lock().last_read
    }

    /// Whether all of the body has been read.
    pub fn is_whole(&self) -> bool {
        self.state.lock().complete
    }

    /// The body again, if all of it was read and kept.
    pub fn replay(&self) -> Option<Body> {
        let state = self.state.lock();
        (state.complete && !state.overflow)
            .then(|| Full::new(Bytes::copy_from_slice(&state.bytes)).map_err(|never| match never {}).boxed_unsync())
    }

    fn take_frame(&self, data: &Bytes) {
        let mut state = self.state.lock();
        state.last_read = Some(Instant::now());
        if !state.wanted || state.overflow || state.bytes.len() + data.len() > KEEP_LIMIT {
            state.overflow = true;
            state.bytes = Vec::new();
            return;
        }
        state.bytes.extend_from_slice(data);
    }
}

/// Makes the upstream body of a request.
pub fn body(incoming: Incoming, counter: Arc<AtomicU64>) -> (Body, Arc<Kept>) {
    let kept = Arc::<Kept>::default();
    if incoming.is_end_stream() {
        kept.state.lock().complete = true;
        return (Empty::new().map_err(|never| match never {}).boxed_unsync(), kept);
    }
    let aborted = Box::pin(kept.abort.clone().cancelled_owned());
    (Upload { incoming, counter, kept: Arc::clone(&kept), aborted }.boxed_unsync(), kept)
}

struct Upload {
    incoming: Incoming,
    counter: Arc<AtomicU64>,
    kept: Arc<Kept>,
    aborted: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.aborted.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err("the request was broken off".into())));
        }
        loop {
            match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
                None => {
                    self.kept.state.lock().complete = true;
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => {
                    // Trailers of a request are dropped: nothing in them is decided on.
                    let Some(data) = frame.data_ref() else { continue };
                    self.counter.fetch_add(data.len() as u64, Ordering::Relaxed);
                    self.kept.take_frame(data);
                    if self.incoming.is_end_stream() {
                        self.kept.state.lock().complete = true;
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
