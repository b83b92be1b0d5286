//! The shape of a placeholder, and the disguises that one can wear.

use std::{borrow::Cow, ops::Range};

use base64::{Engine, alphabet, engine::DecodePaddingMode, engine::GeneralPurpose, engine::GeneralPurposeConfig};
use memchr::{memchr2_iter, memmem};

/// What every placeholder starts with.
pub const PREFIX: &str = "miosa-tok-";
/// Hexadecimal digits behind the prefix.
const DIGITS: usize = 32;
/// Bytes of a placeholder.
pub const LENGTH: usize = PREFIX.len() + DIGITS;

/// How many layers of encoding are looked through.
const MAX_DEPTH: usize = 3;

/// The prefix inside base64, for each position that it can have in a group of three bytes.
const BASE64_NEEDLES: [&[u8]; 3] = [b"bWlvc2EtdG9rL", b"1pb3NhLXRvay", b"taW9zYS10b2st"];
const HEX_NEEDLES: [&[u8]; 2] = [b"6d696f73612d746f6b2d", b"6D696F73612D746F6B2D"];

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
/// Standard base64 as `Authorization: Basic` has it, with or without padding.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Whether a text is a placeholder and nothing else.
pub fn is_placeholder(text: &str) -> bool {
    text.len() == LENGTH && plain(text.as_bytes()).next().is_some()
}

/// Where placeholders stand as they were handed out.
pub fn plain(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(at) = memmem::find(&text[from..], PREFIX.as_bytes()) {
            let start = from + at;
            let range = start..start + LENGTH;
            if text.get(range.clone()).is_some_and(|whole| whole[PREFIX.len()..].iter().all(|byte| is_lower_hex(*byte))) {
                from = range.end;
                return Some(range);
            }
            from = start + 1;
        }
        None
    })
}

/// A placeholder that stands there in another form than it was handed out in, brought back to that form as far as possible.
pub fn disguised(text: &[u8]) -> Option<String> {
    look(text, 0)
}

/// The form in which a placeholder is handed out.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_ascii_lowercase()
}

fn look(text: &[u8], depth: usize) -> Option<String> {
    if let Some(range) = any_case(text, depth > 0) {
        return Some(to_text(&text[range]));
    }
    if let Some(found) = in_base64(text).or_else(|| in_hex(text)) {
        return Some(found);
    }
    if depth == MAX_DEPTH {
        return None;
    }
    let decoded = [percent_decoded(text), json_decoded(text)];
    decoded.into_iter().flatten().find_map(|inner| look(&inner, depth + 1))
}

/// The first placeholder in any case; in plain form only where that is a disguise by itself.
fn any_case(text: &[u8], count_plain: bool) -> Option<Range<usize>> {
    memchr2_iter(b'm', b'M', text).map(|start| start..start + LENGTH).find(|range| {
        text.get(range.clone()).is_some_and(|whole| {
            let (prefix, digits) = whole.split_at(PREFIX.len());
            let shaped = prefix.eq_ignore_ascii_case(PREFIX.as_bytes()) && digits.iter().all(u8::is_ascii_hexdigit);
            shaped && (count_plain || whole.iter().any(u8::is_ascii_uppercase))
        })
    })
}

fn in_base64(text: &[u8]) -> Option<String> {
    let (alignment, at) =
        BASE64_NEEDLES.iter().enumerate().find_map(|(alignment, needle)| Some((alignment, memmem::find(text, needle)?)))?;
    // The needle of a later alignment leaves out the characters that the byte before the prefix is part of.
    let start = at.saturating_sub([0, 2, 3][alignment]);
    let encoded = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let token: Vec<u8> = text[start..].iter().copied().take_while(encoded).collect();
    let inner = BASE64.decode(&token).or_else(|_| BASE64_URL.decode(&token)).unwrap_or_default();
    let found = any_case(&inner, true).map(|range| to_text(&inner[range]));
    Some(found.unwrap_or_else(|| PREFIX.to_owned()))
}

fn in_hex(text: &[u8]) -> Option<String> {
    let at = HEX_NEEDLES.iter().find_map(|needle| memmem::find(text, needle))?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let inner: Vec<u8> = text[at..].chunks_exact(2).map_while(|pair| Some(digit(&pair[0])? * 16 + digit(&pair[1])?)).collect();
    let found = any_case(&inner, true).map(|range| to_text(&inner[range]));
    Some(found.unwrap_or_else(|| PREFIX.to_owned()))
}

fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    match Cow::from(percent_encoding::percent_decode(text)) {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) => None,
    }
}

/// Undoes `\u0061` escapes, which is all that JSON needs to hide a placeholder.
fn json_decoded(text: &[u8]) -> Option<Vec<u8>> {
    memmem::find(text, b"\\u00")?;
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(byte) = rest.first() {
        let escaped = rest.strip_prefix(b"\\u00").and_then(|after| std::str::from_utf8(after.get(..2)?).ok());
        if let Some(code) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(code);
            rest = &rest[6..];
        } else {
            out.push(*byte);
            rest = &rest[1..];
        }
    }
    Some(out)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
