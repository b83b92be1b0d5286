//! HTTP/1.1 with the sandbox: one request after another, each judged afresh.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use openmiosa_credential::Masker;
use openmiosa_link::{Reason, records::Stage};
use openmiosa_policy::Target;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    forward::forward,
    framing::{Findings, Guarded},
    identify::Connection,
    record::{Event, visible_host},
    refusal::Refusal,
    relay::{self, Body},
    request::{self, Asked},
    upgrade, upload,
};

/// hyper's own buffer; heads are bounded before they reach it.
const BUFFER: usize = 128 << 10;

/// Serves a connection until it ends.
pub async fn serve<S>(connection: Arc<Connection>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (guarded, findings) = Guarded::new(stream);
    let shared = Arc::clone(&connection);
    let service = service_fn(move |request| {
        let (connection, findings) = (Arc::clone(&shared), findings.clone());
        async move { Ok::<_, Infallible>(answer(&connection, &findings, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(connection.gateway.settings.egress.idle_timeout())
        .max_buf_size(BUFFER)
        .max_headers(128)
        .auto_date_header(false)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(guarded), service)
        .with_upgrades();
    tokio::pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        // SIGTERM: the request under way is finished, and no other is begun.
        () = connection.gateway.stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        end_badly(&connection, &error);
    }
}

/// One request, from its head to its response head.
async fn answer(connection: &Arc<Connection>, findings: &Findings, request: Request<Incoming>) -> Response<Body> {
    let mut response = decide_and_forward(connection, findings, request).await;
    if findings.raw_follows() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn decide_and_forward(connection: &Arc<Connection>, findings: &Findings, mut request: Request<Incoming>) -> Response<Body> {
    let mut event = connection.next_event();
    let refused_by_reader = findings.next();
    let client_side = hyper::upgrade::on(&mut request);
    let (parts, incoming) = request.into_parts();
    event.reached(Stage::Request);
    if let Some(host) = connection.settled() {
        name(connection, &mut event, &host);
    }
    if let Some(violation) = refused_by_reader {
        return Refusal::because(violation.reason, violation.what).answer(event);
    }
    let asked = match read(connection, &parts, &mut event) {
        Ok(asked) => Arc::new(asked),
        Err(refusal) => return refusal.answer(event),
    };
    let (body, kept) = upload::body(incoming, Arc::clone(&event.bytes_out));
    match forward(connection, &asked, &parts.headers, body, &kept, &mut event).await {
        Ok(forwarded) if asked.upgrade && forwarded.response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            upgrade::switch(forwarded, client_side, event)
        }
        Ok(forwarded) if forwarded.response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            Refusal::because(Reason::UpstreamUnreachable, "the upstream changes the protocol unasked").answer(event)
        }
        Ok(forwarded) => relay::respond(forwarded, &asked.method, event, kept),
        Err(refusal) => match findings.body() {
            // The upstream saw the body break off because it was we who cut it.
            Some(violation) => Refusal::because(violation.reason, violation.what).answer(event),
            None => refusal.answer(event),
        },
    }
}

/// Reads the head strictly and notes what it asks, masked, before anything is decided.
fn read(connection: &Connection, parts: &http::request::Parts, event: &mut Event) -> Result<Asked, Refusal> {
    event.asks(parts.method.as_str(), masked(connection, parts.uri.path()));
    if let Some(verdict) = &connection.verdict {
        return Err(verdict.clone());
    }
    let asked = request::parse(connection, parts)?;
    name(connection, event, &asked.target);
    Ok(asked)
}

fn name(connection: &Connection, event: &mut Event, target: &Target) {
    event.call.host = match target {
        Target::Name(host) => visible_host(&connection.sandbox, host.as_str()),
        Target::Literal(address) => address.to_string().into(),
    };
}

fn masked(connection: &Connection, path: &str) -> String {
    let Some(state) = connection.sandbox.state() else { return String::new() };
    let bindings = &state.compiled.snapshot().bindings;
    let lent: Vec<_> =
        bindings.iter().filter_map(|binding| Some((connection.gateway.leases.get(&binding.secret)?.1, binding.name.as_str()))).collect();
    // Nearly every path is plain, and needs no masker.
    let suspicious = path.contains('%') || path.to_ascii_lowercase().contains("miosa");
    if !suspicious && !lent.iter().any(|(value, _)| memchr::memmem::find(path.as_bytes(), value.expose()).is_some()) {
        return path.to_owned();
    }
    Masker::new(&state.compiled, &lent).mask(path)
}

/// A connection that ended before a request was whole leaves its record with the furthest step reached.
fn end_badly(connection: &Connection, error: &hyper::Error) {
    tracing::debug!(%error, sandbox = %connection.sandbox.id, "a connection from a sandbox ended");
    if error.is_parse()
        && let Some(mut event) = connection.take_attempt()
    {
        event.refuse(Refusal::because(Reason::Framing, "not an HTTP/1.1 request"), 400);
    }
}
