//! One HTTP/1.1 connection to an upstream, used for one request at a time.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use crate::{body::Body, dialer::Origin, error::DialError, meter::Meter, pool::Rack};

/// A response that is not read to its end within this time after release is not waited for.
const SETTLE: Duration = Duration::from_secs(5);
/// Response heads beyond this are not an upstream's that means well.
const MAX_HEAD: usize = 64 * 1024;

/// A connection to an upstream, checked and ready.
pub struct Upstream {
    sender: SendRequest<Body>,
    meter: Arc<Meter>,
    peer: SocketAddr,
    reused: bool,
    home: Option<(Weak<Rack>, u64, Origin)>,
    in_use: bool,
}

impl Drop for Upstream {
    /// A connection that is not given back ends here and now: nothing of a request that was cut or given up is sent later.
    fn drop(&mut self) {
        if self.in_use {
            self.meter.sever();
        }
    }
}

/// A request that got no response.
pub struct SendError {
    error: hyper::Error,
    request: Option<Box<Request<Body>>>,
}

impl Upstream {
    /// Speaks HTTP on a stream; the connection lives in a task of its own until either side ends it.
    pub(crate) async fn start<S>(stream: S, meter: Arc<Meter>, peer: SocketAddr) -> Result<Self, DialError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = Builder::new();
        builder.preserve_header_case(true).max_header_size(MAX_HEAD).max_buf_size(2 * MAX_HEAD);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| DialError::tls(peer, error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%peer, %error, "upstream connection ended");
            }
        });
        Ok(Self { sender, meter, peer, reused: false, home: None, in_use: true })
    }

    /// The address that is connected.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether an earlier request used this connection.
    pub fn reused(&self) -> bool {
        self.reused
    }

    /// Resolves at the first byte that reaches the socket after this call, or when none can any more. Call it before [`send`](Self::send).
    pub fn first_byte(&self) -> impl Future<Output = ()> + Send + use<> {
        self.meter.next_write()
    }

    /// Sends one request and waits for the response's head.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, SendError> {
        self.sender
            .try_send_request(request)
            .await
            .map_err(|mut failed| SendError { request: failed.take_message().map(Box::new), error: failed.into_error() })
    }

    /// Gives the connection back, to be used again once the response has been read to its end.
    pub fn release(mut self) {
        if self.sender.is_closed() || self.home.is_none() {
            return;
        }
        if self.sender.is_ready() {
            self.keep();
            return;
        }
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(SETTLE, self.sender.ready()).await {
                self.keep();
            }
        });
    }

    /// Leaves the connection to the protocol that it was upgraded to.
    pub fn switch(mut self) {
        self.in_use = false;
    }

    /// Whether it can take a request.
    pub(crate) fn is_usable(&self) -> bool {
        self.sender.is_ready() && !self.sender.is_closed()
    }

    pub(crate) fn at_home(mut self, rack: &Arc<Rack>, revision: u64, origin: Origin) -> Self {
        self.home = Some((Arc::downgrade(rack), revision, origin));
        self.in_use = true;
        self
    }

    fn keep(mut self) {
        let Some((rack, revision, origin)) = self.home.take() else { return };
        if let Some(rack) = rack.upgrade() {
            self.reused = true;
            self.in_use = false;
            rack.put(revision, origin, self);
        }
    }
}

impl SendError {
    /// Whether nothing of the request was written, so that it may go out on another connection.
    pub fn retryable(&self) -> bool {
        self.request.is_some()
    }

    /// The request, if nothing of it was written.
    pub fn into_request(self) -> Option<Request<Body>> {
        self.request.map(|request| *request)
    }

    /// The library's error.
    pub fn error(&self) -> &hyper::Error {
        &self.error
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the upstream ended the connection before it answered: {}", self.error)
    }
}

impl fmt::Debug for SendError {
    // A request can hold values; only the error is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("error", &self.error).field("retryable", &self.retryable()).finish_non_exhaustive()
    }
}

impl std::error::Error for SendError {}
