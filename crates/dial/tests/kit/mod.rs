//! What the tests of this crate share.
#![allow(dead_code)] // each test binary uses its own part

pub mod dns;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use openmiosa_dial::{Body, DialError, Dialer, DialerConfig, Origin, Pool, PoolKey, Upstream};
use openmiosa_policy::{Host, Networks, Target};
use openmiosa_testkit::TestCa;

pub fn host(name: &str) -> Host {
    Host::parse(name).expect("a host")
}

/// Dials `names` on port 443 at these addresses, and trusts `ca`.
pub fn static_dialer(ca: &TestCa, names: &[(&str, SocketAddr)]) -> Arc<Dialer> {
    let config = DialerConfig {
        static_hosts: names.iter().map(|(name, address)| (host(name), 443, *address)).collect(),
        extra_ca_pem: vec![ca.pem().into()],
        connect_timeout: Duration::from_secs(5),
        name_servers: Some(Vec::new()),
    };
    Arc::new(Dialer::new(config).expect("a dialer"))
}

pub fn origin(name: &str) -> Origin {
    Origin { target: Target::Name(host(name)), port: 443, tls: true }
}

pub fn plain(target: &str, port: u16) -> Origin {
    Origin { target: Target::parse(target).expect("a target"), port, tls: false }
}

pub fn key(sandbox: &str, revision: u64, origin: Origin) -> PoolKey {
    PoolKey { sandbox: sandbox.into(), revision, origin }
}

pub fn allowing(ranges: &[&str]) -> Networks {
    Networks { allowed: ranges.iter().map(|range| range.parse().expect("a range")).collect(), denied: Vec::new() }
}

pub fn request(path: &str) -> Request<Body> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    Request::builder().uri(path).header("host", "ok.test").body(body).expect("a request")
}

pub async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.expect("a body").to_bytes().to_vec()).expect("text")
}

/// One whole exchange, after which the connection goes back.
pub async fn exchange(pool: &Pool, key: &PoolKey, networks: &Networks) -> Result<(String, bool), DialError> {
    let mut upstream = pool.acquire(key, networks).await?;
    let reused = upstream.reused();
    let answer = text(upstream.send(request("/")).await.expect("an answer")).await;
    upstream.release();
    Ok((answer, reused))
}

pub fn failure(outcome: Result<Upstream, DialError>) -> DialError {
    outcome.err().expect("a failure")
}
