use super::*;

fn feed(bytes: &[u8]) -> (usize, Option<Violation>) {
    Framer::default().feed(bytes)
}

/// Fed a byte at a time, as the slowest client would.
fn feed_slowly(bytes: &[u8]) -> Option<Violation> {
    let (mut framer, mut held) = (Framer::default(), Vec::new());
    for byte in bytes {
        held.push(*byte);
        let (passed, violation) = framer.feed(&held);
        if violation.is_some() {
            return violation;
        }
        held.drain(..passed);
    }
    None
}

const GOOD: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: ok.test\r\n\r\n",
    "POST /a?b=c HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: ok.test\r\n\r\n",
    "POST / HTTP/1.1\r\nHost:ok.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: ok.test\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
];

const BAD: &[(&str, &str)] = &[
    ("H-01 CL.TE", "POST / HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"),
    ("H-02 TE.CL", "POST / HTTP/1.1\r\nHost: ok.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nG"),
    ("H-03 xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
    ("H-03 two codings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n"),
    ("H-03 space", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:  chunked\r\n\r\n"),
    ("H-03 twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("H-03 vertical tab", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n"),
    ("H-03 underscore", "POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n"),
    ("H-03 in 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("H-04 two equal", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"),
    ("H-04 list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n"),
    ("H-04 plus", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n"),
    ("H-04 zero", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 05\r\n\r\n"),
    ("H-04 hex", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n"),
    ("H-04 trailing space", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 \r\n\r\n"),
    ("H-04 huge", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n"),
    ("H-04 empty", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
    ("H-05 bare LF", "GET / HTTP/1.1\nHost: a\n\n"),
    ("H-05 bare LF in a header", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
    ("H-05 bare CR", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
    ("H-05 leading blank line", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("H-06 folded", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
    ("H-07 space before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    ("H-07 leading space", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("H-07 empty name", "GET / HTTP/1.1\r\n: a\r\n\r\n"),
    ("H-08 NUL", "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
    ("H-08 high byte", "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n"),
    ("H-09 no size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"),
    ("H-09 0x", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n"),
    ("H-09 overflow", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\n"),
    ("H-09 negative", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n"),
    ("H-09 longer than said", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n"),
    ("H-09 bare LF", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n"),
    ("H-09 extension with LF", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n"),
    ("H-13 two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("H-13 fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("H-13 version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
];

#[test]
fn plain_requests_pass_whole() {
    for good in GOOD {
        assert_eq!(feed(good.as_bytes()), (good.len(), None), "{good:?}");
    }
}

#[test]
fn h01_to_h09_what_can_be_read_two_ways_is_refused() {
    for (id, bad) in BAD {
        let (_, violation) = feed(bad.as_bytes());
        assert_eq!(violation.map(|v| v.reason), Some(Reason::Framing), "{id}");
    }
}

#[test]
fn h24_where_a_request_is_split_changes_nothing() {
    for good in GOOD {
        assert_eq!(feed_slowly(good.as_bytes()), None, "{good:?}");
    }
    for (id, bad) in BAD {
        assert_eq!(feed_slowly(bad.as_bytes()).map(|v| v.reason), Some(Reason::Framing), "{id}");
    }
}

#[test]
fn h18_heads_are_bounded() {
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(70_000));
    assert_eq!(feed(long.as_bytes()).1.map(|v| v.reason), Some(Reason::TooLarge));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200));
    assert_eq!(feed(many.as_bytes()).1.map(|v| v.reason), Some(Reason::TooLarge));
}

#[test]
fn h11_whole_requests_before_a_refused_one_pass() {
    let first = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = format!("{first}GET /b HTTP/1.1\r\nHost : a\r\n\r\n");
    let (passed, violation) = feed(both.as_bytes());
    assert_eq!(passed, first.len());
    assert!(violation.is_some());
}
