//! Rows D-07, D-08, N-04, N-05 and N-07: what a name resolves to is checked, and what was checked is what is dialled.

mod kit;

use std::{net::IpAddr, sync::Arc, time::Duration};

use kit::{
    allowing,
    dns::{NameServer, Reply},
    exchange, failure, key, plain,
};
use openmiosa_dial::{Dialer, DialerConfig, Fault, Pool};
use openmiosa_policy::{Host, Networks};
use openmiosa_testkit::{Answer, RecordingUpstream};
use parking_lot::Mutex;
use tokio::net::TcpListener;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn dialer(server: &NameServer) -> Arc<Dialer> {
    let config = DialerConfig { name_servers: Some(vec![server.addr]), connect_timeout: Duration::from_secs(5), ..DialerConfig::default() };
    Arc::new(Dialer::new(config).expect("a dialer"))
}

async fn always(addresses: &[&str]) -> NameServer {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| address(text)).collect();
    NameServer::start(move |_, _| Reply::Addresses(addresses.clone())).await
}

async fn upstream() -> RecordingUpstream {
    RecordingUpstream::start_plain(|_| Answer::text(200, "hello")).await
}

/// A listener at which nothing may arrive.
async fn trap(at: &str, port: u16) -> TcpListener {
    TcpListener::bind((address(at), port)).await.expect("a port")
}

fn nobody_came(trap: TcpListener) -> bool {
    let trap = trap.into_std().expect("a socket");
    trap.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn a_name_is_resolved_by_the_name_server_and_dialled() {
    let (server, upstream) = (always(&["127.0.0.1"]).await, upstream().await);
    let pool = Pool::new(dialer(&server));
    let key = key("sbx_1", 1, plain("ok.test", upstream.addr.port()));
    assert_eq!(exchange(&pool, &key, &allowing(&["127.0.0.0/8"])).await.expect("an exchange").0, "hello");
}

#[tokio::test]
async fn n_07_a_name_with_a_private_address_is_not_dialled() {
    let (server, upstream) = (always(&["127.0.0.1"]).await, upstream().await);
    let error = failure(dialer(&server).dial(&plain("reb.test", upstream.addr.port()), &Networks::default()).await);
    assert_eq!((error.reason(), error.fault(), error.retry()), ("addr-denied", Fault::Denied, false));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn n_04_n_05_names_with_special_addresses_are_not_dialled_even_when_rules_allow_everything() {
    for text in [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "::ffff:169.254.169.254",
    ] {
        let server = always(&[text]).await;
        let error = failure(dialer(&server).dial(&plain("reb.test", 80), &allowing(&["0.0.0.0/0", "::/0"])).await);
        assert_eq!(error.reason(), "addr-denied", "{text}: {error}");
    }
}

#[tokio::test]
async fn d_07_an_answer_that_changes_to_a_denied_address_is_refused() {
    let upstream = upstream().await;
    let port = upstream.addr.port();
    let trap = trap("127.0.0.2", port).await;
    // 127.0.0.1 stands for the public address, 127.0.0.2 for the inner one.
    let server = NameServer::start(|_, before| Reply::Addresses(vec![address(if before == 0 { "127.0.0.1" } else { "127.0.0.2" })])).await;
    let (dialer, networks) = (dialer(&server), allowing(&["127.0.0.1/32"]));
    assert!(dialer.dial(&plain("reb.test", port), &networks).await.is_ok());
    assert_eq!(failure(dialer.dial(&plain("reb.test", port), &networks).await).reason(), "addr-denied");
    assert_eq!(server.queries(), 2);
    assert!(nobody_came(trap));
}

#[tokio::test]
async fn d_07_one_name_is_asked_for_once_a_dial() {
    let (server, upstream) = (always(&["127.0.0.1"]).await, upstream().await);
    assert!(dialer(&server).dial(&plain("reb.test", upstream.addr.port()), &allowing(&["127.0.0.0/8"])).await.is_ok());
    assert_eq!(server.queries(), 1);
}

#[tokio::test]
async fn d_07_a_pooled_connection_is_checked_again_when_rules_have_changed() {
    let (server, upstream) = (always(&["127.0.0.1"]).await, upstream().await);
    let pool = Pool::new(dialer(&server));
    let key = key("sbx_1", 1, plain("reb.test", upstream.addr.port()));
    exchange(&pool, &key, &allowing(&["127.0.0.0/8"])).await.expect("an exchange");
    openmiosa_testkit::until("the connection is idle", || pool.idle("sbx_1") == 1).await;
    assert_eq!(failure(pool.acquire(&key, &Networks::default()).await).reason(), "addr-denied");
    assert_eq!(pool.idle("sbx_1"), 0);
}

#[tokio::test]
async fn d_08_of_a_mixed_answer_the_denied_ones_are_never_dialled() {
    let upstream = upstream().await;
    let port = upstream.addr.port();
    let traps = [trap("::1", port).await, trap("127.0.0.2", port).await];
    let server = always(&["127.0.0.2", "10.0.0.1", "::1", "127.0.0.1"]).await;
    assert!(dialer(&server).dial(&plain("reb.test", port), &allowing(&["127.0.0.1/32"])).await.is_ok());
    openmiosa_testkit::until("the permitted one was dialled", || upstream.connections() == 1).await;
    assert!(traps.into_iter().all(nobody_came));
}

#[tokio::test]
async fn d_08_an_answer_without_a_permitted_address_is_refused() {
    let server = always(&["10.0.0.1", "192.168.1.1", "::1", "fe80::1"]).await;
    assert_eq!(failure(dialer(&server).dial(&plain("reb.test", 80), &Networks::default()).await).reason(), "addr-denied");
}

#[tokio::test]
async fn d_08_an_alias_of_an_inner_name_is_judged_by_its_address() {
    let server = NameServer::start(|_, _| Reply::Alias("db.internal", vec![address("10.0.0.5")])).await;
    assert_eq!(failure(dialer(&server).dial(&plain("reb.test", 80), &Networks::default()).await).reason(), "addr-denied");
}

#[tokio::test]
async fn d_08_aliases_in_a_circle_end() {
    let server = NameServer::start(|name, _| Reply::Alias(if name == "a.test" { "b.test" } else { "a.test" }, Vec::new())).await;
    let error = failure(dialer(&server).dial(&plain("a.test", 80), &Networks::default()).await);
    assert_eq!(error.reason(), "upstream-unreachable", "{error}");
}

#[tokio::test]
async fn d_08_of_a_long_answer_only_the_first_are_looked_at() {
    let many: Vec<IpAddr> = (1..=50).map(|last| IpAddr::from([127, 1, 0, last])).chain([address("127.0.0.1")]).collect();
    let (server, upstream) = (NameServer::start(move |_, _| Reply::Addresses(many.clone())).await, upstream().await);
    // The one address that is permitted comes last, behind more than are looked at.
    assert_eq!(
        failure(dialer(&server).dial(&plain("reb.test", upstream.addr.port()), &allowing(&["127.0.0.1/32"])).await).reason(),
        "addr-denied"
    );
}

#[tokio::test]
async fn an_address_that_does_not_answer_costs_a_head_start_and_no_more() {
    let upstream = upstream().await;
    // Nothing listens at the first two.
    let server = always(&["127.0.0.3", "127.0.0.4", "127.0.0.1"]).await;
    let started = std::time::Instant::now();
    assert!(dialer(&server).dial(&plain("ok.test", upstream.addr.port()), &allowing(&["127.0.0.0/8"])).await.is_ok());
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() {
    let server = always(&[]).await;
    let error = failure(dialer(&server).dial(&plain("ok.test", 80), &Networks::default()).await);
    assert_eq!((error.reason(), error.fault()), ("upstream-unreachable", Fault::Resolve));
}

#[tokio::test]
async fn the_hosts_file_and_the_search_list_are_not_read() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = NameServer::start(move |name, _| {
        seen.lock().push(name.to_owned());
        Reply::Addresses(Vec::new())
    })
    .await;
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let in_hosts = hosts.lines().flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace().skip(1));
    // The resolver answers localhost itself, as RFC 6761 asks; the guard denies what it answers.
    let names: Vec<&str> = in_hosts.filter(|name| *name != "localhost" && Host::parse(name).is_ok()).chain(["machine"]).collect();
    for name in names {
        assert_eq!(failure(dialer(&server).dial(&plain(name, 80), &allowing(&["0.0.0.0/0"])).await).fault(), Fault::Resolve, "{name}");
        let asked = std::mem::take(&mut *asked.lock());
        assert!(!asked.is_empty() && asked.iter().all(|asked| *asked == name.to_ascii_lowercase()), "{asked:?}");
    }
}
