//! Leases travel sealed to a key that this run of egressd made and never writes down.

use rustls::crypto::{
    aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256,
    hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey},
};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Begins the `info` of every sealing, so that a message made for another purpose never opens.
const INFO: &[u8] = b"openmiosa lease v1\n";

/// The key that leases are sealed to.
pub struct KeyPair {
    public: [u8; 32],
    private: HpkePrivateKey,
}

/// A sealed lease that does not open, or a key that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed to another key or boot, for another lease or version, or damaged.
    #[error("the sealed value does not open: it was made for another run, lease or version; put it again after the next hello")]
    Sealed,
    /// The cryptography library could not make a key.
    #[error("no key could be made for leases")]
    Generate,
}

impl KeyPair {
    /// Makes the key of this run.
    pub fn generate() -> Result<Self, OpenError> {
        let (public, private) = DH_KEM_X25519_HKDF_SHA256_AES_256.generate_key_pair().map_err(|_| OpenError::Generate)?;
        let public = public.0.try_into().map_err(|_| OpenError::Generate)?;
        Ok(Self { public, private })
    }

    /// A key that is given, for test vectors.
    pub fn from_parts(public: [u8; 32], private: &[u8; 32]) -> Self {
        Self { public, private: HpkePrivateKey::from(private.to_vec()) }
    }

    /// What the other side seals to.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Opens one value that was sealed for exactly this context: boot, lease, tenant, purpose and version.
    pub fn open(&self, enc: &[u8], ciphertext: &[u8], context: &[u8]) -> Result<Secret, OpenError> {
        let enc = EncapsulatedSecret(enc.to_vec());
        let info = [INFO, context].concat();
        let value = DH_KEM_X25519_HKDF_SHA256_AES_256.open(&enc, &info, b"", ciphertext, &self.private).map_err(|_| OpenError::Sealed)?;
        // The library's buffer may be longer than the value; a copy of the right size lets every byte be wiped.
        let value = Zeroizing::new(value);
        Ok(Secret::new(value.to_vec()))
    }
}
