//! What does not leave: each refusal is an answer with a reason, is recorded once, and reaches no upstream.

mod kit;

use std::sync::Arc;

use kit::{HttpClient, SANDBOX, World, talk};
use openmiosa_testkit::{Answer, Canary, RecordingUpstream, SnapshotBuilder, TestCa, placeholder};
use rustls_pki_types::ServerName;
use serde_json::json;

const OK: &str = "ok.test";
const OK2: &str = "ok2.test";
const NO: &str = "no.test";

async fn world() -> (World, RecordingUpstream) {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK, OK2, NO], |_| Answer::text(200, "reached")).await;
    let routes =
        [("ok.test:443", upstream.addr), ("ok2.test:443", upstream.addr), ("no.test:443", upstream.addr), ("ok.test:80", upstream.addr)];
    (World::start(&routes, &ca).await, upstream)
}

fn snapshot() -> SnapshotBuilder {
    SnapshotBuilder::new(SANDBOX).bind("key", &placeholder(1), &[OK])
}

fn bearer(number: u128) -> String {
    format!("Bearer {}", placeholder(number))
}

/// One decision, refused for this reason, and nothing reached the upstream.
async fn assert_refused(world: &World, upstream: &RecordingUpstream, reason: &str, status: u16) {
    let decision = world.decision().await;
    assert_eq!(
        (&decision["action"], &decision["reason"], &decision["status"]),
        (&json!("reject"), &json!(reason), &json!(status)),
        "{decision:#}"
    );
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(world.wait_records("outcome", 1).await[0]["end"], "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_an_answer_inside_tls() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).enforce().allow(OK)).await;
    let reply = sandbox.get(NO, "/path?query=secret", &[("x-private", "echo-me-not")]).await;
    assert_eq!((reply.status, reply.phrase.as_deref()), (403, Some("MIOSA-Egress-Deny")));
    assert_eq!(reply.headers["miosa-egress-deny"], "host-denied");
    assert!(
        reply.body.starts_with("blocked: 403 MIOSA-Egress-Deny\nhost: no.test\nreason: host-denied\nrule: none\ndo: "),
        "{}",
        reply.body
    );
    assert!(reply.body.len() < 512 && !reply.body.contains("path") && !reply.body.contains("echo-me-not"));
    assert_refused(&world, &upstream, "host-denied", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_rule_holds_in_audit_only_and_is_named() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).deny(NO)).await;
    let reply = sandbox.get(NO, "/", &[]).await;
    assert!(reply.body.contains("\nrule: rul_0\n"), "{}", reply.body);
    assert_eq!(world.decision().await["rule"], "rul_0");
    assert_refused(&world, &upstream, "host-denied", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s01_a_placeholder_on_the_way_to_a_host_it_is_not_bound_to_is_refused() {
    let (world, upstream) = world().await;
    let (canary, sandbox) = (Canary::new(), world.sandbox(snapshot()).await);
    world.lend("key", 1, canary.value()).await.expect("lent");
    let reply = sandbox.get(OK2, "/", &[("authorization", &bearer(1))]).await;
    assert_eq!(reply.headers["miosa-egress-deny"], "secret-unbound");
    assert!(canary.find_in(reply.body.as_bytes()).is_empty() && !reply.body.contains("miosa-tok"));
    assert_refused(&world, &upstream, "secret-unbound", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s03_another_sandboxs_placeholder_is_foreign() {
    let (world, upstream) = world().await;
    let (_own, thief) = (world.sandbox(snapshot()).await, world.sandbox(SnapshotBuilder::new("sbx_b")).await);
    world.lend("key", 1, "sk-real").await.expect("lent");
    assert_eq!(thief.get(OK, "/", &[("authorization", &bearer(1))]).await.status, 403);
    assert_eq!(world.decision().await["sandbox"], "sbx_b");
    assert_refused(&world, &upstream, "placeholder-foreign", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_placeholder_is_refused() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    assert_eq!(sandbox.get(OK, "/", &[("authorization", &bearer(9))]).await.status, 403);
    assert_refused(&world, &upstream, "placeholder-unknown", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_a_placeholder_never_survives_a_failure() {
    for (more, reason) in [
        (json!({"state": "inert", "hosts": []}), "secret-inert"),
        (json!({"state": "needs_reauth"}), "secret-unavailable"),
        (json!({}), "secret-unavailable"),
    ] {
        let (world, upstream) = world().await;
        let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).bind_with("key", &placeholder(1), &[OK], more)).await;
        assert_eq!(sandbox.get(OK, "/", &[("authorization", &bearer(1))]).await.status, 403);
        assert_refused(&world, &upstream, reason, 403).await;
        let decision = world.decision().await;
        assert_eq!((&decision["held_back"]["name"], &decision["secrets"]), (&json!("key"), &json!([])), "{decision:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_never_travels_in_the_clear() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).bind_with("key", &placeholder(1), &[OK], json!({"ports": [80, 443]}))).await;
    world.lend("key", 1, "sk-real").await.expect("lent");
    let mut client = HttpClient::over(sandbox.connect(OK, 80).await, OK).await;
    assert_eq!(client.get("/", &[("authorization", &bearer(1))]).await.status, 403);
    assert_refused(&world, &upstream, "secret-needs-tls", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t01_the_host_header_must_say_what_the_handshake_said() {
    for host in [OK2, "OK2.test", "ok.test:444"] {
        let (world, upstream) = world().await;
        let sandbox = world.sandbox(snapshot()).await;
        let reply = sandbox.get(OK, "/", &[("host", host)]).await;
        assert_eq!((reply.status, reply.headers["miosa-egress-deny"].to_str().expect("text")), (421, "authority-mismatch"));
        assert_refused(&world, &upstream, "authority-mismatch", 421).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t01_the_handshake_must_say_what_the_address_stands_for() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let stream = sandbox.connect(OK, 443).await;
    let tls = sandbox.tls_over(stream, OK2).await.expect("a refused name is terminated too");
    assert_eq!(HttpClient::over(tls, OK2).await.get("/", &[]).await.status, 421);
    assert_refused(&world, &upstream, "authority-mismatch", 421).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t03_tls_without_a_server_name_is_refused_inside() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    world.lend("key", 1, "sk-real").await.expect("lent");
    let stream = sandbox.connect(OK, 443).await;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(sandbox.client_config(false)));
    let tls =
        connector.connect(ServerName::try_from(OK).expect("a name"), stream).await.expect("terminated with the name behind the address");
    let reply = HttpClient::over(tls, OK).await.get("/", &[("authorization", &bearer(1))]).await;
    assert_eq!(reply.headers["miosa-egress-deny"], "sni-missing");
    assert_refused(&world, &upstream, "sni-missing", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n17_what_is_neither_tls_nor_http_is_reset_and_recorded() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let stream = sandbox.connect(OK, 443).await;
    assert_eq!(talk(stream, b"SSH-2.0-OpenSSH_9.9\r\n").await, "");
    assert_refused(&world, &upstream, "unknown-protocol", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_never_handed_out_is_refused() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let stream = sandbox.dial("198.18.77.77:80".parse().expect("an address")).await;
    let reply = HttpClient::over(stream, OK).await.get("/", &[]).await;
    assert_eq!(reply.status, 403);
    assert_refused(&world, &upstream, "literal-denied", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n01_a_literal_address_needs_a_rule_that_names_its_range() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let stream = sandbox.dial("1.1.1.1:80".parse().expect("an address")).await;
    assert_eq!(HttpClient::over(stream, "1.1.1.1").await.get("/", &[]).await.status, 403);
    assert_refused(&world, &upstream, "literal-denied", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n06_a_rule_for_one_range_opens_no_other() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).rule("allow", "10.1.2.0/24", json!({}))).await;
    let stream = sandbox.dial("10.9.9.9:80".parse().expect("an address")).await;
    assert_eq!(HttpClient::over(stream, "10.9.9.9").await.get("/", &[]).await.status, 403);
    assert_refused(&world, &upstream, "literal-denied", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n05_metadata_stays_denied_even_by_rule() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).rule("allow", "169.254.0.0/16", json!({}))).await;
    let stream = sandbox.dial("169.254.169.254:80".parse().expect("an address")).await;
    assert_eq!(HttpClient::over(stream, "169.254.169.254").await.get("/latest/meta-data/", &[]).await.status, 403);
    assert_refused(&world, &upstream, "addr-denied", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_the_listener_itself_is_refused() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    // The reset may come before the client has noticed that it is connected.
    if let Ok(stream) = sandbox.try_dial("127.0.0.1:15001".parse().expect("an address")).await {
        assert_eq!(talk(stream, b"").await, "");
    }
    assert_eq!((upstream.requests().len(), world.records("decision").len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_an_upstream_with_a_bad_certificate_is_a_502() {
    let ca = TestCa::new();
    let (certificate, key) = TestCa::self_signed(&[OK]);
    let upstream = RecordingUpstream::start_with(certificate, key, |_| Answer::text(200, "impostor")).await;
    let world = World::start(&[("ok.test:443", upstream.addr)], &ca).await;
    let sandbox = world.sandbox(snapshot()).await;
    world.lend("key", 1, "sk-real").await.expect("lent");
    let reply = sandbox.get(OK, "/", &[("authorization", &bearer(1))]).await;
    assert_eq!((reply.status, reply.headers["miosa-egress-deny"].to_str().expect("text")), (502, "upstream-tls"));
    assert!(reply.body.starts_with("failed: 502 MIOSA-Egress-Deny\n"));
    let decision = world.decision().await;
    assert_eq!((&decision["action"], &decision["reason"]), (&json!("error"), &json!("upstream-tls")));
    assert!(upstream.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn h01_a_request_that_can_be_read_two_ways_is_refused_and_the_connection_closed() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let smuggled = "POST / HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG";
    let answer = sandbox.raw(OK, smuggled.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("miosa-egress-deny: framing"), "{answer}");
    assert_refused(&world, &upstream, "framing", 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h09_an_upstream_never_gets_the_whole_of_a_badly_chunked_body() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let bad = "POST / HTTP/1.1\r\nHost: ok.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0x0\r\n\r\n";
    sandbox.raw(OK, bad.as_bytes()).await;
    let decision = world.decision().await;
    assert_eq!((&decision["action"], &decision["reason"]), (&json!("reject"), &json!("framing")), "{decision:#}");
    assert!(upstream.requests().is_empty(), "the recorder notes whole requests alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn h16_connection_cannot_take_a_header_away() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let reply = sandbox.get(OK, "/", &[("connection", "close, authorization"), ("authorization", "Bearer x")]).await;
    assert_eq!(reply.status, 400);
    assert_refused(&world, &upstream, "framing", 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h18_a_giant_head_is_too_large() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let answer = sandbox.raw(OK, format!("GET / HTTP/1.1\r\nHost: ok.test\r\nX: {}\r\n\r\n", "a".repeat(80_000)).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_refused(&world, &upstream, "too-large", 431).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s06_a_placeholder_in_a_host_name_is_refused_and_never_repeated() {
    let (world, upstream) = world().await;
    let sandbox = world.sandbox(snapshot()).await;
    let reply = sandbox.get(&format!("{}.no.test", placeholder(1)), "/", &[]).await;
    assert!(reply.status == 403 && !reply.body.contains("miosa-tok-"), "{}", reply.body);
    assert_eq!(world.decision().await["host"], "[placeholder:key].no.test");
    assert_refused(&world, &upstream, "secret-unbound", 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_method_and_path_are_decided_for_each_request() {
    let (world, upstream) = world().await;
    let sandbox =
        world.sandbox(SnapshotBuilder::new(SANDBOX).enforce().rule("allow", OK, json!({"methods": ["GET"], "path_glob": "/v1/*"}))).await;
    let mut client = sandbox.client(OK).await;
    assert_eq!(client.get("/v1/models", &[]).await.status, 200);
    assert_eq!(client.send(http::Method::DELETE, "/v1/models", &[], "").await.status, 403);
    assert_eq!(client.get("/v2/models", &[]).await.status, 403);
    assert_eq!(client.get("/v1/models", &[]).await.status, 200, "a refusal does not cost the connection");
    assert_eq!(upstream.requests().len(), 2);
}
