//! The first bytes of a connection: TLS, HTTP, or nothing that leaves.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::prefixed::Prefixed;

/// No method that anybody uses is longer.
const METHOD_LIMIT: usize = 20;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A TLS handshake record.
    Tls,
    /// A method and a space.
    Http,
    /// Anything else.
    Unknown,
}

/// Reads just enough to know, under a deadline. The bytes read are put back.
pub async fn read(mut stream: TcpStream, limit: Duration) -> (io::Result<Protocol>, Prefixed) {
    let mut seen = BytesMut::with_capacity(1024);
    let verdict = timeout(limit, classify_stream(&mut stream, &mut seen)).await;
    let verdict = verdict.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the client said nothing")));
    (verdict, Prefixed::new(seen, stream))
}

async fn classify_stream(stream: &mut TcpStream, seen: &mut BytesMut) -> io::Result<Protocol> {
    loop {
        if stream.read_buf(seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(protocol) = classify(seen) {
            return Ok(protocol);
        }
    }
}

/// `None` while more bytes are needed.
fn classify(seen: &[u8]) -> Option<Protocol> {
    let first = *seen.first()?;
    if first == 0x16 {
        return Some(Protocol::Tls);
    }
    for (at, byte) in seen.iter().enumerate().take(METHOD_LIMIT) {
        match byte {
            b'A'..=b'Z' => {}
            b'-' | b'_' | b'a'..=b'z' if at > 0 && !seen.starts_with(b"SSH-") => {}
            // `PRI ` opens HTTP/2 with prior knowledge, which is not spoken here.
            b' ' if at > 0 => return Some(if seen.starts_with(b"PRI ") { Protocol::Unknown } else { Protocol::Http }),
            _ => return Some(Protocol::Unknown),
        }
    }
    (seen.len() >= METHOD_LIMIT).then_some(Protocol::Unknown)
}

#[cfg(test)]
mod tests {
    use super::{Protocol, classify};

    #[test]
    fn n17_only_tls_and_http_are_known() {
        let cases: [(&[u8], Option<Protocol>); 10] = [
            (b"\x16\x03\x01", Some(Protocol::Tls)),
            (b"GET / HTTP/1.1", Some(Protocol::Http)),
            (b"M-SEARCH * HTTP/1.1", Some(Protocol::Http)),
            (b"GE", None),
            (b"SSH-2.0-x\r\n", Some(Protocol::Unknown)),
            (b"PRI * HTTP/2.0\r\n", Some(Protocol::Unknown)),
            (b"\x05\x01\x00", Some(Protocol::Unknown)),
            (b" GET /", Some(Protocol::Unknown)),
            (b"\r\nGET /", Some(Protocol::Unknown)),
            (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Some(Protocol::Unknown)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(classify(bytes), expected, "{bytes:?}");
        }
    }
}
