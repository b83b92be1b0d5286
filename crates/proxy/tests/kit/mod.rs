//! A whole egressd in a test: its own server on a real socket, sandboxes with real listeners, recording upstreams.
//!
//! Only the namespace is missing. In its place each connection is told its original destination by the client's port,
//! through the same `OriginalDestination` that the product reads from the socket.
#![allow(dead_code)] // each test file uses its own part

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener, UdpSocket as StdUdp},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hickory_proto::{
    op::{Message, Query},
    rr::{Name, RData, RecordType},
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use openmiosa_journal::Shipper;
use openmiosa_link::{Client, ClientError, PeerPolicy, server};
use openmiosa_proxy::{Gateway, Settings, accept::OriginalDestination, cell, control, dns, greet};
use openmiosa_testkit::{RecordingUpstream, SnapshotBuilder, TestCa, seal_lease, until};
use parking_lot::Mutex;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream, UdpSocket},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

pub const SANDBOX: &str = "sbx_a";

/// What the server of this world does when it is asked for a refresh.
pub type OnRefresh = Box<dyn Fn(&Value) -> Value + Send + Sync>;

/// An egressd with everything round it.
pub struct World {
    pub gateway: Arc<Gateway>,
    pub link: Arc<FakeLink>,
    pub dir: tempfile::TempDir,
    control: Client,
    stop: CancellationToken,
}

/// The server's side of the link.
#[derive(Default)]
pub struct FakeLink {
    records: Mutex<Vec<Value>>,
    refreshes: Mutex<Vec<Value>>,
    on_refresh: Mutex<Option<OnRefresh>>,
    away: AtomicBool,
}

impl World {
    /// With these names leading to these addresses, and this authority trusted for upstreams.
    pub async fn start(routes: &[(&str, SocketAddr)], upstream_ca: &TestCa) -> Self {
        Self::start_with(routes, upstream_ca, |_| {}).await
    }

    #[allow(clippy::unused_async)] // it needs to run inside a runtime, and says so
    pub async fn start_with(routes: &[(&str, SocketAddr)], upstream_ca: &TestCa, adjust: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let ca_file = dir.path().join("upstream-ca.pem");
        std::fs::write(&ca_file, upstream_ca.pem()).expect("the upstream authority");
        let mut settings = Settings::default();
        settings.upstream.extra_ca_files = vec![ca_file];
        settings.upstream.static_hosts = routes.iter().map(|(name, address)| ((*name).to_owned(), address.to_string())).collect();
        settings.egress.dns_window_ms = 300;
        adjust(&mut settings);
        let link = serve_link(&dir);
        let gateway = Gateway::build(settings, dir.path(), &dir.path().join("journal")).expect("a gateway");
        let control = serve_control(&gateway, &dir);
        let events = Arc::new(Client::new(&dir.path().join("link.sock"), Duration::from_secs(5)));
        tokio::spawn(Shipper::new(Arc::clone(&gateway.journal), events, &gateway.id).run());
        tokio::spawn(greet::run(Arc::clone(&gateway)));
        tokio::spawn(dns::window::run(Arc::clone(&gateway)));
        Self { stop: gateway.stop.clone(), gateway, link, dir, control }
    }

    /// A sandbox with its authority lent and this snapshot in force.
    pub async fn sandbox(&self, snapshot: SnapshotBuilder) -> TestSandbox {
        let sandbox = self.quiet_sandbox(snapshot.clone().build()["sandbox"].as_str().expect("an id"));
        let id = sandbox.id.clone();
        self.lend_as(&format!("ca_{id}"), "authority_key", 1, sandbox.ca.key_der()).await.expect("the authority's key");
        self.put(snapshot.authority(&sandbox.ca)).await.expect("the snapshot");
        sandbox
    }

    /// A sandbox whose listeners are there, and nothing else.
    pub fn quiet_sandbox(&self, id: &str) -> TestSandbox {
        let listener = StdListener::bind("127.0.0.1:0").expect("a listener");
        let dns = StdUdp::bind("127.0.0.1:0").expect("a DNS socket");
        let (address, dns_address) = (listener.local_addr().expect("an address"), dns.local_addr().expect("an address"));
        let destinations = Destinations::default();
        let destination: Arc<dyn OriginalDestination> = Arc::new(destinations.clone());
        let sandbox = self.gateway.sandbox_or_new(id);
        cell::serve(&self.gateway, &sandbox, vec![listener], vec![dns], &destination).expect("listening");
        TestSandbox { id: id.to_owned(), ca: TestCa::new(), address, dns_address, destinations }
    }

    pub async fn put(&self, snapshot: SnapshotBuilder) -> Result<Value, ClientError> {
        let value = snapshot.build();
        let uri = format!("/v1/snapshots/{}", value["sandbox"].as_str().expect("an id"));
        self.order(Method::PUT, &uri, &value).await
    }

    /// Lends the secret of the binding `name`.
    pub async fn lend(&self, name: &str, version: u64, value: &str) -> Result<Value, ClientError> {
        self.lend_as(&format!("sec_{name}"), "secret", version, value.as_bytes()).await
    }

    pub async fn lend_as(&self, lease: &str, purpose: &str, version: u64, value: &[u8]) -> Result<Value, ClientError> {
        let message = seal_lease(&self.gateway.keys.public(), &self.gateway.boot, lease, "ten_test", purpose, version, value);
        self.order(Method::PUT, &format!("/v1/leases/{lease}"), &message).await
    }

    pub async fn delete(&self, uri: &str) -> Value {
        self.order(Method::DELETE, uri, &json!({})).await.expect("deleted")
    }

    pub async fn order(&self, method: Method, uri: &str, message: &Value) -> Result<Value, ClientError> {
        self.control.send(method, uri, message.to_string().into(), &[("openmiosa-epoch", "1")]).await
    }

    pub async fn status(&self) -> Value {
        self.order(Method::GET, "/v1/status", &json!({})).await.expect("a status")
    }

    /// Records of one kind that the server has stored.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        self.link.records.lock().iter().filter(|record| record["kind"] == kind).cloned().collect()
    }

    /// Waits for that many records of one kind and gives them all.
    pub async fn wait_records(&self, kind: &str, count: usize) -> Vec<Value> {
        until(&format!("there are {count} records of kind {kind}"), || self.records(kind).len() >= count).await;
        self.records(kind)
    }

    /// The one decision there is.
    pub async fn decision(&self) -> Value {
        let decisions = self.wait_records("decision", 1).await;
        assert_eq!(decisions.len(), 1, "exactly one decision: {decisions:#?}");
        decisions[0].clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl FakeLink {
    pub fn go_away(&self, away: bool) {
        self.away.store(away, Ordering::Release);
    }

    pub fn on_refresh(&self, answer: impl Fn(&Value) -> Value + Send + Sync + 'static) {
        *self.on_refresh.lock() = Some(Box::new(answer));
    }

    pub fn refreshes(&self) -> usize {
        self.refreshes.lock().len()
    }

    fn answer(&self, path: &str, body: &Value) -> Response<server::Body> {
        if self.away.load(Ordering::Acquire) {
            return server::fail(StatusCode::SERVICE_UNAVAILABLE, "internal", "away");
        }
        let answer = match path {
            "/v1/hello" => json!({"epoch": 1}),
            "/v1/refresh" => {
                self.refreshes.lock().push(body.clone());
                self.on_refresh.lock().as_ref().map_or(json!({"result": "unavailable"}), |on_refresh| on_refresh(body))
            }
            "/v1/events" => self.store(body),
            _ => return server::fail(StatusCode::NOT_FOUND, "not_found", path),
        };
        server::json(StatusCode::OK, &answer)
    }

    fn store(&self, body: &Value) -> Value {
        let mut records = self.records.lock();
        for record in body["records"].as_array().expect("records") {
            if records.last().is_none_or(|last| last["seq"].as_u64() < record["seq"].as_u64()) {
                records.push(record.clone());
            }
        }
        json!({"acknowledged": records.last().map_or(json!(0), |last| last["seq"].clone())})
    }
}

fn serve_link(dir: &tempfile::TempDir) -> Arc<FakeLink> {
    let link = Arc::<FakeLink>::default();
    let socket = server::bind(&dir.path().join("link.sock"), 0o600).expect("link.sock");
    let answering = Arc::clone(&link);
    tokio::spawn(server::serve(socket, PeerPolicy::new(&[]), CancellationToken::new(), move |request: Request<Incoming>| {
        let link = Arc::clone(&answering);
        async move {
            let path = request.uri().path().to_owned();
            let Ok(body) = server::read_body(request.into_body()).await else { panic!("no body") };
            // A refresh may put a new lease first, which must not block the runtime's only worker.
            tokio::task::block_in_place(|| link.answer(&path, &serde_json::from_slice(&body).expect("JSON")))
        }
    }));
    link
}

fn serve_control(gateway: &Arc<Gateway>, dir: &tempfile::TempDir) -> Client {
    let path = dir.path().join("egressd.sock");
    let socket = server::bind(&path, 0o600).expect("egressd.sock");
    let handler = Arc::clone(gateway);
    tokio::spawn(server::serve(socket, PeerPolicy::new(&[]), gateway.stop.child_token(), move |request| {
        control::handle(Arc::clone(&handler), request)
    }));
    Client::new(&path, Duration::from_secs(10))
}

/// Original destinations by the client's own port.
#[derive(Clone, Default)]
pub struct Destinations(Arc<Mutex<HashMap<u16, SocketAddr>>>);

impl OriginalDestination for Destinations {
    fn of(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        let port = stream.peer_addr()?.port();
        self.0.lock().get(&port).copied().ok_or_else(|| io::Error::other("no destination"))
    }

    fn is_own(&self, address: IpAddr) -> bool {
        address.is_loopback()
    }
}

/// The inside of a sandbox.
pub struct TestSandbox {
    pub id: String,
    pub ca: TestCa,
    pub address: SocketAddr,
    pub dns_address: SocketAddr,
    pub destinations: Destinations,
}

/// A response, whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub phrase: Option<String>,
    pub headers: HeaderMap,
    pub body: String,
}

impl TestSandbox {
    /// Asks for one record type of a name.
    pub async fn ask(&self, name: &str, kind: RecordType) -> Message {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_str(name).expect("a name"), kind));
        socket.send_to(&query.to_vec().expect("a query"), self.dns_address).await.expect("asked");
        let mut buffer = [0; 1500];
        let (length, from) = socket.recv_from(&mut buffer).await.expect("an answer");
        assert_eq!(from, self.dns_address, "answers come from the address that was asked");
        Message::from_vec(&buffer[..length]).expect("a DNS message")
    }

    pub async fn resolve(&self, name: &str) -> Ipv4Addr {
        match &self.ask(name, RecordType::A).await.answers[0].data {
            RData::A(address) => address.0,
            other => panic!("no A record: {other:?}"),
        }
    }

    /// Connects to any address and port, as a program inside would.
    pub async fn dial(&self, destination: SocketAddr) -> TcpStream {
        self.try_dial(destination).await.expect("connected")
    }

    pub async fn try_dial(&self, destination: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
        let port = socket.local_addr().expect("an address").port();
        self.destinations.0.lock().insert(port, destination);
        socket.connect(self.address).await
    }

    pub async fn connect(&self, name: &str, port: u16) -> TcpStream {
        let address = self.resolve(name).await;
        self.dial((address, port).into()).await
    }

    /// TLS that trusts nothing but this sandbox's authority.
    pub async fn tls_over(&self, stream: TcpStream, server_name: &str) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(server_name.to_owned()).expect("a server name");
        TlsConnector::from(Arc::new(self.client_config(true))).connect(name, stream).await
    }

    pub fn client_config(&self, sni: bool) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).expect("the sandbox's authority");
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.enable_sni = sni;
        config
    }

    pub async fn tls(&self, name: &str) -> TlsStream<TcpStream> {
        let stream = self.connect(name, 443).await;
        self.tls_over(stream, name).await.expect("TLS with the sandbox's authority")
    }

    /// An HTTP client on a TLS connection of its own.
    pub async fn client(&self, name: &str) -> HttpClient {
        HttpClient::over(self.tls(name).await, name).await
    }

    pub async fn get(&self, name: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.client(name).await.get(path, headers).await
    }

    /// Sends raw bytes over TLS and reads until the end.
    pub async fn raw(&self, name: &str, bytes: &[u8]) -> String {
        talk(self.tls(name).await, bytes).await
    }
}

/// Sends raw bytes and reads what comes until the other side closes.
pub async fn talk<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut stream: S, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    // A reset after the answer is as good an end as any.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("the connection ends");
    String::from_utf8_lossy(&answer).into_owned()
}

/// One kept-alive connection of a program inside.
pub struct HttpClient {
    pub sender: http1::SendRequest<Full<Bytes>>,
    host: String,
}

impl HttpClient {
    pub async fn over<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static>(stream: S, host: &str) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection.with_upgrades());
        Self { sender, host: host.to_owned() }
    }

    pub async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(Method::GET, path, headers, "").await
    }

    pub async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let response = self.start(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let phrase =
            parts.extensions.get::<hyper::ext::ReasonPhrase>().map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
        let body = body.collect().await.expect("a whole body").to_bytes();
        Reply { status: parts.status.as_u16(), phrase, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    pub async fn start(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", &self.host);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await.expect("a usable connection");
        self.sender.send_request(request.body(Full::new(Bytes::from(body.to_owned()))).expect("a request")).await.expect("a response")
    }
}

/// What the upstream received in one header, request by request.
pub fn received(upstream: &RecordingUpstream, header: &str) -> Vec<String> {
    let text = |headers: &HeaderMap| headers.get(header).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    upstream.requests().iter().map(|request| text(&request.headers).unwrap_or_default()).collect()
}

/// A TLS upstream that answers 101 and then echoes.
pub async fn echo_after_101(ca: &TestCa, name: &str) -> SocketAddr {
    let (address, accepted) = head_reader(ca, name).await;
    tokio::spawn(async move {
        let mut stream = accepted.await.expect("a request");
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await.expect("sent");
        let (mut read, mut write) = tokio::io::split(stream);
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    address
}

/// A TLS upstream that takes one connection, reads one request's head and hands the rest over.
pub async fn head_reader(ca: &TestCa, name: &str) -> (SocketAddr, tokio::task::JoinHandle<tokio_rustls::server::TlsStream<TcpStream>>) {
    let (certificate, key) = ca.issue(&[name]);
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("certificate and key");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let accepted = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.expect("TLS");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        stream
    });
    (address, accepted)
}
