//! Methods: compared exactly, and three that never pass.

/// Longer than any registered method.
const MAX_METHOD: usize = 32;

/// Whether a method may pass at all: a token, and none that reflects a request or opens a tunnel.
pub(crate) fn is_passable(method: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !method.is_empty()
        && method.len() <= MAX_METHOD
        && method.bytes().all(token)
        && !["TRACE", "TRACK", "CONNECT"].iter().any(|never| method.eq_ignore_ascii_case(never))
}
