//! Placeholders out, values in, on the head of one request.

use std::{cell::RefCell, sync::Arc};

use http::{HeaderMap, HeaderValue, Request, Uri, header};
use openmiosa_credential::{Echo, Resolver, Swapped, inject::swap, scan::scan};
use openmiosa_link::{
    Reason, Text,
    records::{HeldBack, SecretUse},
};
use openmiosa_policy::Target;

use crate::{echo, identify::Connection, refusal::Refusal, relay::Body, request::Asked, sandbox::State};

/// Headers of one connection, which are never passed on.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "http2-settings",
];
/// Headers that make some servers act on another method, path or host than the one decided on.
const OVERRIDES: [&str; 9] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-forwarded-host",
    "x-middleware-subrequest",
    "forwarded",
    "x-original-host",
];

/// A head that is ready to be sent.
pub struct Prepared {
    headers: HeaderMap,
    uri: Uri,
    /// The values that it carries.
    pub uses: Vec<SecretUse>,
    /// Whether one of them belongs to an account, so that a 401 is worth a refresh.
    pub connected: Vec<(Text, u64)>,
    /// What is to be written over in the answer.
    pub echo: Option<Arc<Echo>>,
}

/// Rebuilds the head from what was decided on, with the values of this moment in it.
pub fn prepare(connection: &Connection, state: &State, asked: &Asked, original: &HeaderMap) -> Result<Prepared, Refusal> {
    let mut headers = rebuild(asked, original)?;
    let echo = echo::of(&connection.gateway, state, asked);
    if echo.is_some() {
        echo::prepare(&mut headers);
    }
    let path_and_query = asked.path_and_query();
    if scan(&headers, &path_and_query).is_empty() {
        return Ok(Prepared { headers, uri: uri(&path_and_query)?, uses: Vec::new(), connected: Vec::new(), echo });
    }
    for name in OVERRIDES {
        headers.remove(name);
    }
    let swapped = swap_in(connection, state, asked, &mut headers, &path_and_query)?;
    let uses: Vec<SecretUse> = swapped
        .uses
        .iter()
        .map(|used| SecretUse {
            secret: (*used.secret).into(),
            name: (*used.name).into(),
            version: used.version,
            binding: (*used.binding).into(),
            place: used.place.as_str(),
        })
        .collect();
    let connected = swapped.uses.iter().filter(|used| used.connected).map(|used| (used.secret.as_str().into(), used.version)).collect();
    Ok(Prepared { headers, uri: uri(&swapped.path_and_query)?, uses, connected, echo })
}

impl Prepared {
    /// Whether the values in it are still those that are lent.
    pub fn is_current(&self, connection: &Connection) -> bool {
        self.uses.iter().all(|used| connection.gateway.leases.get(&used.secret).is_some_and(|(version, _)| version == used.version))
    }

    /// The upstream request.
    pub fn into_request(self, asked: &Asked, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

fn swap_in(
    connection: &Connection,
    state: &State,
    asked: &Asked,
    headers: &mut HeaderMap,
    path_and_query: &str,
) -> Result<Swapped, Refusal> {
    let gateway = &connection.gateway;
    let foreign = |placeholder: &str| gateway.is_foreign(placeholder, &connection.sandbox.id);
    let host = match &asked.target {
        Target::Name(host) => Some(host),
        Target::Literal(_) => None,
    };
    let resolver =
        Resolver { compiled: &state.compiled, leases: &gateway.leases, host, port: asked.port, tls: asked.tls, foreign: &foreign };
    let refused = RefCell::new(None);
    let resolve = |placeholder: &str, place| {
        resolver.resolve(placeholder, place).inspect_err(|_| *refused.borrow_mut() = Some(placeholder.to_owned()))
    };
    swap(headers, path_and_query, &resolve).map_err(|refusal| {
        let reason = Reason::from_word(refusal.reason()).unwrap_or(Reason::SecretUnavailable);
        let binding = refused.take().and_then(|placeholder| state.compiled.binding(&placeholder));
        let held_back = binding.map(|binding| HeldBack {
            secret: binding.secret.as_str().into(),
            name: binding.name.as_str().into(),
            binding: binding.id.as_str().into(),
        });
        Refusal { held_back, ..Refusal::because(reason, refusal.to_string()) }
    })
}

fn rebuild(asked: &Asked, original: &HeaderMap) -> Result<HeaderMap, Refusal> {
    let mut headers = original.clone();
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    let host = HeaderValue::from_str(&asked.authority()).map_err(|_| Refusal::from(Reason::HostSyntax))?;
    headers.insert(header::HOST, host);
    if asked.upgrade
        && let Some(protocol) = original.get(header::UPGRADE)
    {
        headers.insert(header::UPGRADE, protocol.clone());
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    Ok(headers)
}

fn uri(path_and_query: &str) -> Result<Uri, Refusal> {
    Uri::try_from(path_and_query).map_err(|_| Refusal::because(Reason::Framing, "the request target cannot be sent"))
}
