//! The calling side: JSON over kept connections to a Unix socket.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
pub use http::Method;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{net::UnixStream, time::timeout};

/// Answers above this are refused.
const BODY_LIMIT: usize = 8 << 20;

/// Why a call over the link failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The other side said no.
    #[error("answered {status}: {body}")]
    Refused {
        /// The status answered.
        status: StatusCode,
        /// The start of its body.
        body: String,
    },
    /// The answer is not what the contract says.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
}

/// A caller of one socket. Connections are kept and used again; calls do not wait for each other.
pub struct Client {
    path: PathBuf,
    limit: Duration,
    idle: Mutex<Vec<http1::SendRequest<Full<Bytes>>>>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(path: &Path, limit: Duration) -> Self {
        Self { path: path.to_owned(), limit, idle: Mutex::default() }
    }

    /// `POST`s a message and reads the answer.
    pub async fn post<T: DeserializeOwned>(&self, uri: &str, message: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(message).map_err(|e| ClientError::Unreadable(e.to_string()))?;
        self.send(Method::POST, uri, body.into(), &[]).await
    }

    /// Sends a JSON body with extra headers and reads a JSON answer.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        uri: &str,
        body: Bytes,
        headers: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let bytes = timeout(self.limit, self.exchange(method, uri, body, headers)).await.map_err(|_| ClientError::Timeout)??;
        serde_json::from_slice(&bytes).map_err(|e| ClientError::Unreadable(e.to_string()))
    }

    async fn exchange(&self, method: Method, uri: &str, body: Bytes, headers: &[(&str, &str)]) -> Result<Bytes, ClientError> {
        // The sender is taken out for the call, so a call that is given up drops its half-used connection with it.
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sender = match kept {
            Some(sender) if sender.is_ready() => sender,
            _ => self.connect().await?,
        };
        let mut request =
            Request::builder().method(method).uri(uri).header(header::HOST, "link").header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(|e| ClientError::Unreadable(e.to_string()))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes =
            Limited::new(response.into_body(), BODY_LIMIT).collect().await.map_err(|e| ClientError::Unreadable(e.to_string()))?.to_bytes();
        if sender.ready().await.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
        if status.is_success() {
            return Ok(bytes);
        }
        let body = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).into_owned();
        Err(ClientError::Refused { status, body })
    }

    async fn connect(&self) -> Result<http1::SendRequest<Full<Bytes>>, ClientError> {
        let stream = UnixStream::connect(&self.path).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "link connection ended");
            }
        });
        Ok(sender)
    }
}
