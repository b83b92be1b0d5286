//! Row T-12: a bad upstream certificate is `upstream-tls`, and the upstream never sees a request.

mod kit;

use std::time::{Duration, SystemTime};

use kit::{allowing, exchange, failure, key, origin, request, static_dialer, text};
use openmiosa_dial::{Fault, Pool};
use openmiosa_policy::Networks;
use openmiosa_testkit::{Answer, RecordingUpstream, TestCa};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, NameConstraints, SanType};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener};

type Pair = (CertificateDer<'static>, PrivateKeyDer<'static>);

async fn accepted(ca: &TestCa, name: &str, pair: Pair) -> bool {
    let upstream = RecordingUpstream::start_with(pair.0, pair.1, |_| Answer::text(200, "hello")).await;
    let dialer = static_dialer(ca, &[(name, upstream.addr)]);
    match dialer.dial(&origin(name), &Networks::default()).await {
        Ok(mut connection) => text(connection.send(request("/")).await.expect("an answer")).await == "hello",
        Err(error) => {
            assert_eq!(error.reason(), "upstream-tls", "{error}");
            assert!(!error.retry());
            assert!(upstream.requests().is_empty());
            false
        }
    }
}

async fn refused_with(change: impl FnOnce(&mut CertificateParams)) {
    let ca = TestCa::new();
    assert!(!accepted(&ca, "ok.test", ca.issue_with(&["ok.test"], change)).await);
}

#[tokio::test]
async fn a_good_certificate_is_accepted() {
    let ca = TestCa::new();
    assert!(accepted(&ca, "ok.test", ca.issue(&["ok.test"])).await);
}

#[tokio::test]
async fn t_12_expired() {
    refused_with(|params| params.not_after = (SystemTime::now() - Duration::from_secs(60)).into()).await;
}

#[tokio::test]
async fn t_12_not_valid_yet() {
    refused_with(|params| params.not_before = (SystemTime::now() + Duration::from_secs(3600)).into()).await;
}

#[tokio::test]
async fn t_12_another_name() {
    let ca = TestCa::new();
    for name in ["no.test", "ok.test.evil.test", "xok.test", "test"] {
        assert!(!accepted(&ca, "ok.test", ca.issue(&[name])).await, "{name}");
    }
}

#[tokio::test]
async fn t_12_a_common_name_alone() {
    refused_with(|params| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, "ok.test");
    })
    .await;
}

#[tokio::test]
async fn t_12_an_address_instead_of_the_name() {
    refused_with(|params| params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().expect("an address"))]).await;
}

#[tokio::test]
async fn t_12_self_signed() {
    assert!(!accepted(&TestCa::new(), "ok.test", TestCa::self_signed(&["ok.test"])).await);
}

#[tokio::test]
async fn t_12_an_authority_that_is_not_trusted() {
    let (trusted, other) = (TestCa::new(), TestCa::new());
    assert!(!accepted(&trusted, "ok.test", other.issue(&["ok.test"])).await);
}

#[tokio::test]
async fn t_12_for_clients_alone() {
    refused_with(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]).await;
}

#[tokio::test]
async fn t_12_outside_of_its_authoritys_name_constraints() {
    let ca = TestCa::with(|params| {
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: vec![GeneralSubtree::DnsName("no.test".into())], excluded_subtrees: Vec::new() });
    });
    assert!(!accepted(&ca, "ok.test", ca.issue(&["ok.test"])).await);
    assert!(accepted(&ca, "no.test", ca.issue(&["no.test"])).await);
}

#[tokio::test]
async fn t_12_a_wildcard_covers_one_label() {
    let ca = TestCa::new();
    assert!(accepted(&ca, "a.ok.test", ca.issue(&["*.ok.test"])).await);
    assert!(!accepted(&ca, "a.b.ok.test", ca.issue(&["*.ok.test"])).await);
    assert!(!accepted(&ca, "ok.test", ca.issue(&["*.ok.test"])).await);
}

#[tokio::test]
async fn t_12_an_authority_as_its_own_leaf() {
    let ca = TestCa::with(|params| params.subject_alt_names = vec![SanType::DnsName("ok.test".try_into().expect("a name"))]);
    let key = PrivateKeyDer::Pkcs8(ca.key_der().to_vec().into());
    assert!(!accepted(&ca, "ok.test", (ca.der().clone(), key)).await);
}

#[tokio::test]
async fn t_12_tls_1_1_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.expect("a hello");
        // A ServerHello that chooses TLS 1.1, as an old server would.
        let mut chosen = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
        chosen.extend([7; 32]);
        chosen.extend([0, 0xc0, 0x13, 0]);
        stream.write_all(&chosen).await.expect("written");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.ok();
    });
    let dialer = static_dialer(&TestCa::new(), &[("ok.test", address)]);
    assert_eq!(failure(dialer.dial(&origin("ok.test"), &Networks::default()).await).reason(), "upstream-tls");
    served.await.expect("served");
}

#[tokio::test]
async fn no_tls_at_all_is_upstream_tls() {
    let upstream = RecordingUpstream::start_plain(|_| Answer::text(200, "hello")).await;
    let dialer = static_dialer(&TestCa::new(), &[("ok.test", upstream.addr)]);
    assert_eq!(failure(dialer.dial(&origin("ok.test"), &Networks::default()).await).fault(), Fault::Tls);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_literal_address_is_verified_as_an_address() {
    let ca = TestCa::new();
    for (names, good) in [(["127.0.0.1"], true), (["ok.test"], false)] {
        let upstream = RecordingUpstream::start(&ca, &names, |_| Answer::text(200, "hello")).await;
        let pool = Pool::new(static_dialer(&ca, &[]));
        let mut origin = kit::plain("127.0.0.1", upstream.addr.port());
        origin.tls = true;
        let outcome = exchange(&pool, &key("sbx_1", 1, origin), &allowing(&["127.0.0.0/8"])).await;
        assert_eq!(outcome.is_ok(), good);
        assert_eq!(upstream.requests().len(), usize::from(good));
    }
}
