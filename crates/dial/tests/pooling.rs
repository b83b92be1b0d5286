//! Connections are used again only where they may be, and one request at a time.

mod kit;

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use kit::{allowing, exchange, failure, host, key, origin, plain, request, static_dialer, text};
use openmiosa_dial::{Dialer, DialerConfig, DialerError, Fault, Pool};
use openmiosa_policy::Networks;
use openmiosa_testkit::{Answer, RecordingUpstream, TestCa, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const NONE: Networks = Networks { allowed: Vec::new(), denied: Vec::new() };

async fn upstream(ca: &TestCa) -> RecordingUpstream {
    RecordingUpstream::start(ca, &["ok.test", "ok2.test"], |_| Answer::text(200, "hello")).await
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let ca = TestCa::new();
    let upstream = upstream(&ca).await;
    let (pool, key) = (Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr)])), key("sbx_1", 1, origin("ok.test")));
    for reused in [false, true, true] {
        assert_eq!(exchange(&pool, &key, &NONE).await.expect("an exchange"), ("hello".to_owned(), reused));
        until("the connection is idle", || pool.idle("sbx_1") == 1).await;
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(upstream.requests()[2].server_name.as_deref(), Some("ok.test"));
}

#[tokio::test]
async fn sandboxes_revisions_and_origins_never_share_a_connection() {
    let ca = TestCa::new();
    let upstream = upstream(&ca).await;
    let pool = Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr), ("ok2.test", upstream.addr)]));
    for key in [
        key("sbx_1", 1, origin("ok.test")),
        key("sbx_2", 1, origin("ok.test")),
        key("sbx_1", 2, origin("ok.test")),
        key("sbx_1", 1, origin("ok2.test")),
    ] {
        assert!(!exchange(&pool, &key, &NONE).await.expect("an exchange").1);
    }
    assert_eq!(upstream.connections(), 4);
}

#[tokio::test]
async fn a_connection_that_the_server_ends_is_not_used_again() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &["ok.test"], |_| Answer::text(200, "bye").header("connection", "close")).await;
    let (pool, key) = (Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr)])), key("sbx_1", 1, origin("ok.test")));
    for _ in 0..3 {
        assert!(!exchange(&pool, &key, &NONE).await.expect("an exchange").1);
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn an_idle_connection_that_breaks_is_replaced() {
    let ca = TestCa::new();
    let first = upstream(&ca).await;
    let address = first.addr;
    let (pool, key) = (Pool::new(static_dialer(&ca, &[("ok.test", address)])), key("sbx_1", 1, origin("ok.test")));
    exchange(&pool, &key, &NONE).await.expect("an exchange");
    until("the connection is idle", || pool.idle("sbx_1") == 1).await;
    drop(first);
    let outcome = pool.acquire(&key, &NONE).await;
    // Nothing listens there now: a new connection was tried, or the old one fails without having sent anything.
    match outcome {
        Err(error) => assert_eq!(error.fault(), Fault::Unreachable),
        Ok(mut stale) => assert!(stale.send(request("/")).await.is_err()),
    }
}

#[tokio::test]
async fn a_request_that_was_not_sent_comes_back() {
    let ca = TestCa::new();
    let upstream = upstream(&ca).await;
    let pool = Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr)]));
    let mut connection = pool.acquire(&key("sbx_1", 1, origin("ok.test")), &NONE).await.expect("a connection");
    let ended = connection.first_byte();
    drop(upstream);
    ended.await;
    let error = connection.send(request("/again")).await.expect_err("a failure");
    assert!(error.retryable());
    assert_eq!(error.into_request().expect("the request").uri(), "/again");
}

#[tokio::test]
async fn a_request_that_was_sent_does_not_come_back() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &["ok.test"], |_| Answer::reset()).await;
    let pool = Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr)]));
    let mut connection = pool.acquire(&key("sbx_1", 1, origin("ok.test")), &NONE).await.expect("a connection");
    let error = connection.send(request("/")).await.expect_err("a failure");
    assert!(!error.retryable());
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn the_first_byte_is_seen_when_it_is_sent_and_not_before() {
    let ca = TestCa::new();
    let upstream = RecordingUpstream::start(&ca, &["ok.test"], |_| Answer::slow(Duration::from_millis(50))).await;
    let (pool, key) = (Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr)])), key("sbx_1", 1, origin("ok.test")));
    for _ in 0..2 {
        let mut connection = pool.acquire(&key, &NONE).await.expect("a connection");
        let first_byte = connection.first_byte().shared();
        assert!(first_byte.clone().now_or_never().is_none());
        let answered = AtomicBool::new(false);
        let sent = async {
            let answer = text(connection.send(request("/")).await.expect("an answer")).await;
            answered.store(true, Ordering::Release);
            answer
        };
        let (answer, came_first) = tokio::join!(sent, async {
            first_byte.await;
            !answered.load(Ordering::Acquire)
        });
        assert_eq!((answer.as_str(), came_first), ("late", true));
        connection.release();
        until("the connection is idle", || pool.idle("sbx_1") == 1).await;
    }
}

#[tokio::test]
async fn a_closed_sandbox_keeps_nothing_and_takes_nothing_back() {
    let ca = TestCa::new();
    let upstream = upstream(&ca).await;
    let (pool, key) = (Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr)])), key("sbx_1", 1, origin("ok.test")));
    exchange(&pool, &key, &NONE).await.expect("an exchange");
    until("the connection is idle", || pool.idle("sbx_1") == 1).await;
    let in_use = pool.connect(&key, &NONE).await.expect("a connection");
    pool.close_sandbox("sbx_1");
    in_use.release();
    assert_eq!(pool.idle("sbx_1"), 0);
    assert!(!exchange(&pool, &key, &NONE).await.expect("an exchange").1);
}

#[tokio::test]
async fn connections_of_earlier_revisions_are_not_kept() {
    let ca = TestCa::new();
    let upstream = upstream(&ca).await;
    let pool = Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr)]));
    let (old, new) = (key("sbx_1", 1, origin("ok.test")), key("sbx_1", 2, origin("ok.test")));
    for key in [&old, &new] {
        exchange(&pool, key, &NONE).await.expect("an exchange");
    }
    until("both are idle", || pool.idle("sbx_1") == 2).await;
    let in_use = pool.connect(&old, &NONE).await.expect("a connection");
    pool.close_older("sbx_1", 2);
    in_use.release();
    assert_eq!(pool.idle("sbx_1"), 1);
    assert!(exchange(&pool, &new, &NONE).await.expect("an exchange").1);
}

#[tokio::test]
async fn idle_connections_are_bounded() {
    let ca = TestCa::new();
    let upstream = upstream(&ca).await;
    let (pool, key) = (Pool::new(static_dialer(&ca, &[("ok.test", upstream.addr)])), key("sbx_1", 1, origin("ok.test")));
    let mut used = Vec::new();
    for _ in 0..12 {
        used.push(pool.connect(&key, &NONE).await.expect("a connection"));
    }
    used.into_iter().for_each(openmiosa_dial::Upstream::release);
    assert_eq!(pool.idle("sbx_1"), 8);
}

#[tokio::test]
async fn a_static_host_is_its_exact_name_and_port() {
    let ca = TestCa::new();
    let upstream = upstream(&ca).await;
    let dialer = static_dialer(&ca, &[("ok.test", upstream.addr)]);
    assert!(dialer.dial(&origin("ok.test"), &NONE).await.is_ok());
    let mut other_port = origin("ok.test");
    other_port.port = 8443;
    for origin in [other_port, origin("a.ok.test"), origin("ok2.test")] {
        assert_eq!(failure(dialer.dial(&origin, &NONE).await).fault(), Fault::Resolve);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_static_host_opens_nothing_to_literal_addresses() {
    let ca = TestCa::new();
    let upstream = upstream(&ca).await;
    let dialer = static_dialer(&ca, &[("ok.test", upstream.addr)]);
    assert_eq!(failure(dialer.dial(&plain("127.0.0.1", upstream.addr.port()), &NONE).await).reason(), "addr-denied");
    assert!(dialer.dial(&plain("127.0.0.1", upstream.addr.port()), &allowing(&["127.0.0.1/32"])).await.is_ok());
}

#[tokio::test]
async fn a_port_on_which_nothing_listens_is_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let error = failure(static_dialer(&TestCa::new(), &[("ok.test", closed)]).dial(&origin("ok.test"), &NONE).await);
    assert_eq!((error.reason(), error.address(), error.retry()), ("upstream-unreachable", Some(closed), true));
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_a_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let config = DialerConfig {
        static_hosts: vec![(host("ok.test"), 443, silent.local_addr().expect("an address"))],
        connect_timeout: Duration::from_millis(200),
        ..DialerConfig::default()
    };
    let error = failure(Dialer::new(config).expect("a dialer").dial(&origin("ok.test"), &NONE).await);
    assert_eq!(error.reason(), "upstream-timeout");
}

#[tokio::test]
async fn an_extra_authority_that_is_none_is_named_by_its_number() {
    let good = TestCa::new().pem().as_bytes().to_vec();
    let config = DialerConfig { extra_ca_pem: vec![good, b"nothing".to_vec()], ..DialerConfig::default() };
    assert!(matches!(Dialer::new(config).err(), Some(DialerError::ExtraCa { index: 2, .. })));
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await.expect("written");
        let mut word = [0; 4];
        stream.read_exact(&mut word).await.expect("a word");
        stream.write_all(&word).await.expect("written");
    });
    let pool = Pool::new(static_dialer(&TestCa::new(), &[]));
    let mut connection =
        pool.acquire(&key("sbx_1", 1, plain("127.0.0.1", address.port())), &allowing(&["127.0.0.0/8"])).await.expect("a connection");
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let asked =
        Request::builder().uri("/").header(header::CONNECTION, "upgrade").header(header::UPGRADE, "echo").body(body).expect("a request");
    let response = connection.send(asked).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut upgraded = TokioIo::new(hyper::upgrade::on(response).await.expect("an upgrade"));
    upgraded.write_all(b"ping").await.expect("written");
    let mut word = [0; 4];
    upgraded.read_exact(&mut word).await.expect("a word");
    assert_eq!(&word, b"ping");
    served.await.expect("served");
}
