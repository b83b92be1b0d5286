//! TLS with the sandbox, under a leaf that its own authority signs.

use std::{io, sync::Arc};

use openmiosa_authority::Authority;
use openmiosa_policy::Target;
use rustls::server::Acceptor;
use tokio::time::timeout;
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::{identify::Connection, prefixed::Prefixed};

/// Why TLS did not come about.
#[derive(Debug, thiserror::Error)]
pub enum TerminateError {
    /// The client's side of it.
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[from] io::Error),
    /// Our side of it.
    #[error("no certificate could be made: {0}")]
    Leaf(String),
    /// No progress.
    #[error("the TLS handshake took too long")]
    Timeout,
}

/// A connection after its TLS handshake.
pub type Terminated = (Connection, TlsStream<Prefixed>);

/// Reads the client's hello, lets the connection judge it, and completes the handshake whatever the judgement:
/// a refusal is an answer, and the answer travels inside.
pub async fn terminate(
    connection: Connection,
    authority: &Arc<Authority>,
    stream: Prefixed,
) -> Result<Terminated, (Connection, TerminateError)> {
    let limit = connection.gateway.settings.egress.hello_timeout();
    let start = match timeout(limit, LazyConfigAcceptor::new(Acceptor::default(), stream)).await {
        Ok(Ok(start)) => start,
        Ok(Err(error)) => return Err((connection, error.into())),
        Err(_) => return Err((connection, TerminateError::Timeout)),
    };
    let connection = connection.with_tls(start.client_hello().server_name());
    let leaf = match connection.leaf_name() {
        Target::Name(host) => authority.server_config(&host),
        Target::Literal(address) => authority.server_config_ip(address),
    };
    let config = match leaf {
        Ok(config) => config,
        Err(error) => return Err((connection, TerminateError::Leaf(error.to_string()))),
    };
    match timeout(limit, start.into_stream(config)).await {
        Ok(Ok(stream)) => Ok((connection, stream)),
        Ok(Err(error)) => Err((connection, error.into())),
        Err(_) => Err((connection, TerminateError::Timeout)),
    }
}
