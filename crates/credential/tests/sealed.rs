//! `contracts/vectors/lease.json`: what another implementation sealed opens here, and nothing else does.

use base64::{Engine, prelude::BASE64_STANDARD};
use openmiosa_credential::{KeyPair, OpenError};
use openmiosa_testkit::{seal, sealing_context};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../contracts/vectors/lease.json")).expect("json")
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().expect("text")).expect("base64")
}

fn key(vectors: &Value) -> KeyPair {
    let part = |name: &str| bytes(&vectors[name]).try_into().expect("32 bytes");
    KeyPair::from_parts(part("public_key"), &part("private_key"))
}

#[test]
fn what_the_server_sealed_opens() {
    let vectors = vectors();
    for case in vectors["opened"].as_array().expect("cases") {
        let opened =
            key(&vectors).open(&bytes(&case["enc"]), &bytes(&case["ciphertext"]), case["context"].as_str().expect("context").as_bytes());
        assert!(opened.is_ok_and(|secret| secret.expose() == bytes(&case["value"])), "{}", case["name"]);
        let version = case["version"].as_str().and_then(|version| version.parse().ok()).expect("a version");
        let lease = case["lease"].as_str().expect("lease");
        assert_eq!(sealing_context("01jboot", lease, "ten_01", case["purpose"].as_str().expect("purpose"), version), case["context"]);
    }
}

#[test]
fn what_was_sealed_for_anything_else_does_not_open() {
    let vectors = vectors();
    for case in vectors["refused"].as_array().expect("cases") {
        let opened =
            key(&vectors).open(&bytes(&case["enc"]), &bytes(&case["ciphertext"]), case["context"].as_str().expect("context").as_bytes());
        assert_eq!(opened.err(), Some(OpenError::Sealed), "{}", case["name"]);
    }
}

#[test]
fn a_key_of_one_run_does_not_open_what_was_sealed_to_another() {
    let (one, other) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let (enc, ciphertext) = seal(&one.public(), "context", b"value");
    assert!(one.open(&enc, &ciphertext, b"context").is_ok_and(|secret| secret.expose() == b"value"));
    assert_eq!(other.open(&enc, &ciphertext, b"context").err(), Some(OpenError::Sealed));
}
