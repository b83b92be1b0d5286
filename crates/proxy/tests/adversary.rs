//! What a hostile sandbox or a hostile upstream tries with bytes, timing and many connections.

mod kit;

use std::{sync::mpsc, time::Duration};

use kit::{SANDBOX, World, head_reader, received};
use openmiosa_testkit::{Answer, RecordingUpstream, SnapshotBuilder, TestCa, placeholder, until};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

const OK: &str = "ok.test";
const SOON: Duration = Duration::from_secs(5);

fn snapshot() -> SnapshotBuilder {
    SnapshotBuilder::new(SANDBOX).bind("key", &placeholder(1), &[OK])
}

#[tokio::test(flavor = "multi_thread")]
async fn h23_after_an_upgrade_that_is_not_granted_nothing_more_is_read() {
    for (path, headers) in [
        ("/", "Connection: Upgrade\r\nUpgrade: websocket"),
        ("/", "Upgrade: websocket"),
        ("/denied", "Connection: Upgrade\r\nUpgrade: websocket"),
    ] {
        let ca = TestCa::new();
        let upstream = RecordingUpstream::start(&ca, &[OK], |_| Answer::text(200, "")).await;
        let world = World::start(&[("ok.test:443", upstream.addr)], &ca).await;
        let sandbox = world.sandbox(snapshot().rule("deny", OK, json!({"path_glob": "/denied"}))).await;
        // A bare line feed is what the strict reader never lets through, and hyper would.
        let sent = format!("GET {path} HTTP/1.1\r\nHost: ok.test\r\n{headers}\r\n\r\nGET /unread HTTP/1.1\nHost: ok.test\n\n");
        sandbox.raw(OK, sent.as_bytes()).await;
        assert!(upstream.requests().iter().all(|request| request.path != "/unread"), "{path} {headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p03_no_other_protocol_than_websocket_is_changed_to() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK], |_| Answer::text(200, "")).await;
    let world = World::start(&[("ok.test:443", upstream.addr)], &ca).await;
    let mut client = world.sandbox(snapshot()).await.client(OK).await;
    for protocol in ["h2c", "TLS/1.0", "websocket, h2c"] {
        assert_eq!(
            client
                .get("/", &[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", protocol), ("http2-settings", "AAMAAABk")])
                .await
                .status,
            200
        );
    }
    assert_eq!(received(&upstream, "upgrade"), ["", "", ""]);
    assert_eq!(received(&upstream, "http2-settings"), ["", "", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn h21_an_upload_ends_with_a_response_that_came_before_its_end() {
    let ca = TestCa::new();
    let (address, accepted) = head_reader(&ca, OK).await;
    let world = World::start(&[("ok.test:443", address)], &ca).await;
    let mut client = world.sandbox(snapshot()).await.tls(OK).await;
    client.write_all(b"POST / HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 1000000\r\n\r\nfirst").await.expect("sent");
    let mut upstream = accepted.await.expect("a request");
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.expect("answered");
    // Nothing of it is in the registry of what policy can cut any more, so it must not go on.
    assert_eq!(world.wait_records("outcome", 1).await.len(), 1);
    let mut rest = Vec::new();
    let _ = timeout(SOON, upstream.read_to_end(&mut rest)).await.expect("the upload ends with its exchange");
}

#[tokio::test(flavor = "multi_thread")]
async fn v03_what_is_cut_ends_without_a_farewell() {
    let ca = TestCa::new();
    let (address, accepted) = head_reader(&ca, OK).await;
    let world = World::start(&[("ok.test:443", address)], &ca).await;
    let sandbox = world.sandbox(snapshot()).await;
    let (mut reading, mut writing) = tokio::io::split(sandbox.tls(OK).await);
    tokio::spawn(async move {
        let _ = writing.write_all(b"POST / HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 100000000\r\n\r\n").await;
        while writing.write_all(&[0; 8192]).await.is_ok() {}
    });
    // The upstream does not read, so that buffers fill on the way.
    let mut upstream = accepted.await.expect("a request");
    assert_eq!(world.put(snapshot().revision(2).authority(&sandbox.ca).deny(OK)).await.expect("denied")["cut"], 1);
    let mut answer = Vec::new();
    let _ = timeout(SOON, reading.read_to_end(&mut answer)).await.expect("the sandbox is told");
    let ended = timeout(SOON, upstream.read_to_end(&mut Vec::new())).await.expect("it ends");
    assert!(ended.is_err(), "what was still in a buffer was flushed after the change was acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_may_take_longer_than_the_head_that_follows_it() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK], |_| Answer::text(200, "")).await;
    let world = World::start_with(&[("ok.test:443", upstream.addr)], &ca, |settings| settings.egress.header_timeout_ms = 400).await;
    let mut client = world.sandbox(snapshot()).await.tls(OK).await;
    client.write_all(b"POST / HTTP/1.1\r\nHost: ok.test\r\nConnection: close\r\nContent-Length: 8\r\n\r\n").await.expect("sent");
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        client.write_all(b"x").await.expect("sent");
    }
    let mut answer = String::new();
    let _ = timeout(SOON, client.read_to_string(&mut answer)).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn v03_a_request_that_waits_for_a_refresh_is_cut_too() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK], |_| Answer::text(401, "")).await;
    let world = World::start(&[("ok.test:443", upstream.addr)], &ca).await;
    let bound = SnapshotBuilder::new(SANDBOX).bind_with("account", &placeholder(1), &[OK], json!({"connected": true}));
    let sandbox = world.sandbox(bound.clone()).await;
    world.lend("account", 1, "old").await.expect("lent");
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    world.link.on_refresh(move |_| {
        let _ = held.lock().expect("one refresh").recv_timeout(Duration::from_secs(15));
        json!({"result": "unavailable"})
    });
    let mut client = sandbox.client(OK).await;
    let waiting = tokio::spawn(async move { client.get("/", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await });
    until("the refresh is asked for", || world.link.refreshes() == 1).await;
    assert_eq!(world.put(bound.revision(2).authority(&sandbox.ca).deny(OK)).await.expect("denied")["cut"], 1);
    let reply = timeout(SOON, waiting).await;
    drop(release);
    assert_eq!(reply.expect("cut at once").expect("answered").status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_account_that_is_refused_for_good_still_shows_the_upstreams_401() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &[OK], |_| Answer::text(401, "bad credentials")).await;
    let world = World::start(&[("ok.test:443", upstream.addr)], &ca).await;
    let sandbox =
        world.sandbox(SnapshotBuilder::new(SANDBOX).bind_with("account", &placeholder(1), &[OK], json!({"connected": true}))).await;
    world.lend("account", 1, "old").await.expect("lent");
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    world.link.on_refresh(move |_| {
        let _ = held.lock().expect("one refresh").recv_timeout(Duration::from_secs(15));
        json!({"result": "needs_reauth"})
    });
    let mut client = sandbox.client(OK).await;
    let waiting = tokio::spawn(async move { client.get("/", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await });
    until("the refresh is asked for", || world.link.refreshes() == 1).await;
    world.delete("/v1/leases/account").await;
    drop(release);
    let reply = timeout(SOON, waiting).await.expect("answered").expect("no panic");
    assert_eq!((reply.status, reply.body.as_str()), (401, "bad credentials"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_was_never_ready_leaves_no_socket_behind() {
    let world = World::start(&[], &TestCa::new()).await;
    let sandbox = world.quiet_sandbox(SANDBOX);
    world.delete("/v1/snapshots/sbx_a").await;
    until("its DNS socket is closed", || std::net::UdpSocket::bind(sandbox.dns_address).is_ok()).await;
}
