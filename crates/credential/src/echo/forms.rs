//! The forms in which a value comes back: as it went out, or as servers, pages and logs commonly write it.
//!
//! Each form has a mask of its own length, in its own alphabet: framing and lengths around it stay what they were, and a
//! text that was valid base64, JSON or hexadecimal before is so afterwards.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

use crate::injectors::ESCAPED;

/// What stands in the place of each character of a value.
const STAR: u8 = b'*';
/// What browsers leave alone in a query, and what they leave alone in a path.
const QUERY: &AsciiSet = &ESCAPED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
const PATH: &AsciiSet = &QUERY.remove(b'$').remove(b'&').remove(b'+').remove(b',').remove(b';').remove(b'=').remove(b':').remove(b'@');

/// One form of a value, and what is written over it.
pub(super) struct Form {
    pub text: Zeroizing<Vec<u8>>,
    pub mask: Vec<u8>,
}

/// Every form that is looked for; none twice.
pub(super) fn forms(value: &[u8]) -> Vec<Form> {
    let mut all = Vec::new();
    let mut add = |text: Vec<u8>, star: &[u8]| {
        let mask = star.iter().copied().cycle().take(text.len()).collect();
        all.push(Form { text: Zeroizing::new(text), mask });
    };
    add(value.to_vec(), &[STAR]);
    add(value.iter().rev().copied().collect(), &[STAR]);
    for (shift, star) in [b"Kioq", b"oqKi", b"qKio"].into_iter().enumerate() {
        for encode in [|bytes: &[u8]| BASE64_STANDARD.encode(bytes), |bytes: &[u8]| BASE64_URL_SAFE.encode(bytes)] {
            let text = base64_at(shift, value, encode);
            // A text that was cut within the last group still gives nearly all of the value away.
            add(text[..text.len() - 1].to_vec(), star);
            add(text, star);
        }
    }
    add(each(value, |byte| format!("{byte:02x}")), b"2a");
    add(each(value, |byte| format!("{byte:02X}")), b"2A");
    for text in percent(value) {
        add(text, &[STAR]);
    }
    for (text, star) in json(value).into_iter().chain(html(value)) {
        add(text, star);
    }
    for text in wide(value) {
        let star = if text.first() == Some(&0) { [0, STAR] } else { [STAR, 0] };
        add(text, &star);
    }
    all.sort_by(|one, other| one.text.as_slice().cmp(&other.text));
    all.dedup_by(|one, other| one.text == other.text);
    all
}

/// The characters of the base64 that the value alone decides, when it begins `shift` bytes into a group of three.
fn base64_at(shift: usize, value: &[u8], encode: fn(&[u8]) -> String) -> Vec<u8> {
    let padded = Zeroizing::new([&b"\0\0"[..shift], value].concat());
    let encoded = Zeroizing::new(encode(&padded));
    encoded.as_bytes()[[0, 2, 3][shift]..padded.len() * 8 / 6].to_vec()
}

/// As URLs have it: everything escaped, or as the common libraries do it, in either case of the digits.
fn percent(value: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![each(value, |byte| format!("%{byte:02X}")), each(value, |byte| format!("%{byte:02x}"))];
    for set in [NON_ALPHANUMERIC, ESCAPED, QUERY, PATH] {
        let text = percent_encode(value, set).to_string();
        all.push(lower_escapes(&text));
        all.push(text.into_bytes());
    }
    all
}

fn lower_escapes(text: &str) -> Vec<u8> {
    let mut lowered = text.as_bytes().to_vec();
    for at in 0..lowered.len().saturating_sub(2) {
        if lowered[at] == b'%' {
            lowered[at + 1..at + 3].make_ascii_lowercase();
        }
    }
    lowered
}

/// As JSON strings have it: only what must be escaped (with and without the slash, and with what pages escape as well), or all of it.
fn json(value: &[u8]) -> Vec<(Vec<u8>, &'static [u8])> {
    let must = |byte: u8| matches!(byte, b'"' | b'\\');
    let escaped = |also: fn(u8) -> bool| {
        value.iter().fold(Vec::new(), |mut out, byte| {
            if must(*byte) || *byte == b'/' && also(*byte) {
                out.push(b'\\');
                out.push(*byte);
            } else if also(*byte) {
                out.extend(format!("\\u{byte:04x}").bytes());
            } else {
                out.push(*byte);
            }
            out
        })
    };
    vec![
        (escaped(|_| false), b"*"),
        (escaped(|byte| byte == b'/'), b"*"),
        // What encoders for pages and Go's encoder write as escapes.
        (escaped(|byte| matches!(byte, b'<' | b'>' | b'&')), b"*"),
        (escaped(|byte| matches!(byte, b'<' | b'>' | b'&' | b'\'' | b'=')), b"*"),
        (each(value, |byte| format!("\\u{byte:04x}")), b"\\u002a"),
        (each(value, |byte| format!("\\u{byte:04X}")), b"\\u002A"),
    ]
}

/// As pages have it: what must be escaped in each of the usual ways, or all of it as numbers.
fn html(value: &[u8]) -> Vec<(Vec<u8>, &'static [u8])> {
    let escaped = |quote: &str, double: &str| {
        each(value, |byte| match byte {
            b'&' => "&amp;".to_owned(),
            b'<' => "&lt;".to_owned(),
            b'>' => "&gt;".to_owned(),
            b'"' => double.to_owned(),
            b'\'' => quote.to_owned(),
            other => char::from(other).to_string(),
        })
    };
    let mut all: Vec<Vec<u8>> =
        [("'", "\""), ("'", "&quot;"), ("&#x27;", "&quot;"), ("&#39;", "&quot;"), ("&#39;", "&#34;"), ("&#039;", "&quot;")]
            .map(|(quote, double)| escaped(quote, double))
            .into();
    all.push(each(value, |byte| format!("&#{byte};")));
    all.push(each(value, |byte| format!("&#x{byte:x};")));
    all.push(each(value, |byte| format!("&#x{byte:X};")));
    all.into_iter().map(|text| (text, &b"*"[..])).collect()
}

/// UTF-16 in both orders, of values that are text.
fn wide(value: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(value) else { return Vec::new() };
    vec![text.encode_utf16().flat_map(u16::to_le_bytes).collect(), text.encode_utf16().flat_map(u16::to_be_bytes).collect()]
}

fn each(value: &[u8], write: impl Fn(u8) -> String) -> Vec<u8> {
    value.iter().flat_map(|byte| write(*byte).into_bytes()).collect()
}
