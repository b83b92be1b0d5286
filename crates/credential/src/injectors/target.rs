//! What path and query share: escapes of plain characters are undone where they hide a placeholder, and values are escaped.

use std::borrow::Cow;

use openmiosa_policy::Place;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::Session;
use crate::{placeholder::disguised, refusal::Refusal};

/// All but the characters that mean themselves anywhere in a URL.
pub(crate) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The piece with its placeholders swapped, or `None` when it holds none.
pub(super) fn swapped(piece: &str, place: Place, session: &mut Session<'_, '_>) -> Result<Option<String>, Refusal> {
    let text =
        if piece.contains('%') && disguised(piece.as_bytes()).is_some() { Cow::Owned(unescaped(piece)) } else { Cow::Borrowed(piece) };
    let swapped = session.rewrite(text.as_bytes(), place, |value, out| {
        out.extend(percent_encode(value, ESCAPED).flat_map(str::bytes));
    })?;
    // Escaped values and a text that was a str before are UTF-8.
    Ok(swapped.map(|text| String::from_utf8_lossy(&text).into_owned()))
}

/// Undoes the escapes of letters, digits and `-._~`, which mean the same escaped or not.
fn unescaped(piece: &str) -> String {
    let mut out = String::with_capacity(piece.len());
    let mut rest = piece;
    while let Some((front, behind)) = rest.split_once('%') {
        out.push_str(front);
        let code = behind.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(char::from);
        if let Some(code) = code.filter(|code| code.is_ascii_alphanumeric() || "-._~".contains(*code)) {
            out.push(code);
            rest = &behind[2..];
        } else {
            out.push('%');
            rest = behind;
        }
    }
    out.push_str(rest);
    out
}
