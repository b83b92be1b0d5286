//! Step 3: the certificate authority that programs inside are to believe, by files and by variables.
//!
//! Files reach programs that read the system's store, and survive `env -i`; variables reach those that carry a store of
//! their own. Neither reaches all.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::{
    error::{Doing, StepError},
    trust_stores::{certificates, java_store, subject_hash},
};

/// Where distributions keep the host's bundle, in the order of asking.
const BUNDLES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];
/// The host's roots and the sandbox's authority.
pub const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The sandbox's authority alone.
pub const AUTHORITY: &str = "/etc/ssl/certs/openmiosa.pem";
const JAVA_STORE: &str = "etc/ssl/certs/java/cacerts";

/// Variables that name the whole bundle.
const NAME_BUNDLE: [&str; 11] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "npm_config_cafile",
    "AWS_CA_BUNDLE",
    "BUNDLE_SSL_CA_CERT",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "DENO_CERT",
];
/// Variables that name what comes on top of a built-in store.
const NAME_AUTHORITY: [&str; 1] = ["NODE_EXTRA_CA_CERTS"];

/// Writes the stores below this folder.
pub fn install(authority_pem: &str) -> Result<(), StepError> {
    fs::create_dir_all("etc/ssl/certs/java").doing("make etc/ssl/certs")?;
    let host = BUNDLES.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let merged = format!("{}\n{authority_pem}", host.trim_end());
    fs::write(inside(BUNDLE), &merged).doing_to("write", BUNDLE)?;
    // OpenSSL looks here first when no variable says otherwise.
    symlink("certs/ca-certificates.crt", "etc/ssl/cert.pem").doing("link etc/ssl/cert.pem")?;
    fs::create_dir_all("etc/pki/tls/certs").doing("make etc/pki/tls/certs")?;
    symlink(BUNDLE, "etc/pki/tls/certs/ca-bundle.crt").doing("link etc/pki/tls/certs/ca-bundle.crt")?;
    let authority = certificates(authority_pem);
    if !authority.is_empty() {
        fs::write(inside(AUTHORITY), authority_pem).doing_to("write", AUTHORITY)?;
    }
    for certificate in &authority {
        if let Some(hash) = subject_hash(certificate) {
            let _ = symlink("openmiosa.pem", format!("etc/ssl/certs/{hash:08x}.0"));
        }
    }
    fs::write(JAVA_STORE, java_store(&certificates(&merged))).doing_to("write", JAVA_STORE)
}

/// The variables, for the base environment of every process.
pub fn variables(has_authority: bool) -> Vec<(&'static str, &'static str)> {
    let mut variables: Vec<_> = NAME_BUNDLE.iter().map(|name| (*name, BUNDLE)).collect();
    if has_authority {
        variables.extend(NAME_AUTHORITY.iter().map(|name| (*name, AUTHORITY)));
    }
    variables.push(("NODE_USE_SYSTEM_CA", "1"));
    variables
}

fn inside(path: &str) -> &Path {
    Path::new(path.trim_start_matches('/'))
}
