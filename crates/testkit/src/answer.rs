//! What a recording upstream says: scripted, one answer a request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::upstream::Recorded;

/// Whatever goes wrong in a test server.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Chooses the answer to a request.
pub type Script = Arc<dyn Fn(&Recorded) -> Answer + Send + Sync>;

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) parts: Vec<Bytes>,
    pub(crate) before_head: Duration,
    pub(crate) between_parts: Duration,
    pub(crate) end: End,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should.
    Whole,
    /// With a TCP reset instead of a head.
    Reset,
    /// After its parts the body just stops, and the connection with it.
    CutShort,
    /// After its parts the body stays open until the client goes.
    Hangs,
}

impl Answer {
    /// A status and a text.
    ///
    /// # Panics
    /// When it is no status.
    pub fn text(status: u16, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        Self {
            status,
            headers: HeaderMap::new(),
            parts: vec![body.into()],
            before_head: Duration::ZERO,
            between_parts: Duration::ZERO,
            end: End::Whole,
        }
    }

    /// 200 with JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::text(200, value.to_string()).header("content-type", "application/json")
    }

    /// 200 with the request's own method, path, headers and body, as a careless debug endpoint has it.
    pub fn echo(request: &Recorded) -> Self {
        let mut text = format!("{} {}\n", request.method, request.path);
        for (name, value) in &request.headers {
            text.extend([name.as_str(), ": ", &String::from_utf8_lossy(value.as_bytes()), "\n"]);
        }
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&request.body));
        Self::text(200, text)
    }

    /// Server-sent events, one part each.
    pub fn sse(events: &[&str], between: Duration) -> Self {
        let mut answer = Self::text(200, "").header("content-type", "text/event-stream");
        answer.parts = events.iter().map(|event| Bytes::from(format!("data: {event}\n\n"))).collect();
        answer.between_parts = between;
        answer
    }

    /// The same body in pieces of this many bytes.
    #[must_use]
    pub fn in_pieces(mut self, size: usize) -> Self {
        self.parts = self.parts.iter().flat_map(|part| part.chunks(size).map(Bytes::copy_from_slice)).collect();
        self
    }

    /// An answer whose head comes late.
    pub fn slow(delay: Duration) -> Self {
        let mut answer = Self::text(200, "late");
        answer.before_head = delay;
        answer
    }

    /// No answer: the connection is reset.
    pub fn reset() -> Self {
        let mut answer = Self::text(200, "");
        answer.end = End::Reset;
        answer
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::text(status, "").header("location", location)
    }

    /// The body breaks off after what it has.
    #[must_use]
    pub fn cut_short(mut self) -> Self {
        self.end = End::CutShort;
        self
    }

    /// The body stays open after what it has.
    #[must_use]
    pub fn hanging(mut self) -> Self {
        self.end = End::Hangs;
        self
    }

    /// One more header field.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }
}

/// 401 to the first request, then what the other script says.
pub fn once_401(then: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> impl Fn(&Recorded) -> Answer + Send + Sync + 'static {
    let refused = AtomicBool::new(false);
    move |request| {
        if refused.swap(true, Ordering::AcqRel) {
            then(request)
        } else {
            Answer::text(401, "expired").header(header::WWW_AUTHENTICATE.as_str(), "Bearer error=\"invalid_token\"")
        }
    }
}
