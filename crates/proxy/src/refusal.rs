//! A refusal as the sandbox sees it.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::ext::ReasonPhrase;
use openmiosa_link::{Reason, Text, records::HeldBack};

use crate::{record::Event, relay::Body};

/// Why a request does not go through, and which rule says so.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The contract's word.
    pub reason: Reason,
    /// The rule, when one decided.
    pub rule: Option<Text>,
    /// A sentence for the record; never sent to the sandbox.
    pub message: Option<String>,
    /// The secret whose placeholder it keeps back, when it is one of this sandbox's.
    pub held_back: Option<HeldBack>,
    /// Whether the connection cannot be trusted with another request.
    pub close: bool,
    /// Whether it was let through first, and a newer snapshot then took that back.
    pub cut: bool,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        let close = matches!(reason, Reason::Framing | Reason::TooLarge | Reason::AuthorityMismatch | Reason::SniMissing);
        Self { reason, rule: None, message: None, held_back: None, close, cut: false }
    }
}

impl Refusal {
    /// With a sentence for the record.
    pub fn because(reason: Reason, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::from(reason) }
    }

    /// A request that was going on when a newer snapshot or a revoked lease took back what allowed it.
    pub fn cut() -> Self {
        Self { cut: true, ..Self::because(Reason::HostDenied, "cut by a newer policy") }
    }

    /// Records the refusal and answers with it.
    pub fn answer(self, mut event: Event) -> Response<Body> {
        let response = self.response(&event.call.host);
        event.refuse(self, response.status().as_u16());
        response
    }

    /// The answer. `host` is the canonical one: nothing else of the request is repeated.
    pub fn response(&self, host: &str) -> Response<Body> {
        let status = StatusCode::from_u16(self.reason.status()).unwrap_or(StatusCode::FORBIDDEN);
        let verb = if self.reason.is_refusal() { "blocked" } else { "failed" };
        let rule = self.rule.as_deref().unwrap_or("none");
        let text = format!(
            "{verb}: {} MIOSA-Egress-Deny\nhost: {}\nreason: {}\nrule: {rule}\ndo: {}\n",
            status.as_u16(),
            if host.is_empty() { "unknown" } else { host },
            self.reason.as_str(),
            self.reason.remedy(),
        );
        let mut response = Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = status;
        if status == StatusCode::FORBIDDEN {
            response.extensions_mut().insert(ReasonPhrase::from_static(b"MIOSA-Egress-Deny"));
        }
        let headers = response.headers_mut();
        headers.insert("miosa-egress-deny", HeaderValue::from_static(self.reason.as_str()));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
