//! TLS to the upstream: the real name is verified against the system's authorities and the operator's, never against a sandbox's.

use std::{net::SocketAddr, sync::Arc};

use openmiosa_policy::Target;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{dialer::DialerError, error::DialError};

pub(crate) struct Tls {
    connector: TlsConnector,
}

impl Tls {
    pub fn new(extra_ca_pem: &[Vec<u8>]) -> Result<Self, DialerError> {
        let mut roots = system_roots();
        for (at, pem) in extra_ca_pem.iter().enumerate() {
            add_extra(&mut roots, pem).map_err(|message| DialerError::ExtraCa { index: at + 1, message })?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| DialerError::Setup(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
    }

    pub async fn handshake<S>(&self, target: &Target, peer: SocketAddr, stream: S) -> Result<TlsStream<S>, DialError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match target {
            Target::Name(host) => ServerName::try_from(host.as_str().to_owned()).map_err(|error| DialError::tls(peer, error))?,
            Target::Literal(address) => ServerName::from(*address),
        };
        self.connector.connect(name, stream).await.map_err(|error| DialError::tls(peer, error))
    }
}

/// The system's authorities, or the ones built in where the system has none.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's certificate authorities cannot be read");
    }
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "loaded the system's certificate authorities");
    if roots.is_empty() {
        tracing::warn!("the system has no certificate authorities; using the ones built in");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn add_extra(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), String> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        count += 1;
    }
    if count == 0 { Err("it holds no certificate".to_owned()) } else { Ok(()) }
}
