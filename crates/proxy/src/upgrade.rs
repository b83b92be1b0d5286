//! Another protocol after `101 Switching Protocols`: bytes both ways, counted, cut when policy says so.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, Empty};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use openmiosa_credential::{Echo, EchoStream};
use openmiosa_link::records::{Action, End, Stage};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use crate::{
    echo::{self, MaskingReader},
    forward::Forwarded,
    live::Exchange,
    record::Event,
    relay::{self, Body},
};

/// Answers 101 and joins both sides once they have switched.
pub fn switch(mut forwarded: Forwarded, client_side: OnUpgrade, mut event: Event) -> Response<Body> {
    event.reached(Stage::Head);
    event.decide(Action::Allow, 101, |_| {});
    let protocol = forwarded.response.headers().get(header::UPGRADE).cloned();
    let upstream_side = hyper::upgrade::on(&mut forwarded.response);
    let (mut parts, _) = forwarded.response.into_parts();
    relay::strip(&mut parts.headers);
    if let Some(echo) = &forwarded.echo {
        echo::fields(echo, &mut parts.headers);
    }
    parts.extensions.clear();
    if let Some(protocol) = protocol {
        parts.headers.insert(header::UPGRADE, protocol);
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    forwarded.upstream.switch();
    let search = forwarded.echo.as_ref().map(Echo::stream);
    tokio::spawn(join(client_side, upstream_side, search, forwarded.exchange, event));
    Response::from_parts(parts, Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync())
}

async fn join(client_side: OnUpgrade, upstream_side: OnUpgrade, search: Option<EchoStream>, exchange: Exchange, mut event: Event) {
    let joined = tokio::select! {
        () = exchange.cut.cancelled() => return event.end(End::CutByPolicy),
        joined = async { tokio::try_join!(client_side, upstream_side) } => joined,
    };
    let (client, upstream) = match joined {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "a protocol change did not happen");
            return event.end(End::UpstreamError);
        }
    };
    event.reached(Stage::Body);
    let mut client = TokioIo::new(client);
    let mut upstream = MaskingReader::new(Counted { inner: TokioIo::new(upstream), read: 0, written: 0 }, search);
    let end = tokio::select! {
        () = exchange.cut.cancelled() => End::CutByPolicy,
        copied = copy_bidirectional(&mut client, &mut upstream) => if copied.is_ok() { End::Complete } else { End::UpstreamError },
    };
    let upstream = upstream.inner();
    event.bytes_in += upstream.read;
    event.bytes_out.fetch_add(upstream.written, std::sync::atomic::Ordering::Relaxed);
    event.end(end);
}

/// A stream that knows how much went through it, however it ends.
struct Counted<S> {
    inner: S,
    read: u64,
    written: u64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, out);
        self.read += (out.filled().len() - before) as u64;
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &polled {
            self.written += *count as u64;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
