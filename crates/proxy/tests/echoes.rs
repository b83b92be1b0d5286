//! What a host gives back of a value never reaches the sandbox, in whatever form, coding and cut.

mod kit;

use std::{collections::HashMap, time::Duration};

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use http::Method;
use http_body_util::BodyExt;
use kit::{SANDBOX, TestSandbox, World, received};
use openmiosa_testkit::{Answer, Canary, Recorded, RecordingUpstream, SnapshotBuilder, TestCa, placeholder};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

const API: &str = "api.openai.com";
const OTHER: &str = "ok.test";
const CODINGS: [&str; 5] = ["identity", "gzip", "deflate", "br", "zstd"];

struct Rig {
    world: World,
    upstream: RecordingUpstream,
    sandbox: TestSandbox,
    canary: Canary,
}

/// A host that a value is bound to and another that none is bound to, both answering as the script says.
async fn rig(script: impl Fn(&Recorded, &Canary) -> Answer + Send + Sync + 'static) -> Rig {
    let (ca, canary) = (TestCa::new(), Canary::new());
    let known = canary.clone();
    let upstream = RecordingUpstream::start(&ca, &[API, OTHER], move |request| script(request, &known)).await;
    let routes = [("api.openai.com:443", upstream.addr), ("ok.test:443", upstream.addr)];
    let world = World::start(&routes, &ca).await;
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).bind("openai_key", &placeholder(1), &[API])).await;
    world.lend("openai_key", 1, canary.value()).await.expect("lent");
    Rig { world, upstream, sandbox, canary }
}

impl Rig {
    async fn bytes(&self, host: &str, path: &str) -> (u16, Vec<u8>) {
        let response = self.sandbox.client(host).await.start(Method::GET, path, &[], "").await;
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.expect("a whole body").to_bytes().to_vec())
    }
}

async fn coded(coding: &str, plain: &[u8]) -> Vec<u8> {
    async fn through<E: AsyncWrite + Unpin>(mut encoder: E, plain: &[u8]) -> E {
        encoder.write_all(plain).await.expect("coded");
        encoder.shutdown().await.expect("closed");
        encoder
    }
    match coding {
        "gzip" => through(GzipEncoder::new(Vec::new()), plain).await.into_inner(),
        "deflate" => through(ZlibEncoder::new(Vec::new()), plain).await.into_inner(),
        "br" => through(BrotliEncoder::new(Vec::new()), plain).await.into_inner(),
        "zstd" => through(ZstdEncoder::new(Vec::new()), plain).await.into_inner(),
        _ => plain.to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sg_05_thirteen_encodings_in_five_codings_cut_three_ways_are_all_written_over() {
    let canary = Canary::new();
    let mut bodies = HashMap::new();
    for (number, (_, form)) in canary.forms().into_iter().enumerate() {
        let plain = [b"{\"you sent\": \"".as_slice(), &form, b"\", \"ok\": true}"].concat();
        for coding in CODINGS {
            let body = coded(coding, &plain).await;
            for (cut, size) in [("whole", body.len()), ("halves", body.len().div_ceil(2)), ("bytes", 1)] {
                bodies.insert(
                    format!("/{number}/{coding}/{cut}"),
                    Answer::text(200, body.clone()).header("content-encoding", coding).in_pieces(size),
                );
            }
        }
    }
    let (paths, count) = (bodies.keys().cloned().collect::<Vec<_>>(), bodies.len());
    let rig = rig(move |request, _| bodies[&request.path].clone()).await;
    rig.world.lend("openai_key", 2, canary.value()).await.expect("lent");
    let mut client = rig.sandbox.client(API).await;
    for path in paths {
        let response = client.start(Method::GET, &path, &[], "").await;
        assert!(response.headers().get("content-encoding").is_none_or(|coding| coding == "identity"), "{path}");
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        assert!(canary.find_in(&body).is_empty(), "{path}: {}", String::from_utf8_lossy(&body));
        assert!(
            body.starts_with(b"{\"you sent\": \"") && body.ends_with(b"\", \"ok\": true}"),
            "{path}: {}",
            String::from_utf8_lossy(&body)
        );
    }
    assert_eq!(count, 195);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_01_a_request_that_is_given_back_shows_no_value_and_keeps_its_length() {
    let rig = rig(|request, _| Answer::echo(request)).await;
    let reply = rig.sandbox.get(API, "/headers", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await;
    assert_eq!(received(&rig.upstream, "authorization"), [format!("Bearer {}", rig.canary.value())]);
    assert!(rig.canary.find_in(reply.body.as_bytes()).is_empty());
    assert!(reply.body.contains(&format!("authorization: Bearer {}", "*".repeat(rig.canary.value().len()))), "{}", reply.body);
    assert_eq!(reply.headers["content-length"], reply.body.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn r_02_a_head_that_gives_a_value_back_is_written_over() {
    let rig = rig(|_, canary| {
        let value = canary.value();
        Answer::redirect(302, &format!("/login?key={value}"))
            .header("set-cookie", &format!("key={value}; Secure"))
            .header("www-authenticate", value)
    })
    .await;
    let reply = rig.sandbox.get(API, "/", &[]).await;
    assert!(rig.canary.find_in(format!("{:?}", reply.headers).as_bytes()).is_empty(), "{:?}", reply.headers);
    assert_eq!(reply.headers["www-authenticate"], "*".repeat(rig.canary.value().len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn r_04_a_coding_that_cannot_be_opened_is_refused_and_recorded() {
    let rig = rig(|_, _| Answer::text(200, "opaque").header("content-encoding", "x-foo")).await;
    let reply = rig.sandbox.get(API, "/", &[]).await;
    assert_eq!(reply.status, 502);
    assert_eq!(rig.world.decision().await["reason"], "answer-unreadable");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_04_two_codings_on_top_of_each_other_are_opened() {
    let canary = Canary::new();
    let twice = coded("br", &coded("gzip", canary.value().as_bytes()).await).await;
    let rig = rig(move |_, _| Answer::text(200, twice.clone()).header("content-encoding", "gzip, br")).await;
    rig.world.lend("openai_key", 2, canary.value()).await.expect("lent");
    assert_eq!(rig.bytes(API, "/").await, (200, b"*".repeat(canary.value().len())));
}

#[tokio::test(flavor = "multi_thread")]
async fn r_04_a_body_that_is_not_in_the_coding_it_names_breaks_off() {
    let rig = rig(|_, canary| Answer::text(200, canary.value().to_owned()).header("content-encoding", "gzip")).await;
    let answer = rig.sandbox.raw(API, format!("GET / HTTP/1.1\r\nHost: {API}\r\n\r\n").as_bytes()).await;
    assert!(rig.canary.find_in(answer.as_bytes()).is_empty() && !answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_05_an_event_is_not_held_back_until_the_next_one() {
    let rig = rig(|_, _| Answer::sse(&["one", "two"], Duration::from_secs(60))).await;
    let response = rig.sandbox.client(API).await.start(Method::GET, "/", &[], "").await;
    let frame = tokio::time::timeout(Duration::from_secs(10), response.into_body().frame()).await.expect("the first event at once");
    assert_eq!(frame.expect("a frame").expect("no error").into_data().expect("data"), "data: one\n\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_06_pieces_of_an_answer_are_not_asked_for() {
    let rig = rig(|_, _| Answer::text(200, "whole")).await;
    rig.sandbox.get(API, "/", &[("range", "bytes=3-6"), ("if-range", "\"x\""), ("accept-encoding", "gzip")]).await;
    rig.sandbox.get(OTHER, "/", &[("range", "bytes=3-6"), ("accept-encoding", "gzip")]).await;
    assert_eq!(received(&rig.upstream, "range"), ["", "bytes=3-6"]);
    assert_eq!(received(&rig.upstream, "accept-encoding"), ["identity", "gzip"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_09_a_body_that_breaks_off_within_a_value_gives_no_part_of_it() {
    let rig = rig(|_, canary| Answer::text(200, format!("key: {}", &canary.value()[..20])).cut_short()).await;
    let mut body = rig.sandbox.client(API).await.start(Method::GET, "/", &[], "").await.into_body();
    let mut seen = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        seen.extend_from_slice(frame.data_ref().expect("data"));
    }
    assert_eq!(String::from_utf8_lossy(&seen), "key: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_no_value_is_bound_to_is_passed_as_it_is() {
    let gzip = coded("gzip", b"nothing here").await;
    let expected = gzip.clone();
    let rig = rig(move |_, _| Answer::text(200, gzip.clone()).header("content-encoding", "gzip")).await;
    assert_eq!(rig.bytes(OTHER, "/").await, (200, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_value_that_a_rotation_brings_is_looked_for_at_once() {
    let rig = rig(|request, _| Answer::echo(request)).await;
    let newer = Canary::new();
    rig.world.lend("openai_key", 2, newer.value()).await.expect("lent");
    let reply = rig.sandbox.get(API, "/", &[("authorization", &format!("Bearer {}", placeholder(1)))]).await;
    assert!(newer.find_in(reply.body.as_bytes()).is_empty(), "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_12_a_websocket_gives_no_value_back() {
    let ca = TestCa::new();
    let address = kit::echo_after_101(&ca, API).await;
    let (world, canary) = (World::start(&[("api.openai.com:443", address)], &ca).await, Canary::new());
    let sandbox = world.sandbox(SnapshotBuilder::new(SANDBOX).bind("openai_key", &placeholder(1), &[API])).await;
    world.lend("openai_key", 1, canary.value()).await.expect("lent");
    let mut stream = sandbox.tls(API).await;
    let head = format!("GET / HTTP/1.1\r\nHost: {API}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.expect("a head"));
    }
    stream.write_all(format!("<{}>", canary.value()).as_bytes()).await.expect("sent");
    let mut back = vec![0; canary.value().len() + 2];
    stream.read_exact(&mut back).await.expect("the echo");
    assert_eq!(String::from_utf8_lossy(&back), format!("<{}>", "*".repeat(canary.value().len())));
}
