//! What an ordinary agent does: it works, with values that it never holds, and every call is on record.

mod kit;

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use kit::{SANDBOX, World, received};
use openmiosa_testkit::{Answer, Canary, RecordingUpstream, SnapshotBuilder, TestCa, placeholder, until};
use serde_json::json;

const API: &str = "api.openai.com";

async fn world(script: impl Fn(&openmiosa_testkit::Recorded) -> Answer + Send + Sync + 'static) -> (World, RecordingUpstream) {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[API], script).await;
    (World::start(&[("api.openai.com:443", upstream.addr)], &ca).await, upstream)
}

fn bound() -> SnapshotBuilder {
    SnapshotBuilder::new(SANDBOX).bind("openai_key", &placeholder(1), &[API])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_in_a_header_becomes_the_value_on_its_way() {
    let (world, upstream) = world(|_| Answer::text(200, "hello")).await;
    let (canary, sandbox) = (Canary::new(), world.sandbox(bound()).await);
    world.lend("openai_key", 3, canary.value()).await.expect("lent");
    let reply = sandbox.get(API, "/v1/models?limit=1", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    assert_eq!(received(&upstream, "authorization"), [format!("Bearer {}", canary.value())]);
    assert_eq!(upstream.requests()[0].path, "/v1/models?limit=1");
    assert_eq!(received(&upstream, "host"), [API]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_carries_a_value_is_intent_decision_and_outcome_under_one_id() {
    let (world, _upstream) = world(|_| Answer::text(200, "hello")).await;
    let (canary, sandbox) = (Canary::new(), world.sandbox(bound()).await);
    world.lend("openai_key", 3, canary.value()).await.expect("lent");
    sandbox.get(API, "/v1/models?secret=1", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await;
    let outcome = world.wait_records("outcome", 1).await[0].clone();
    let (intent, decision) = (world.records("intent")[0].clone(), world.decision().await);
    assert!(intent["event"] == decision["event"] && decision["event"] == outcome["event"]);
    assert_eq!((&decision["host"], &decision["path"], &decision["status"]), (&json!(API), &json!("/v1/models"), &json!(200)));
    assert_eq!(
        (&decision["action"], &decision["stage"], &decision["upstream_address"]),
        (&json!("allow"), &json!("head"), &json!("127.0.0.1"))
    );
    let used = json!([{"secret": "sec_openai_key", "name": "openai_key", "version": 3, "binding": "bnd_openai_key", "place": "header"}]);
    assert_eq!((&intent["secrets"], &decision["secrets"]), (&used, &used));
    assert_eq!((&outcome["end"], &outcome["bytes_in"]), (&json!("complete"), &json!(5)));
    let everything = format!("{intent}{decision}{outcome}");
    assert!(canary.find_in(everything.as_bytes()).is_empty() && !everything.contains("miosa-tok-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_query_and_path_are_swapped_too() {
    let (world, upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(bound()).await;
    world.lend("openai_key", 1, "sk-real-value").await.expect("lent");
    let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("user:{}", placeholder(1)));
    sandbox.get(API, &format!("/bot{}/send?key={}", placeholder(1), placeholder(1)), &[("authorization", &format!("Basic {basic}"))]).await;
    let expected = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "user:sk-real-value");
    assert_eq!(received(&upstream, "authorization"), [format!("Basic {expected}")]);
    assert_eq!(upstream.requests()[0].path, "/botsk-real-value/send?key=sk-real-value");
    let decision = world.decision().await;
    assert_eq!(decision["path"], "/bot[placeholder:openai_key]/send");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_secrets_has_no_intent() {
    let (world, _upstream) = world(|_| Answer::text(204, "")).await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX)).await;
    assert_eq!(sandbox.get(API, "/", &[]).await.status, 204);
    world.wait_records("outcome", 1).await;
    assert_eq!((world.records("intent").len(), world.decision().await["secrets"].clone()), (0, json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_on_both_sides() {
    let (world, upstream) = world(|_| Answer::text(200, "again")).await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX)).await;
    let mut client = sandbox.client(API).await;
    for _ in 0..5 {
        assert_eq!(client.get("/", &[]).await.status, 200);
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (5, 1));
    assert_eq!(world.wait_records("decision", 5).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_stream_arrive_as_they_are_sent() {
    let (world, _upstream) = world(|_| Answer::sse(&["one", "two"], Duration::from_millis(1)).hanging()).await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX)).await;
    let mut body = sandbox.client(API).await.start(Method::GET, "/stream", &[], "").await.into_body();
    let mut seen = String::new();
    while !seen.contains("data: two") {
        let frame = body.frame().await.expect("a frame").expect("no error");
        seen.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
    }
    assert_eq!(world.decision().await["status"], 200, "the decision is on record while the stream is open");
    assert!(world.records("outcome").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_goes_up_whole_and_is_counted() {
    let (world, upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX)).await;
    let body = "x".repeat(300_000);
    sandbox.client(API).await.send(Method::POST, "/upload", &[], &body).await;
    assert_eq!(upstream.requests()[0].body.len(), 300_000);
    assert_eq!(world.wait_records("outcome", 1).await[0]["bytes_out"], 300_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_bodies_and_expect_100_are_served() {
    let (world, upstream) = world(|_| Answer::text(200, "done")).await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX)).await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {API}\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    );
    let answer = sandbox.raw(API, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(upstream.requests()[0].body, "hello");
    assert!(upstream.requests()[0].headers.get("expect").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn h11_pipelined_requests_are_answered_in_order() {
    let (world, upstream) = world(|request| Answer::text(200, request.path.clone())).await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).rule("deny", API, json!({"path_glob": "/denied"}))).await;
    let one =
        |path: &str, last: bool| format!("GET {path} HTTP/1.1\r\nHost: {API}\r\n{}\r\n", if last { "Connection: close\r\n" } else { "" });
    let answer = sandbox.raw(API, (one("/a", false) + &one("/denied", false) + &one("/c", true)).as_bytes()).await;
    let places: Vec<_> = ["/a", "blocked: 403", "/c"].iter().map(|part| answer.find(part).expect("an answer to each")).collect();
    assert!(places.is_sorted(), "{answer}");
    assert_eq!(upstream.requests().len(), 2);
    assert_eq!(world.wait_records("decision", 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn n13_the_way_to_quic_is_not_shown() {
    let (world, _upstream) =
        world(|_| Answer::text(200, "").header("alt-svc", "h3=\":443\"").header("x-kept", "yes").header("keep-alive", "timeout=5")).await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX)).await;
    let reply = sandbox.get(API, "/", &[]).await;
    assert!(!reply.headers.contains_key("alt-svc") && !reply.headers.contains_key("keep-alive"));
    assert_eq!(reply.headers["x-kept"], "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_works_without_secrets() {
    let upstream = RecordingUpstream::start_plain(|_| Answer::text(200, "plain")).await;
    let world = World::start(&[("plain.test:8080", upstream.addr)], &TestCa::new()).await;
    let sandbox = world.sandbox(bound()).await;
    let stream = sandbox.connect("plain.test", 8080).await;
    let reply = kit::HttpClient::over(stream, "plain.test:8080").await.get("/", &[]).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "plain"));
    assert_eq!((&world.decision().await["protocol"], received(&upstream, "host")), (&json!("http"), vec!["plain.test:8080".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_of_an_account_is_refreshed_once_and_the_request_repeated() {
    let (world, upstream) = world(|request| {
        let old = request.headers.get("authorization").is_some_and(|value| value == "Bearer old");
        Answer::text(if old { 401 } else { 200 }, "")
    })
    .await;
    let world = std::sync::Arc::new(world);
    let sandbox =
        world.sandbox(SnapshotBuilder::new(SANDBOX).bind_with("github_token", &placeholder(1), &[API], json!({"connected": true}))).await;
    world.lend("github_token", 1, "old").await.expect("lent");
    let lender = std::sync::Arc::downgrade(&world);
    world.link.on_refresh(move |_| {
        let world = lender.upgrade().expect("the world");
        tokio::runtime::Handle::current().block_on(world.lend("github_token", 2, "new")).expect("lent");
        json!({"result": "refreshed", "version": 2})
    });
    let (mut one, mut two) = (sandbox.client(API).await, sandbox.client(API).await);
    let authorization = format!("Bearer {}", placeholder(1));
    let headers = [("authorization", authorization.as_str())];
    let (first, second) = tokio::join!(one.send(Method::POST, "/", &headers, "body"), two.send(Method::POST, "/", &headers, "body"));
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(world.link.refreshes(), 1, "single flight");
    assert!(upstream.requests().iter().all(|request| request.body == "body"));
    until("both calls are on record", || world.records("decision").len() == 2).await;
    assert!(world.records("decision").iter().all(|decision| decision["secrets"][0]["version"] == 2));
}
