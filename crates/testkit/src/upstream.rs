//! A real upstream on loopback: it records what it received and answers by script.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    answer::{Answer, BoxError, End, Script},
    ca::TestCa,
};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// All fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Who connected.
    pub peer: SocketAddr,
    /// The name in the TLS handshake.
    pub server_name: Option<String>,
    /// Which connection it came on, counted from zero.
    pub connection: usize,
}

/// A server that records.
pub struct RecordingUpstream {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    script: Script,
    requests: Mutex<Vec<Recorded>>,
    connections: AtomicUsize,
    handshakes_failed: AtomicUsize,
}

impl RecordingUpstream {
    /// Speaks TLS with a good certificate for these names.
    pub async fn start(ca: &TestCa, names: &[&str], script: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> Self {
        let (certificate, key) = ca.issue(names);
        Self::start_with(certificate, key, script).await
    }

    /// Speaks TLS with this certificate.
    ///
    /// # Panics
    /// When certificate and key do not belong together.
    pub async fn start_with(
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
        script: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("certificate and key");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self::listen(Some(TlsAcceptor::from(Arc::new(config))), Arc::new(script)).await
    }

    /// Speaks HTTP without TLS.
    pub async fn start_plain(script: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(None, Arc::new(script)).await
    }

    /// What arrived so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().clone()
    }

    /// TCP connections that were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// TLS handshakes that failed so far.
    pub fn handshakes_failed(&self) -> usize {
        self.shared.handshakes_failed.load(Ordering::Acquire)
    }

    async fn listen(tls: Option<TlsAcceptor>, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let addr = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            script,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            handshakes_failed: AtomicUsize::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tls, Arc::clone(&shared)));
        Self { addr, shared, _tasks: tasks }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Connections live in this set, so that they end with the upstream.
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        let connection = shared.connections.fetch_add(1, Ordering::AcqRel);
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let Ok(socket) = second_descriptor(&stream) else { return };
            let origin = Origin { peer, connection, server_name: None, socket: Arc::new(socket), shared };
            match tls {
                None => serve(stream, origin).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(secured) => {
                        let server_name = secured.get_ref().1.server_name().map(str::to_owned);
                        serve(secured, Origin { server_name, ..origin }).await;
                    }
                    Err(_) => drop(origin.shared.handshakes_failed.fetch_add(1, Ordering::AcqRel)),
                },
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A second descriptor of the socket, through which it can be told to reset.
fn second_descriptor(stream: &TcpStream) -> std::io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::AsFd;
    stream.as_fd().try_clone_to_owned()
}

#[derive(Clone)]
struct Origin {
    peer: SocketAddr,
    connection: usize,
    server_name: Option<String>,
    socket: Arc<std::os::fd::OwnedFd>,
    shared: Arc<Shared>,
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, origin: Origin) {
    let service = service_fn(move |request| answer(request, origin.clone()));
    // An error here is a client that went away or an answer that is meant to break; tests look at what was recorded.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, origin: Origin) -> Result<Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError> {
    let (parts, body) = request.into_parts();
    let recorded = Recorded {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: body.collect().await?.to_bytes(),
        peer: origin.peer,
        server_name: origin.server_name,
        connection: origin.connection,
    };
    origin.shared.requests.lock().push(recorded.clone());
    let answer = (origin.shared.script)(&recorded);
    tokio::time::sleep(answer.before_head).await;
    if answer.end == End::Reset {
        SockRef::from(&*origin.socket).set_linger(Some(Duration::ZERO))?;
        return Err("reset by script".into());
    }
    let mut response = Response::builder().status(answer.status);
    if let Some(headers) = response.headers_mut() {
        headers.extend(answer.headers.clone());
    }
    Ok(response.body(body_of(answer))?)
}

fn body_of(answer: Answer) -> UnsyncBoxBody<Bytes, BoxError> {
    if answer.end == End::Whole && answer.between_parts.is_zero() {
        let whole = answer.parts.concat();
        return http_body_util::Full::new(Bytes::from(whole)).map_err(|never: Infallible| match never {}).boxed_unsync();
    }
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for part in answer.parts {
            if sender.send(Ok(Frame::data(part))).await.is_err() {
                return;
            }
            tokio::time::sleep(answer.between_parts).await;
        }
        match answer.end {
            End::CutShort => drop(sender.send(Err(BoxError::from("cut short by script"))).await),
            End::Hangs => sender.closed().await,
            End::Whole | End::Reset => {}
        }
    });
    StreamBody::new(Received(receiver)).boxed_unsync()
}

struct Received(mpsc::Receiver<Result<Frame<Bytes>, BoxError>>);

impl futures_util::Stream for Received {
    type Item = Result<Frame<Bytes>, BoxError>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}
