//! Leases sealed as the server seals them.

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::crypto::{
    aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256,
    hpke::{Hpke, HpkePublicKey},
};
use serde_json::{Value, json};

/// What a sealing is bound to.
pub fn sealing_context(boot: &str, lease: &str, tenant: &str, purpose: &str, version: u64) -> String {
    format!("{boot}\n{lease}\n{tenant}\n{purpose}\n{version}")
}

/// Encapsulated key and ciphertext.
///
/// # Panics
/// When the key is none.
pub fn seal(public: &[u8; 32], context: &str, value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let public = HpkePublicKey(public.to_vec());
    let sealed = DH_KEM_X25519_HKDF_SHA256_AES_256.seal(format!("openmiosa lease v1\n{context}").as_bytes(), b"", value, &public);
    let (enc, ciphertext) = sealed.expect("a public key");
    (enc.0, ciphertext)
}

/// The body of `PUT /v1/leases/{lease}`.
pub fn seal_lease(public: &[u8; 32], boot: &str, lease: &str, tenant: &str, purpose: &str, version: u64, value: &[u8]) -> Value {
    let (enc, ciphertext) = seal(public, &sealing_context(boot, lease, tenant, purpose, version), value);
    json!({
        "v": 1, "lease": lease, "tenant": tenant, "purpose": purpose, "version": version, "expires_in_ms": null,
        "sealed": {"enc": BASE64_STANDARD.encode(enc), "ciphertext": BASE64_STANDARD.encode(ciphertext)},
    })
}
