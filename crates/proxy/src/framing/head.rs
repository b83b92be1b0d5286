//! One request head: where it ends, and whether there is only one way to read it.

use memchr::memchr;
use openmiosa_link::Reason;

use super::Violation;

/// The longest head, request line and all (H-18).
const HEAD_LIMIT: usize = 64 << 10;
/// The most header lines.
const LINE_LIMIT: usize = 128;
/// Names that some servers read from a twin spelled with underscores (H-07).
const TWINS: [&[u8]; 5] = [b"content-length", b"transfer-encoding", b"content-type", b"x-api-key", b"proxy-authorization"];

/// How the body after a head is framed.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// There is none.
    None,
    /// So many bytes.
    Fixed(u64),
    /// Chunks.
    Chunked,
    /// The protocol may change to WebSocket after this head.
    Upgrade,
}

/// Where the head at the start of `bytes` ends; `scanned` remembers how far was searched before.
pub fn end(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, Violation> {
    while let Some(found) = memchr(b'\n', &bytes[*scanned..]) {
        let at = *scanned + found;
        if at == 0 || bytes[at - 1] != b'\r' {
            return Err(Violation::framing("a line that does not end in CRLF"));
        }
        *scanned = at + 1;
        if at >= 3 && bytes[at - 2] == b'\n' {
            return bounded(at + 1).map(|()| Some(at + 1));
        }
        if at == 1 {
            return Err(Violation::framing("an empty line before the request"));
        }
    }
    *scanned = bytes.len();
    bounded(bytes.len()).map(|()| None)
}

fn bounded(length: usize) -> Result<(), Violation> {
    if length > HEAD_LIMIT {
        return Err(Violation { reason: Reason::TooLarge, what: "a request head above 64 KiB" });
    }
    Ok(())
}

/// Checks a whole head, from its request line to its empty line.
pub fn check(head: &[u8]) -> Result<BodyKind, Violation> {
    let mut lines = head[..head.len() - 4].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let modern = request_line(lines.next().unwrap_or_default())?;
    let mut fields = Fields::default();
    for (number, line) in lines.enumerate() {
        if number >= LINE_LIMIT {
            return Err(Violation { reason: Reason::TooLarge, what: "more than 128 header lines" });
        }
        fields.line(line)?;
    }
    match (fields.length, fields.chunked) {
        (Some(_), true) => Err(Violation::framing("both Content-Length and Transfer-Encoding")),
        (_, true) if !modern => Err(Violation::framing("Transfer-Encoding in HTTP/1.0")),
        (_, true) => Ok(BodyKind::Chunked),
        (Some(length), false) if length > 0 => Ok(BodyKind::Fixed(length)),
        _ if fields.upgrade => Ok(BodyKind::Upgrade),
        _ => Ok(BodyKind::None),
    }
}

/// `method SP target SP version`; gives whether the version is 1.1.
fn request_line(line: &[u8]) -> Result<bool, Violation> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if parts.next().is_some() || method.is_empty() || method.len() > 32 || !method.iter().copied().all(is_token) {
        return Err(Violation::framing("a request line that is not method, target, version"));
    }
    if target.is_empty() || !target.iter().all(|byte| (0x21..0x7f).contains(byte) && *byte != b'#') {
        return Err(Violation::framing("a request target with characters that no URL has"));
    }
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        _ => Err(Violation::framing("a version other than HTTP/1.1 and HTTP/1.0")),
    }
}

#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Fields {
    fn line(&mut self, line: &[u8]) -> Result<(), Violation> {
        let colon = memchr(b':', line).ok_or(Violation::framing("a header line without a colon"))?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(Violation::framing("a header name that is no token, or a folded line"));
        }
        if value.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte >= 0x7f) {
            return Err(Violation::framing("control or non-ASCII characters in a header value"));
        }
        // One optional space is what everybody sends; anything more is a trick when it frames a message.
        let plain = value.strip_prefix(b" ").unwrap_or(value);
        if name.eq_ignore_ascii_case(b"content-length") {
            self.content_length(plain)
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.transfer_encoding(plain)
        } else {
            self.upgrade |= name.eq_ignore_ascii_case(b"upgrade") && plain.trim_ascii().eq_ignore_ascii_case(b"websocket");
            if memchr(b'_', name).is_some() { twin(name) } else { Ok(()) }
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        let plain =
            !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit) && (value[0] != b'0' || value.len() == 1);
        if self.length.is_some() || !plain {
            return Err(Violation::framing("Content-Length is not one plain number"));
        }
        self.length = Some(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Violation::framing("Transfer-Encoding is not one plain \"chunked\""));
        }
        self.chunked = true;
        Ok(())
    }
}

fn twin(name: &[u8]) -> Result<(), Violation> {
    let dashed: Vec<u8> = name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect();
    if TWINS.contains(&dashed.as_slice()) {
        return Err(Violation::framing("an underscore twin of a header with a dash"));
    }
    Ok(())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
