//! The response on its way down: streamed frame by frame, counted, and cut when policy says so.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use openmiosa_dial::Upstream;
use openmiosa_link::records::{Action, End, Stage};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::{echo, forward::Forwarded, live::Exchange, record::Event, upload::Kept};

/// What goes wrong in a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A body in either direction.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Headers that belong to one connection, and those that would lead clients round us.
const STRIPPED: [HeaderName; 7] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    header::ALT_SVC,
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("keep-alive"),
];

/// Writes the decision and turns the upstream's response into the sandbox's.
pub fn respond(forwarded: Forwarded, method: &Method, mut event: Event, kept: Arc<Kept>) -> Response<Body> {
    let Forwarded { response, exchange, upstream, echo } = forwarded;
    event.reached(Stage::Head);
    let (mut parts, incoming) = response.into_parts();
    strip(&mut parts.headers);
    let codings = match &echo {
        Some(known) => match echo::head(known, method, parts.status, &mut parts.headers) {
            Ok(codings) => codings,
            Err(refusal) => {
                kept.abort();
                return refusal.answer(event);
            }
        },
        None => Vec::new(),
    };
    event.decide(Action::Allow, parts.status.as_u16(), |_| {});
    parts.extensions.clear();
    parts.version = http::Version::HTTP_11;
    let cut = Box::pin(exchange.cut.clone().cancelled_owned());
    let download = Download { incoming, live: Some((event, exchange, upstream)), kept, cut };
    let body = download.boxed_unsync();
    let body = match &echo {
        Some(echo) => echo::body(echo, &codings, body),
        None => body,
    };
    Response::from_parts(parts, body)
}

/// Removes what must not be passed on.
pub fn strip(headers: &mut HeaderMap) {
    for name in &STRIPPED {
        headers.remove(name);
    }
    headers.remove("proxy-connection");
}

struct Download {
    incoming: Incoming,
    live: Option<(Event, Exchange, Upstream)>,
    kept: Arc<Kept>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Download {
    fn finish(&mut self, end: End) {
        if let Some((mut event, _exchange, upstream)) = self.live.take() {
            event.end(end);
            // An upload that outlives its response would be in no registry that policy can cut.
            if end == End::Complete && self.kept.is_whole() {
                upstream.release();
            } else {
                self.kept.abort();
            }
        }
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.live.is_some() && self.cut.as_mut().poll(context).is_ready() {
            self.finish(End::CutByPolicy);
            return Poll::Ready(Some(Err("cut by policy".into())));
        }
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => self.finish(End::Complete),
            Poll::Ready(Some(Err(_))) => self.finish(End::UpstreamError),
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some((event, ..))) = (frame.data_ref(), &mut self.live) {
                    event.bytes_in += data.len() as u64;
                }
            }
        }
        polled.map(|frame| frame.map(|result| result.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // hyper does not ask again once a body of known length is written.
        if self.incoming.is_end_stream() {
            self.finish(End::Complete);
        } else if self.cut.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_ready() {
            self.finish(End::CutByPolicy);
        } else if self.live.is_some() {
            // The sandbox went away: its event says so when it is dropped.
            self.kept.abort();
        }
    }
}
