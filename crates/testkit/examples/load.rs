//! A small load generator and the upstream that it talks to, for `make bench`.
//!
//! ```text
//! load serve ADDRESS CHAIN.pem KEY.pem                    answers every request with 1 KiB of JSON
//! load requests HOST PORT CA.pem COUNT CONNECTIONS        keep-alive requests; prints latencies and this process's CPU
//! load handshakes CA.pem PORT HOST...                     one TLS handshake for each name; prints how long each took
//! ```
//!
//! `OPENMIOSA_BENCH_HEADER` is sent as `Authorization`. Names are resolved before the clock starts.
#![expect(clippy::print_stdout, reason = "its figures are what the program is for")]

use std::{
    env,
    error::Error,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{client::conn::http1 as client, server::conn::http1 as server, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", address, chain, key] => serve(address.parse()?, Path::new(chain), Path::new(key)).await,
        ["requests", host, port, ca, count, connections] => {
            requests(host, port.parse()?, Path::new(ca), count.parse()?, connections.parse()?).await
        }
        ["handshakes", ca, port, hosts @ ..] => handshakes(Path::new(ca), port.parse()?, hosts).await,
        _ => Err("usage: load serve|requests|handshakes …".into()),
    }
}

async fn serve(address: SocketAddr, chain: &Path, key: &Path) -> Result<(), Failure> {
    let certificates = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, PrivateKeyDer::from_pem_file(key)?)?;
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind(address).await?);
    println!("ready");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let answer = service_fn(|_: Request<hyper::body::Incoming>| async { Ok::<_, std::convert::Infallible>(document()) });
            // A client that leaves is no event here.
            let _ = server::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

fn document() -> Response<Full<Bytes>> {
    let text = format!("{{\"data\": \"{}\"}}", "x".repeat(1024 - 12));
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

async fn requests(host: &str, port: u16, ca: &Path, count: usize, connections: usize) -> Result<(), Failure> {
    let (config, address) = (trusting(ca)?, resolve(host, port).await?);
    let authorization = env::var("OPENMIOSA_BENCH_HEADER").unwrap_or_else(|_| "none".into());
    let mut workers = Vec::new();
    let began = Instant::now();
    for _ in 0..connections {
        let (config, host, authorization) = (Arc::clone(&config), host.to_owned(), authorization.clone());
        workers.push(tokio::spawn(async move { keep_asking(config, address, &host, &authorization, count / connections).await }));
    }
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??);
    }
    report(&latencies, began.elapsed());
    Ok(())
}

async fn keep_asking(
    config: Arc<ClientConfig>,
    address: SocketAddr,
    host: &str,
    authorization: &str,
    count: usize,
) -> Result<Vec<Duration>, Failure> {
    let (mut sender, connection) = client::handshake(TokioIo::new(open(&config, address, host).await?)).await?;
    tokio::spawn(connection);
    let mut latencies = Vec::with_capacity(count);
    for number in 0..=count {
        let request = Request::get("/v1/models").header("host", host).header("authorization", authorization).body(Empty::<Bytes>::new())?;
        let began = Instant::now();
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status != 200 {
            return Err(format!("status {status}").into());
        }
        // The first one pays for connections that all later ones share.
        if number > 0 {
            latencies.push(began.elapsed());
        }
    }
    Ok(latencies)
}

async fn handshakes(ca: &Path, port: u16, hosts: &[&str]) -> Result<(), Failure> {
    let config = trusting(ca)?;
    let mut latencies = Vec::new();
    let began = Instant::now();
    for host in hosts {
        let address = resolve(host, port).await?;
        let started = Instant::now();
        drop(open(&config, address, host).await?);
        latencies.push(started.elapsed());
    }
    report(&latencies, began.elapsed());
    Ok(())
}

async fn open(config: &Arc<ClientConfig>, address: SocketAddr, host: &str) -> Result<TlsStream<TcpStream>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(TlsConnector::from(Arc::clone(config)).connect(ServerName::try_from(host.to_owned())?, stream).await?)
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    lookup_host((host, port)).await?.next().ok_or_else(|| format!("{host} has no address").into())
}

fn trusting(ca: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    // A resumed handshake is cheaper than a first one, and it is the first one that is asked for here.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

fn report(latencies: &[Duration], whole: Duration) {
    let micros: Vec<u128> = latencies.iter().map(Duration::as_micros).collect();
    println!("{}", serde_json::json!({"latencies_us": micros, "seconds": whole.as_secs_f64()}));
}
