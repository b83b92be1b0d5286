//! The accepting side of a Unix socket that speaks HTTP/1.1 with JSON bodies.
#![allow(clippy::result_large_err)]

use std::{convert::Infallible, fs, future::Future, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::{
    PeerPolicy,
    messages::{ErrorBody, ErrorDetail, VERSION},
};

/// Any body that an answer may have: whole, or streamed.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// An error that is already an answer. It is large, and made once a call.
pub type Refused = Response<Body>;

/// Bodies above this are refused: the largest snapshot is well under a tenth of it.
const BODY_LIMIT: usize = 8 << 20;

/// Binds `path`, replacing what a dead predecessor left there, with the given mode.
pub fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Serves `handler` to every admitted peer until `stop`.
pub async fn serve<F, R>(listener: UnixListener, peers: PeerPolicy, stop: CancellationToken, handler: F)
where
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let handler = Arc::new(handler);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if peers.admits(&stream) => {
                tokio::spawn(serve_one(stream, stop.clone(), Arc::clone(&handler)));
            }
            Ok(_) => tracing::warn!("refused a peer with an unknown user id"),
            Err(error) => {
                // Out of descriptors, most likely: wait for some to come back rather than spin.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_one<F, R>(stream: UnixStream, stop: CancellationToken, handler: Arc<F>)
where
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(|request| {
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => {
            if let Err(error) = result { tracing::debug!(%error, "link connection ended") }
            return;
        }
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Reads a whole JSON body of a version that is understood.
pub async fn read_json<T: DeserializeOwned>(body: Incoming) -> Result<T, Refused> {
    let bytes = read_body(body).await?;
    parse_json(&bytes)
}

/// Reads a whole body, up to the limit.
pub async fn read_body(body: Incoming) -> Result<Bytes, Refused> {
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &format!("the body could not be read: {error}"))),
    }
}

/// Parses a JSON message of a version that is understood.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        #[serde(default)]
        v: u32,
    }
    let invalid = |error: &serde_json::Error| {
        fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &format!("the body is not the message expected: {error}"))
    };
    let version = serde_json::from_slice::<Versioned>(bytes).map_err(|e| invalid(&e))?;
    if version.v > VERSION {
        return Err(fail(
            StatusCode::UNPROCESSABLE_ENTITY,
            "version_unsupported",
            "this program understands version 1 of the link; upgrade it first",
        ));
    }
    serde_json::from_slice(bytes).map_err(|e| invalid(&e))
}

/// A JSON answer.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => reply(status, "application/json", bytes.into()),
        Err(error) => reply(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string().into()),
    }
}

/// An error in the contract's shape.
pub fn fail(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let retry = status.is_server_error();
    json(status, &ErrorBody { error: ErrorDetail { code: code.to_owned(), message: message.to_owned(), retry } })
}

/// An answer with a whole body.
pub fn reply(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
