//! Acknowledged means enforced: what returns has happened, for requests to come and for exchanges that are open.

mod kit;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::Method;
use http_body_util::BodyExt;
use kit::{SANDBOX, World, received};
use openmiosa_link::ClientError;
use openmiosa_testkit::{Answer, RecordingUpstream, SnapshotBuilder, TestCa, placeholder, until};
use serde_json::json;
use tokio::io::AsyncWriteExt;

const OK: &str = "ok.test";

async fn world(script: impl Fn(&openmiosa_testkit::Recorded) -> Answer + Send + Sync + 'static) -> (Arc<World>, RecordingUpstream) {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK, "other.test"], script).await;
    (Arc::new(World::start(&[("ok.test:443", upstream.addr), ("other.test:443", upstream.addr)], &ca).await), upstream)
}

fn bound(revision: u64) -> SnapshotBuilder {
    SnapshotBuilder::new(SANDBOX).revision(revision).bind("key", &placeholder(1), &[OK])
}

fn refused_with(result: Result<serde_json::Value, ClientError>) -> String {
    match result {
        Err(ClientError::Refused { body, .. }) => {
            serde_json::from_str::<serde_json::Value>(&body).expect("JSON")["error"]["code"].as_str().expect("a code").to_owned()
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// Every request checks, when it reaches the upstream, that it does not carry a value older than one that was acknowledged before it was sent.
#[tokio::test(flavor = "multi_thread")]
async fn v01_no_request_uses_an_old_value_after_the_acknowledgement() {
    let (world, upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = Arc::new(world.sandbox(bound(1)).await);
    world.lend("key", 1, "value-000001").await.expect("lent");
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
    let mut agents = Vec::new();
    for _ in 0..4 {
        let (sandbox, stop, acknowledged) = (Arc::clone(&sandbox), Arc::clone(&stop), Arc::clone(&acknowledged));
        agents.push(tokio::spawn(async move {
            let mut client = sandbox.client(OK).await;
            let (mut count, authorization) = (0, format!("Bearer {}", placeholder(1)));
            while !stop.load(Ordering::Acquire) {
                let floor = acknowledged.load(Ordering::Acquire).to_string();
                let reply = client.get("/", &[("authorization", &authorization), ("x-floor", &floor)]).await;
                assert_eq!(reply.status, 200, "no request fails because of a rotation");
                count += 1;
            }
            count
        }));
    }
    for version in 2..=40 {
        let so_far = upstream.requests().len();
        until("requests have gone by", || upstream.requests().len() >= so_far + 3).await;
        world.lend("key", version, &format!("value-{version:06}")).await.expect("lent");
        acknowledged.store(version, Ordering::Release);
    }
    stop.store(true, Ordering::Release);
    let mut total = 0;
    for agent in agents {
        total += agent.await.expect("no agent failed");
    }
    assert!(total >= 100, "there was traffic to rotate under: {total}");
    for (value, floor) in received(&upstream, "authorization").iter().zip(received(&upstream, "x-floor")) {
        let version: u64 = value.trim_start_matches("Bearer value-").parse().expect("a version");
        assert!(version >= floor.parse().expect("a floor"), "{value} after {floor} was acknowledged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_waits_for_whoever_is_at_the_gate() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let _sandbox = world.sandbox(bound(1)).await;
    let inside = world.gateway.sandbox(SANDBOX).expect("the sandbox");
    let guard = inside.gate.read().await;
    let applying = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.put(bound(2)).await }
    });
    until("the new snapshot is stored", || inside.state().is_some_and(|state| state.revision() == 2)).await;
    assert!(!applying.is_finished(), "a request is between its check and its first byte");
    drop(guard);
    assert_eq!(applying.await.expect("applied").expect("acknowledged")["revision"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn v02_the_next_request_on_a_kept_connection_is_judged_afresh() {
    let (world, upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(bound(1)).await;
    let mut client = sandbox.client(OK).await;
    assert_eq!(client.get("/", &[]).await.status, 200);
    world.put(bound(2).authority(&sandbox.ca).enforce().allow("other.test")).await.expect("locked down");
    assert_eq!(client.get("/", &[]).await.status, 403);
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(world.gateway.pool.idle(SANDBOX), 0, "idle connections of an older revision are closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn v03_lockdown_cuts_streams_that_it_refuses_within_a_second() {
    let (world, _upstream) = world(|_| Answer::sse(&["one"], Duration::from_millis(1)).hanging()).await;
    let sandbox = world.sandbox(bound(1)).await;
    let (mut client, mut spared) = (sandbox.client(OK).await, sandbox.client("other.test").await);
    let mut body = client.start(Method::GET, "/", &[], "").await.into_body();
    let mut kept = spared.start(Method::GET, "/", &[], "").await.into_body();
    body.frame().await.expect("a frame").expect("no error yet");
    kept.frame().await.expect("a frame").expect("no error yet");
    let answer = world.put(bound(2).authority(&sandbox.ca).enforce().allow("other.test")).await.expect("locked down");
    assert_eq!(answer["cut"], 1);
    let begun = Instant::now();
    assert!(body.frame().await.is_none_or(|frame| frame.is_err()), "cut");
    assert!(begun.elapsed() < Duration::from_secs(1));
    let outcome = world.wait_records("outcome", 1).await[0].clone();
    assert_eq!(outcome["end"], "cut_by_policy");
    assert!(tokio::time::timeout(Duration::from_millis(100), kept.frame()).await.is_err(), "the allowed one goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_lets_open_streams_finish_and_deletion_cuts_them() {
    let (world, _upstream) = world(|_| Answer::sse(&["one"], Duration::from_millis(1)).hanging()).await;
    let sandbox = world.sandbox(bound(1)).await;
    world.lend("key", 1, "first").await.expect("lent");
    let mut client = sandbox.client(OK).await;
    let mut body = client.start(Method::GET, "/", &[("authorization", &format!("Bearer {}", placeholder(1)))], "").await.into_body();
    body.frame().await.expect("a frame").expect("no error");
    world.lend("key", 2, "second").await.expect("rotated");
    assert!(tokio::time::timeout(Duration::from_millis(100), body.frame()).await.is_err(), "rotation cuts nothing");
    assert_eq!(world.delete("/v1/leases/sec_key").await["cut"], 1);
    assert!(body.frame().await.is_none_or(|frame| frame.is_err()));
    assert_eq!(
        sandbox.get(OK, "/", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await.headers["miosa-egress-deny"],
        "secret-unavailable"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_for_its_head_is_cut_too() {
    let (world, upstream) = world(|_| Answer::slow(Duration::from_secs(30))).await;
    let sandbox = world.sandbox(bound(1)).await;
    let waiting = tokio::spawn(async move { sandbox.get(OK, "/", &[]).await });
    until("the request is at the upstream", || upstream.requests().len() == 1).await;
    world.put(bound(2).authority(&TestCa::new()).deny(OK)).await.expect("denied");
    let reply = waiting.await.expect("answered");
    assert_eq!((reply.status, &world.wait_records("outcome", 1).await[0]["end"]), (403, &json!("cut_by_policy")));
}

#[tokio::test(flavor = "multi_thread")]
async fn v03_an_upload_stops_when_its_host_is_denied() {
    let (world, upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(bound(1)).await;
    let mut stream = sandbox.tls(OK).await;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 1000000\r\n\r\nfirst").await.expect("sent");
    until("the upload is under way", || world.gateway.sandbox(SANDBOX).is_some_and(|inside| inside.live.count() == 1)).await;
    assert_eq!(world.put(bound(2).authority(&sandbox.ca).deny(OK)).await.expect("denied")["cut"], 1);
    assert_eq!(world.wait_records("outcome", 1).await[0]["end"], "cut_by_policy");
    assert!(upstream.requests().is_empty(), "the upstream never got the whole of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn v05_older_revisions_versions_and_epochs_never_replace_newer_ones() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = world.sandbox(bound(5)).await;
    world.lend("key", 5, "five").await.expect("lent");
    assert_eq!(refused_with(world.put(bound(4)).await), "stale_revision");
    assert_eq!(world.put(bound(5).authority(&sandbox.ca)).await.expect("the same again")["cut"], 0);
    assert_eq!(refused_with(world.lend("key", 4, "four").await), "stale_version");
    world.order(Method::PUT, "/v1/epoch", &json!({"v": 1, "epoch": 9})).await.expect("heard");
    assert_eq!(refused_with(world.put(bound(6)).await), "stale_epoch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_sealed_to_another_boot_or_changed_on_its_way_is_refused() {
    let (world, _upstream) = world(|_| Answer::text(200, "")).await;
    let public = world.gateway.keys.public();
    let other_boot = openmiosa_testkit::seal_lease(&public, "another", "sec_key", "ten_test", "secret", 1, b"value");
    assert_eq!(refused_with(world.order(Method::PUT, "/v1/leases/sec_key", &other_boot).await), "invalid");
    let mut raised = openmiosa_testkit::seal_lease(&public, &world.gateway.boot, "sec_key", "ten_test", "secret", 1, b"value");
    raised["version"] = json!(2);
    assert_eq!(refused_with(world.order(Method::PUT, "/v1/leases/sec_key", &raised).await), "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_before_snapshot_and_authority_are_here() {
    let (world, upstream) = world(|_| Answer::text(200, "")).await;
    let sandbox = Arc::new(world.quiet_sandbox(SANDBOX));
    let early = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { sandbox.get(OK, "/", &[]).await.status }
    });
    world.put(bound(1).authority(&sandbox.ca)).await.expect("the snapshot alone");
    assert_eq!(world.status().await["sandboxes"][0]["connections"], 0);
    assert!(!early.is_finished() && upstream.requests().is_empty());
    world.lend_as("ca_sbx_a", "authority_key", 1, sandbox.ca.key_der()).await.expect("the authority's key");
    assert_eq!(early.await.expect("answered"), 200, "what waited is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_is_taken_away_takes_its_connections_with_it() {
    let (world, _upstream) = world(|_| Answer::sse(&["one"], Duration::from_millis(1)).hanging()).await;
    let sandbox = world.sandbox(bound(1)).await;
    let mut client = sandbox.client(OK).await;
    let mut body = client.start(Method::GET, "/", &[], "").await.into_body();
    body.frame().await.expect("a frame").expect("no error");
    assert_eq!(world.delete("/v1/snapshots/sbx_a").await["cut"], 1);
    while let Some(Ok(_)) = body.frame().await {}
    assert_eq!(world.wait_records("outcome", 1).await[0]["end"], "cut_by_policy");
    assert_eq!(world.status().await["sandboxes"], json!([]));
}
