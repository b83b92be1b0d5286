//! What a request asks, read once and strictly. Decision, upstream request and record all come from this.

use http::{HeaderMap, Method, Version, header, request::Parts};
use openmiosa_credential::scan::find_in;
use openmiosa_link::Reason;
use openmiosa_policy::{CanonicalPath, HostPort, Request, Target, path};

use crate::{identify::Connection, refusal::Refusal};

/// A request as it is decided on.
#[derive(Debug)]
pub struct Asked {
    /// The one host of SNI, Host header and address.
    pub target: Target,
    /// The port that was connected to.
    pub port: u16,
    /// Whether the sandbox spoke TLS; then so do we.
    pub tls: bool,
    /// The method.
    pub method: Method,
    /// The path in its canonical form, which is also what is sent.
    pub path: CanonicalPath,
    /// The query as it was sent.
    pub query: Option<String>,
    /// Whether a change to WebSocket is asked for, the one protocol that is changed to.
    pub upgrade: bool,
}

impl Asked {
    /// The question as the policy takes it.
    pub fn question(&self) -> Request<'_> {
        let (host, literal) = match &self.target {
            Target::Name(host) => (Some(host), None),
            Target::Literal(address) => (None, Some(*address)),
        };
        Request { host, literal, port: self.port, method: self.method.as_str(), path: &self.path }
    }

    /// Path and query, in the form that is sent.
    pub fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path.as_str()),
            None => self.path.as_str().to_owned(),
        }
    }

    /// The `Host` header that is sent upstream.
    pub fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        if self.port == default { self.target.to_string() } else { format!("{}:{}", self.target, self.port) }
    }
}

/// Reads a request's head.
pub fn parse(connection: &Connection, parts: &Parts) -> Result<Asked, Refusal> {
    let target = authority(connection, parts)?;
    if parts.uri.scheme().is_some() || parts.uri.authority().is_some() || !parts.uri.path().starts_with('/') {
        return Err(Refusal::because(Reason::Framing, "the request target is not a path"));
    }
    let path = path::canonical(parts.uri.path()).map_err(|error| Refusal::because(Reason::Framing, error.to_string()))?;
    let upgrade = check_connection_header(&parts.headers)?;
    check_expect(&parts.headers)?;
    Ok(Asked {
        target,
        port: connection.port,
        tls: connection.tls,
        method: parts.method.clone(),
        path,
        query: parts.uri.query().map(str::to_owned),
        upgrade,
    })
}

/// The Host header must say what the connection is for; HTTP/1.0 may leave it out.
fn authority(connection: &Connection, parts: &Parts) -> Result<Target, Refusal> {
    let mut values = parts.headers.get_all(header::HOST).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Refusal::because(Reason::Framing, "two Host headers"));
    }
    let Some(value) = first else {
        return match connection.settled() {
            Some(target) if parts.version == Version::HTTP_10 => Ok(target),
            _ => Err(Refusal::because(Reason::Framing, "no Host header")),
        };
    };
    let text = value.to_str().map_err(|_| Refusal::from(Reason::HostSyntax))?;
    let named = HostPort::parse(text).map_err(|error| Refusal::because(Reason::HostSyntax, error.to_string()))?;
    if named.port.is_some_and(|port| port != connection.port) {
        return Err(Refusal::because(Reason::AuthorityMismatch, "the Host header names another port"));
    }
    connection.agree(&named.target)?;
    if !find_in(named.target.to_string().as_bytes()).is_empty() {
        return Err(Refusal::because(Reason::SecretUnbound, "a placeholder in the host's name"));
    }
    Ok(named.target)
}

/// `Connection` may name only what belongs to the connection; naming an end-to-end header would delete it
/// at the next hop. Gives whether the request wants to change the protocol.
fn check_connection_header(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut upgrade = false;
    for value in headers.get_all(header::CONNECTION) {
        let text = value.to_str().map_err(|_| Refusal::from(Reason::Framing))?;
        for token in text.split(',').map(|token| token.trim().to_ascii_lowercase()) {
            match token.as_str() {
                "" | "close" | "keep-alive" | "te" | "http2-settings" | "proxy-connection" => {}
                "upgrade" => upgrade = wants_websocket(headers),
                named if headers.contains_key(named) => {
                    return Err(Refusal::because(Reason::Framing, "Connection names an end-to-end header"));
                }
                _ => {}
            }
        }
    }
    let has_body =
        headers.contains_key(header::TRANSFER_ENCODING) || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if upgrade && has_body {
        return Err(Refusal::because(Reason::Framing, "an Upgrade request with a body"));
    }
    Ok(upgrade)
}

/// Any other protocol would carry requests that nobody decides on; a server may always leave an Upgrade unanswered.
fn wants_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(header::UPGRADE).iter();
    protocols.next().is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket")) && protocols.next().is_none()
}

fn check_expect(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut expectations = headers.get_all(header::EXPECT).iter();
    if expectations.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Ok(());
    }
    Err(Refusal::because(Reason::Framing, "an expectation other than 100-continue"))
}
