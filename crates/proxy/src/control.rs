//! egressd's own socket: what the server may ask and order.
#![allow(clippy::result_large_err)] // an error here is the answer itself, made once a call

use std::sync::{Arc, atomic::Ordering};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use openmiosa_link::{
    messages::{Epoch, JournalStatus, LeasePut, LeaseStatus, SandboxStatus, Status, VERSION},
    server::{Body, Refused, fail, json, parse_json, read_body, reply},
};
use openmiosa_policy::Snapshot;
use serde_json::json as value;

use crate::{
    gateway::Gateway,
    leases::{self, LendError},
    snapshots::{self, ApplyError},
};

/// Answers one call.
pub async fn handle(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    route(&gateway, &parts.method, parts.uri.path(), &parts.headers, &body).await.unwrap_or_else(|refusal| refusal)
}

async fn route(gateway: &Arc<Gateway>, method: &Method, path: &str, headers: &HeaderMap, body: &Bytes) -> Result<Response<Body>, Refused> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["v1", "status"]) => return Ok(json(StatusCode::OK, &status(gateway))),
        ("GET", ["metrics"]) => return Ok(reply(StatusCode::OK, "text/plain; version=0.0.4", gateway.metrics.render().into())),
        ("PUT", ["v1", "epoch"]) => return put_epoch(gateway, body),
        _ => {}
    }
    fence(gateway, headers)?;
    match (method.as_str(), segments.as_slice()) {
        ("PUT", ["v1", "snapshots", id]) => put_snapshot(gateway, id, body).await,
        ("DELETE", ["v1", "snapshots", id]) => Ok(json(StatusCode::OK, &value!({ "cut": snapshots::delete(gateway, id).await }))),
        ("PUT", ["v1", "leases", id]) => put_lease(gateway, id, body).await,
        ("DELETE", ["v1", "leases", id]) => Ok(json(StatusCode::OK, &value!({ "cut": leases::delete(gateway, id).await }))),
        _ => Err(fail(StatusCode::NOT_FOUND, "not_found", "egressd answers nothing here")),
    }
}

/// A server that was replaced must not undo what its successor has ordered.
fn fence(gateway: &Gateway, headers: &HeaderMap) -> Result<(), Refused> {
    let epoch = headers.get("openmiosa-epoch").and_then(|header| header.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    match epoch {
        None => Err(fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "the header OpenMIOSA-Epoch is missing")),
        Some(epoch) if epoch < gateway.epoch() => {
            Err(fail(StatusCode::CONFLICT, "stale_epoch", &format!("epoch {} was heard", gateway.epoch())))
        }
        Some(epoch) => {
            gateway.hear_epoch(epoch);
            Ok(())
        }
    }
}

fn put_epoch(gateway: &Gateway, body: &Bytes) -> Result<Response<Body>, Refused> {
    let message: Epoch = parse_json(body)?;
    if !gateway.hear_epoch(message.epoch) {
        return Err(fail(StatusCode::CONFLICT, "stale_epoch", &format!("epoch {} was heard", gateway.epoch())));
    }
    gateway.journal.wake();
    Ok(json(StatusCode::OK, &value!({ "epoch": message.epoch })))
}

async fn put_snapshot(gateway: &Gateway, id: &str, body: &Bytes) -> Result<Response<Body>, Refused> {
    let snapshot: Snapshot = parse_json(body)?;
    if snapshot.sandbox != id {
        return Err(fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "the snapshot is for another sandbox than the path says"));
    }
    match snapshots::apply(gateway, snapshot).await {
        Ok((revision, cut)) => Ok(json(StatusCode::OK, &value!({ "sandbox": id, "revision": revision, "cut": cut }))),
        Err(error @ ApplyError::Stale { .. }) => Err(fail(StatusCode::CONFLICT, "stale_revision", &error.to_string())),
        Err(error @ ApplyError::Invalid(_)) => Err(fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &error.to_string())),
    }
}

async fn put_lease(gateway: &Gateway, id: &str, body: &Bytes) -> Result<Response<Body>, Refused> {
    let message: LeasePut = parse_json(body)?;
    if message.lease != id {
        return Err(fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "the lease is another than the path says"));
    }
    match leases::put(gateway, &message).await {
        Ok(()) => Ok(json(StatusCode::OK, &value!({ "lease": id, "version": message.version }))),
        Err(error @ LendError::Stale { .. }) => Err(fail(StatusCode::CONFLICT, "stale_version", &error.to_string())),
        Err(error @ LendError::Unopened) => Err(fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &error.to_string())),
    }
}

fn status(gateway: &Gateway) -> Status {
    let sandbox_status = |sandbox: &Arc<crate::sandbox::Sandbox>| SandboxStatus {
        sandbox: sandbox.id.to_string(),
        revision: sandbox.state().map_or(0, |state| state.revision()),
        listening: sandbox.is_listening(),
        connections: sandbox.open.load(Ordering::Relaxed),
    };
    Status {
        v: VERSION,
        gateway: gateway.id.to_string(),
        boot: gateway.boot.to_string(),
        epoch: gateway.epoch(),
        public_key: BASE64_STANDARD.encode(gateway.keys.public()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sandboxes: gateway.all_sandboxes().iter().map(sandbox_status).collect(),
        leases: gateway.leases.list().into_iter().map(|(lease, version)| LeaseStatus { lease, version }).collect(),
        journal: JournalStatus { next: gateway.journal.next(), acknowledged: gateway.journal.acknowledged() },
    }
}
