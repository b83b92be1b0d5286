//! Programs inside believe the sandbox's authority, by files alone and by variables alone.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;

use crate::kit::{Cell, Sandbox, each_mode};

/// Both ends of a handshake in one Python program: it says `ok`, or why not.
const HANDSHAKE: &str = "
import ssl, sys
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain('/workspace/leaf.pem', '/workspace/key.pem')
client = ssl.create_default_context() if sys.argv[1] == 'default' else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
if sys.argv[1] == 'folder': client.load_verify_locations(capath='/etc/ssl/certs')
a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
ends = [client.wrap_bio(a, b, server_hostname='api.example.com'), server.wrap_bio(b, a, server_side=True)]
for _ in range(8):
    for end in ends:
        try: end.do_handshake()
        except ssl.SSLWantReadError: pass
print('ok', ends[0].version() is not None)
";

fn with_authority(cell: &Cell) -> Sandbox<'_> {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::OrganizationName, "Open  MIOSA");
    params.distinguished_name.push(DnType::CommonName, "Test Authority \u{e9}");
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
    let sandbox = cell.sandbox_with("sbx_a", &json!({"v": 1, "authority_pem": authority}));
    sandbox.put_file("leaf.pem", leaf.pem().as_bytes());
    sandbox.put_file("key.pem", leaf_key.serialize_pem().as_bytes());
    sandbox
}

#[test]
fn python_trusts_the_authority_without_any_variable() {
    each_mode(|cell| {
        let done = with_authority(cell).run(&["env", "-i", "/usr/bin/python3", "-c", HANDSHAKE, "default"]);
        assert_eq!(done.out, "ok True\n", "{}", done.err);
    });
}

#[test]
fn openssl_finds_the_authority_by_the_hash_of_its_name() {
    each_mode(|cell| {
        let done = with_authority(cell).run(&["env", "-i", "/usr/bin/python3", "-c", HANDSHAKE, "folder"]);
        assert_eq!(done.out, "ok True\n", "{}", done.err);
    });
}

#[test]
fn another_sandboxs_authority_is_not_trusted() {
    each_mode(|cell| {
        let first = with_authority(cell);
        let other = cell.sandbox("sbx_other");
        for name in ["leaf.pem", "key.pem"] {
            other.put_file(name, &first.get_file(name).body);
        }
        let done = other.run(&["/usr/bin/python3", "-c", HANDSHAKE, "default"]);
        assert!(done.err.contains("CERTIFICATE_VERIFY_FAILED"), "{done:?}");
    });
}

#[test]
fn every_variable_names_a_file_that_has_the_authority() {
    each_mode(|cell| {
        let sandbox = with_authority(cell);
        let done = sandbox.sh(
            "own=$(sed -n 2p /etc/ssl/certs/openmiosa.pem)
             for v in SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE PIP_CERT GIT_SSL_CAINFO CARGO_HTTP_CAINFO NODE_EXTRA_CA_CERTS npm_config_cafile AWS_CA_BUNDLE; do
               grep -qF -- \"$own\" \"$(printenv $v)\" || echo \"$v\"; done; echo $NODE_USE_SYSTEM_CA",
        );
        assert_eq!(done.out, "1\n", "{done:?}");
    });
}

#[test]
fn java_finds_the_authority_in_its_own_store() {
    each_mode(|cell| {
        let sandbox = with_authority(cell);
        let done = sandbox.sh("if command -v keytool >/dev/null; then keytool -list -keystore /etc/ssl/certs/java/cacerts -storepass changeit -v 2>/dev/null | grep -c 'Test Authority'; else head -c 4 /etc/ssl/certs/java/cacerts | od -An -tx1; fi");
        assert!(["2\n", " fe ed fe ed\n"].contains(&done.out.as_str()), "{done:?}");
    });
}
