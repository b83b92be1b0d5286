//! The shapes in which OpenSSL and Java want to find certificates.

use rustls_pki_types::{CertificateDer, pem::PemObject};
use sha1::{Digest, Sha1};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What Java mixes into the checksum of a store, after the password.
const JAVA_WHITENER: &[u8] = b"Mighty Aphrodite";
/// The password that everybody's cacerts has: it is a checksum's, not a secret.
const JAVA_PASSWORD: &str = "changeit";
const JAVA_MAGIC: u32 = 0xFEED_FEED;
const JAVA_VERSION: u32 = 2;
const JAVA_TRUSTED: u32 = 2;
const UTF8_STRING: u8 = 12;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// The certificates of a PEM text, without what cannot be read.
pub fn certificates(pem: &str) -> Vec<Vec<u8>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).map(|c| c.to_vec()).collect()
}

/// The name under which OpenSSL looks for a certificate in a folder: a hash of the subject, in lower case with single spaces.
pub fn subject_hash(certificate: &[u8]) -> Option<u32> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut canonical = Vec::new();
    for set in certificate.subject().iter_rdn() {
        let mut names = Vec::new();
        for attribute in set.iter() {
            let mut pair = tlv(6, attribute.attr_type().as_bytes());
            match attribute.as_str() {
                Ok(text) => pair.extend(tlv(UTF8_STRING, fold(text).as_bytes())),
                Err(_) => pair.extend(tlv(u8::try_from(attribute.attr_value().header.tag().0).ok()?, attribute.attr_value().data)),
            }
            names.push(tlv(SEQUENCE, &pair));
        }
        names.sort();
        canonical.extend(tlv(SET, &names.concat()));
    }
    let digest = Sha1::digest(&canonical);
    Some(u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]))
}

fn fold(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match value.len() {
        short @ 0..=127 => bytes.push(u8::try_from(short).unwrap_or_default()),
        long => {
            let length = long.to_be_bytes();
            let significant = &length[length.iter().position(|b| *b != 0).unwrap_or(0)..];
            bytes.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            bytes.extend(significant);
        }
    }
    bytes.extend(value);
    bytes
}

/// A Java key store that trusts all of them.
pub fn java_store(certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut store = Vec::new();
    let count = u32::try_from(certificates.len()).unwrap_or_default();
    for number in [JAVA_MAGIC, JAVA_VERSION, count] {
        store.extend(number.to_be_bytes());
    }
    for (index, certificate) in certificates.iter().enumerate() {
        store.extend(JAVA_TRUSTED.to_be_bytes());
        put_text(&mut store, &format!("certificate-{index}"));
        store.extend(0u64.to_be_bytes());
        put_text(&mut store, "X.509");
        store.extend(u32::try_from(certificate.len()).unwrap_or_default().to_be_bytes());
        store.extend(certificate);
    }
    let mut checksum = Sha1::new();
    checksum.update(JAVA_PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>());
    checksum.update(JAVA_WHITENER);
    checksum.update(&store);
    store.extend(checksum.finalize());
    store
}

fn put_text(store: &mut Vec<u8>, text: &str) {
    store.extend(u16::try_from(text.len()).unwrap_or_default().to_be_bytes());
    store.extend(text.as_bytes());
}
