//! A connection to a server inside a sandbox, over an upgraded HTTP connection.

use std::{io, net::Ipv4Addr, os::fd::OwnedFd, time::Duration};

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use openmiosa_link::server::Body;
use socket2::Type;
use tokio::{net::TcpStream, time::timeout};

use super::{
    problem::{Outcome, Problem},
    sandbox::Sandbox,
};

/// Loopback answers at once.
const PATIENCE: Duration = Duration::from_secs(5);
const PROTOCOL: &str = "tcp";

/// Connects to 127.0.0.1:`port` inside and switches protocols.
pub async fn connect(sandbox: &Sandbox, port: u16, request: Request<Incoming>) -> Outcome<Response<Body>> {
    let wanted = request.headers().get(header::UPGRADE).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(PROTOCOL.as_bytes()));
    if !wanted {
        return Err(Problem::invalid("send Connection: Upgrade and Upgrade: tcp"));
    }
    sandbox.must_run()?;
    let refused = |error: io::Error| Problem::not_running(format!("nothing answers on port {port} inside: {error}"));
    let socket = sandbox.init.connect(port).await.map_err(refused)?;
    let mut inside =
        timeout(PATIENCE, established(socket, port)).await.map_err(|_| refused(io::ErrorKind::TimedOut.into()))?.map_err(refused)?;
    let gone = sandbox.gone.clone();
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let mut outside = TokioIo::new(upgraded);
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut outside, &mut inside) => {}
            () = gone.cancelled() => {}
        }
    });
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    Ok(response)
}

/// Init is not to be believed: what it handed over must be a connection to where it was sent.
async fn established(socket: OwnedFd, port: u16) -> io::Result<TcpStream> {
    let socket = socket2::Socket::from(socket);
    if socket.r#type()? != Type::STREAM {
        return Err(io::Error::other("init sent something that is not a TCP socket"));
    }
    socket.set_nonblocking(true)?;
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable().await?;
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    if stream.peer_addr()? != (Ipv4Addr::LOCALHOST, port).into() {
        return Err(io::Error::other("init sent a connection to somewhere else"));
    }
    Ok(stream)
}
