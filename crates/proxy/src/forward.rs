//! One request to its upstream: the order of these steps is what makes an acknowledged change an enforced one.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Response};
use hyper::body::Incoming;
use openmiosa_credential::Echo;
use openmiosa_dial::{DialError, Origin, PoolKey, SendError, Upstream};
use openmiosa_link::{Reason, records::Stage};
use openmiosa_policy::Networks;
use tokio::{
    sync::RwLockReadGuard,
    time::{Instant, sleep_until},
};

use crate::{
    decide::decide,
    identify::Connection,
    inject::{Prepared, prepare},
    live::Exchange,
    record::Event,
    refresh,
    refusal::Refusal,
    relay::Body,
    request::Asked,
    sandbox::State,
    upload::Kept,
};

/// A first byte that is not written by then never will be: whoever waits at the gate must not wait for a stuck peer.
const FIRST_BYTE_LIMIT: Duration = Duration::from_secs(2);
/// Kept connections may turn out dead, one after another; a fresh one is believed.
const STALE_LIMIT: usize = 16;
/// Changes that may overtake one request; each costs it one more round, and none of them an error.
const CHANGE_LIMIT: usize = 256;

/// A request that has got its response head.
pub struct Forwarded {
    /// The upstream's answer.
    pub response: Response<Incoming>,
    /// The exchange in the registry of those that may be cut.
    pub exchange: Exchange,
    /// The connection, to be given back.
    pub upstream: Upstream,
    /// What is to be written over in the answer.
    pub echo: Option<Arc<Echo>>,
}

/// What one round ended with.
enum Round {
    Done(Box<Forwarded>, Vec<(openmiosa_link::Text, u64)>),
    /// A newer snapshot or value came before its first byte; the body is untouched.
    Changed(Body),
    /// The kept connection was dead; the body is untouched.
    Stale(Body),
}

/// Sends a request under the newest snapshot, and again when an account's token was refreshed.
pub async fn forward(
    connection: &Connection,
    asked: &Arc<Asked>,
    headers: &HeaderMap,
    body: Body,
    kept: &Arc<Kept>,
    event: &mut Event,
) -> Result<Forwarded, Refusal> {
    let result = rounds(connection, asked, headers, body, kept, event).await;
    if result.is_err() {
        // What is still going up must stop as well: the upstream never gets the whole of a refused request.
        kept.abort();
    }
    result
}

async fn rounds(
    connection: &Connection,
    asked: &Arc<Asked>,
    headers: &HeaderMap,
    body: Body,
    kept: &Kept,
    event: &mut Event,
) -> Result<Forwarded, Refusal> {
    let (mut body, mut changed, mut stale, mut refreshed) = (body, 0, 0, false);
    loop {
        let (forwarded, connected) = match round(connection, asked, headers, body, kept, event).await? {
            Round::Done(forwarded, connected) => (forwarded, connected),
            Round::Changed(untouched) => {
                body = untouched;
                changed += 1;
                if changed > CHANGE_LIMIT {
                    return Err(Refusal::because(Reason::UpstreamTimeout, "policy or secrets change faster than a request can be sent"));
                }
                continue;
            }
            Round::Stale(untouched) => {
                body = untouched;
                stale += 1;
                if stale > STALE_LIMIT {
                    return Err(Refusal::because(Reason::UpstreamUnreachable, "the upstream closes its connections before they are used"));
                }
                continue;
            }
        };
        if refreshed || forwarded.response.status() != 401 || connected.is_empty() {
            return Ok(*forwarded);
        }
        refreshed = true;
        forwarded.exchange.refused(&connected);
        let replay = tokio::select! {
            biased;
            () = forwarded.exchange.cut.cancelled() => return Err(Refusal::cut()),
            replay = refresh::after_401(connection, &connected, kept) => replay,
        };
        match replay {
            Some(replay) => body = replay,
            None => return Ok(*forwarded),
        }
    }
}

async fn round(
    connection: &Connection,
    asked: &Arc<Asked>,
    headers: &HeaderMap,
    body: Body,
    kept: &Kept,
    event: &mut Event,
) -> Result<Round, Refusal> {
    let sandbox = &connection.sandbox;
    let state = sandbox.state().ok_or_else(|| Refusal::from(Reason::NoSnapshot))?;
    // Nothing is dialled before this says yes.
    let networks = decide(&state, asked, event)?;
    event.reached(Stage::Decided);
    let prepared = prepare(connection, &state, asked, headers)?;
    if !prepared.connected.is_empty() {
        kept.want();
    }
    let upstream = connect(connection, &state, asked, &networks, event).await?;
    // The intent is on record before any value can leave.
    if !prepared.uses.is_empty() {
        let intended = event.intend(prepared.uses.clone()).await;
        intended.map_err(|error| Refusal::because(Reason::AuditUnavailable, error.to_string()))?;
    }
    let exchange = register(connection, asked, &prepared);
    // From here to the first byte, a change of snapshot or lease waits for us; before, we see it and start over.
    let gate = sandbox.gate.read().await;
    if !sandbox.still(&state) || !prepared.is_current(connection) {
        upstream.release();
        return Ok(Round::Changed(body));
    }
    connection.gateway.metrics.swaps.inc_by(prepared.uses.len() as u64);
    let (connected, echo) = (prepared.connected.clone(), prepared.echo.clone());
    let request = prepared.into_request(asked, body);
    let limit = connection.gateway.settings.egress.header_timeout();
    send(upstream, request, gate, exchange, limit, kept, event).await.map(|sent| match sent {
        Ok(forwarded) => Round::Done(Box::new(Forwarded { echo, ..forwarded }), connected),
        Err(untouched) => Round::Stale(untouched),
    })
}

async fn connect(
    connection: &Connection,
    state: &State,
    asked: &Asked,
    networks: &Networks,
    event: &mut Event,
) -> Result<Upstream, Refusal> {
    let origin = Origin { target: asked.target.clone(), port: asked.port, tls: asked.tls };
    let key = PoolKey { sandbox: (&*connection.sandbox.id).into(), revision: state.revision(), origin };
    let upstream = connection.gateway.pool.acquire(&key, networks).await.map_err(|error| refuse_dial(&error, event))?;
    event.upstream_address = Some(upstream.peer().ip().to_string());
    event.reached(Stage::Dialled);
    if upstream.reused() {
        connection.gateway.metrics.upstream_reused.inc();
    }
    Ok(upstream)
}

fn refuse_dial(error: &DialError, event: &mut Event) -> Refusal {
    event.upstream_address = error.address().map(|address| address.ip().to_string());
    Refusal::because(Reason::from_word(error.reason()).unwrap_or(Reason::UpstreamUnreachable), error.to_string())
}

fn register(connection: &Connection, asked: &Arc<Asked>, prepared: &Prepared) -> Exchange {
    let bindings = prepared.uses.iter().map(|used| used.binding.clone()).collect();
    let secrets = prepared.uses.iter().map(|used| used.secret.clone()).collect();
    connection.sandbox.live.register(Arc::clone(asked), bindings, secrets)
}

/// Hands the request over, lets go of the gate at its first byte, waits for the head.
async fn send(
    mut upstream: Upstream,
    request: http::Request<Body>,
    gate: RwLockReadGuard<'_, ()>,
    exchange: Exchange,
    limit: Duration,
    kept: &Kept,
    event: &mut Event,
) -> Result<Result<Forwarded, Body>, Refusal> {
    let first_byte = upstream.first_byte();
    tokio::pin!(first_byte);
    let mut gate = Some(gate);
    // Said before it is known: a call that ends here must not seem to have sent nothing.
    event.reached(Stage::Sent);
    let started = Instant::now();
    let mut head_due = started + limit;
    let result = {
        let sending = upstream.send(request);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                biased;
                () = exchange.cut.cancelled() => return Err(Refusal::cut()),
                result = &mut sending => break result,
                () = &mut first_byte, if gate.is_some() => gate = None,
                () = sleep_until(started + FIRST_BYTE_LIMIT), if gate.is_some() => return Err(Refusal::because(Reason::UpstreamTimeout, "the upstream takes no bytes")),
                () = sleep_until(head_due), if gate.is_none() => {
                    // An upload that goes on is no silence: the head has its time from the last progress.
                    let due = kept.last_read().map_or(head_due, |last| last + limit);
                    if due <= Instant::now() {
                        return Err(Refusal::because(Reason::UpstreamTimeout, "no response head in time"));
                    }
                    head_due = due;
                }
            }
        }
    };
    drop(gate);
    match result {
        Ok(response) => Ok(Ok(Forwarded { response, exchange, upstream, echo: None })),
        Err(error) => retry(error, upstream.reused()).map(Err),
    }
}

/// A request of which nothing was written goes again; anything else failed.
fn retry(error: SendError, reused: bool) -> Result<Body, Refusal> {
    let failed = Refusal::because(Reason::UpstreamUnreachable, error.to_string());
    if !(reused && error.retryable()) {
        return Err(failed);
    }
    error.into_request().map(http::Request::into_body).ok_or(failed)
}
