//! One sandbox's authority: it answers for any name that the sandbox connects to, with a leaf that only that sandbox trusts.

use std::{
    net::IpAddr,
    sync::{Arc, LazyLock},
    time::SystemTime,
};

use quick_cache::sync::Cache;
use rcgen::{Issuer, KeyPair, SanType};
use rustls::{ServerConfig, crypto::CryptoProvider, crypto::aws_lc_rs, server::NoServerSessionStorage, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::leaf::{Leaf, Window};

/// Names that one sandbox is answered for without minting again. A flood of names evicts, it does not grow.
const CACHED_LEAVES: usize = 1024;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// A certificate with its key, and the leaves made from them.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    window: Window,
    leaves: Cache<String, Arc<Minted>>,
}

struct Minted {
    config: Arc<ServerConfig>,
    window: Window,
}

/// Why an authority cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Not a certificate.
    #[error("the authority's certificate cannot be read")]
    Certificate,
    /// Not a key that this program can sign with.
    #[error("the authority's key cannot be read")]
    Key,
    /// Key and certificate of two authorities.
    #[error("the authority's key is not its certificate's")]
    Mismatch,
    /// Not allowed to sign.
    #[error("the certificate is not an authority's")]
    NotAnAuthority,
    /// Its certificate has ended, or begins later.
    #[error("the authority's certificate is not valid now; put a snapshot with a new one")]
    Expired,
    /// Not a name that a certificate can carry.
    #[error("no certificate can carry this name")]
    Name,
    /// The library refused.
    #[error("no leaf could be made: {0}")]
    Mint(String),
}

impl Authority {
    /// Takes an authority over, after checking that its parts belong together.
    pub fn from_parts(certificate_pem: &str, key_pkcs8_der: &[u8]) -> Result<Self, AuthorityError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| AuthorityError::Certificate)?;
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key_pkcs8_der)).map_err(|_| AuthorityError::Key)?;
        let window = check(&certificate, &key)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| AuthorityError::Certificate)?;
        Ok(Self { issuer, window, leaves: Cache::new(CACHED_LEAVES) })
    }

    /// How to answer a sandbox that connects to a name, in its canonical form.
    pub fn server_config(&self, name: &impl AsRef<str>) -> Result<Arc<ServerConfig>, AuthorityError> {
        let name = name.as_ref();
        self.cached(name, || Ok(SanType::DnsName(name.try_into().map_err(|_| AuthorityError::Name)?)))
    }

    /// How to answer a sandbox that connects to a literal address.
    pub fn server_config_ip(&self, address: IpAddr) -> Result<Arc<ServerConfig>, AuthorityError> {
        self.cached(&address.to_string(), || Ok(SanType::IpAddress(address)))
    }

    /// Names that would be answered without minting.
    pub fn cached_leaves(&self) -> usize {
        self.leaves.len()
    }

    /// One leaf a name: callers that come together wait for the one who mints.
    fn cached(&self, name: &str, san: impl FnOnce() -> Result<SanType, AuthorityError>) -> Result<Arc<ServerConfig>, AuthorityError> {
        let now = SystemTime::now();
        self.leaves.remove_if(name, |minted| !minted.window.is_fresh(now));
        let minted = self.leaves.get_or_insert_with(name, || self.mint(name, san()?, now).map(Arc::new))?;
        Ok(Arc::clone(&minted.config))
    }

    fn mint(&self, name: &str, san: SanType, now: SystemTime) -> Result<Minted, AuthorityError> {
        let window = Window::of_leaf(now, self.window).ok_or(AuthorityError::Expired)?;
        let Leaf { certificate, key } =
            Leaf::mint(name, san, window, &self.issuer).map_err(|error| AuthorityError::Mint(error.to_string()))?;
        let config = answer(certificate, key).map_err(|error| AuthorityError::Mint(error.to_string()))?;
        Ok(Minted { config: Arc::new(config), window })
    }
}

/// HTTP/1.1 over TLS 1.2 or 1.3, tickets that are good for this name alone, no early data.
fn answer(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    config.max_early_data_size = 0;
    Ok(config)
}

/// The validity of an authority that may sign, with the key that is its own.
fn check(certificate: &CertificateDer<'_>, key: &KeyPair) -> Result<Window, AuthorityError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| AuthorityError::Certificate)?;
    let may_sign = parsed.key_usage().ok().flatten().is_none_or(|usage| usage.value.key_cert_sign());
    if !parsed.is_ca() || !may_sign {
        return Err(AuthorityError::NotAnAuthority);
    }
    if parsed.public_key().subject_public_key.as_ref() != key.public_key_raw() {
        return Err(AuthorityError::Mismatch);
    }
    let validity = parsed.validity();
    Ok(Window::from_seconds(validity.not_before.timestamp(), validity.not_after.timestamp()))
}
