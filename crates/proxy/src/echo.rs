//! Echoes: what a host that gets values gives back of them is written over before the sandbox sees it.
//!
//! It holds for hosts that some secret is bound to, and there for every value that the sandbox can use. Requests to them are made
//! such that answers can be searched: no compression, no pieces of files, no compressed WebSocket messages.

mod body;
mod coding;
mod reader;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use openmiosa_credential::{Echo, Secret};
use openmiosa_link::Reason;
use openmiosa_policy::Target;
use parking_lot::Mutex;

pub use self::{body::Masking, reader::MaskingReader};
use crate::{gateway::Gateway, refusal::Refusal, relay::Body, request::Asked, sandbox::State};

/// What was made for the values of one moment, kept until one of them changes.
#[derive(Default)]
pub struct Cache(Mutex<Option<Made>>);

struct Made {
    /// The version of each binding's value, in the snapshot's order.
    versions: Vec<u64>,
    echo: Option<Arc<Echo>>,
}

impl Cache {
    /// Forgets what was made, and with it the values that it was made of.
    pub fn forget(&self) {
        *self.0.lock() = None;
    }
}

/// What is looked for in the answers to this request; `None` when its host gets no values.
pub fn of(gateway: &Gateway, state: &State, asked: &Asked) -> Option<Arc<Echo>> {
    let Target::Name(host) = &asked.target else { return None };
    if !gateway.settings.egress.mask_echoes || !asked.tls || !state.compiled.binds(host, asked.port) {
        return None;
    }
    let lent: Vec<Option<(u64, Secret)>> =
        state.compiled.snapshot().bindings.iter().map(|binding| gateway.leases.get(&binding.secret)).collect();
    let versions = lent.iter().map(|lease| lease.as_ref().map_or(0, |(version, _)| *version)).collect();
    let mut cached = state.echoes.0.lock();
    if let Some(made) = cached.as_ref().filter(|made| made.versions == versions) {
        return made.echo.clone();
    }
    let echo = Echo::new(lent.iter().flatten().map(|(_, secret)| secret)).map(Arc::new);
    *cached = Some(Made { versions, echo: echo.clone() });
    echo
}

/// Asks for an answer that can be searched.
pub fn prepare(headers: &mut HeaderMap) {
    // Compressed answers would have to be opened first, and their length would tell what a guess has in common with a value.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    // Pieces of a stored echo, each too short to be recognised, would make up the whole.
    headers.remove(header::RANGE);
    headers.remove(header::IF_RANGE);
    headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
}

/// Writes over the values in a head, and says how its body is to be opened first.
pub fn head(echo: &Echo, method: &Method, status: StatusCode, headers: &mut HeaderMap) -> Result<Vec<coding::Coding>, Refusal> {
    fields(echo, headers);
    let bodiless = *method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if bodiless {
        return Ok(Vec::new());
    }
    let codings = coding::named(headers)
        .ok_or_else(|| Refusal::because(Reason::AnswerUnreadable, "it answered in a coding that cannot be searched for values"))?;
    if !codings.is_empty() {
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    Ok(codings)
}

/// The body, opened and searched.
pub fn body(echo: &Arc<Echo>, codings: &[coding::Coding], body: Body) -> Body {
    use http_body_util::BodyExt;
    Masking::new(coding::opened(body, codings), echo.stream()).boxed_unsync()
}

/// Writes over the values in header fields or trailers.
pub fn fields(echo: &Echo, headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        if let Some(masked) = echo.mask(value.as_bytes()) {
            // A mask is made of plain characters, so what was a header value still is one.
            *value = HeaderValue::from_bytes(&masked).unwrap_or_else(|_| HeaderValue::from_static("*"));
        }
    }
}
